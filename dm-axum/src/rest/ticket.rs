//! Issues tickets for WebSockets: `POST /api/dm/ws-ticket`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::api::Api;
use crate::caller::Caller;
use crate::problem::Problem;

#[derive(Serialize)]
pub(crate) struct TicketJson {
    ticket: String,
    expires_at: u64,
}

/// Issues a ticket for one WebSocket of the caller. A body of the request is not read.
pub(crate) async fn issue(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<TicketJson>, Problem> {
    let (ticket, expires_at) = api.tickets.issue(caller, api.service.clock().now())?;
    Ok(Json(TicketJson { ticket, expires_at: expires_at.as_millis() }))
}
