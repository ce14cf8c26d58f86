//! Concurrent histories: many tasks at the same time, and a checker of their answers.
//!
//! A case starts tasks that send, acknowledge, open conversations, move fences, register and
//! forget devices, and expire entries, all at the same time. Some tasks drop a commit before it is
//! answered and send the same again. Each task records its calls and their answers: a [`History`].
//! After all tasks have ended, the whole state is read: a [`Snapshot`]. [`check`] takes only these
//! two and returns each contradiction as a [`Finding`].
//!
//! # Repeating a run
//!
//! A seed determines the calls of the tasks, and is printed with the findings. `DM_SEED=n` makes
//! the same calls again; it does not determine how the tasks interleave. `DM_ROUNDS=n` runs each
//! case n times, with consecutive seeds. A history can be checked without a run, so keep a bug as a
//! history in the tests of the checker.
//!
//! # In reading order
//!
//! - [`Call`], [`Reply`], [`InboxRead`], [`History`], [`Snapshot`]: the recorded data.
//! - [`check`] and [`Finding`]: the checker.

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
pub use record::{Call, DeviceView, History, InboxRead, Moment, Reply, Snapshot, UserView};
pub use run::{many_senders_in_few_conversations, opening_expiring_and_acknowledging_at_once};
