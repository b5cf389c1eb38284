//! The report as a picture: for each queue a diagram of quality over waiting time.
//!
//! ```text
//!   quality
//!      |     o--------        o       median of a band in the first run, filled in the last
//!      |     | \              right   waiting time that nine in ten do not exceed
//!      |        *-------      down    quality that one in ten does not exceed
//!      +------------------ waiting time
//! ```

use std::fmt::Write as _;

use faf_lobby_core::escaped;

use super::{Band, Figures, Group, Report};

/// Width of the picture, in pixels.
const WIDTH: f64 = 760.0;
/// Height of the lines above the diagrams, and of each diagram with its texts.
const HEAD: f64 = 50.0;
const PANEL: f64 = 360.0;
/// Distances of the axes from the left, right, top and bottom of a diagram.
const MARGINS: [f64; 4] = [70.0, 130.0, 40.0, 60.0];
/// Largest number of ticks of an axis.
const TICKS: f64 = 8.0;

const STYLE: &str = "text{font:13px sans-serif;fill:#222}.title{font-weight:bold}.axis{stroke:#222}\
                     .grid{stroke:#ddd}.end{text-anchor:end}.middle{text-anchor:middle}";

/// Colours that most people can tell apart, for the bands from the lowest.
const COLOURS: [&str; 7] = ["#882255", "#cc6677", "#ddaa33", "#117733", "#44aa99", "#0077bb", "#332288"];

impl Report {
    /// Returns an SVG picture.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut queues: Vec<(&str, Vec<&Group>)> = Vec::new();
        for group in &self.groups {
            if group.band == Band::All {
                queues.push((&group.queue, Vec::new()));
            } else if let Some((_, groups)) = queues.last_mut() {
                groups.push(group);
            }
        }
        let height = HEAD + PANEL * queues.len() as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\">\n<style>{STYLE}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        let legend = match &self.runs[..] {
            [first, .., last] => format!("hollow: {first}; filled: {last}"),
            [only] => only.clone(),
            [] => String::new(),
        };
        label(&mut svg, 20.0, 22.0, "", &legend);
        label(
            &mut svg,
            20.0,
            42.0,
            "",
            "Circle: median. Lines: to the 90 % of waiting time, to the 10 % of quality.",
        );
        for (number, (queue, groups)) in queues.iter().enumerate() {
            panel(&mut svg, HEAD + PANEL * number as f64, queue, groups);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// The scales of a diagram.
struct Axes {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    longest: f64,
    best: f64,
}

impl Axes {
    fn x(&self, wait: f64) -> f64 {
        self.left + (self.right - self.left) * wait / self.longest
    }

    fn y(&self, quality: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * quality.max(0.0) / self.best
    }
}

/// The figures of a point of a diagram.
struct Point {
    wait: f64,
    wait_90: f64,
    quality: f64,
    quality_10: f64,
}

fn point(figures: &Figures) -> Option<Point> {
    Some(Point {
        wait: figures.wait_median?.as_secs_f64(),
        wait_90: figures.wait_90?.as_secs_f64(),
        quality: figures.quality_median?,
        quality_10: figures.quality_10?,
    })
}

fn panel(svg: &mut String, top: f64, queue: &str, groups: &[&Group]) {
    let points = groups.iter().flat_map(|group| &group.figures).filter_map(point);
    let (longest, best) = points.fold((1.0_f64, 1.0_f64), |(longest, best), point| {
        (longest.max(point.wait_90), best.max(point.quality))
    });
    let [left, right, above, below] = MARGINS;
    let (wait_step, quality_step) = (step(longest), step(best));
    let axes = Axes {
        left,
        right: WIDTH - right,
        top: top + above,
        bottom: top + PANEL - below,
        longest: (longest / wait_step).ceil() * wait_step,
        best: (best / quality_step).ceil() * quality_step,
    };
    label(svg, left, top + above - 14.0, "title", queue);
    for tick in 0..=(axes.longest / wait_step).round() as u32 {
        let wait = f64::from(tick) * wait_step;
        line(svg, "grid", [axes.x(wait), axes.top, axes.x(wait), axes.bottom]);
        label(svg, axes.x(wait), axes.bottom + 18.0, "middle", &number(wait));
    }
    for tick in 0..=(axes.best / quality_step).round() as u32 {
        let quality = f64::from(tick) * quality_step;
        line(svg, "grid", [axes.left, axes.y(quality), axes.right, axes.y(quality)]);
        label(svg, axes.left - 8.0, axes.y(quality) + 4.0, "end", &number(quality));
    }
    line(svg, "axis", [axes.left, axes.bottom, axes.right, axes.bottom]);
    line(svg, "axis", [axes.left, axes.top, axes.left, axes.bottom]);
    let middle = f64::midpoint(axes.left, axes.right);
    label(svg, middle, axes.bottom + 40.0, "middle", "waiting time of the matched, in seconds");
    label(svg, 8.0, top + above - 14.0, "", "quality");
    for (row, group) in groups.iter().enumerate() {
        let colour = COLOURS[colour(group.band)];
        let y = axes.top + 18.0 * row as f64 + 4.0;
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>",
            axes.right + 18.0
        );
        label(svg, axes.right + 30.0, y + 4.0, "", &group.band.to_string());
        band(svg, &axes, group, colour);
    }
}

/// Draws the points of a band, and a line from the first to the last.
fn band(svg: &mut String, axes: &Axes, group: &Group, colour: &str) {
    let points: Vec<(bool, Point)> = group
        .figures
        .iter()
        .enumerate()
        .filter_map(|(run, figures)| Some((run + 1 == group.figures.len(), point(figures)?)))
        .collect();
    let stroke = |width: f64, [x1, y1, x2, y2]: [f64; 4]| {
        format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" \
             stroke-width=\"{width}\"/>\n"
        )
    };
    if let [(_, first), .., (_, last)] = &points[..] {
        let (from, to) =
            ((axes.x(first.wait), axes.y(first.quality)), (axes.x(last.wait), axes.y(last.quality)));
        svg.push_str(&stroke(2.0, [from.0, from.1, to.0, to.1]));
    }
    for (is_last, point) in &points {
        let (x, y) = (axes.x(point.wait), axes.y(point.quality));
        svg.push_str(&stroke(0.7, [x, y, axes.x(point.wait_90), y]));
        svg.push_str(&stroke(0.7, [x, y, x, axes.y(point.quality_10)]));
        let fill = if *is_last { colour } else { "white" };
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
    }
}

fn colour(band: Band) -> usize {
    let last = COLOURS.len() - 1;
    match band {
        Band::All | Band::Negative => 0,
        Band::From(from) => (1 + from.max(0) as usize / super::WIDTH as usize).min(last),
        Band::Highest(_) => last,
    }
}

/// Returns a distance of ticks: 1, 2 or 5 times a power of ten.
fn step(maximum: f64) -> f64 {
    let least = maximum / TICKS;
    // Reports are compared as text, and these functions of the standard library differ by platform.
    let power = libm::pow(10.0, libm::log10(least).floor());
    [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= least).unwrap_or(least)
}

/// Returns a number of an axis, without digits that mean nothing.
fn number(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn line(svg: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn label(svg: &mut String, x: f64, y: f64, class: &str, text: &str) {
    // Some characters are not allowed in XML at all.
    let text = escaped(text).to_string();
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>");
}
