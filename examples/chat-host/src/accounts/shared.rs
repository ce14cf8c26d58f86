//! The accounts of several hosts, in a PostgreSQL database: accounts, tokens, and the key of the
//! challenges. Nothing that can change is cached here, because another host may change it.

use deadpool_postgres::ClientWrapper;
use dm_core::store::{StoreError, StoreErrorKind};
use dm_core::{Timestamp, UserId};
use tokio_postgres::{Row, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connections::{Connections, database_error, parameters};
use super::{
    Account, EXPIRED_AT_ONCE, HostIdentity, Login, SEARCH_LIMIT, SignedIn, TOKEN_VALID_FOR,
    TOKENS_PER_ACCOUNT, millis, no_randomness, oldest_kept, time,
};
use crate::challenge::{Challenge, ChallengeKey};
use crate::name::{DisplayName, fold};
use crate::token::{Token, TokenHash};

const SCHEMA: &str = include_str!("shared.sql");

/// The lock that serializes the start of hosts. The number is arbitrary.
const START_LOCK: &str = "SELECT pg_advisory_xact_lock(5208215306)";

/// Maximum number of connections for sign-ins, tokens and names. Each request looks up its token
/// once.
const MAX_CONNECTIONS: usize = 4;

/// Maximum number of connections for searches. They are separate because a search reads all
/// accounts, and token lookups would wait for the search.
const MAX_SEARCHES: usize = 2;

#[derive(Clone, Debug)]
pub(crate) struct SharedAccounts {
    connections: Connections,
    searches: Connections,
    identity: HostIdentity,
}

impl SharedAccounts {
    pub(super) async fn connect(text: &str, tls: Option<MakeRustlsConnect>) -> Result<Self, StoreError> {
        let parameters = parameters(text)?;
        let connections = Connections::new(parameters.clone(), tls.clone(), MAX_CONNECTIONS)?;
        let searches = Connections::new(parameters, tls, MAX_SEARCHES)?;
        let identity = connections.run(|client| Box::pin(prepare(client))).await?;
        Ok(Self { connections, searches, identity })
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
        self.connections.run(move |client| Box::pin(sign_in(client, user, name, challenge, now))).await
    }

    pub(super) async fn sign_out(&self, token: TokenHash) -> Result<(), StoreError> {
        self.connections.run(move |client| Box::pin(sign_out(client, token))).await
    }

    pub(super) async fn login(&self, token: TokenHash) -> Result<Option<Login>, StoreError> {
        self.connections.run(move |client| Box::pin(login(client, token))).await
    }

    pub(super) async fn names(&self, users: Vec<UserId>) -> Result<Vec<Option<String>>, StoreError> {
        self.connections.run(move |client| Box::pin(names(client, users))).await
    }

    pub(super) async fn find(&self, pattern: String) -> Result<Vec<Account>, StoreError> {
        self.searches.run(move |client| Box::pin(find(client, pattern))).await
    }
}

/// Makes missing tables, and reads the identity of the hosts.
async fn prepare(client: &mut ClientWrapper) -> Result<HostIdentity, StoreError> {
    let transaction = client.transaction().await.map_err(database_error)?;
    transaction.batch_execute(START_LOCK).await.map_err(database_error)?;
    transaction.batch_execute(SCHEMA).await.map_err(database_error)?;
    let identity = identity(&transaction).await?;
    transaction.commit().await.map_err(database_error)?;
    Ok(identity)
}

async fn sign_in(
    client: &mut ClientWrapper,
    user: UserId,
    name: Option<DisplayName>,
    challenge: Challenge,
    now: Timestamp,
) -> Result<Option<SignedIn>, StoreError> {
    let token = Token::random().map_err(no_randomness)?;
    let expires_at = now.after(TOKEN_VALID_FOR);
    let renames = name.is_some();
    let name = name.unwrap_or_else(|| DisplayName::of_key(user));
    let owner = user.as_bytes().as_slice();
    let kept = i64::from(TOKENS_PER_ACCOUNT) - 1;
    let at_once = i64::from(EXPIRED_AT_ONCE);

    let transaction = client.transaction().await.map_err(database_error)?;
    // If two hosts get the same signed challenge, the second one waits here for the first.
    if !consume_challenge(&transaction, challenge, now).await? {
        return Ok(None);
    }
    // The row is locked from here on, so concurrent sign-ins of one user do not exceed the limit of
    // tokens.
    let account = transaction
        .query_one(
            "INSERT INTO chat_host.accounts AS a (public_key, display_name, folded, registered_at)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (public_key) DO UPDATE SET
                 display_name = CASE WHEN $5 THEN excluded.display_name ELSE a.display_name END,
                 folded = CASE WHEN $5 THEN excluded.folded ELSE a.folded END
             RETURNING display_name",
            &[&owner, &name.as_str(), &fold(name.as_str()), &millis(now), &renames],
        )
        .await
        .map_err(database_error)?;
    transaction
        .execute(
            "DELETE FROM chat_host.tokens WHERE hash IN (
                 SELECT hash FROM chat_host.tokens WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
            &[&millis(now), &at_once],
        )
        .await
        .map_err(database_error)?;
    transaction
        .execute(
            "DELETE FROM chat_host.tokens WHERE hash IN (
                 SELECT hash FROM chat_host.tokens WHERE public_key = $1 ORDER BY expires_at DESC OFFSET $2)",
            &[&owner, &kept],
        )
        .await
        .map_err(database_error)?;
    transaction
        .execute(
            "INSERT INTO chat_host.tokens (hash, public_key, expires_at) VALUES ($1, $2, $3)",
            &[&token.hash().as_bytes().as_slice(), &owner, &millis(expires_at)],
        )
        .await
        .map_err(database_error)?;
    transaction.commit().await.map_err(database_error)?;
    Ok(Some(SignedIn { token, expires_at, display_name: account.try_get(0).map_err(database_error)? }))
}

async fn sign_out(client: &ClientWrapper, token: TokenHash) -> Result<(), StoreError> {
    client
        .execute("DELETE FROM chat_host.tokens WHERE hash = $1", &[&token.as_bytes().as_slice()])
        .await
        .map_err(database_error)?;
    Ok(())
}

async fn login(client: &ClientWrapper, token: TokenHash) -> Result<Option<Login>, StoreError> {
    let statement = client
        .prepare_cached("SELECT public_key, expires_at FROM chat_host.tokens WHERE hash = $1")
        .await
        .map_err(database_error)?;
    let found =
        client.query_opt(&statement, &[&token.as_bytes().as_slice()]).await.map_err(database_error)?;
    found
        .map(|row| {
            Ok(Login { user: user(&row, 0)?, expires_at: time(row.try_get(1).map_err(database_error)?) })
        })
        .transpose()
}

async fn names(client: &ClientWrapper, users: Vec<UserId>) -> Result<Vec<Option<String>>, StoreError> {
    let keys: Vec<&[u8]> = users.iter().map(|user| user.as_bytes().as_slice()).collect();
    let statement = client
        .prepare_cached(
            "SELECT a.display_name FROM unnest($1::bytea[]) WITH ORDINALITY AS n(public_key, place)
             LEFT JOIN chat_host.accounts a USING (public_key) ORDER BY n.place",
        )
        .await
        .map_err(database_error)?;
    let rows = client.query(&statement, &[&keys]).await.map_err(database_error)?;
    rows.iter().map(|row| row.try_get(0).map_err(database_error)).collect()
}

async fn find(client: &ClientWrapper, pattern: String) -> Result<Vec<Account>, StoreError> {
    let rows = client
        .query(
            r"SELECT public_key, display_name FROM chat_host.accounts WHERE folded LIKE $1 ESCAPE '\'
              ORDER BY folded, public_key LIMIT $2",
            &[&pattern, &i64::from(SEARCH_LIMIT)],
        )
        .await
        .map_err(database_error)?;
    let account =
        |row| Ok(Account { user: user(row, 0)?, display_name: row.try_get(1).map_err(database_error)? });
    rows.iter().map(account).collect()
}

/// The identity of the hosts. The first host makes the key of the challenges.
async fn identity(transaction: &Transaction<'_>) -> Result<HostIdentity, StoreError> {
    let fresh = ChallengeKey::random().map_err(no_randomness)?;
    let host = transaction
        .query_one(
            "UPDATE chat_host.host SET challenge_key = coalesce(challenge_key, $1)
             RETURNING server_id, challenge_key",
            &[&fresh.as_bytes().as_slice()],
        )
        .await
        .map_err(database_error)?;
    let (server_id, key): (String, &[u8]) =
        (host.try_get(0).map_err(database_error)?, host.try_get(1).map_err(database_error)?);
    let key = key.try_into().map_err(|_| StoreError::from(StoreErrorKind::Corrupt))?;
    Ok(HostIdentity { server_id: server_id.into(), challenge_key: ChallengeKey::from_stored(key) })
}

/// Marks a challenge as used, and removes some old challenges. Returns false if the challenge was
/// used before.
async fn consume_challenge(
    transaction: &Transaction<'_>,
    challenge: Challenge,
    now: Timestamp,
) -> Result<bool, StoreError> {
    transaction
        .execute(
            "DELETE FROM chat_host.used_challenges WHERE challenge IN (
                 SELECT challenge FROM chat_host.used_challenges WHERE expires_at <= $1 LIMIT $2
                 FOR UPDATE SKIP LOCKED)",
            &[&oldest_kept(now), &i64::from(EXPIRED_AT_ONCE)],
        )
        .await
        .map_err(database_error)?;
    let noted = transaction
        .execute(
            "INSERT INTO chat_host.used_challenges (challenge, expires_at) VALUES ($1, $2)
             ON CONFLICT DO NOTHING",
            &[&challenge.bytes.as_slice(), &millis(challenge.expires_at)],
        )
        .await
        .map_err(database_error)?;
    Ok(noted == 1)
}

fn user(row: &Row, column: usize) -> Result<UserId, StoreError> {
    let bytes: &[u8] = row.try_get(column).map_err(database_error)?;
    let bytes = bytes.try_into().map_err(|_| StoreError::from(StoreErrorKind::Corrupt))?;
    Ok(UserId::from_stored(bytes))
}
