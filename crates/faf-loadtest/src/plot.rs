//! A run over time, as a picture: latency, messages a second, clients, memory of the server.

use std::fmt::Write;

use crate::report::{Moment, figure};

const WIDTH: f64 = 900.0;
const PANEL: f64 = 180.0;
/// Around a panel, for its numbers and its title.
const MARGIN: f64 = 64.0;

/// One line of a panel.
struct Line<'a> {
    name: &'a str,
    colour: &'a str,
    points: Vec<(f64, f64)>,
}

/// SVG with one panel below the other. Each begins at zero.
pub(crate) fn svg(title: &str, moments: &[Moment]) -> String {
    let line = |name, colour, value: &dyn Fn(&Moment) -> Option<f64>| Line {
        name,
        colour,
        points: moments
            .iter()
            .filter_map(|moment| Some((moment.at.as_secs_f64(), value(moment)?)))
            .filter(|(_, value)| value.is_finite())
            .collect(),
    };
    let panels = [
        (
            "latency, ms",
            vec![
                line("median", "#2b6cb0", &|moment| moment.p50),
                line("99 %", "#c05621", &|moment| moment.p99),
            ],
        ),
        ("messages a second", vec![line("", "#2f855a", &|moment| Some(moment.messages))]),
        ("clients online", vec![line("", "#4a5568", &|moment| Some(moment.online as f64))]),
        (
            "resident memory of the server, MB",
            vec![line("", "#6b46c1", &|moment| Some(moment.memory? as f64 / 1e6))],
        ),
    ];
    let height = MARGIN + panels.len() as f64 * (PANEL + MARGIN);
    let last = moments.last().map_or(1.0, |moment| moment.at.as_secs_f64()).max(0.001);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{MARGIN}\" y=\"28\" font-size=\"18\">{title}</text>\n",
        WIDTH + 2.0 * MARGIN
    );
    for (index, (name, lines)) in panels.iter().enumerate() {
        let top = MARGIN + index as f64 * (PANEL + MARGIN);
        panel(&mut svg, top, last, name, lines);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Writing to a text does not fail.
fn panel(svg: &mut String, top: f64, last: f64, name: &str, lines: &[Line]) {
    let values = lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let highest = values.fold(0.0, f64::max);
    let highest = if highest > 0.0 { highest } else { 1.0 };
    let x = |at: f64| MARGIN + at / last * WIDTH;
    let y = |value: f64| top + PANEL - value / highest * PANEL;
    let (right, bottom) = (MARGIN + WIDTH, top + PANEL);
    _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"bold\">{name}</text>", top - 8.0);
    for value in [0.0, highest / 2.0, highest] {
        let at = y(value);
        _ = writeln!(svg, "<path d=\"M{MARGIN} {at:.1}H{right}\" stroke=\"#ddd\"/>");
        let label = figure(value);
        _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            MARGIN - 6.0,
            at + 4.0
        );
    }
    for at in [0.0, last / 2.0, last] {
        let label = figure(at);
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{label} s</text>",
            x(at),
            bottom + 18.0
        );
    }
    for (index, Line { name, colour, points }) in lines.iter().enumerate() {
        let points: Vec<_> =
            points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        let points = points.join(" ");
        _ = writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
        );
        let left = right - 60.0 * (lines.len() - index) as f64;
        _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\" fill=\"{colour}\">{name}</text>", top - 8.0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_panel_has_its_lines() {
        let moment = |second: u64| Moment {
            at: Duration::from_secs(second),
            messages: 100.0 * second as f64,
            online: 7,
            p50: Some(1.0),
            p99: None,
            memory: Some(5_000_000),
        };
        let svg = svg("broadcast", &[moment(1), moment(2)]);
        assert_eq!(svg.matches("<polyline").count(), 5);
        assert_eq!(svg.matches("points=\"\"").count(), 1);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains("514.0,"), "{svg}");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn a_run_without_a_moment_is_a_picture_as_well() {
        assert!(!svg("nothing", &[]).contains("NaN"));
    }
}
