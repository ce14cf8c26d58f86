//! `cargo xtask mutants`: changes the libraries at places that a seed chooses, and counts the
//! changes that a test notices.
//!
//! - [`mutant`] lists the changes that `cargo-mutants` can make, and chooses among them.
//! - [`equivalents`] reads the list of the changes that no test can notice.
//! - [`proof`] names the crates whose tests prove a library.
//! - [`trial`] runs those tests on the chosen changes.
//! - [`earlier`] keeps what a run found out, so that a later one can go on with it.
//! - [`score`] counts the outcomes of a library.
//!
//! The lists and logs of each library stay in `target/mutants`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::builder::PossibleValuesParser;

use crate::copy::copy_tracked;
use crate::stamp::Stamp;
use crate::table::Table;

mod earlier;
mod equivalents;
mod mutant;
mod proof;
mod score;
mod trial;

use earlier::Earlier;
use equivalents::Equivalents;
use proof::{LIBRARIES, Proof};

pub(crate) use proof::libraries;
use score::Score;
use trial::Outcomes;

/// Of the mutants that compile, how many in a hundred a test is to notice.
const AIM: f64 = 95.0;

/// The columns of the table that a run prints and keeps.
const COLUMNS: &[&str] = &[
    "crate",
    "caught",
    "timeouts",
    "missed",
    "share",
    "unviable",
    "equivalent",
    "of",
    "seed",
    "minutes",
    "date",
    "commit",
];

/// Which mutants to try.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The libraries to change, all of them unless some are named
    #[arg(value_parser = PossibleValuesParser::new(proof::names()))]
    crates: Vec<String>,
    /// Mutants of each library
    #[arg(long, env = "DM_MUTANTS", default_value_t = 100)]
    per_crate: usize,
    /// Chooses the mutants. With the same seed the next run tries the same ones, so that its share
    /// shows what a new test is worth; another seed shows whether the share holds for the rest
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Go on with a run that was broken off: what earlier runs noticed in the same sources of the
    /// library is not tried again
    #[arg(long)]
    resume: bool,
    /// The page with the table, whose rows of other libraries are kept
    #[arg(long, default_value = "target/mutants/table.md")]
    out: PathBuf,
}

/// Tries the mutants of one library after the other. Fails when a library stays below the aim, when
/// its tests do not pass without a change, or when the list of equivalents has an entry that
/// matches nothing.
///
/// # Errors
/// When a tool cannot be built or started, or a file cannot be read or written.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let out = root.join(&args.out);
    let folder = root.join("target/mutants");
    let tree = folder.join("tree");
    let stamp = Stamp::now(root);
    copy_tracked(root, &tree)?;
    let equivalents = Equivalents::read(&root.join("xtask/equivalent-mutants.txt"))?;
    let folders: Vec<_> = libraries().map(|(_, folder)| folder).collect();
    let foreign = equivalents.foreign(&folders);
    ensure!(foreign.is_empty(), "listed as equivalent, and in no library: {}", foreign.join(", "));
    let wanted =
        |proof: &&Proof| args.crates.is_empty() || args.crates.iter().any(|name| name == proof.library);
    println!("seed {}, {} mutants per crate", args.seed, args.per_crate);

    let table = Table { columns: COLUMNS, names: proof::names() };
    let mut scores = Vec::new();
    let mut good = true;
    for proof in LIBRARIES.iter().filter(wanted) {
        match library(root, &tree, &folder.join(proof.library), proof, &equivalents, args) {
            Ok(score) => {
                good &= score.share() >= AIM && score.stale.is_empty();
                println!("{score}");
                let earlier = fs::read_to_string(&out).unwrap_or_default();
                let row = score.row(args.seed, &stamp);
                write(&out, &table.renewed(&[(proof.library, row)], &earlier))?;
                scores.push(score);
            }
            Err(error) => {
                good = false;
                println!("{}: {error:#}", proof.library);
            }
        }
    }
    println!("{}", fs::read_to_string(&out).unwrap_or_default());
    println!("{} ({AIM} % is the aim)", score::sum(&scores));
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries the mutants of a library: all of them by its own tests, and those that these miss by the
/// tests of others.
fn library(
    root: &Path,
    tree: &Path,
    logs: &Path,
    proof: &'static Proof,
    equivalents: &Equivalents,
    args: &Args,
) -> anyhow::Result<Score> {
    let all = mutant::list(root, tree, proof.library)?;
    let chosen = mutant::choose(&all, args.per_crate, args.seed);
    let mut score = Score::new(proof.library, all.len());
    score.stale = equivalents.stale(proof.folder, &all);
    let mut left = Vec::new();
    for mutant in chosen {
        match equivalents.reason(&mutant.id) {
            Some(reason) => score.equivalent.push((mutant.id.clone(), reason.to_owned())),
            None => left.push(mutant.name.clone()),
        }
    }
    for (number, packages) in (1..).zip(proof.tests) {
        if left.is_empty() {
            break;
        }
        println!("── {}: {} mutants, by the tests of {}", proof.library, left.len(), packages.join(", "));
        let logs = logs.join(number.to_string());
        let earlier = Earlier::take_up(&logs, &tree.join(proof.folder).join("src"), args.resume)?;
        let untried = earlier.without_known(&left);
        println!("   {} are known from earlier runs", left.len() - untried.len());
        let tried = match untried.is_empty() {
            true => Outcomes::default(),
            false => trial::run(root, tree, &logs, proof.library, packages, &all, &untried)?,
        };
        let outcomes = earlier.add(tried)?.of(&left);
        left.clone_from(&outcomes.missed);
        score.add(outcomes);
    }
    Ok(score)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
