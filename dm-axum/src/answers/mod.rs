//! Long answers: lists, history and what is pending, within a budget of bytes until the connection
//! has taken them.
//!
//! A client that asks and does not read costs the memory of its answer for as long as its
//! connection lives. The budget bounds the sum, for each user and for the process. A request
//! without room waits for it, and is refused after [`Options::patience`](crate::Options::patience):
//! waiting costs a parked task, and most answers are written within milliseconds. Every request is
//! worked on in a task of its own, so that a connection which is not polled keeps no permit from
//! anybody. Few answers of a user are made at a time, which leaves readers of the store to others.
//! An answer that is not read in time is dropped as soon as somebody else waits, also on a host
//! that gives its connections no write timeout.
//!
//! `pieces` is the JSON, `budget` the permits, `room` what an answer needs of them; `held` are the
//! answers that wait to be taken, `unread` one of them, `reading` its connection's end. `rest` and
//! `frames` make them, in a `task` of their own.

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

pub(crate) use frames::{HeldFrame, TakenFrame, frame};
pub(crate) use held::Answers;
pub(crate) use pieces::Pieces;
pub(crate) use rest::answer;
pub(crate) use cost::cost_of_messages;
