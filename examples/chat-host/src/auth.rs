//! Authentication: the middleware that turns a token into a [`Principal`].

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use dm_axum::{LoginExpiry, LoginWatch};
use dm_core::{DeviceId, Principal};
use serde::Deserialize;

use crate::host::Host;
use crate::logins::TokenLogin;
use crate::problem::Problem;
use crate::token::Token;

/// The only path that accepts a token in the query, because browsers cannot set headers on a
/// WebSocket.
const WEBSOCKET: &str = "/api/dm/ws";

/// The query parameters for the authentication of WebSockets.
#[derive(Deserialize)]
struct QueryCredentials {
    token: Option<String>,
    device: Option<String>,
}

/// Authenticates a request that has a token. Adds to the request's extensions: the [`Principal`],
/// the token's hash, the expiry of the login, and the watch of the login.
///
/// A request without a token passes. A handler that needs a principal refuses such a request, and a
/// WebSocket may have a ticket.
///
/// # Errors
/// 401 for a token that is malformed, unknown or expired; 400 for an invalid device id.
pub async fn authenticate(
    State(host): State<Host>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Query(credentials) = Query::<QueryCredentials>::try_from_uri(request.uri())?;
    let in_query = credentials.token.as_deref().filter(|_| request.uri().path() == WEBSOCKET);
    if let Some(token) = bearer(request.headers())?.or(in_query) {
        let not_valid = || Problem::unauthorized("the token is not valid");
        let token = Token::parse(token).ok_or_else(not_valid)?.hash();
        let login = host.accounts.login(token).await?.ok_or_else(not_valid)?;
        if login.expires_at <= host.now() {
            return Err(Problem::unauthorized("the token has expired"));
        }
        let device = device(request.headers(), credentials.device.as_deref())?;
        let extensions = request.extensions_mut();
        extensions.insert(Principal::new(login.user, device));
        extensions.insert(token);
        extensions.insert(LoginExpiry(login.expires_at));
        extensions.insert(LoginWatch(Arc::new(TokenLogin { host, token })));
    }
    Ok(next.run(request).await)
}

/// The token of an `Authorization: Bearer` header (RFC 6750, section 2.1; the scheme in any case).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let parts = value.to_str().ok().and_then(|value| value.split_once(' '));
    match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::unauthorized("the authorization must be a bearer token")),
    }
}

/// The device id from the header, or else from the query, or else the default device id.
fn device(headers: &HeaderMap, in_query: Option<&str>) -> Result<DeviceId, Problem> {
    let malformed = || Problem::malformed("device", "not 1 to 64 characters of A-Z a-z 0-9 . _ -");
    let in_header =
        headers.get("dm-device").map(|value| value.to_str().map_err(|_| malformed())).transpose()?;
    let Some(text) = in_header.or(in_query) else { return Ok(DeviceId::default()) };
    text.parse().map_err(|_| malformed())
}
