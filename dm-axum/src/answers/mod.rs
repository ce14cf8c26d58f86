//! Long answers (lists, history and pending messages). They count against a budget of bytes until
//! their connection has taken them.
//!
//! The answer to a client that does not read stays in memory for as long as its connection lives.
//! The budget limits the memory of all such answers, for each user and for the process.
//!
//! - A request that finds too few permits in a pool waits there for up to
//!   [`Options::patience`](crate::Options::patience) and one second, and is then refused. A waiting
//!   request costs one parked task, and most answers are written within milliseconds.
//! - Every answer is built in a task of its own, so that a connection which is not polled keeps no
//!   permit from others.
//! - Only a few answers of one user are built at a time, so that other users find idle readers of
//!   the store.
//! - An answer that is not read in time is dropped as soon as another request waits. A host
//!   therefore needs no write timeout on its connections to bound the memory.
//!
//! `rest` and `websocket` build answers, each in a task that `task` spawns. `pieces` encodes JSON,
//! `cost` estimates the bytes that an answer takes, and `budget` has the permits for them. `state`
//! holds the answers that their connections have not taken yet, `unread_answer` is one such answer,
//! and `reader` takes an answer for its connection.

mod budget;
mod cost;
mod pieces;
mod reader;
mod rest;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod unread_answer;
mod websocket;

pub(crate) use cost::cost_of_messages;
pub(crate) use pieces::Pieces;
pub(crate) use rest::rest_response;
pub(crate) use state::Answers;
pub(crate) use websocket::{TakenFrame, UnwrittenFrame, websocket_frame};
