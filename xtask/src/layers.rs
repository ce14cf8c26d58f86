//! `cargo xtask layers`: finds circles of modules in the libraries.
//!
//! A module uses another if a `use` or a path in its file leads to an item that the other's file
//! defines, through any number of re-exports. `mod`, re-exports of items below, and tests do not
//! count. The use of an item of the parent module does.
//!
//! - [`source`] reads the files of a crate. [`graph`] finds the uses between modules, and their
//!   circles.

use std::path::Path;
use std::process::ExitCode;

mod graph;

use clap::builder::PossibleValuesParser;

use crate::mutants::libraries;
use crate::source;

/// Prints the circles of each library, and fails if there are any.
///
/// # Errors
/// Fails if a file cannot be read or parsed.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let mut good = true;
    for (name, folder) in libraries() {
        if !args.crates.is_empty() && !args.crates.iter().any(|wanted| wanted == name) {
            continue;
        }
        let modules = source::read(&root.join(folder).join("src/lib.rs"))?;
        let circles = graph::circles(&modules);
        println!("{name}: {} modules, {} circles", modules.len(), circles.len());
        for circle in &circles {
            good = false;
            println!("  {}", circle.members.join(", "));
            for edge in &circle.edges {
                println!("    {edge}");
            }
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The crates to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The libraries, all of them unless some are named
    #[arg(value_parser = PossibleValuesParser::new(libraries().map(|(name, _)| name)))]
    crates: Vec<String>,
}
