//! The calls, and what is around all of them.

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use dm_core::{Hub, Service};

use crate::observe::observe;
use crate::problem::{Kind, Problem};
use crate::tickets::Tickets;
use crate::{Options, rest, ws};

/// What every call works with.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) service: Service,
    pub(crate) hub: Hub,
    pub(crate) options: Options,
    pub(crate) tickets: Tickets,
    pub(crate) sockets: ws::Sockets,
}

/// The direct-message API below `/api/dm`, to be merged into a host's router.
///
/// `hub` must be the service's notifier, or connections hear of new entries only when they look into the store
/// ([`Config::poll_interval`](dm_core::Config::poll_interval)).
pub fn router(service: Service, hub: Hub, options: Options) -> Router {
    let tickets = Tickets::new(options.ticket_life, options.tickets, options.tickets_per_user);
    let sockets = ws::Sockets::new(options.sockets_per_user);
    Router::new()
        .route("/api/dm/keys", post(rest::keys::publish))
        .route("/api/dm/keys/{ed25519_pubkey}", get(rest::keys::look_up))
        .route("/api/dm/conversations", post(rest::conversations::open).get(rest::conversations::list))
        .route("/api/dm/messages", post(rest::messages::send))
        .route("/api/dm/messages/{conversation_id}", get(rest::messages::history))
        .route("/api/dm/offline", get(rest::offline::fetch))
        .route("/api/dm/offline/ack", post(rest::offline::acknowledge))
        .route("/api/dm/ws-ticket", post(rest::ticket::issue))
        .route("/api/dm/ws", get(ws::upgrade))
        .method_not_allowed_fallback(async || Problem::new(Kind::MethodNotAllowed, ""))
        .route_layer(middleware::from_fn(observe))
        .with_state(Arc::new(Api { service, hub, options, tickets, sockets }))
}
