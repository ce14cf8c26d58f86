//! The plots, as SVG on white, so that they are readable on any background.

use std::path::Path;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::collect::{Measured, STORES};
use super::targets::sessions;

/// Colors that are dark enough for lines on white, and distinguishable with color blindness.
const COLORS: [RGBColor; 4] =
    [RGBColor(0, 90, 181), RGBColor(220, 50, 32), RGBColor(0, 130, 90), RGBColor(130, 130, 130)];

/// A line of a plot.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Draws all plots into a folder.
pub(crate) fn draw(measured: &Measured, folder: &Path) -> anyhow::Result<()> {
    let subjects = || STORES.into_iter().chain(["seed-path"]);
    let in_flight = subjects().map(|subject| {
        let rows = measured.sends.iter().filter(|(name, _, _)| name == subject);
        let points = rows.map(|(_, flying, told)| (*flying as f64, told.get("durable sends"))).collect();
        Line { name: subject.into(), points }
    });
    let labels = ("sends in flight", "messages per second");
    logarithmic(&folder.join("in-flight.svg"), "Durable sends", labels, in_flight.collect())?;

    let latency = subjects().filter_map(|subject| {
        let told = measured.send(subject, 256)?;
        let points = [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)];
        let points = points.map(|(name, percent)| (1.0 / (1.0 - percent / 100.0), told.get(name)));
        Some(Line { name: subject.into(), points: points.into() })
    });
    let labels = ("one send in so many is slower (2: p50, 100: p99, 1,000: p99.9)", "milliseconds");
    logarithmic(&folder.join("latency.svg"), "Latency of a send, 256 in flight", labels, latency.collect())?;

    let stored = STORES.into_iter().map(|store| {
        let mut points: Vec<_> = measured
            .stored
            .iter()
            .filter(|(name, _, _)| name == store)
            .map(|(_, messages, told)| (*messages as f64, told.get("durable sends")))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Line { name: store.into(), points }
    });
    let labels = ("messages stored before", "messages per second");
    let lines: Vec<_> = stored.collect();
    let ((x0, x1), (_, y1)) = extent(&lines);
    let title = "Durable sends, 256 in flight";
    plot(&folder.join("stored.svg"), title, labels, lines, (x0..x1 * 1.1).log_scale(), 0.0..y1 * 1.3)?;

    let cold = measured.cold.lines().into_iter().map(|(name, points)| Line { name, points });
    let labels = ("conversations", "messages per second");
    let title = "Durable sends, 256 in flight: conversations in memory (warm) and not (cold)";
    logarithmic(&folder.join("cold.svg"), title, labels, cold.collect())?;

    let memory = ["memory", "sqlite"].map(|store| Line {
        name: format!("{store} store"),
        points: sessions(measured, store)
            .into_iter()
            .map(|(n, bytes)| (n, bytes / 1024.0 / 1024.0))
            .collect(),
    });
    let labels = ("sessions that wait", "MiB");
    linear(
        &folder.join("sessions.svg"),
        "Memory of waiting sessions, their tasks included",
        labels,
        memory.into(),
    )
}

fn logarithmic(path: &Path, title: &str, labels: (&str, &str), lines: Vec<Line>) -> anyhow::Result<()> {
    let ((x0, x1), (y0, y1)) = extent(&lines);
    plot(path, title, labels, lines, (x0..x1 * 1.1).log_scale(), (y0 * 0.8..y1 * 3.0).log_scale())
}

fn linear(path: &Path, title: &str, labels: (&str, &str), lines: Vec<Line>) -> anyhow::Result<()> {
    let ((_, x1), (_, y1)) = extent(&lines);
    plot(path, title, labels, lines, 0.0..x1 * 1.05, 0.0..y1 * 1.3)
}

fn plot<X, Y>(
    path: &Path,
    title: &str,
    labels: (&str, &str),
    lines: Vec<Line>,
    x: X,
    y: Y,
) -> anyhow::Result<()>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let failed = |error: &dyn std::fmt::Display| anyhow::anyhow!("cannot draw {}: {error}", path.display());
    let area = SVGBackend::new(path, (760, 420)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(x, y)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .x_desc(labels.0)
        .y_desc(labels.1)
        .x_label_formatter(&|value| label(*value))
        .y_label_formatter(&|value| label(*value))
        .light_line_style(RGBColor(240, 240, 240))
        .draw()
        .map_err(|error| failed(&error))?;
    // Many lines fall to the right from the top, so there is space below their beginnings.
    let many = lines.len() > COLORS.len();
    let names = if many { SeriesLabelPosition::LowerLeft } else { SeriesLabelPosition::UpperLeft };
    for (n, line) in lines.into_iter().enumerate() {
        // If there are more lines than colors, the second line of a color is faint.
        let color = COLORS.get(n % COLORS.len()).copied().unwrap_or(BLACK);
        let color = color.mix(if n < COLORS.len() { 1.0 } else { 0.45 });
        let style = color.stroke_width(2);
        // A measurement that failed has no point.
        let points = line.points.iter().copied().filter(|point| point.1.is_finite());
        chart
            .draw_series(LineSeries::new(points.clone(), style))
            .map_err(|error| failed(&error))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        let dots = points.map(|point| Circle::new(point, 3, color.filled()));
        chart.draw_series(dots).map_err(|error| failed(&error))?;
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(200, 200, 200))
        .position(names)
        .draw()
        .map_err(|error| failed(&error))?;
    area.present().map_err(|error| failed(&error))
}

/// The lowest and highest value of both coordinates.
fn extent(lines: &[Line]) -> ((f64, f64), (f64, f64)) {
    let points = lines.iter().flat_map(|line| &line.points);
    points.filter(|point| point.1.is_finite()).fold(((f64::MAX, 1.0), (f64::MAX, 1.0)), |(x, y), point| {
        ((x.0.min(point.0), x.1.max(point.0)), (y.0.min(point.1), y.1.max(point.1)))
    })
}

/// A number on an axis.
fn label(value: f64) -> String {
    if value >= 1e6 {
        format!("{}M", value / 1e6)
    } else if value >= 1e3 {
        format!("{}k", value / 1e3)
    } else {
        format!("{}", (value * 100.0).round() / 100.0)
    }
}
