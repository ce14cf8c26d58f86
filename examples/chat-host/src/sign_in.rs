//! The calls for signing in, by a signed challenge, and for signing out.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use dm_core::UserId;
use dm_core::store::{StoreError, StoreErrorKind};
use serde::{Deserialize, Serialize};

use crate::accounts::no_randomness;
use crate::host::Host;
use crate::name::DisplayName;
use crate::problem::Problem;
use crate::token::TokenHash;

/// The refusal of a signature. It names the option because the origin may be missing in the host's
/// configuration.
const WRONG_SIGNATURE: &str = "the signature is not valid for the challenge and an origin that this host knows; \
     configure the origins that clients connect to with --origin";

/// The body of `POST /api/auth/challenge`.
#[derive(Deserialize)]
pub(crate) struct AskChallenge {
    public_key: String,
}

#[derive(Serialize)]
pub(crate) struct Challenge {
    challenge: String,
    server_id: String,
    expires_at: u64,
}

/// The body of `POST /api/auth/verify`.
#[derive(Deserialize)]
pub(crate) struct Verify {
    public_key: String,
    challenge: String,
    signature: String,
    display_name: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Verified {
    token: String,
    expires_at: u64,
    user: User,
}

/// The public part of an account.
#[derive(Serialize)]
pub(crate) struct User {
    pub(crate) public_key: String,
    pub(crate) display_name: String,
}

/// `POST /api/auth/challenge`: returns a challenge of 32 bytes, to be signed within a minute. Needs
/// no authentication.
pub(crate) async fn challenge(
    State(host): State<Host>,
    body: Result<Json<AskChallenge>, JsonRejection>,
) -> Result<Json<Challenge>, Problem> {
    let Json(asked) = body?;
    let user = user(&asked.public_key)?;
    let challenge = host.accounts.challenge_key().issue(user, host.now()).map_err(no_randomness)?;
    Ok(Json(Challenge {
        challenge: BASE64.encode(challenge.bytes),
        server_id: host.accounts.server_id().to_owned(),
        expires_at: challenge.expires_at.as_millis(),
    }))
}

/// `POST /api/auth/verify`: returns a token for a signed challenge. Registers an account if the
/// user has none.
pub(crate) async fn verify(
    State(host): State<Host>,
    body: Result<Json<Verify>, JsonRejection>,
) -> Result<Json<Verified>, Problem> {
    let Json(answer) = body?;
    // Malformed fields are reported first, with their name.
    let user = user(&answer.public_key)?;
    let challenge = bytes("challenge", &answer.challenge)?;
    let signature = bytes("signature", &answer.signature)?;
    let name = answer.display_name.map(DisplayName::try_from).transpose().map_err(Problem::unacceptable)?;

    let now = host.now();
    let not_valid = || Problem::unauthorized("the challenge is not valid or has expired");
    let challenge = host.accounts.challenge_key().recognize(user, &challenge, now).ok_or_else(not_valid)?;
    if !host.statements.are_signed(user, host.accounts.server_id(), &challenge.bytes, &signature) {
        return Err(Problem::unauthorized(WRONG_SIGNATURE));
    }
    let signed_in = host.accounts.sign_in(user, name, challenge, now).await?.ok_or_else(not_valid)?;
    tracing::info!(?user, "signed in");
    Ok(Json(Verified {
        token: signed_in.token.reveal(),
        expires_at: signed_in.expires_at.as_millis(),
        user: User { public_key: user.to_string(), display_name: signed_in.display_name },
    }))
}

/// `POST /api/auth/logout`: ends the token of the call, and its WebSockets.
pub(crate) async fn logout(
    State(host): State<Host>,
    token: Option<Extension<TokenHash>>,
) -> Result<StatusCode, Problem> {
    let Extension(token) = token.ok_or_else(|| Problem::unauthorized("sign in first"))?;
    // The task completes the sign-out even if the client disconnects before the answer.
    let signing_out = tokio::spawn(async move {
        // The accounts come first. A WebSocket that is opened between the two steps subscribes and
        // then checks the accounts.
        host.accounts.sign_out(token).await?;
        host.logins.end(token);
        Ok(StatusCode::NO_CONTENT)
    });
    signing_out.await.unwrap_or_else(|_| Err(StoreError::from(StoreErrorKind::Closed).into()))
}

fn user(text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|invalid: dm_core::Invalid| Problem::malformed("public_key", invalid.reason()))
}

/// Decodes exactly `N` bytes of canonical base64.
fn bytes<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], Problem> {
    let malformed = || Problem::malformed(field, "not the base64 of the right number of bytes");
    BASE64.decode(text).map_err(|_| malformed())?.try_into().map_err(|_| malformed())
}
