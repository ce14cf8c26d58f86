//! The accounts: users, their display names and their tokens.
//!
//! - `file` keeps them in a SQLite file, through `database`; `shared` in a PostgreSQL
//!   database, through `connections`.
//! - `search`: the pattern of a search. `health`: the availability for the health check.
//! - `detached`: work in a separate task.

mod connections;
mod database;
mod detached;
mod file;
mod health;
mod search;
mod shared;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dm_core::store::{StoreError, StoreErrorKind};
use dm_core::{Timestamp, UserId};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::challenge::{Challenge, ChallengeKey};
use crate::name::DisplayName;
use crate::token::{Token, TokenHash};
use file::FileAccounts;
pub use health::AccountsHealth;
use shared::SharedAccounts;

/// The lifetime of a token.
pub const TOKEN_VALID_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Maximum number of tokens of an account. A further sign-in removes the token that expires first.
pub const TOKENS_PER_ACCOUNT: u32 = 64;

/// Maximum number of expired rows of a table that one sign-in removes. It is more than one, so that
/// expired rows do not accumulate.
const EXPIRED_AT_ONCE: u32 = 100;

/// The time for which a used challenge is kept after its expiry. The clock of another host may be
/// behind, so that the challenge has not expired there.
const USED_KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// Maximum number of accounts in the answer to a search.
pub const SEARCH_LIMIT: u32 = 50;

/// The accounts of a host, or of several hosts on one database. Clones share the same data.
#[derive(Clone, Debug)]
pub struct Accounts(Backend);

#[derive(Clone, Debug)]
enum Backend {
    File(FileAccounts),
    Shared(SharedAccounts),
}

/// The identity of the host, or of all hosts on one database. It is made together with the
/// accounts.
#[derive(Clone, Debug)]
struct HostIdentity {
    server_id: Arc<str>,
    challenge_key: ChallengeKey,
}

/// The login of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// The owner of the token.
    pub user: UserId,
    /// The time from which on the token is refused.
    pub expires_at: Timestamp,
}

/// The result of a sign-in.
#[derive(Debug)]
pub struct SignedIn {
    /// The new token.
    pub token: Token,
    /// The time from which on the token is refused.
    pub expires_at: Timestamp,
    /// The display name of the user.
    pub display_name: String,
}

/// The public part of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: UserId,
    /// The display name of the user.
    pub display_name: String,
}

impl Accounts {
    /// Opens the accounts in a SQLite file. Makes the file if it is missing; its folder must exist.
    /// Blocks.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be opened, or if a newer version of the host wrote it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        FileAccounts::open(path).map(|file| Self(Backend::File(file)))
    }

    /// Opens the accounts in a PostgreSQL database, which all hosts on it share. The tables are in
    /// the schema `chat_host`, which is made if it is missing.
    ///
    /// # Errors
    /// [`StoreError`] if the parameters are not valid or the database cannot be used.
    pub async fn connect(parameters: &str) -> Result<Self, StoreError> {
        Self::connect_with(parameters, None).await
    }

    /// Opens the accounts as [`connect`](Self::connect) does; over TLS if there is a connector.
    ///
    /// # Errors
    /// [`StoreError`] as from [`connect`](Self::connect).
    pub async fn connect_with(parameters: &str, tls: Option<MakeRustlsConnect>) -> Result<Self, StoreError> {
        SharedAccounts::connect(parameters, tls).await.map(|shared| Self(Backend::Shared(shared)))
    }

    /// The id of this host, or of all hosts on one database: 32 hexadecimal digits.
    #[must_use]
    pub fn server_id(&self) -> &str {
        &self.identity().server_id
    }

    /// The key with which this host, or all hosts on one database, authenticate their challenges.
    #[must_use]
    pub fn challenge_key(&self) -> &ChallengeKey {
        &self.identity().challenge_key
    }

    /// Makes a token for a user who has signed a challenge. Registers the account if there is none,
    /// and changes the display name if `name` is given. The sign-in is atomic, and it is durable
    /// when the call returns.
    ///
    /// Returns `None` if the challenge was used before. Of concurrent sign-ins with one challenge,
    /// at any number of hosts, at most one gets a token.
    ///
    /// # Errors
    /// [`StoreError`] if the accounts cannot be changed. Nothing is changed, with one exception:
    /// after a timeout of the database, the challenge may be used. The client then needs another.
    pub async fn sign_in(
        &self,
        user: UserId,
        name: Option<DisplayName>,
        challenge: Challenge,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, StoreError> {
        match &self.0 {
            Backend::File(file) => file.sign_in(user, name, challenge, now).await,
            Backend::Shared(shared) => shared.sign_in(user, name, challenge, now).await,
        }
    }

    /// Removes a token. The removal is durable when the call returns. A token that does not exist
    /// is no error.
    ///
    /// # Errors
    /// [`StoreError`] if the accounts cannot be changed. The token may then still be valid.
    pub async fn sign_out(&self, token: TokenHash) -> Result<(), StoreError> {
        match &self.0 {
            Backend::File(file) => file.sign_out(token).await,
            Backend::Shared(shared) => shared.sign_out(token).await,
        }
    }

    /// The login of a token, which may have expired; `None` for an unknown or removed token.
    ///
    /// # Errors
    /// [`StoreError`] if the accounts cannot be read.
    pub async fn login(&self, token: TokenHash) -> Result<Option<Login>, StoreError> {
        match &self.0 {
            Backend::File(file) => file.login(token).await,
            Backend::Shared(shared) => shared.login(token).await,
        }
    }

    /// The display names of users, in the order of `users`; `None` for a user without an account.
    ///
    /// # Errors
    /// [`StoreError`] if the accounts cannot be read.
    pub async fn names(&self, users: &[UserId]) -> Result<Vec<Option<String>>, StoreError> {
        match &self.0 {
            Backend::File(file) => file.names(users).await,
            Backend::Shared(shared) => shared.names(users.to_vec()).await,
        }
    }

    /// The accounts whose name contains `text`, in upper or lower case, ordered by name; at most
    /// [`SEARCH_LIMIT`]. A text of fewer than three characters finds only accounts with exactly
    /// this name, and an empty text finds none.
    ///
    /// # Errors
    /// [`StoreError`] if the accounts cannot be read.
    pub async fn find(&self, text: &str) -> Result<Vec<Account>, StoreError> {
        let Some(pattern) = search::pattern(text) else { return Ok(Vec::new()) };
        match &self.0 {
            Backend::File(file) => file.find(pattern).await,
            Backend::Shared(shared) => shared.find(pattern).await,
        }
    }

    const fn identity(&self) -> &HostIdentity {
        match &self.0 {
            Backend::File(file) => file.identity(),
            Backend::Shared(shared) => shared.identity(),
        }
    }
}

pub(crate) fn no_randomness(error: getrandom::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, error.to_string())
}

/// The expiry, in Unix milliseconds, up to which used challenges are removed.
fn oldest_kept(now: Timestamp) -> i64 {
    millis(now).saturating_sub(i64::try_from(USED_KEPT_FOR.as_millis()).unwrap_or(i64::MAX))
}

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}
