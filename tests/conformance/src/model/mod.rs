//! Random sequences of operations, compared with a model of the contract.
//!
//! A random [`Script`] has batches of writes through one handle or another, reopenings, jumps of
//! the clock, and reads. It is [played](play) on a store and on the [`Model`] at the same time. The
//! model is written from the contract, with plain maps, and shares no code with any store. It
//! returns the allowed outcomes of every write and the required answer of every read. Where the
//! contract leaves a store the choice (which inbox expires first, where a page ends that leaves
//! entries out), the model accepts the store's choice if it is allowed.
//!
//! A script that fails is shrunk to a short one and printed:
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
//! # Repeating a failure
//!
//! - `DM_REPLAY='…'`, with the printed script or the path of a file that holds it, plays exactly
//!   that script.
//! - `DM_SEED=n`, with the printed number, makes the same scripts again.
//! - `DM_CASES=n` makes so many scripts instead of 256.
//!
//! # In reading order
//!
//! - [`Step`], [`Op`] and [`Read`]: the parts of a script. [`Script`]: its text form.
//! - [`Model`]: the state that a store must have, and the allowed answers to writes and reads.
//! - [`play`] and [`search`]: run one script, and search for one that fails.

mod acks;
mod actions;
#[cfg(test)]
mod coverage;
mod effect;
mod effect_text;
mod gates;
mod generate;
mod generate_effects;
mod ids;
mod op;
mod parse;
mod play;
mod query;
pub(crate) mod reading;
mod reads;
mod same;
mod scans;
mod script;
mod search;
mod state;
mod unread;
mod words;
mod writes;

pub use effect::{Condition, Effect, Key, KindOf, NameOf, OwnerOf, PutOf};
pub use ids::{DEVICES, Who};
pub use op::{Act, Content, Handle, Op, Step, Target};
pub use play::{Difference, play};
pub use query::{Order, Query, Read, Records};
pub use same::same;
pub use script::{NotAScript, Script};
pub use search::{Found, Search, search};
pub use state::Model;

use tokio::runtime::Handle as Runtime;
use tokio::task::spawn_blocking;

use crate::broken::Examined;
use crate::{Harness, World};

/// Plays 256 scripts, `DM_CASES` scripts, or the one in `DM_REPLAY`.
///
/// # Panics
/// Panics if the store differs from the model.
pub async fn any_sequence_of_operations_does_what_the_model_says<H: Harness>(world: World<H>) {
    // Each script has its own storage location.
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

/// The script in `DM_REPLAY`, given as text or as a path.
fn replay() -> Option<Script> {
    let given = std::env::var("DM_REPLAY").ok()?;
    let text = match given.parse::<Script>() {
        Ok(script) => return Some(script),
        Err(error) => std::fs::read_to_string(given.trim())
            .unwrap_or_else(|_| panic!("DM_REPLAY is neither a script nor a file with one: {error}")),
    };
    Some(text.parse().unwrap_or_else(|error| panic!("{error}")))
}
