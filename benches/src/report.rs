//! The output of figures.

use std::io::Write as _;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// The figures of one measurement, in the order in which they are shown.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    workload: String,
    figures: Vec<Figure>,
}

#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    pub(crate) fn new(workload: impl Into<String>) -> Self {
        Self { workload: workload.into(), figures: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value, unit });
    }

    pub(crate) fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            return Ok(writeln!(out, "{}", serde_json::to_string(self)?)?);
        }
        writeln!(out, "{}", self.workload)?;
        let width = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
        for Figure { name, value, unit } in &self.figures {
            let digits = if value.abs() < 100.0 { 2 } else { 0 };
            writeln!(out, "  {name:width$}  {value:>14.digits$} {unit}")?;
        }
        Ok(())
    }
}

/// A progress bar, shown only on a terminal.
pub(crate) fn progress(steps: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} {msg}").expect("a template");
    ProgressBar::new(steps as u64).with_style(style).with_message(what)
}
