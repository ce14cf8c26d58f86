//! Accounts in a SQLite file of one host's own.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dm_core::store::StoreError;
use dm_core::{Timestamp, UserId};
use lru::LruCache;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::database::Database;
use super::{
    Account, EXPIRED_AT_ONCE, Own, SEARCH_LIMIT, Session, SignedIn, TOKEN_VALID_FOR, TOKENS_PER_ACCOUNT,
    forgotten, millis, no_randomness, time,
};
use crate::challenge::Challenge;
use crate::name::{DisplayName, fold};
use crate::token::{Token, TokenHash};

/// Names and tokens kept in memory, of each: a few megabytes.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// The accounts, in a SQLite file. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct FileAccounts {
    database: Database,
    /// A connection of its own, because a search looks at every name.
    search: Database,
    own: Own,
    remembered: Arc<Mutex<Remembered>>,
}

/// What was read lately. Written only by who holds the database's connection, so it is never older than the file.
#[derive(Debug)]
struct Remembered {
    names: LruCache<UserId, String>,
    tokens: LruCache<TokenHash, Session>,
}

impl FileAccounts {
    /// Opens the file, making it if it is missing. Blocks.
    pub(super) fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (database, own) = Database::open(path.as_ref())?;
        let search = Database::open_for_reading(path.as_ref())?;
        let remembered = Remembered { names: LruCache::new(REMEMBERED), tokens: LruCache::new(REMEMBERED) };
        let remembered = Arc::new(Mutex::new(remembered));
        Ok(Self { database, search, own, remembered })
    }

    pub(super) const fn own(&self) -> &Own {
        &self.own
    }

    pub(super) async fn sign_in(
        &self,
        user: UserId,
        name: Option<DisplayName>,
        challenge: Challenge,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, StoreError> {
        let token = Token::random().map_err(no_randomness)?;
        let (hash, session) = (token.hash(), Session { user, expires_at: now.after(TOKEN_VALID_FOR) });
        let remembered = Arc::clone(&self.remembered);
        let work = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            if !use_up(&transaction, challenge, now)? {
                return Ok(None);
            }
            let display_name = register(&transaction, user, name, now)?;
            let dropped = add_token(&transaction, hash, session, now)?;
            transaction.commit()?;

            let mut remembered = lock(&remembered);
            remembered.names.put(user, display_name.clone());
            remembered.tokens.put(hash, session);
            for gone in dropped {
                remembered.tokens.pop(&gone);
            }
            Ok(Some(display_name))
        };
        let signed_in = |display_name| SignedIn { token, expires_at: session.expires_at, display_name };
        Ok(self.database.call(work).await?.map(signed_in))
    }

    pub(super) async fn sign_out(&self, token: TokenHash) -> Result<(), StoreError> {
        let remembered = Arc::clone(&self.remembered);
        let work = move |connection: &mut Connection| {
            connection.prepare_cached("DELETE FROM tokens WHERE hash = ?1")?.execute([token.as_bytes()])?;
            lock(&remembered).tokens.pop(&token);
            Ok(())
        };
        self.database.call(work).await
    }

    pub(super) async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
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

    pub(super) async fn names(&self, users: &[UserId]) -> Result<Vec<Option<String>>, StoreError> {
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

    pub(super) async fn find(&self, pattern: String) -> Result<Vec<Account>, StoreError> {
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

/// Notes that a challenge was answered, and forgets some that are long over; whether it was the
/// first time.
fn use_up(transaction: &Transaction<'_>, challenge: Challenge, now: Timestamp) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached(
            "DELETE FROM used_challenges WHERE challenge IN (
                SELECT challenge FROM used_challenges WHERE expires_at <= ?1 LIMIT ?2)",
        )?
        .execute(params![forgotten(now), EXPIRED_AT_ONCE])?;
    let noted = transaction
        .prepare_cached(
            "INSERT INTO used_challenges (challenge, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![challenge.bytes, millis(challenge.expires_at)])?;
    Ok(noted == 1)
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

fn lock(remembered: &Mutex<Remembered>) -> MutexGuard<'_, Remembered> {
    // Nothing panics while this is locked.
    remembered.lock().unwrap_or_else(PoisonError::into_inner)
}
