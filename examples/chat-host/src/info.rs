//! The calls that describe the host: to clients, to load balancers and to monitoring.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;

use crate::host::Host;

#[derive(Serialize)]
pub(crate) struct Info {
    server_id: String,
    version: &'static str,
    store: &'static str,
}

#[derive(Serialize)]
pub(crate) struct Health {
    status: &'static str,
    accepting: bool,
    committing: bool,
    queued: usize,
    in_time: bool,
    accounts: bool,
    oldest_commit_seconds: f64,
    oldest_read_seconds: f64,
    store: &'static str,
    room: &'static str,
    durability: &'static str,
}

/// `GET /api/info`: id and version of the host, and its kind of store.
pub(crate) async fn info(State(host): State<Host>) -> Json<Info> {
    let server_id = host.accounts.server_id().to_owned();
    Json(Info { server_id, version: env!("CARGO_PKG_VERSION"), store: host.store })
}

/// `GET /healthz`: 200 while a load balancer should send requests here, 503 otherwise.
pub(crate) async fn health(State(host): State<Host>) -> impl IntoResponse {
    let (health, accounts) = (host.dm.health(), host.accounts_health.is_available());
    let (code, status) = match health.is_ready() && accounts {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let body = Health {
        status,
        accepting: health.accepting,
        committing: health.committing,
        queued: health.queued,
        in_time: health.in_time,
        accounts,
        oldest_commit_seconds: health.oldest_commit.as_secs_f64(),
        oldest_read_seconds: health.oldest_read.as_secs_f64(),
        store: health.store.availability.name(),
        room: health.store.room.name(),
        durability: health.store.durability.name(),
    };
    (code, Json(body))
}

/// `GET /metrics`, in the text format of Prometheus. It contains counts and times only, and no data
/// of single users. The figures of the process, such as `process_open_fds` and `process_max_fds`,
/// are at most some seconds old.
pub(crate) async fn metrics(State(host): State<Host>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], host.metrics.render())
}
