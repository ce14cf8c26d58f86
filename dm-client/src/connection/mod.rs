//! A connection to the user's inbox: a WebSocket that is made again when it is lost, and resumes
//! after the last acknowledgement.
//!
//! - [`config`], [`event`], [`state`]: the types that a caller passes in and receives.
//! - [`ack_tracker`]: the number up to which the client may acknowledge.
//! - [`socket`]: one open WebSocket. [`disconnect`]: the reason why it ended.
//! - [`driver`]: the state of the background task. [`attempt`] runs one WebSocket from the
//!   handshake to its end. [`reconnect`] runs one attempt after the other.
//! - [`handle`]: the caller's side.

mod ack_tracker;
mod attempt;
mod config;
mod disconnect;
mod driver;
mod event;
mod handle;
mod reconnect;
mod socket;
mod state;

pub use config::{ConnectionConfig, DeviceStart};
pub use event::{Content, Delivery, Event, Receipt};
pub use handle::Connection;
pub use state::{ConnectionState, End, Lost};
