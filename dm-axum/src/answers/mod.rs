//! Long answers (lists, history and pending messages), within a budget of bytes until the
//! connection has taken them.
//!
//! A client that asks and does not read costs the memory of its answer for as long as its
//! connection lives. The budget limits the sum, for each user and for the process. A request that
//! finds too little left waits, and is refused after
//! [`Options::patience`](crate::Options::patience): to wait costs one parked task, and most answers
//! are written within milliseconds. Every request is worked on in a task of its own, so that a
//! connection which is not polled keeps no permit from others. Only a few answers of one user are
//! made at a time, which leaves readers of the store to other users. An answer that is not read in
//! time is dropped as soon as another request waits, also on a host that gives its connections no
//! write timeout.
//!
//! `rest` and `frames` make answers, in a `task` of their own. `pieces` is the JSON, `cost` the
//! bytes that an answer takes, and `budget` the permits for them. `held` has the answers that wait
//! to be taken, `unread` is one of them, and `reader` is the connection's end of one.

mod budget;
mod cost;
mod frames;
mod held;
mod pieces;
mod reader;
mod rest;
mod task;
#[cfg(test)]
mod tests;
mod unread;

pub(crate) use cost::cost_of_messages;
pub(crate) use frames::{HeldFrame, TakenFrame, frame};
pub(crate) use held::Answers;
pub(crate) use pieces::Pieces;
pub(crate) use rest::answer;
