//! Signing in: a challenge, and a token for its signature.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use dm_core::UserId;
use serde::{Deserialize, Serialize};

use crate::challenge;
use crate::host::Host;
use crate::name::DisplayName;
use crate::problem::Problem;

/// `POST /api/auth/challenge`.
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

/// `POST /api/auth/verify`.
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

/// An account, as others see it.
#[derive(Serialize)]
pub(crate) struct User {
    pub(crate) public_key: String,
    pub(crate) display_name: String,
}

/// Gives a challenge to whoever asks: 32 bytes, to be signed within a minute.
pub(crate) async fn challenge(
    State(host): State<Host>,
    body: Result<Json<AskChallenge>, JsonRejection>,
) -> Result<Json<Challenge>, Problem> {
    let Json(asked) = body?;
    let user = user(&asked.public_key)?;
    let challenge = host.challenges.issue(user, host.now()).await?;
    Ok(Json(Challenge {
        challenge: BASE64.encode(challenge.bytes),
        server_id: host.accounts.server_id().to_owned(),
        expires_at: challenge.expires_at.as_millis(),
    }))
}

/// Gives a token for a challenge that was signed, and an account to who has none.
pub(crate) async fn verify(
    State(host): State<Host>,
    body: Result<Json<Verify>, JsonRejection>,
) -> Result<Json<Verified>, Problem> {
    let Json(answer) = body?;
    // All that can be malformed is looked at first, so that a typing error does not cost the challenge.
    let user = user(&answer.public_key)?;
    let challenge = bytes("challenge", &answer.challenge)?;
    let signature = bytes("signature", &answer.signature)?;
    let name = answer.display_name.map(DisplayName::try_from).transpose().map_err(Problem::unacceptable)?;

    let now = host.now();
    // In this order: an attempt uses the challenge up, whether its signature is good or not.
    let answered = host.challenges.redeem(user, &challenge, now).await?
        && challenge::is_signed(user, host.accounts.server_id(), &challenge, &signature);
    if !answered {
        return Err(Problem::unauthorized("the challenge or its signature is not valid"));
    }
    let signed_in = host.accounts.sign_in(user, name, now).await?;
    tracing::info!(?user, "signed in");
    Ok(Json(Verified {
        token: signed_in.token.reveal(),
        expires_at: signed_in.expires_at.as_millis(),
        user: User { public_key: user.to_string(), display_name: signed_in.display_name },
    }))
}

fn user(text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|invalid: dm_core::Invalid| Problem::malformed("public_key", invalid.reason()))
}

/// Exactly *N* bytes in canonical base64.
fn bytes<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], Problem> {
    let malformed = || Problem::malformed(field, "not the base64 of the right number of bytes");
    BASE64.decode(text).map_err(|_| malformed())?.try_into().map_err(|_| malformed())
}
