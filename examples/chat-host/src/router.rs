//! The host's own calls, with the direct-message API merged in.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::auth::authenticate;
use crate::host::Host;
use crate::problem::Problem;
use crate::{info, sign_in, users};

/// Largest body of the host's own calls, in bytes; the largest honest one has about 600.
const LARGEST_BODY: usize = 4 * 1024;

/// How long one of the host's own calls may take, its body included.
const PATIENCE: Duration = Duration::from_secs(10);

/// The host's own calls, without [`metrics()`], around the direct-message API, which
/// [`dm_axum::router`] gives.
pub fn router(host: Host, direct_messages: Router) -> Router {
    let open = Router::new()
        .route("/api/info", get(info::info))
        .route("/api/auth/challenge", post(sign_in::challenge))
        .route("/api/auth/verify", post(sign_in::verify))
        .route("/healthz", get(info::health));
    // Only here: who still sends an old token must be able to sign in again.
    let for_accounts = own(Router::new()
        .route("/api/users", get(users::find))
        .route("/api/auth/logout", post(sign_in::logout)))
    .with_state(host.clone())
    .merge(direct_messages)
    .layer(middleware::from_fn_with_state(host.clone(), authenticate));
    own(open)
        .with_state(host)
        .merge(for_accounts)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "no such path"))
}

/// `GET /metrics`, to be merged into the router or served on an address of its own, which only
/// whoever watches the host reaches.
pub fn metrics(host: Host) -> Router {
    own(Router::new().route("/metrics", get(info::metrics))).with_state(host)
}

/// The limits of the host's own calls.
fn own(calls: Router<Host>) -> Router<Host> {
    calls
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the path takes another method")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(in_time))
}

/// Gives up on a call that takes too long, and keeps answers, tokens among them, out of caches.
async fn in_time(request: Request, next: Next) -> Response {
    let late = Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long");
    let answer = tokio::time::timeout(PATIENCE, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| late.into_response());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
