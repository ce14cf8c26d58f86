//! Many tasks at once, and a checker that explains every answer they got.
//!
//! A case starts tasks that send, acknowledge, open, publish keys, register and forget devices and expire, all at once;
//! some drop a commit before it is answered and send the same again. Each records what it asked and what it was
//! answered: a [`History`]. When all are done, everything is read: a [`Snapshot`]. [`check`] takes the two, and nothing
//! else, and names what does not fit together, each as a [`Finding`].
//!
//! # Playing it again
//!
//! What tasks do is drawn from a seed, which is printed when something was found: `DM_SEED=n` draws the same again,
//! though how the tasks meet is up to the machine. `DM_ROUNDS=n` runs each case so many times, with seeds from there on.
//! A history can be checked apart from any run: a bug is best kept as a history in the checker's own tests.
//!
//! # In reading order
//!
//! - [`Call`], [`Answer`], [`Sight`], [`History`], [`Snapshot`]: what is recorded.
//! - [`check`] and [`Finding`]: what is concluded.

mod actor;
mod check;
mod finding;
mod record;
mod recorder;
mod run;
#[cfg(test)]
mod tests;

pub use check::check;
pub use finding::Finding;
pub use record::{Answer, Call, DeviceView, History, Moment, Sight, Snapshot, UserView};
pub use run::{many_senders_in_few_conversations, opening_expiring_and_acknowledging_at_once};
