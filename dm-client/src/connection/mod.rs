//! [`Connection`]: a connection to the user's inbox. When its WebSocket is lost, it opens another
//! one and continues after the last acknowledgement.
//!
//! - [`config`], [`event`], [`state`]: the types that a caller passes in and receives.
//! - [`handle`]: the type `Connection`, the caller's side.
//! - [`driver`]: the state of the background task. [`attempt`] runs one WebSocket from the
//!   handshake to its end. [`reconnect`] runs one attempt after the other.
//! - [`socket`]: one open WebSocket. [`disconnect`]: the reason why a WebSocket ended.
//! - [`ack_tracker`]: the number up to which the client may acknowledge.

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
