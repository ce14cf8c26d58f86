//! Upgrades a request to a WebSocket: `GET /api/dm/ws`.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use tracing::Instrument as _;

use super::connection::Connection;
use super::origin;
use super::socket::with_limits;
use super::sockets::OpenRefused;
use super::welcome::with_named_device;
use crate::api::Api;
use crate::caller::Caller;
use crate::extract::query;
use crate::problem::{Kind, Problem};

#[derive(Deserialize)]
pub(crate) struct Parameters {
    ticket: Option<String>,
    device: Option<String>,
}

/// Upgrades a request to a WebSocket. The request must have a principal or a ticket. Its origin, if
/// it names one, must be allowed, and the user must be within the limits on WebSockets.
pub(crate) async fn upgrade(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    caller: Result<Caller, Problem>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    if !origin::is_allowed(&api.options.origins, &headers) {
        return Err(Problem::new(Kind::ForeignOrigin, ""));
    }
    let parameters = query(parameters)?;
    // A request with neither principal nor ticket is refused with 401, even if it is no upgrade.
    if parameters.ticket.is_none() {
        caller.as_ref().map_err(Clone::clone)?;
    }
    // This check comes before the ticket is redeemed: a request that is no upgrade must not use up
    // the ticket.
    let upgrade = upgrade.map_err(|_| Problem::new(Kind::NotAnUpgrade, ""))?;
    let Caller { principal, login } = match (caller, parameters.ticket) {
        (Ok(caller), _) => caller,
        (Err(unauthorized), None) => return Err(unauthorized),
        (Err(unauthorized), Some(ticket)) => {
            api.tickets.redeem(&ticket, api.service.clock().now()).ok_or(unauthorized)?
        }
    };
    let principal = with_named_device(&principal, parameters.device.as_deref())?;
    let open_socket = api.sockets.open(principal.user, api.service.clock().now()).map_err(|refused| {
        let max_open = api.options.sockets_per_user;
        let (detail, after) = match refused {
            OpenRefused::TooMany => {
                (format!("a user may have {max_open} open WebSockets"), api.options.ping_interval)
            }
            OpenRefused::TooSoon(after) => (format!("a user may open {max_open} at once"), after),
        };
        Problem::new(Kind::TooManySockets, detail).with_retry_after(after)
    })?;
    let span = tracing::debug_span!("dm_socket", user = ?principal.user, device = %principal.device);
    let upgrade = with_limits(&api, upgrade);
    Ok(upgrade.on_upgrade(move |socket| {
        async move {
            Connection::serve(api, principal, login, socket).await;
            drop(open_socket);
        }
        .instrument(span)
    }))
}
