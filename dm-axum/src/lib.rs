//! The REST and WebSocket API of `dm-core`, as an axum router that a host merges into its own.
//!
//! The host authenticates: its middleware puts a [`Principal`](dm_core::Principal) into the
//! request's extensions. This crate never reads a token. A request without a principal is answered
//! with 401.
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
//! A host whose logins expire also inserts a [`LoginExpiry`]. A WebSocket then closes at that time.
//! A host that can end a login earlier inserts a [`LoginWatch`]. A WebSocket then closes as soon as
//! the watch reports the end, and checks the login at its pings.
//!
//! # Terms
//!
//! | Term | Meaning |
//! |---|---|
//! | login | the period for which the host accepts the caller's credentials; [`LoginExpiry`] and [`LoginWatch`] describe its end |
//! | session | a [`dm_core::Session`]: the stream of inbox entries to one WebSocket |
//! | hello | the first request of a client that wants positions and sends acknowledgements ([`dm_proto::DmHello`]) |
//! | seed client | a client of the first version of the protocol: it sends no hello, and it acknowledges over REST or by answering pings |
//! | position | the number of an entry in the user's inbox |
//! | answer | a list of conversations, a page of history or of pending messages. It is *unread* until the HTTP server has taken it or it is written to its WebSocket |
//! | budget | the bytes that answers may take while they are built and while they are unread: [`Options::answer_bytes`] in total, [`Options::answer_bytes_per_user`] for one user |
//!
//! The core's terms, such as inbox, cursor and window, are in the documentation of [`dm_core`].
//!
//! # Calls
//!
//! | Call | Purpose |
//! |---|---|
//! | `POST /api/dm/keys`, `GET /api/dm/keys/{ed25519_pubkey}` | publish and look up X25519 keys |
//! | `POST /api/dm/conversations`, `GET /api/dm/conversations` | open and list conversations |
//! | `POST /api/dm/messages`, `GET /api/dm/messages/{conversation_id}` | send messages, read history |
//! | `GET /api/dm/offline`, `POST /api/dm/offline/ack` | fetch and acknowledge pending messages |
//! | `GET /api/dm/devices`, `DELETE /api/dm/devices/{device}` | list the caller's devices, forget one |
//! | `POST /api/dm/ws-ticket` | get a one-time ticket for a WebSocket |
//! | `GET /api/dm/ws` | open a WebSocket: `?ticket=` authenticates a request without a principal, `?device=` names the device |
//!
//! Bodies are JSON, refusals are RFC 9457 problems, and frames are protobuf envelopes of
//! `dm-proto`. A call is made for the device of its principal. If this is the default device, the
//! client of a WebSocket may name another one in a hello or in `?device=`.
//!
//! # Close codes
//!
//! | Code of [`dm_proto::close`] | Reason |
//! |---|---|
//! | 4001 | the login expired ([`LoginExpiry`]), or the host ended the connection with [`SignedOut`](dm_core::DisconnectReason::SignedOut) |
//! | 4003 | refused: the host ended the connection for another reason, a hello cannot be accepted (its version, its device, too many devices), or the device was forgotten |
//! | 4009 | a newer connection of the same device took over |
//! | 1009 | a message or frame of the client is larger than [`Options::max_message`] |
//! | 1008 | the client broke a rule: it sent a text frame, a frame that only a server sends, a frame that does not decode, a frame that needs a hello before it, or too many pings |
//! | 1012 | the client may connect again: the server shuts down, the store cannot be read, a ping was not answered, the client stopped reading, or too many answers to a seed client are unread |
//!
//! 4002 is reserved for hosts. This crate answers an unauthenticated request with status 401 before
//! the upgrade.
//!
//! # Limits
//!
//! [`Options`] limits everything that a client can make this API keep in memory: frames,
//! WebSockets, tickets, requests in progress, and bytes of unread answers. The host has to set the
//! limits of its HTTP server: the number of connections, the size of headers, and the time for
//! which a client may read nothing. `examples/chat-host` shows how.
//!
//! # Logs
//!
//! Spans contain the routes of calls, ids and the first digits of users' keys. They never contain
//! payloads, whole keys, tickets or query strings.
//!
//! The WebSocket library (`tungstenite`) logs whole frames through the `log` crate at the `trace`
//! level. A host that passes `log` records to its subscriber has to disable `trace` for the target
//! `tungstenite`.
//!
//! # Modules in reading order
//!
//! - `router` has the routes, and `api` the state that all calls use. `options` and `login` have
//!   the types that a host passes in.
//! - `rest` handles the REST calls. `extract` reads the inputs of a call: the `caller`, the body
//!   and the query.
//! - `ws` serves WebSockets. `tickets` authenticate a WebSocket of a browser.
//! - `answers` limits the memory of long answers.
//! - `problem` has all refusals. `parse` and `render` convert between the core's values and the
//!   values on the wire, and `names` looks display names up. `observe` adds spans and metrics.

mod answers;
mod api;
mod caller;
mod extract;
mod login;
mod names;
mod observe;
mod options;
mod parse;
mod problem;
mod render;
mod rest;
mod router;
mod tickets;
mod ws;

pub use login::{Login, LoginExpiry, LoginWatch};
pub use options::{Options, Origins};
pub use router::router;
