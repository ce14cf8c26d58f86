//! The calls, and what is around all of them.

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{delete, get, post};
use dm_core::Service;

use crate::answers::Answers;
use crate::observe::observe;
use crate::problem::{Kind, Problem};
use crate::tickets::Tickets;
use crate::{Options, rest, ws};

/// What every call works with.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) service: Service,
    pub(crate) options: Options,
    pub(crate) tickets: Tickets,
    pub(crate) sockets: ws::Sockets,
    pub(crate) answers: Answers,
}

impl Api {
    pub(crate) fn new(service: Service, options: Options) -> Self {
        let tickets = Tickets::new(options.ticket_life, options.tickets, options.tickets_per_user);
        let sockets = ws::Sockets::new(&options);
        let answers = Answers::new(&options);
        Self { service, options, tickets, sockets, answers }
    }
}

/// The direct-message API below `/api/dm`, to be merged into a host's router.
///
/// `S` is the state of the host's router, which these calls do not use; it follows from what they
/// are merged into.
pub fn router<S: Clone + Send + Sync + 'static>(service: Service, options: Options) -> Router<S> {
    routes(Arc::new(Api::new(service, options)))
}

pub(crate) fn routes<S: Clone + Send + Sync + 'static>(api: Arc<Api>) -> Router<S> {
    Router::new()
        .route("/api/dm/keys", post(rest::keys::publish))
        .route("/api/dm/keys/{ed25519_pubkey}", get(rest::keys::look_up))
        .route("/api/dm/conversations", post(rest::conversations::open).get(rest::conversations::list))
        .route("/api/dm/messages", post(rest::messages::send))
        .route("/api/dm/messages/{conversation_id}", get(rest::messages::history))
        .route("/api/dm/offline", get(rest::offline::fetch))
        .route("/api/dm/offline/ack", post(rest::offline::acknowledge))
        .route("/api/dm/devices", get(rest::devices::list))
        .route("/api/dm/devices/{device}", delete(rest::devices::forget))
        .route("/api/dm/ws-ticket", post(rest::ticket::issue))
        .route("/api/dm/ws", get(ws::upgrade))
        .method_not_allowed_fallback(async || Problem::new(Kind::MethodNotAllowed, ""))
        .route_layer(middleware::from_fn(observe))
        .with_state(api)
}
