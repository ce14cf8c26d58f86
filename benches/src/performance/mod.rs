//! The whole set of measurements, and the page that tells them: `docs/performance.md` with its plots.
//!
//! - [`child`]: each measurement is a process of its own, so that memory and metrics are not mixed.
//! - [`collect`]: which measurements, and for how long. [`cold`]: those of stores that were just
//!   opened. [`targets`]: the bounds that they are held against.
//! - [`plots`], [`page`], [`about`]: how they are shown, and what they were made on.

mod about;
mod child;
mod cold;
mod collect;
mod page;
mod plots;
mod targets;

use std::path::Path;

use anyhow::Context as _;

/// How much time the set may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Four minutes: proves that everything runs, and measures nothing well.
    Quick,
    /// Twenty minutes.
    Normal,
    /// An hour: with five million messages stored instead of one, and a million conversations.
    Full,
}

/// Measures everything, writes the page and its plots into a folder, and prints the targets.
pub(crate) fn run(out: &Path, effort: Effort) -> anyhow::Result<()> {
    // First, because the plots change the checkout that it names.
    let about = about::describe()?;
    let measured = collect::collect(effort)?;
    let plots = out.join("performance");
    std::fs::create_dir_all(&plots).with_context(|| format!("cannot make {}", plots.display()))?;
    plots::draw(&measured, &plots)?;
    let verdicts = targets::verdicts(&measured);
    let page = page::write(&measured, &verdicts, &about, effort);
    let path = out.join("performance.md");
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    print!("{}", page::table(&verdicts));
    println!("written: {}", path.display());
    Ok(())
}
