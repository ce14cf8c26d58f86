//! One measurement in a child process of the same program.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// The figures of a measurement, by name.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Figures {
    pub(crate) workload: String,
    figures: Vec<Figure>,
}

#[derive(Clone, Debug, Deserialize)]
struct Figure {
    name: String,
    value: f64,
}

impl Figures {
    /// The figure with this name; NaN if there is none.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.figures.iter().find(|figure| figure.name == name).map_or(f64::NAN, |figure| figure.value)
    }

    /// The figures whose names begin with this text.
    pub(crate) fn beginning(&self, with: &str) -> BTreeMap<&str, f64> {
        self.figures
            .iter()
            .filter_map(|figure| Some((figure.name.strip_prefix(with)?, figure.value)))
            .collect()
    }

    /// The ratio of each round of a comparison.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        let rounds = self.figures.iter().filter(|figure| figure.name.ends_with(": ratio"));
        rounds.map(|figure| figure.value).collect()
    }
}

/// Runs a measurement to its end. Its progress is shown.
pub(crate) fn measure(arguments: &[&str]) -> anyhow::Result<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(arguments).arg("--json").stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "dm-bench {} failed: {}", arguments.join(" "), output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("dm-bench {}", arguments.join(" ")))
}
