//! Any sequence of operations, against a model of what a store must do.
//!
//! A [`Script`] is made by chance: batches of writes, through one handle or another, reopening, jumps of the clock,
//! reads. It is [played](play) to a store and to the [`Model`] at once. The model is written from the contract in plain
//! maps and shares no code with any store; it says how every write may be answered and what every read must show. Where
//! the contract leaves a store the choice (which peers are told first, which inbox expires first, where a page of an
//! inbox ends that leaves entries out) it takes what the store chose, if that is allowed.
//!
//! A script that fails is shrunk to a short one, which is printed:
//!
//! ```text
//! at step 2: ack u0.default entries 2
//! answered Acknowledged(…)
//! expected […]
//! play it again: DM_REPLAY='
//! batch
//!   open u0.default u1 as c0
//! …
//! '
//! ```
//!
//! # Playing it again
//!
//! - `DM_REPLAY='…'` with the printed text, or with the path of a file that holds it, plays exactly that script.
//! - `DM_SEED=n` with the printed number makes the same scripts again.
//! - `DM_CASES=n` makes so many scripts instead of 256.
//!
//! # In reading order
//!
//! - [`Step`], [`Op`] and [`Read`]: what a script is made of. [`Script`]: its text form.
//! - [`Model`]: what a store must hold, and what each write and read must do.
//! - [`play`] and [`search`]: running one script, and looking for one that fails.

mod acks;
mod generate;
mod op;
mod parse;
mod play;
pub(crate) mod reading;
mod reads;
mod same;
mod script;
mod search;
mod state;
mod writes;

pub use op::{Content, DEVICES, Handle, Op, Query, Read, Step, Target, Who};
pub use play::{Difference, play};
pub use same::same;
pub use script::{NotAScript, Script};
pub use search::{Found, Search, search};
pub use state::Model;

use tokio::runtime::Handle as Runtime;
use tokio::task::spawn_blocking;

use crate::broken::Examined;
use crate::{Harness, World};

/// Plays 256 scripts, `DM_CASES` of them, or the one in `DM_REPLAY`.
///
/// # Panics
/// When the store does anything that the model does not say.
pub async fn any_sequence_of_operations_does_what_the_model_says<H: Harness>(world: World<H>) {
    // Each script has a place of its own.
    drop(world);
    if let Some(script) = replay() {
        eprintln!("playing DM_REPLAY");
        if let Err(difference) = play::<H>(&script).await {
            panic!("{difference}");
        }
        return;
    }
    let runtime = Runtime::current();
    let examined = Examined::of_this_thread();
    let work = move || {
        examined.on_this_thread();
        search::<H>(&runtime, Search::from_env())
    };
    let searched = spawn_blocking(work).await;
    match searched {
        Ok(Ok(())) => {}
        Ok(Err(found)) => panic!("{found}"),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// The script in `DM_REPLAY`, in person or as a path.
fn replay() -> Option<Script> {
    let given = std::env::var("DM_REPLAY").ok()?;
    let text = match given.parse::<Script>() {
        Ok(script) => return Some(script),
        Err(error) => std::fs::read_to_string(given.trim())
            .unwrap_or_else(|_| panic!("DM_REPLAY is neither a script nor a file with one: {error}")),
    };
    Some(text.parse().unwrap_or_else(|error| panic!("{error}")))
}
