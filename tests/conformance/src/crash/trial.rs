//! Killing, reopening and judging, many times.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write as _};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Runtime;

use super::child::{Order, Report, Task};
use super::workload::{Dice, batch};
use super::{CrashHarness, Fate, Oracle, Wrong};

/// Kills that a place lives through before the next place is tried. Comparing takes longer the more there is.
const KILLS_PER_PLACE: u64 = 25;

/// How long to go on: until both are reached.
#[derive(Clone, Copy, Debug)]
pub struct AtLeast {
    /// So many trials.
    pub trials: u64,
    /// So many seconds.
    pub seconds: u64,
}

impl AtLeast {
    /// What a durable store gets in an ordinary run.
    pub const USUAL: Self = Self { trials: 200, seconds: 60 };

    fn or_as_the_environment_says(self) -> Self {
        Self {
            trials: variable("DM_CRASH_TRIALS").unwrap_or(self.trials),
            seconds: variable("DM_CRASH_SECONDS").unwrap_or(self.seconds),
        }
    }
}

/// When a child is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// While it opens the place.
    Opening,
    /// Before its first commit is answered.
    FirstAsked,
    /// Between asking for its *n*-th commit and the answer.
    Asking(u64),
    /// After its *n*-th commit, whose answer it keeps back.
    Silent(u64),
    /// Right after its *n*-th answer.
    Answered(u64),
    /// After so many lines.
    Anywhere(u64),
}

/// A place, and what must be there.
struct Life<H> {
    place: H,
    oracle: Oracle,
    seed: u64,
    /// The batch that the next child begins with.
    next: u64,
}

/// What happened in all trials.
#[derive(Debug, Default)]
struct Tally {
    trials: u64,
    places: u64,
    recoveries: u64,
    answered: u64,
    fates: BTreeMap<Fate, u64>,
}

/// Runs the trials, or does what a child is told when this process is one. What [`crash_suite!`](crate::crash_suite)
/// expands to. `name` is the test's own, with its crate.
///
/// # Panics
/// When a trial shows that the store is wrong.
#[doc(hidden)]
pub fn run<H: CrashHarness>(name: &str, at_least: AtLeast) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("the machine gives threads");
    if let Some(order) = Order::to_this_process() {
        // Returns with an error when the parent is gone, which needs no mention.
        let _ = runtime.block_on(order.obey::<H>());
        std::process::exit(1);
    }

    let at_least = at_least.or_as_the_environment_says();
    let store = std::any::type_name::<H>();
    let test = name.split_once("::").map_or(name, |(_, test)| test);
    let seed = variable("DM_CRASH_SEED").unwrap_or_else(now);
    let mut dice = Dice::new(seed, 0, 0);
    let mut tally = Tally::default();
    let start = Instant::now();
    let mut life: Option<Life<H>> = None;
    while tally.trials < at_least.trials || start.elapsed() < Duration::from_secs(at_least.seconds) {
        if tally.trials.is_multiple_of(KILLS_PER_PLACE) {
            tally.places += 1;
            life = None;
        }
        let life = life.get_or_insert_with(|| Life::new(dice.next(), &runtime));
        tally.trials += 1;
        let moment = Moment::draw(&mut dice);
        if let Err(wrong) = life.trial(test, moment, &mut dice, &mut tally, &runtime) {
            panic!(
                "trial {} of {store}, killed at {moment:?} ({:?}), DM_CRASH_SEED={seed}:\n{wrong}",
                tally.trials,
                life.place.path(),
            );
        }
        if tally.trials.is_multiple_of(50) {
            show(&format!("{store}: {tally}, {} s", start.elapsed().as_secs()));
        }
    }
    let summary = format!(
        "{store}: {tally}, in {} s, all well.\n{store}: these trials prove nothing about fsync: a killed process leaves \
         the page cache behind, a power cut does not",
        start.elapsed().as_secs()
    );
    show(&summary);
    println!("{summary}");
}

impl Moment {
    fn draw(dice: &mut Dice) -> Self {
        match dice.below(8) {
            0 => Self::Opening,
            1 => Self::FirstAsked,
            2 | 3 => Self::Asking(dice.below(12)),
            4 => Self::Silent(dice.below(12)),
            5 => Self::Answered(dice.below(12)),
            _ => Self::Anywhere(dice.below(40)),
        }
    }

    /// Whether it has come, with a report that is the `lines`-th.
    fn has_come(self, report: &Report, lines: u64, from: u64) -> bool {
        match (self, report) {
            (Self::Opening, _) => true,
            (Self::FirstAsked, Report::Asking(_)) => true,
            (Self::Asking(n), Report::Asking(asking)) => *asking >= from + n,
            (Self::Silent(_), Report::Silent) => true,
            (Self::Answered(n), Report::Answered(answered, _)) => *answered >= from + n,
            (Self::Anywhere(n), _) => lines > n,
            _ => false,
        }
    }

    /// Waits on, a random while of up to some milliseconds, for the child to get into the middle of something.
    fn pass(self, dice: &mut Dice) {
        if matches!(self, Self::Answered(_) | Self::Silent(_)) {
            return;
        }
        let most = 1_u64 << dice.below(18);
        for _ in 0..dice.below(most) {
            std::hint::spin_loop();
        }
    }
}

impl<H: CrashHarness> Life<H> {
    fn new(seed: u64, runtime: &Runtime) -> Self {
        Self { place: runtime.block_on(H::fresh()), oracle: Oracle::new(), seed, next: 0 }
    }

    /// Kills a child, and some more as they recover, then judges what is there.
    fn trial(
        &mut self,
        test: &str,
        moment: Moment,
        dice: &mut Dice,
        tally: &mut Tally,
        runtime: &Runtime,
    ) -> Result<(), Wrong> {
        let silent = if let Moment::Silent(n) = moment { self.next + n } else { u64::MAX };
        let task = Task::Write { seed: self.seed, from: self.next, silent };
        let mut committed = false;
        for report in kill(&Order { path: self.place.path(), task }, test, moment, self.next, dice)? {
            match report {
                Report::Asking(n) => {
                    self.oracle.asking(&batch(self.seed, n));
                    self.next = n;
                }
                Report::Answered(n, answers) => {
                    runtime.block_on(self.oracle.answered(&answers))?;
                    self.next = n + 1;
                    tally.answered += 1;
                }
                Report::Silent => committed = true,
                Report::Opening | Report::Open => {}
            }
        }
        if dice.one_in(3) {
            for _ in 0..1 + dice.below(2) {
                let order = Order { path: self.place.path(), task: Task::Recover };
                kill(&order, test, Moment::Opening, 0, dice)?;
                tally.recoveries += 1;
            }
        }
        runtime.block_on(async {
            let store = self.place.open().await?;
            let fate = self.oracle.judge(&store).await?;
            *tally.fates.entry(fate).or_default() += 1;
            if committed && fate == Fate::Absent {
                return Err(Wrong::Broken(
                    "a batch is lost that was committed and not yet answered".to_owned(),
                ));
            }
            let repeats = !dice.one_in(4);
            if repeats {
                self.oracle.repeat(&store).await?;
            }
            // An absent batch that nobody repeats is the first that the next child asks for.
            if fate == Fate::Whole || (fate == Fate::Absent && repeats) {
                self.next += 1;
            }
            Ok(())
        })
    }
}

/// Runs a child until a moment, kills it, and gives everything that it said.
fn kill(order: &Order, test: &str, moment: Moment, from: u64, dice: &mut Dice) -> Result<Vec<Report>, Wrong> {
    let (mut child, stdout) = order.give(test).expect("the machine gives processes");
    let mut stdout = BufReader::new(stdout);
    let mut reports = Vec::new();
    let mut alive = true;
    let mut line = String::new();
    // What it said before it was killed may still be in the pipe: the loop ends with the pipe.
    while stdout.read_line(&mut line).expect("a pipe is read") > 0 {
        if let Ok(report) = line.parse::<Report>() {
            if alive && moment.has_come(&report, reports.len() as u64, from) {
                moment.pass(dice);
                child.kill().expect("a child may be killed");
                alive = false;
            }
            reports.push(report);
        }
        line.clear();
    }
    let status = child.wait().expect("a child is waited for");
    // On Unix a process that was killed has no exit code.
    if alive || (cfg!(unix) && status.code().is_some()) {
        return Err(Wrong::Broken(format!("the child ended by itself, {status}; what it says is above")));
    }
    Ok(reports)
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = |fate| self.fates.get(&fate).unwrap_or(&0);
        write!(
            f,
            "{} crash trials on {} places, {} kills while recovering, {} batches answered; unanswered batches: {} \
             whole, {} absent",
            self.trials,
            self.places,
            self.recoveries,
            self.answered,
            fate(Fate::Whole),
            fate(Fate::Absent),
        )
    }
}

/// Past the test program's capture, so that a run that goes well says what it did.
fn show(text: &str) {
    // Nobody to show it to is no failure.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos() & u128::from(u64::MAX)).expect("masked")
}
