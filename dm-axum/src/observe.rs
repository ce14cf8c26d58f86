//! Middleware that adds a span and a metric to each call.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use dm_core::Principal;
use tracing::Instrument as _;

/// Adds a span to a call, counts the call, and forbids caches to store its answer.
///
/// A metrics recorder keeps one series for every combination of label values until the process
/// ends. So each label must have a fixed set of values: the label is the route and not the path,
/// which contains ids, and an unknown method has the label `other`.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let user = request.extensions().get::<Principal>().map(|principal| principal.user);
    let method = method_label(request.method());
    let span = tracing::debug_span!("dm_call", method, route, ?user);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("dm_calls_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the method if RFC 9110 or RFC 5789 defines it, and `other` otherwise.
const fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_method_has_the_label_other() {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] {
            assert_eq!(method_label(&method.parse().unwrap()), method);
        }
        for made_up in ["get", "PROPFIND", "MADE-UP-1", &"X".repeat(10_000)] {
            assert_eq!(method_label(&made_up.parse().unwrap()), "other");
        }
    }
}
