//! Limits the memory of long answers: lists of conversations, pages of history and pages of pending
//! messages.
//!
//! An answer to a client that does not read would stay in memory until the connection ends. So
//! answers count for a budget of bytes, for each user and for the process. An answer holds permits
//! of the budget while it is being built and until its connection has taken it.
//!
//! - A request for which too few permits are free waits for at most
//!   [`Options::patience`](crate::Options::patience) plus one second, and is then refused. The wait
//!   is cheap and usually short: a waiting request costs one idle task, and most answers are
//!   written within milliseconds.
//! - Every answer is built in its own task, which the runtime always polls. A future that is not
//!   polled could also be given permits, because they are given in the order of requests. It would
//!   keep them without using them.
//! - At most two answers of one user are built at a time, so that one user cannot occupy all
//!   readers of the store.
//! - An answer that is not read in time is dropped as soon as another request waits for permits. A
//!   host therefore needs no write timeout on its connections to limit the memory.
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
