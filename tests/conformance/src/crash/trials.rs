//! The parent process, which kills the children.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::child::{FIRST, HELD, LOCATION, SEED, is_child};
use super::harness::CrashHarness;
use super::oracle::{Fate, Oracle, parsed};
use crate::chance::Chance;
use crate::process::{Process, show};

/// The number of trials at one storage location, before the next one, which is empty.
const PER_LOCATION: u64 = 40;
/// The largest number of batches before a kill.
const BATCHES: u64 = 12;

/// The moment of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// So many iterations of a busy loop after the child began to open the store.
    Opening(u64),
    /// As [`Opening`](Self::Opening), of a child that only opens the store as the last kill left
    /// it.
    Recovering(u64),
    /// After the child requested so many batches: before, during or after a commit.
    Asking(u64),
    /// As [`Asking`](Self::Asking), so many iterations of a busy loop later.
    Later(u64, u64),
    /// After so many batches were answered.
    Answered(u64),
    /// After so many batches were committed, while the child holds back the last answer.
    Held(u64),
}

impl Point {
    fn by(chance: &mut Chance) -> Self {
        let batches = 1 + chance.below(BATCHES);
        match chance.below(8) {
            0 => Self::Opening(chance.turns()),
            1 => Self::Answered(batches),
            2 => Self::Held(batches),
            3 => Self::Asking(batches),
            // Up to about a millisecond, the time of a commit.
            _ => Self::Later(batches, chance.turns()),
        }
    }

    /// The iterations of the busy loop.
    const fn turns(self) -> u64 {
        match self {
            Self::Opening(turns) | Self::Recovering(turns) | Self::Later(_, turns) => turns,
            Self::Asking(_) | Self::Answered(_) | Self::Held(_) => 0,
        }
    }
}

/// The number of trials, by their outcomes.
#[derive(Debug, Default)]
struct Tally {
    trials: u64,
    answered: u64,
    whole: u64,
    absent: u64,
    opening: u64,
    recovering: u64,
    held: u64,
}

/// Runs the trials, or the child of a trial.
///
/// # Panics
/// Panics if data is lost, invented or stored in part.
pub fn run<H: CrashHarness>(test: &str, trials: u64, seconds: u64) {
    if is_child::<H>() {
        return;
    }
    let number = |name, default| match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {value}")),
        Err(_) => default,
    };
    let trials = number("DM_CRASH_TRIALS", trials);
    let span = Duration::from_secs(number("DM_CRASH_SECONDS", seconds));
    let seed = number("DM_SEED", RandomState::new().hash_one("a seed"));
    println!("crash trials: at least {trials}, for at least {span:?}, DM_SEED={seed}");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut tally, mut chance) = (Tally::default(), Chance::new(seed, 0));
    let (began, mut told) = (Instant::now(), Instant::now());
    while tally.trials < trials || began.elapsed() < span {
        let harness = runtime.block_on(H::fresh());
        let mut oracle = Oracle::new(chance.number());
        for _ in 0..PER_LOCATION {
            let point = Point::by(&mut chance);
            let judged = kill(&harness, test, &mut oracle, point, &mut tally).and_then(|()| {
                // A third of the next openings are killed as well.
                while chance.below(3) == 0 {
                    kill(&harness, test, &mut oracle, Point::Recovering(chance.turns()), &mut tally)?;
                }
                let committed = matches!(point, Point::Held(_)) && oracle.shows();
                runtime.block_on(async {
                    let store = harness
                        .open()
                        .await
                        .map_err(|error| format!("the store does not open: {error:?}"))?;
                    match oracle.judge(&store).await? {
                        Fate::Absent if committed => Err("a batch was committed and is gone".to_owned()),
                        fate => Ok(fate),
                    }
                })
            });
            match judged {
                Ok(Fate::Whole) => tally.whole += 1,
                Ok(Fate::Absent) => tally.absent += 1,
                Err(what) => panic!("trial {} (DM_SEED={seed}), killed at {point:?}: {what}", tally.trials),
            }
            tally.trials += 1;
            if told.elapsed() > Duration::from_secs(10) {
                show(&format!("{} crash trials …", tally.trials));
                told = Instant::now();
            }
        }
    }
    let summary = format!(
        "{} crash trials in {:.0?}: {} batches answered, none lost; {} killed while opening, {} more while recovering; \
         {} committed and not yet answered; of what was not answered {} whole, {} absent (or nothing was asked)\n\
         not proven by this: that anything was synced to the disk; a killed process does not lose the page cache",
        tally.trials,
        began.elapsed(),
        tally.answered,
        tally.opening,
        tally.recovering,
        tally.held,
        tally.whole,
        tally.absent
    );
    show(&summary);
    println!("{summary}");
}

/// Starts a child, kills it at a point, and passes its reports to the oracle.
fn kill<H: CrashHarness>(
    harness: &H,
    test: &str,
    oracle: &mut Oracle,
    point: Point,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut child = Process::start(test, |command| {
        command.env(LOCATION, harness.path());
        if !matches!(point, Point::Recovering(_)) {
            command.env(SEED, oracle.seed().to_string()).env(FIRST, oracle.next().to_string());
        }
        if let Point::Held(n) = point {
            command.env(HELD, (oracle.next() + n - 1).to_string());
        }
    });
    let (mut asked, mut answered) = (0, 0);
    let mut killed = false;
    // The pipe is read to its end: reports that the child made before it died count, too.
    while let Some(report) = child.report() {
        let words: Vec<&str> = report.split(' ').collect();
        let now = match words.as_slice() {
            ["opening"] => matches!(point, Point::Opening(_) | Point::Recovering(_)),
            ["open"] => false,
            ["held", _] => true,
            ["asking", _] => {
                oracle.ask();
                asked += 1;
                matches!(point, Point::Asking(n) | Point::Later(n, _) if asked == n)
            }
            ["answered", _, digests @ ..] => {
                oracle.answered_as(&parsed(digests.iter().copied())?)?;
                answered += 1;
                point == Point::Answered(answered)
            }
            _ => return Err(format!("the child reported: {report}")),
        };
        if now && !killed {
            killed = true;
            (0..point.turns()).for_each(|_| std::hint::spin_loop());
            child.end();
        }
    }
    if !child.end() || !killed {
        return Err("the child ended by itself".to_owned());
    }
    tally.answered += answered;
    tally.opening += u64::from(matches!(point, Point::Opening(_)));
    tally.recovering += u64::from(matches!(point, Point::Recovering(_)));
    tally.held += u64::from(matches!(point, Point::Held(_)));
    Ok(())
}
