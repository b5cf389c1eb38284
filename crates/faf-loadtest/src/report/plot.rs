//! A run over time as a picture: latency, messages per second, clients, memory of the server.

use anyhow::anyhow;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::{Moment, figure};

const WIDTH: u32 = 1028;
const TITLE: u32 = 40;
/// Height of a panel with its title and axis, in pixels.
const PANEL: u32 = 244;

/// Font of everything but titles, and its size in units of the library: 1.24 pixels of the letters.
const FONT: (&str, u32) = ("sans-serif", 15);

/// One line of a panel.
struct Line {
    name: &'static str,
    colour: RGBColor,
    value: fn(&Moment) -> Option<f64>,
}

const fn line(name: &'static str, colour: u32, value: fn(&Moment) -> Option<f64>) -> Line {
    let [_, red, green, blue] = colour.to_be_bytes();
    Line { name, colour: RGBColor(red, green, blue), value }
}

/// Titles of the panels, and their lines.
const PANELS: [(&str, &[Line]); 4] = [
    (
        "latency, ms",
        &[line("median", 0x2B_6C_B0, |moment| moment.p50), line("99 %", 0xC0_56_21, |moment| moment.p99)],
    ),
    ("messages a second", &[line("", 0x2F_85_5A, |moment| Some(moment.messages))]),
    ("clients online", &[line("", 0x4A_55_68, |moment| Some(moment.online as f64))]),
    (
        "resident memory of the server, MB",
        &[line("", 0x6B_46_C1, |moment| Some(moment.memory? as f64 / 1e6))],
    ),
];

/// Returns an SVG with one panel below the other. Each axis begins at zero.
///
/// # Errors
/// If the library cannot draw it.
pub(crate) fn svg(title: &str, moments: &[Moment]) -> anyhow::Result<String> {
    let mut svg = String::new();
    let height = TITLE + PANELS.len() as u32 * PANEL;
    draw(&SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area(), title, moments)
        .map_err(|error| anyhow!("cannot draw the plot: {error}"))?;
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(picture: &Area<'a>, title: &str, moments: &[Moment]) -> Drawn<'a> {
    picture.fill(&WHITE)?;
    let (top, panels) = picture.split_vertically(TITLE);
    top.draw(&Text::new(title.to_owned(), (64, 12), ("sans-serif", 22)))?;
    let last = moments.last().map_or(1.0, |moment| moment.at.as_secs_f64()).max(0.001);
    for (area, (name, lines)) in panels.split_evenly((PANELS.len(), 1)).iter().zip(PANELS) {
        panel(area, name, lines, moments, last)?;
    }
    picture.present()
}

fn panel<'a>(area: &Area<'a>, name: &str, lines: &[Line], moments: &[Moment], last: f64) -> Drawn<'a> {
    let points = |line: &Line| -> Vec<_> {
        let point = |moment: &Moment| Some((moment.at.as_secs_f64(), (line.value)(moment)?));
        moments.iter().filter_map(point).filter(|(_, value)| value.is_finite()).collect()
    };
    let all = lines.iter().flat_map(points);
    let highest = all.map(|(_, value)| value).fold(0.0, f64::max);
    let highest = if highest > 0.0 { highest } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .caption(name, ("sans-serif", 18))
        .margin_right(20)
        .x_label_area_size(24)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..last, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(FONT)
        .y_labels(5)
        .y_label_formatter(&|value| figure(*value))
        .x_label_formatter(&|at| format!("{} s", figure(*at)))
        .draw()?;
    let right = area.dim_in_pixel().0.cast_signed() - 20;
    for (number, line) in (1..).zip(lines.iter().rev()) {
        chart.draw_series(LineSeries::new(points(line), line.colour.stroke_width(2)))?;
        let style = FONT.into_text_style(area).color(&line.colour);
        let style = style.pos(Pos::new(HPos::Right, VPos::Top));
        area.draw(&Text::new(line.name, (right - 60 * (number - 1), 4), style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_run_becomes_lines() {
        let moment = |seconds, messages, p50| Moment {
            at: Duration::from_secs(seconds),
            messages,
            online: 10,
            p50,
            p99: p50,
            memory: None,
        };
        let svg = svg("idle", &[moment(1, 0.0, None), moment(2, 50.0, Some(2.5))]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for part in ["idle", "latency, ms", "messages a second", "50", "median"] {
            assert!(svg.contains(part), "{part} is missing in {svg}");
        }
        // One line each, except for the memory, which is unknown.
        assert!(svg.matches("<polyline").count() >= 4, "{svg}");
        super::svg("nothing", &[]).unwrap();
    }
}
