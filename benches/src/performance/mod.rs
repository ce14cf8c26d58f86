//! All measurements, and the page with their figures: `docs/performance.md` with its plots.
//!
//! - [`child`]: each measurement is a separate process, so that memory and metrics are not mixed.
//! - [`collect`]: the measurements and their durations. [`cold`]: those of stores that were just
//!   opened. [`targets`]: the targets for the figures.
//! - [`plots`], [`page`], [`about`]: the output, and the machine that it was made on.

mod about;
mod child;
mod cold;
mod collect;
mod page;
mod plots;
mod targets;

use std::path::Path;

use anyhow::Context as _;

/// The time that all measurements may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Four minutes: it proves that everything runs; its figures are not meaningful.
    Quick,
    /// Twenty minutes.
    Normal,
    /// An hour: with five million stored messages instead of one, and a million conversations.
    Full,
}

/// Measures everything, writes the page and its plots into a folder, and prints the targets.
pub(crate) fn run(out: &Path, effort: Effort) -> anyhow::Result<()> {
    // This is first, because the plots change the checkout whose state it describes.
    let about = about::describe()?;
    let measured = collect::collect(effort);
    let plots = out.join("performance");
    std::fs::create_dir_all(&plots).with_context(|| format!("cannot make {}", plots.display()))?;
    plots::draw(&measured, &plots)?;
    let verdicts = targets::verdicts(&measured);
    let page = page::write(&measured, &verdicts, &about, effort);
    let path = out.join("performance.md");
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    print!("{}", page::table(&verdicts));
    println!("written: {}", path.display());
    anyhow::ensure!(measured.failures.is_empty(), "these failed:\n{}", measured.failures.join("\n"));
    Ok(())
}
