//! The REST and WebSocket API of `dm-core`, as an axum router that a host merges into its own.
//!
//! The host authenticates: its middleware puts a [`Principal`](dm_core::Principal) into the request's extensions, and
//! nothing here knows what a token looks like. A request without one is answered with 401.
//!
//! ```
//! use axum::extract::Request;
//! use axum::middleware::{self, Next};
//! use dm_core::{MemoryStore, Principal, Service, UserId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = Service::builder(MemoryStore::new()).start()?;
//! let direct_messages = dm_axum::router(service, dm_axum::Options::default());
//! let app: axum::Router = axum::Router::new().merge(direct_messages).layer(middleware::from_fn(
//!     async |mut request: Request, next: Next| {
//!         if let Some(user) = my_token_of(&request) {
//!             request.extensions_mut().insert(Principal::from(user));
//!         }
//!         next.run(request).await
//!     },
//! ));
//! # fn my_token_of(_: &Request) -> Option<UserId> { None }
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! A host whose sessions end inserts a [`SessionExpiry`] too; a WebSocket then closes at that time.
//! A host that can end a session earlier inserts a [`SessionWatch`]: a WebSocket closes as soon as
//! the session says so, and asks with its pings.
//!
//! # Calls
//!
//! | Call | What for |
//! |---|---|
//! | `POST /api/dm/keys`, `GET /api/dm/keys/{ed25519_pubkey}` | publish and look up X25519 keys |
//! | `POST /api/dm/conversations`, `GET /api/dm/conversations` | open and list conversations |
//! | `POST /api/dm/messages`, `GET /api/dm/messages/{conversation_id}` | send and read back |
//! | `GET /api/dm/offline`, `POST /api/dm/offline/ack` | what is pending, and that it has arrived |
//! | `GET /api/dm/devices`, `DELETE /api/dm/devices/{device}` | the caller's devices, and forgetting one |
//! | `POST /api/dm/ws-ticket` | a one-time ticket for a WebSocket |
//! | `GET /api/dm/ws` | the WebSocket: `?ticket=` where no principal is present, `?device=` to name the device |
//!
//! Bodies are JSON, refusals RFC 9457 problems, frames protobuf envelopes of `dm-proto`. A client may name its device in
//! a hello, in `?device=` or through its principal; the first two only if the principal has the default device.
//!
//! # Close codes
//!
//! | Code | Why |
//! |---|---|
//! | 4001 | the session ended ([`SessionExpiry`], [`SessionWatch`]) |
//! | 4003 | refused: by the [`SessionWatch`], because the hello names a device that is not the caller's, or because the device was forgotten |
//! | 4009 | a newer connection of the same device took over |
//! | 1009 | a message or frame beyond [`Options::max_message`] |
//! | 1008 | policy: a text frame, a frame only a server sends, a frame that does not decode, too many pings |
//! | 1012 | come again: shutting down, the store cannot be read, a ping without an answer, a reader that stopped |
//!
//! 4002 is left to hosts: here, a request that is not authenticated is refused with 401 before the upgrade.
//!
//! # Bounds
//!
//! Everything that a client can make this API hold is bounded by a field of [`Options`]: frames,
//! sockets, tickets, requests on the way, and the bytes of answers that nobody reads. A host bounds
//! connections, headers, and how long a peer may read nothing: `examples/chat-host` shows how.
//!
//! # Logs
//!
//! Spans carry call names, ids and the first digits of users; never payloads, keys, tickets or query strings. The
//! WebSocket library below logs whole frames through the `log` crate at its `trace` level: a host that passes `log` on
//! to its subscriber keeps the target `tungstenite` above that.
//!
//! # In reading order
//!
//! `router` shows the calls, `rest` answers them, `answers` holds what is not read yet, `ws` holds
//! the WebSocket, `problem` all refusals, `parse` and `render` the ways between the core's values
//! and the wire's, and `api` the state that all share.

mod answers;
mod api;
mod caller;
mod extract;
mod names;
mod observe;
mod options;
mod parse;
mod problem;
mod render;
mod rest;
mod router;
mod session;
mod tickets;
mod ws;

pub use options::{Options, Origins, SessionExpiry};
pub use router::router;
pub use session::{LiveSession, SessionWatch};
