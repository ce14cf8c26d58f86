//! Signing in at the reference host, `examples/chat-host`. Other hosts have their own ways; take the token from those.
//!
//! The host sends 32 bytes that it has sent nobody before; the client signs them together with the
//! purpose, the origin that it dialled and the host's own id, so that the signature is good for
//! nothing and nowhere else: a host that passes another's challenge on gets a signature that names
//! itself. The first sign-in registers the account.

use std::fmt;

use data_encoding::BASE64;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::{
    error::ClientError,
    http::{Http, LARGE, SMALL, Timeouts, call, done},
    identity::Identity,
    keys::PublicKey,
};

const PURPOSE: &[u8] = b"dm-chat-host auth v2\0";
const CHALLENGE_LEN: usize = 32;

/// What a host answers to a sign-in. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The token, for [`ClientBuilder::token`](crate::ClientBuilder::token).
    pub token: String,
    /// When the token expires, Unix milliseconds.
    pub expires_at: u64,
    /// What the host calls itself: to be expected at the next sign-in.
    pub server_id: String,
}

/// Somebody who has an account at the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// Who it is.
    pub user: PublicKey,
    /// What they call themselves. Any text; neutralize it before it reaches a terminal.
    pub name: String,
}

/// Signs in at the host at `base` as `identity`. A `display_name` is what others see and search for.
///
/// `server_id` is what the caller knows the host by, from an earlier sign-in or from elsewhere;
/// `None` takes the host's word. The signature is bound to it and to the origin of `base`, as it
/// stands there: a host that is reached by another address than it knows of refuses it, and says
/// how it is told (`--origin`).
///
/// # Errors
///
/// [`ClientError`]; [`ClientError::Protocol`] if the host has another id than `server_id`.
pub async fn sign_in(
    base: &str,
    identity: &Identity,
    display_name: Option<&str>,
    server_id: Option<&str>,
    timeouts: Timeouts,
) -> Result<Session, ClientError> {
    let http = Http::new(base, timeouts)?;
    let public_key = identity.public_key().to_string();

    let request = http.post(&["api", "auth", "challenge"], &AskChallenge { public_key: &public_key });
    let (_, challenge) = call::<Challenge>(request, SMALL).await?;
    if server_id.is_some_and(|known| known != challenge.server_id) {
        return Err(ClientError::Protocol("the host is another one than expected"));
    }
    let raw: [u8; CHALLENGE_LEN] = BASE64
        .decode(challenge.challenge.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(ClientError::Protocol("challenge"))?;
    let signature = identity.sign(&statement(&http.origin(), &challenge.server_id, &raw));

    let answer = Verify {
        public_key: &public_key,
        challenge: &challenge.challenge,
        signature: BASE64.encode(&signature),
        display_name,
    };
    let request = http.post(&["api", "auth", "verify"], &answer);
    let (_, verified) = call::<Verified>(request, SMALL).await?;
    Ok(Session { token: verified.token, expires_at: verified.expires_at, server_id: challenge.server_id })
}

/// Ends a session: its token is refused from now on, and its WebSockets close.
///
/// # Errors
///
/// [`ClientError`]; [`is_unauthorized`](ClientError::is_unauthorized) if the token was not good any
/// more.
pub async fn sign_out(base: &str, session: &Session, timeouts: Timeouts) -> Result<(), ClientError> {
    let mut http = Http::new(base, timeouts)?;
    http.authorize(&session.token)?;
    done(http.request(Method::POST, &["api", "auth", "logout"])).await
}

/// The people at the host whose display name contains `query`, in the host's order: of at least
/// three characters, or a whole name. A shorter one finds nobody.
///
/// # Errors
///
/// [`ClientError`].
pub async fn find_people(
    base: &str,
    session: &Session,
    query: &str,
    timeouts: Timeouts,
) -> Result<Vec<Person>, ClientError> {
    let mut http = Http::new(base, timeouts)?;
    http.authorize(&session.token)?;
    let request = http.get(&["api", "users"]).query(&[("query", query)]);
    let (_, found) = call::<Found>(request, LARGE).await?;
    let person = |found: PersonJson| {
        let user = found.public_key.parse().map_err(|_| ClientError::Protocol("public_key"))?;
        Ok(Person { user, name: found.display_name })
    };
    found.users.into_iter().map(person).collect()
}

/// What is signed: the purpose, the origin, the host and the challenge, apart by zero bytes.
fn statement(origin: &str, server_id: &str, challenge: &[u8; CHALLENGE_LEN]) -> Vec<u8> {
    [PURPOSE, origin.as_bytes(), b"\0", server_id.as_bytes(), b"\0", challenge].concat()
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("expires_at", &self.expires_at)
            .field("server_id", &self.server_id)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct AskChallenge<'a> {
    public_key: &'a str,
}

#[derive(Deserialize)]
struct Challenge {
    challenge: String,
    server_id: String,
}

#[derive(Serialize)]
struct Verify<'a> {
    public_key: &'a str,
    challenge: &'a str,
    signature: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
}

#[derive(Deserialize)]
struct Verified {
    token: String,
    expires_at: u64,
}

#[derive(Deserialize)]
struct Found {
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
    fn the_statement_names_purpose_origin_host_and_challenge() {
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
