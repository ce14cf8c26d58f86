//! Who has an account here, what they are called, and the tokens they signed in with.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dm_core::{StoreError, Timestamp, UserId};
use lru::LruCache;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::database::{Database, no_randomness};
use crate::name::DisplayName;
use crate::token::{Token, TokenHash};

/// How long a token is good for after it was given out.
pub const TOKEN_VALID_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Tokens an account may have at once, before the one that expires first goes.
pub const TOKENS_PER_ACCOUNT: u32 = 64;

/// Most people found by one search.
pub const SEARCH_LIMIT: u32 = 50;

/// Expired tokens removed with one sign-in: more than one, so that they cannot pile up.
const EXPIRED_AT_ONCE: u32 = 100;

/// Names and tokens kept in memory, of each: a few megabytes.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// The accounts, in a SQLite file. Clones share it.
#[derive(Clone, Debug)]
pub struct Accounts {
    database: Database,
    /// A connection of its own, because a search looks at every name.
    search: Database,
    server_id: Arc<str>,
    remembered: Arc<Mutex<Remembered>>,
}

/// What was read lately. Written only by who holds the database's connection, so it is never older than the file.
#[derive(Debug)]
struct Remembered {
    names: LruCache<UserId, String>,
    tokens: LruCache<TokenHash, Session>,
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
    /// Opens the file, making it if it is missing; its folder must exist. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`StoreError`], among others when a newer version of this host wrote the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (database, server_id) = Database::open(path.as_ref())?;
        let search = Database::open_for_reading(path.as_ref())?;
        let remembered = Remembered { names: LruCache::new(REMEMBERED), tokens: LruCache::new(REMEMBERED) };
        let remembered = Arc::new(Mutex::new(remembered));
        Ok(Self { database, search, server_id: server_id.into(), remembered })
    }

    /// What this host calls itself: 32 hexadecimal digits, made with the file.
    #[must_use]
    pub fn server_id(&self) -> &str {
        &self.server_id
    }

    /// Gives a user, who has proven to be that user, a token; registers the account if there is none. A name, if there
    /// is one, is what they are called from now on. Durable when it returns; done in full or not at all.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    pub async fn sign_in(
        &self,
        user: UserId,
        name: Option<DisplayName>,
        now: Timestamp,
    ) -> Result<SignedIn, StoreError> {
        let token = Token::random().map_err(no_randomness)?;
        let (hash, session) = (token.hash(), Session { user, expires_at: now.after(TOKEN_VALID_FOR) });
        let remembered = Arc::clone(&self.remembered);
        let work = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let display_name = register(&transaction, user, name, now)?;
            let dropped = add_token(&transaction, hash, session, now)?;
            transaction.commit()?;

            let mut remembered = lock(&remembered);
            remembered.names.put(user, display_name.clone());
            remembered.tokens.put(hash, session);
            for gone in dropped {
                remembered.tokens.pop(&gone);
            }
            Ok(display_name)
        };
        let display_name = self.database.call(work).await?;
        Ok(SignedIn { token, expires_at: session.expires_at, display_name })
    }

    /// What a token stands for, expired or not; `None` for a token that was never given out or is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        if let Some(session) = lock(&self.remembered).tokens.get(&token) {
            return Ok(Some(*session));
        }
        let remembered = Arc::clone(&self.remembered);
        let work = move |connection: &mut Connection| {
            let found = connection
                .prepare_cached("SELECT public_key, expires_at FROM tokens WHERE hash = ?1")?
                .query_row([token.as_bytes()], |row| {
                    Ok(Session { user: UserId::from_stored(row.get(0)?), expires_at: time(row.get(1)?) })
                })
                .optional()?;
            if let Some(session) = found {
                lock(&remembered).tokens.put(token, session);
            }
            Ok(found)
        };
        self.database.call(work).await
    }

    /// What users are called, answer *i* for user *i*; `None` for who has no account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn names(&self, users: &[UserId]) -> Result<Vec<Option<String>>, StoreError> {
        let known: Vec<Option<String>> = {
            let mut remembered = lock(&self.remembered);
            users.iter().map(|user| remembered.names.get(user).cloned()).collect()
        };
        if known.iter().all(Option::is_some) {
            return Ok(known);
        }
        let (users, remembered) = (users.to_vec(), Arc::clone(&self.remembered));
        let work = move |connection: &mut Connection| {
            let mut statement =
                connection.prepare_cached("SELECT display_name FROM accounts WHERE public_key = ?1")?;
            let mut read = |(user, known): (UserId, Option<String>)| -> rusqlite::Result<_> {
                if known.is_some() {
                    return Ok(known);
                }
                let found: Option<String> =
                    statement.query_row([user.as_bytes()], |row| row.get(0)).optional()?;
                if let Some(name) = &found {
                    lock(&remembered).names.put(user, name.clone());
                }
                Ok(found)
            };
            users.into_iter().zip(known).map(&mut read).collect()
        };
        self.database.call(work).await
    }

    /// The accounts whose name contains a text, in either case, by name; at most [`SEARCH_LIMIT`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(&self, text: &str) -> Result<Vec<Account>, StoreError> {
        let pattern = format!("%{}%", literally(&fold(text)));
        let work = move |connection: &mut Connection| {
            connection
                .prepare_cached(
                    r"SELECT public_key, display_name FROM accounts WHERE folded LIKE ?1 ESCAPE '\'
                      ORDER BY folded, public_key LIMIT ?2",
                )?
                .query_map(params![pattern, SEARCH_LIMIT], |row| {
                    Ok(Account { user: UserId::from_stored(row.get(0)?), display_name: row.get(1)? })
                })?
                .collect()
        };
        self.search.call(work).await
    }
}

/// Makes the account, or gives it the name, if there is one; returns what the user is called then.
fn register(
    transaction: &Transaction<'_>,
    user: UserId,
    name: Option<DisplayName>,
    now: Timestamp,
) -> rusqlite::Result<String> {
    let renames = name.is_some();
    let name = name.unwrap_or_else(|| DisplayName::of_key(user));
    transaction
        .prepare_cached(
            "INSERT INTO accounts (public_key, display_name, folded, registered_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (public_key) DO UPDATE SET display_name = excluded.display_name, folded = excluded.folded
             WHERE ?5",
        )?
        .execute(params![user.as_bytes(), name.as_str(), fold(name.as_str()), millis(now), renames])?;
    transaction
        .prepare_cached("SELECT display_name FROM accounts WHERE public_key = ?1")?
        .query_row([user.as_bytes()], |row| row.get(0))
}

/// Adds a token and removes some that expired and what the owner has too many of; returns those removed.
fn add_token(
    transaction: &Transaction<'_>,
    hash: TokenHash,
    session: Session,
    now: Timestamp,
) -> rusqlite::Result<Vec<TokenHash>> {
    let owner = session.user.as_bytes();
    let removed = |row: &rusqlite::Row<'_>| row.get(0).map(TokenHash::from_stored);
    let mut dropped: Vec<TokenHash> = transaction
        .prepare_cached(
            "DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE expires_at <= ?1 LIMIT ?2)
             RETURNING hash",
        )?
        .query_map(params![millis(now), EXPIRED_AT_ONCE], removed)?
        .collect::<Result<_, _>>()?;
    let surplus: Vec<TokenHash> = transaction
        .prepare_cached(
            "DELETE FROM tokens WHERE hash IN (
                SELECT hash FROM tokens WHERE public_key = ?1 ORDER BY expires_at DESC LIMIT -1 OFFSET ?2)
             RETURNING hash",
        )?
        .query_map(params![owner, TOKENS_PER_ACCOUNT - 1], removed)?
        .collect::<Result<_, _>>()?;
    transaction
        .prepare_cached("INSERT INTO tokens (hash, public_key, expires_at) VALUES (?1, ?2, ?3)")?
        .execute(params![hash.as_bytes(), owner, millis(session.expires_at)])?;
    dropped.extend(surplus);
    Ok(dropped)
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// A text as a LIKE pattern that matches only itself.
fn literally(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn lock(remembered: &Mutex<Remembered>) -> MutexGuard<'_, Remembered> {
    // Nothing panics while this is locked.
    remembered.lock().unwrap_or_else(PoisonError::into_inner)
}
