//! The printed results of the attacks.

use std::time::Duration;

use super::bystanders::COUNT;
use super::cores::Cores;
use crate::options::AttackOptions;

/// The highest ratio of p99 under attack to p99 in quiet that is aimed at.
const AIM: f64 = 3.0;

/// The result of one attack.
pub(super) struct Line {
    pub(super) name: &'static str,
    /// The p99 of bystanders' calls in quiet halves, in milliseconds.
    pub(super) quiet: f64,
    /// The p99 under attack. `None` if the store could not write, so that a comparison makes no
    /// sense.
    pub(super) attacked: Option<f64>,
    /// The time from the end of the attack until all users were served; `None` if they were not.
    pub(super) recovered: Option<Duration>,
    pub(super) remarks: Remarks,
}

/// Facts about an attack, and the violations among them.
#[derive(Default)]
pub(super) struct Remarks {
    facts: Vec<String>,
    wrong: Vec<&'static str>,
}

/// All results.
pub(super) struct Table {
    about: String,
    lines: Vec<Line>,
    not_run: Vec<(&'static str, String)>,
}

impl Remarks {
    pub(super) fn says(&mut self, fact: String) {
        self.facts.push(fact);
    }

    /// Adds a violation unless a condition holds.
    pub(super) fn must(&mut self, holds: bool, else_wrong: &'static str) {
        if !holds {
            self.wrong.push(else_wrong);
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.facts.extend(other.facts);
        self.wrong.extend(other.wrong);
    }
}

impl Table {
    pub(super) fn new(options: &AttackOptions, cores: &Cores) -> Self {
        let about = format!(
            "Attacks on chat-host --store {}, by turns: {} rounds of {} s quiet and {} s attacked; {cores}.\n\
             {COUNT} unrelated people send, read, fetch and acknowledge, from another address than the attackers; in each \
             half two newcomers sign in.",
            options.store.name(),
            options.rounds,
            options.seconds,
            options.seconds
        );
        Self { about, lines: Vec::new(), not_run: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn add(&mut self, line: Line) {
        for wrong in &line.remarks.wrong {
            eprintln!("  WRONG: {wrong}");
        }
        self.lines.push(line);
    }

    pub(super) fn not_run(&mut self, name: &'static str, why: String) {
        eprintln!("  not run: {why}");
        self.not_run.push((name, why));
    }

    /// The number of attacks with a wrong outcome.
    pub(super) fn wrong(&self) -> usize {
        self.lines.iter().filter(|line| !line.remarks.wrong.is_empty()).count()
    }

    pub(super) fn print(&self, took: Duration) {
        println!("{}\n", self.about);
        println!(
            "{:<40} {:>10} {:>12} {:>7} {:>14}  outcome",
            "attack", "p99 quiet", "p99 attacked", "times", "recovered"
        );
        for line in &self.lines {
            line.print();
        }
        for (name, why) in &self.not_run {
            println!("{name:<40} not run: {why}");
        }
        println!(
            "\np99: 99 of 100 calls of the unrelated people were answered within. The aim is at most {AIM} times the quiet \
             one; it decides nothing.\nrecovered: after the attack everybody was served by the same process, the attackers, \
             too.\n{} of {} attacks had a good outcome, {} did not run; {} s in all.",
            self.lines.len() - self.wrong(),
            self.lines.len() + self.not_run.len(),
            self.not_run.len(),
            took.as_secs()
        );
    }
}

impl Line {
    fn print(&self) {
        let attacked = self.attacked.map_or_else(|| "-".into(), |p99| format!("{p99:.2} ms"));
        let times = self.attacked.map(|p99| p99 / self.quiet.max(0.001));
        let recovered =
            self.recovered.map_or_else(|| "NO".into(), |after| format!("in {:.1} s", after.as_secs_f64()));
        println!(
            "{:<40} {:>10} {attacked:>12} {:>7} {recovered:>14}  {}{}",
            self.name,
            format!("{:.2} ms", self.quiet),
            times.map_or_else(|| "-".into(), |times| format!("{times:.1}")),
            if self.remarks.wrong.is_empty() { "good" } else { "WRONG" },
            if times.is_some_and(|times| times > AIM) { ", over the aim" } else { "" },
        );
        for wrong in &self.remarks.wrong {
            println!("    WRONG: {wrong}");
        }
        for fact in &self.remarks.facts {
            println!("    {fact}");
        }
    }
}
