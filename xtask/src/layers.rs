//! `cargo xtask layers`: finds circles of modules in the libraries.
//!
//! A module uses another when a `use` or a path in its file leads to something that the other's
//! file defines, through whatever re-exports. `mod`, re-exports of what lies below, and tests do not
//! count. A file that uses something of the module above it does.
//!
//! - [`source`] reads a crate's files. [`graph`] finds out who uses whom, and the circles.

use std::path::Path;
use std::process::ExitCode;

mod graph;
mod source;

use clap::builder::PossibleValuesParser;

use crate::mutants::libraries;

/// Prints the circles of each library, and fails when there is one.
///
/// # Errors
/// When a file cannot be read or is no Rust.
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

/// Which crates to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The libraries, all of them unless some are named
    #[arg(value_parser = PossibleValuesParser::new(libraries().map(|(name, _)| name)))]
    crates: Vec<String>,
}
