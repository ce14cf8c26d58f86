//! `cargo xtask mutants`: makes changes to the libraries that a seed chooses, and counts those that
//! a test catches.
//!
//! - [`mutant`] lists the mutants that `cargo-mutants` can make, and chooses among them.
//! - [`equivalents`] reads the list of mutants that no test can catch.
//! - [`proof`] names the crates whose tests have to catch the mutants of a library.
//! - [`trial`] runs those tests on the chosen mutants.
//! - [`earlier`] keeps the outcomes of a run, so that a later one can continue it.
//! - [`score`] counts the outcomes of a library.
//!
//! The lists and logs of each library are kept in `target/mutants`.

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

/// The share of the mutants that compile which a test has to catch, in percent.
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

/// The mutants to try.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The libraries to change, all of them unless some are named
    #[arg(value_parser = PossibleValuesParser::new(proof::names()))]
    crates: Vec<String>,
    /// Mutants of each library
    #[arg(long, env = "DM_MUTANTS", default_value_t = 100)]
    per_crate: usize,
    /// Chooses the mutants. The same seed chooses the same ones again, so that the share shows the
    /// effect of a new test; another seed shows whether the share holds for other mutants
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Continue an interrupted run: mutants that earlier runs caught in the same sources of the
    /// library are not tried again
    #[arg(long)]
    resume: bool,
    /// The page with the table; rows of other libraries are kept
    #[arg(long, default_value = "target/mutants/table.md")]
    out: PathBuf,
}

/// Tries the mutants of each library. Fails if the share of a library is below the aim, if its
/// tests fail without a change, or if an entry of the list of equivalents matches no mutant.
///
/// # Errors
/// Fails if a tool cannot be built or started, or if a file cannot be read or written.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let out = root.join(&args.out);
    let folder = root.join("target/mutants");
    let tree = folder.join("tree");
    let stamp = Stamp::now(root);
    copy_tracked(root, &tree)?;
    let equivalents = Equivalents::read(&root.join("xtask/equivalent-mutants.txt"))?;
    let folders: Vec<_> = libraries().map(|(_, folder)| folder).collect();
    let foreign = equivalents.foreign(&folders);
    ensure!(foreign.is_empty(), "listed as equivalent, but in no library: {}", foreign.join(", "));
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

/// Tries the mutants of a library: all of them with its own tests, and those that these miss with
/// the tests of other crates.
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
