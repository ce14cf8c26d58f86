//! Publishes and looks up keys: `POST /api/dm/keys`, `GET /api/dm/keys/{ed25519_pubkey}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use dm_core::{UserId, X25519Key};
use serde::Deserialize;

use super::BODY_OVERHEAD;
use crate::api::Api;
use crate::caller::Caller;
use crate::extract::{BodyFields, json_body, required};
use crate::parse;
use crate::problem::Problem;
use crate::render::KeyJson;

#[derive(Deserialize)]
struct PublishBody {
    x25519_pubkey: Option<String>,
    signature: Option<String>,
}

impl BodyFields for PublishBody {
    const FIELDS: &'static [&'static str] = &["x25519_pubkey", "signature"];
}

/// Publishes the caller's key.
pub(crate) async fn publish(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Json<KeyJson>, Problem> {
    let body: PublishBody = json_body(&api, request, BODY_OVERHEAD).await?;
    let text = required("x25519_pubkey", body.x25519_pubkey)?;
    if !parse::is_hex64(&text) {
        return Err(Problem::malformed("x25519_pubkey", "not 64 hexadecimal digits"));
    }
    let key: X25519Key = text.parse()?;
    if body.signature.is_some() {
        return Err(Problem::not_acceptable("signature", "signed keys are not supported"));
    }
    let record = api.service.publish_key(&caller.principal, key).await.map_err(Problem::from_write_error)?;
    Ok(Json(KeyJson::from(&record)))
}

/// Returns a user's current key.
pub(crate) async fn look_up(
    State(api): State<Arc<Api>>,
    _: Caller,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<KeyJson>, Problem> {
    let malformed = || Problem::malformed("ed25519_pubkey", "not 64 hexadecimal digits");
    let Path(text) = path.map_err(|_| malformed())?;
    if !parse::is_hex64(&text) {
        return Err(malformed());
    }
    // Digits that are not a valid Ed25519 key belong to no user, so there is no key to return.
    let user: UserId = text.parse().map_err(|_| dm_core::Error::NotFound)?;
    Ok(Json(KeyJson::from(&api.service.key(user).await?)))
}
