//! The accounts of one host, in a SQLite file.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dm_core::store::StoreError;
use dm_core::{Timestamp, UserId};
use lru::LruCache;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::database::Database;
use super::{
    Account, EXPIRED_AT_ONCE, HostIdentity, Login, SEARCH_LIMIT, SignedIn, TOKEN_VALID_FOR,
    TOKENS_PER_ACCOUNT, millis, no_randomness, oldest_kept, time,
};
use crate::challenge::Challenge;
use crate::name::{DisplayName, fold};
use crate::token::{Token, TokenHash};

/// Maximum number of names, and of tokens, in the cache. Together they take a few megabytes.
const MAX_CACHED: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// The accounts in a SQLite file. Clones share the connections.
#[derive(Clone, Debug)]
pub(super) struct FileAccounts {
    database: Database,
    /// A separate connection for searches, because a search reads every name.
    search: Database,
    identity: HostIdentity,
    cache: Arc<Mutex<Cache>>,
}

/// The rows that were read recently. The cache is written only under the lock of the database's
/// connection, so it is never older than the file.
#[derive(Debug)]
struct Cache {
    names: LruCache<UserId, String>,
    tokens: LruCache<TokenHash, Login>,
}

impl FileAccounts {
    /// Opens the file. Makes it if it is missing. Blocks.
    pub(super) fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (database, identity) = Database::open(path.as_ref())?;
        let search = Database::open_for_reading(path.as_ref())?;
        let cache = Cache { names: LruCache::new(MAX_CACHED), tokens: LruCache::new(MAX_CACHED) };
        let cache = Arc::new(Mutex::new(cache));
        Ok(Self { database, search, identity, cache })
    }

    pub(super) const fn identity(&self) -> &HostIdentity {
        &self.identity
    }

    pub(super) async fn sign_in(
        &self,
        user: UserId,
        name: Option<DisplayName>,
        challenge: Challenge,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, StoreError> {
        let token = Token::random().map_err(no_randomness)?;
        let (hash, login) = (token.hash(), Login { user, expires_at: now.after(TOKEN_VALID_FOR) });
        let cache = Arc::clone(&self.cache);
        let work = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            if !consume_challenge(&transaction, challenge, now)? {
                return Ok(None);
            }
            let display_name = register(&transaction, user, name, now)?;
            let dropped = add_token(&transaction, hash, login, now)?;
            transaction.commit()?;

            let mut cache = lock(&cache);
            cache.names.put(user, display_name.clone());
            cache.tokens.put(hash, login);
            for gone in dropped {
                cache.tokens.pop(&gone);
            }
            Ok(Some(display_name))
        };
        let signed_in = |display_name| SignedIn { token, expires_at: login.expires_at, display_name };
        Ok(self.database.call(work).await?.map(signed_in))
    }

    pub(super) async fn sign_out(&self, token: TokenHash) -> Result<(), StoreError> {
        let cache = Arc::clone(&self.cache);
        let work = move |connection: &mut Connection| {
            connection.prepare_cached("DELETE FROM tokens WHERE hash = ?1")?.execute([token.as_bytes()])?;
            lock(&cache).tokens.pop(&token);
            Ok(())
        };
        self.database.call(work).await
    }

    pub(super) async fn login(&self, token: TokenHash) -> Result<Option<Login>, StoreError> {
        if let Some(login) = lock(&self.cache).tokens.get(&token) {
            return Ok(Some(*login));
        }
        let cache = Arc::clone(&self.cache);
        let work = move |connection: &mut Connection| {
            let found = connection
                .prepare_cached("SELECT public_key, expires_at FROM tokens WHERE hash = ?1")?
                .query_row([token.as_bytes()], |row| {
                    Ok(Login { user: UserId::from_stored(row.get(0)?), expires_at: time(row.get(1)?) })
                })
                .optional()?;
            if let Some(login) = found {
                lock(&cache).tokens.put(token, login);
            }
            Ok(found)
        };
        self.database.call(work).await
    }

    pub(super) async fn names(&self, users: &[UserId]) -> Result<Vec<Option<String>>, StoreError> {
        let known: Vec<Option<String>> = {
            let mut cache = lock(&self.cache);
            users.iter().map(|user| cache.names.get(user).cloned()).collect()
        };
        if known.iter().all(Option::is_some) {
            return Ok(known);
        }
        let (users, cache) = (users.to_vec(), Arc::clone(&self.cache));
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
                    lock(&cache).names.put(user, name.clone());
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

/// Marks a challenge as used, and removes some old challenges. Returns false if the challenge was
/// used before.
fn consume_challenge(
    transaction: &Transaction<'_>,
    challenge: Challenge,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached(
            "DELETE FROM used_challenges WHERE challenge IN (
                SELECT challenge FROM used_challenges WHERE expires_at <= ?1 LIMIT ?2)",
        )?
        .execute(params![oldest_kept(now), EXPIRED_AT_ONCE])?;
    let noted = transaction
        .prepare_cached(
            "INSERT INTO used_challenges (challenge, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![challenge.bytes, millis(challenge.expires_at)])?;
    Ok(noted == 1)
}

/// Makes the account, or changes its name if `name` is given. Returns the user's display name.
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

/// Adds a token. Removes some expired tokens, and the owner's oldest ones beyond the limit. Returns
/// the removed ones.
fn add_token(
    transaction: &Transaction<'_>,
    hash: TokenHash,
    login: Login,
    now: Timestamp,
) -> rusqlite::Result<Vec<TokenHash>> {
    let owner = login.user.as_bytes();
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
        .execute(params![hash.as_bytes(), owner, millis(login.expires_at)])?;
    dropped.extend(surplus);
    Ok(dropped)
}

fn lock(cache: &Mutex<Cache>) -> MutexGuard<'_, Cache> {
    // No code that could panic runs under the lock.
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}
