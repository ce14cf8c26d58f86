//! Signs in at the reference host, `examples/chat-host`. Other hosts have their own sign-in. A
//! [`Client`](crate::Client) needs only the token of a login.
//!
//! The host sends a random challenge of 32 bytes, which is valid once. The client signs the
//! challenge together with the purpose, the origin (scheme, host and port) that the client
//! connected to, and the host's id. So the signature is valid only for this purpose and this host.
//! A dishonest host that forwards the challenge of another host gets a signature over its own
//! origin, which the other host refuses. The first sign-in of an identity registers the account.

use std::fmt;

use data_encoding::BASE64;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::http::{Http, MAX_ITEM_BYTES, MAX_LIST_BYTES, Timeouts, call, call_without_body};
use crate::identity::Identity;
use crate::keys::UserId;
use crate::time::Timestamp;

/// The purpose at the beginning of the signed bytes.
const PURPOSE: &[u8] = b"dm-chat-host auth v2\0";
/// Length of a challenge, in bytes.
const CHALLENGE_LEN: usize = 32;

/// A login at a host, from [`sign_in`]. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Login {
    /// The token, for [`ClientBuilder::token`](crate::ClientBuilder::token).
    pub token: String,
    /// The time at which the token expires, by the host's clock.
    pub expires_at: Timestamp,
    /// The id of the host. Pass it to the next [`sign_in`], which then fails if another host
    /// answers.
    pub server_id: String,
}

/// A user with an account at the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// The user.
    pub user: UserId,
    /// The user's display name. It can be any text. Remove control characters before you print it.
    pub name: String,
}

/// Signs in as `identity` at the host with the URL `base`. Other users see `display_name` and can
/// search for it. With `None`, the account keeps its name.
///
/// `server_id` is the id that the host must have, from an earlier sign-in or from another source.
/// With `None`, the client accepts any id. The signature covers the id and the origin of `base`. A
/// host refuses an origin that it does not know. The text of this refusal names the host's option
/// `--origin`, which adds an origin.
///
/// # Errors
///
/// [`ClientError`] if the sign-in fails; [`ClientError::WrongServerId`] if the id of the host is
/// not `server_id`.
pub async fn sign_in(
    base: &str,
    identity: &Identity,
    display_name: Option<&str>,
    server_id: Option<&str>,
    timeouts: Timeouts,
) -> Result<Login, ClientError> {
    let http = Http::new(base, timeouts)?;
    let public_key = identity.user_id().to_string();

    let request = http.post(&["api", "auth", "challenge"], &ChallengeRequest { public_key: &public_key });
    let (_, challenge) = call::<ChallengeAnswer>(request, MAX_ITEM_BYTES).await?;
    if server_id.is_some_and(|known| known != challenge.server_id) {
        return Err(ClientError::WrongServerId);
    }
    let raw: [u8; CHALLENGE_LEN] = BASE64
        .decode(challenge.challenge.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(ClientError::Protocol("challenge"))?;
    let signature = identity.sign(&statement(&http.origin(), &challenge.server_id, &raw));

    let request = VerifyRequest {
        public_key: &public_key,
        challenge: &challenge.challenge,
        signature: BASE64.encode(&signature),
        display_name,
    };
    let request = http.post(&["api", "auth", "verify"], &request);
    let (_, verified) = call::<VerifyAnswer>(request, MAX_ITEM_BYTES).await?;
    let expires_at = Timestamp::from_millis(verified.expires_at);
    Ok(Login { token: verified.token, expires_at, server_id: challenge.server_id })
}

/// Ends a login: the host refuses its token from now on, and closes the WebSockets with this token.
///
/// # Errors
///
/// [`ClientError`] if the call fails. [`is_unauthorized`](ClientError::is_unauthorized) is true if
/// the token is not valid, for instance because it has expired.
pub async fn sign_out(base: &str, login: &Login, timeouts: Timeouts) -> Result<(), ClientError> {
    let mut http = Http::new(base, timeouts)?;
    http.authorize(&login.token)?;
    call_without_body(http.request(Method::POST, &["api", "auth", "logout"])).await
}

/// The users at the host whose display name contains `query`, in an order that the host chooses.
/// A query of fewer than three characters finds only users with exactly this name.
///
/// # Errors
///
/// [`ClientError`] if the call fails.
pub async fn find_people(
    base: &str,
    login: &Login,
    query: &str,
    timeouts: Timeouts,
) -> Result<Vec<Person>, ClientError> {
    let mut http = Http::new(base, timeouts)?;
    http.authorize(&login.token)?;
    let request = http.get(&["api", "users"]).query(&[("query", query)]);
    let (_, found) = call::<SearchAnswer>(request, MAX_LIST_BYTES).await?;
    let person = |found: PersonJson| {
        let user = found.public_key.parse().map_err(|_| ClientError::Protocol("public_key"))?;
        Ok(Person { user, name: found.display_name })
    };
    found.users.into_iter().map(person).collect()
}

/// The bytes that a sign-in signs: the purpose, the origin, the host's id and the challenge,
/// separated by zero bytes.
fn statement(origin: &str, server_id: &str, challenge: &[u8; CHALLENGE_LEN]) -> Vec<u8> {
    [PURPOSE, origin.as_bytes(), b"\0", server_id.as_bytes(), b"\0", challenge].concat()
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("expires_at", &self.expires_at)
            .field("server_id", &self.server_id)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct ChallengeRequest<'a> {
    public_key: &'a str,
}

#[derive(Deserialize)]
struct ChallengeAnswer {
    challenge: String,
    server_id: String,
}

#[derive(Serialize)]
struct VerifyRequest<'a> {
    public_key: &'a str,
    challenge: &'a str,
    signature: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
}

#[derive(Deserialize)]
struct VerifyAnswer {
    token: String,
    expires_at: u64,
}

#[derive(Deserialize)]
struct SearchAnswer {
    users: Vec<PersonJson>,
}

#[derive(Deserialize)]
struct PersonJson {
    public_key: String,
    display_name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_statement_holds_purpose_origin_host_id_and_challenge() {
        let statement = statement("http://127.0.0.1:8080", "host-1", &[7; 32]);
        let expected = b"dm-chat-host auth v2\0http://127.0.0.1:8080\0host-1\0".as_slice();
        assert_eq!(statement, [expected, &[7; 32]].concat());
    }

    #[test]
    fn the_origin_is_the_address_without_path_default_port_and_capitals() {
        for (base, origin) in [
            ("http://Chat.Example:80/dm/", "http://chat.example"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[0:0::1]:443", "http://[::1]:443"),
        ] {
            assert_eq!(Http::new(base, Timeouts::default()).unwrap().origin(), origin);
        }
    }
}
