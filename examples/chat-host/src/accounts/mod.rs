//! Who has an account here, what they are called, and the tokens they signed in with.

mod answering;
mod apart;
mod connections;
mod database;
mod file;
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
pub use answering::Answering;
use file::FileAccounts;
use shared::SharedAccounts;

/// How long a token is good for after it was given out.
pub const TOKEN_VALID_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Tokens an account may have at once, before the one that expires first goes.
pub const TOKENS_PER_ACCOUNT: u32 = 64;

/// Rows of a kind that expired and are removed with one sign-in: more than one, so that they cannot
/// pile up.
const EXPIRED_AT_ONCE: u32 = 100;

/// How long after its end a used challenge is kept, because another host's clock may be behind.
const USED_KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// Most people found by one search.
pub const SEARCH_LIMIT: u32 = 50;

/// The accounts of a host, or of several hosts on one database. Clones share them.
#[derive(Clone, Debug)]
pub struct Accounts(Kept);

#[derive(Clone, Debug)]
enum Kept {
    File(FileAccounts),
    Shared(SharedAccounts),
}

/// What was made with the accounts and belongs to the host, or to all hosts on one database.
#[derive(Clone, Debug)]
struct Own {
    server_id: Arc<str>,
    challenge_key: ChallengeKey,
}

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose token it is.
    pub user: UserId,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// The answer to a sign-in.
#[derive(Debug)]
pub struct SignedIn {
    /// The new token.
    pub token: Token,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// What the user is called from now on.
    pub display_name: String,
}

/// An account, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who it is.
    pub user: UserId,
    /// What they are called.
    pub display_name: String,
}

impl Accounts {
    /// Opens a SQLite file, making it if it is missing; its folder must exist. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`StoreError`], among others when a newer version of this host wrote the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        FileAccounts::open(path).map(|file| Self(Kept::File(file)))
    }

    /// Opens the accounts that all hosts on a PostgreSQL database share, in its schema `chat_host`, which is made if it is
    /// missing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connect(parameters: &str) -> Result<Self, StoreError> {
        Self::connect_with(parameters, None).await
    }

    /// As [`connect`](Self::connect), over TLS if there is a connector.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connect_with(parameters: &str, tls: Option<MakeRustlsConnect>) -> Result<Self, StoreError> {
        SharedAccounts::connect(parameters, tls).await.map(|shared| Self(Kept::Shared(shared)))
    }

    /// What this host, or all hosts on one database, call themselves: 32 hexadecimal digits, made with the accounts.
    #[must_use]
    pub fn server_id(&self) -> &str {
        &self.own().server_id
    }

    /// The key by which this host, or all hosts on one database, know their challenges: made with
    /// the accounts.
    #[must_use]
    pub fn challenge_key(&self) -> &ChallengeKey {
        &self.own().challenge_key
    }

    /// Gives a user, who has answered a challenge, a token; registers the account if there is none.
    /// A name, if there is one, is what they are called from now on. Durable when it returns; done
    /// in full or not at all.
    ///
    /// `None` when the challenge was used before: of any number of attempts at once, on any number
    /// of hosts, one at most is given a token.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed, unless a database did not answer in time: then the
    /// challenge may be used, and another is asked for.
    pub async fn sign_in(
        &self,
        user: UserId,
        name: Option<DisplayName>,
        challenge: Challenge,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, StoreError> {
        match &self.0 {
            Kept::File(file) => file.sign_in(user, name, challenge, now).await,
            Kept::Shared(shared) => shared.sign_in(user, name, challenge, now).await,
        }
    }

    /// Ends a token. Durable when it returns; one that is gone already is no error.
    ///
    /// # Errors
    /// [`StoreError`]; the token may still be good.
    pub async fn sign_out(&self, token: TokenHash) -> Result<(), StoreError> {
        match &self.0 {
            Kept::File(file) => file.sign_out(token).await,
            Kept::Shared(shared) => shared.sign_out(token).await,
        }
    }

    /// What a token stands for, expired or not; `None` for a token that was never given out or is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        match &self.0 {
            Kept::File(file) => file.session(token).await,
            Kept::Shared(shared) => shared.session(token).await,
        }
    }

    /// What users are called, answer *i* for user *i*; `None` for who has no account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn names(&self, users: &[UserId]) -> Result<Vec<Option<String>>, StoreError> {
        match &self.0 {
            Kept::File(file) => file.names(users).await,
            Kept::Shared(shared) => shared.names(users.to_vec()).await,
        }
    }

    /// The accounts whose name contains a text of three characters or more, or is a shorter one, in
    /// either case, by name; at most [`SEARCH_LIMIT`]. An empty text finds nobody.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(&self, text: &str) -> Result<Vec<Account>, StoreError> {
        let Some(pattern) = search::pattern(text) else { return Ok(Vec::new()) };
        match &self.0 {
            Kept::File(file) => file.find(pattern).await,
            Kept::Shared(shared) => shared.find(pattern).await,
        }
    }

    const fn own(&self) -> &Own {
        match &self.0 {
            Kept::File(file) => file.own(),
            Kept::Shared(shared) => shared.own(),
        }
    }
}

pub(crate) fn no_randomness(error: getrandom::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, error.to_string())
}

/// Used challenges that ended by then are forgotten, Unix ms.
fn forgotten(now: Timestamp) -> i64 {
    millis(now).saturating_sub(i64::try_from(USED_KEPT_FOR.as_millis()).unwrap_or(i64::MAX))
}

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}
