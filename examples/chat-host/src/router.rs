//! The router: the host's own calls, merged with the direct-message API.

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

/// Maximum size of a body of the host's own calls, in bytes. The largest regular body has about
/// 600.
const MAX_BODY: usize = 4 * 1024;

/// The time limit of the host's own calls, including the transfer of the body.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The router of all calls except [`metrics()`]: the host's own, and the direct-message API from
/// [`dm_axum::router`].
pub fn router(host: Host, direct_messages: Router) -> Router {
    let open = Router::new()
        .route("/api/info", get(info::info))
        .route("/api/auth/challenge", post(sign_in::challenge))
        .route("/api/auth/verify", post(sign_in::verify))
        .route("/healthz", get(info::health));
    // The middleware refuses an expired token. It runs only for these calls, because a client that
    // still sends an expired token must be able to sign in.
    let authenticated = with_limits(
        Router::new().route("/api/users", get(users::find)).route("/api/auth/logout", post(sign_in::logout)),
    )
    .with_state(host.clone())
    .merge(direct_messages)
    .layer(middleware::from_fn_with_state(host.clone(), authenticate));
    with_limits(open)
        .with_state(host)
        .merge(authenticated)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "no such path"))
}

/// `GET /metrics`, to be merged into the router, or served on a separate address that only the
/// monitoring can reach.
pub fn metrics(host: Host) -> Router {
    with_limits(Router::new().route("/metrics", get(info::metrics))).with_state(host)
}

/// Adds the limits of the host's own calls.
fn with_limits(calls: Router<Host>) -> Router<Host> {
    calls
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the path takes another method")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(limit_time))
}

/// Ends a call that takes too long with 408. Forbids caching of all answers, because some contain
/// tokens.
async fn limit_time(request: Request, next: Next) -> Response {
    let late = Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long");
    let answer = tokio::time::timeout(CALL_TIMEOUT, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| late.into_response());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
