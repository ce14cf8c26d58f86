//! The routes of all calls, with the middleware around them.

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{delete, get, post};
use dm_core::Service;

use crate::api::Api;
use crate::observe::observe;
use crate::options::Options;
use crate::problem::{Kind, Problem};
use crate::{rest, ws};

/// Returns the direct-message API below `/api/dm`, for a host to merge into its own router.
///
/// `S` is the type of the state of the host's router. The API does not use this state. The compiler
/// infers `S` from the router into which the API is merged.
pub fn router<S: Clone + Send + Sync + 'static>(service: Service, options: Options) -> Router<S> {
    routes(Arc::new(Api::new(service, options)))
}

/// Returns the routes with their state. Tests call this function to keep the state for inspection.
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
