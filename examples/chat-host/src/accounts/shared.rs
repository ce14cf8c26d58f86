//! What hosts on one PostgreSQL database share: accounts, tokens, and the key by which each host
//! knows the challenges of all. Nothing that changes is remembered here, because another host may
//! have changed it.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use dm_core::{StoreError, StoreErrorKind, Timestamp, UserId};
use tokio_postgres::{Config, NoTls, Row, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Account, EXPIRED_AT_ONCE, Own, SEARCH_LIMIT, Session, SignedIn, TOKEN_VALID_FOR, TOKENS_PER_ACCOUNT,
    forgotten, millis, no_randomness, time,
};
use crate::challenge::{Challenge, ChallengeKey};
use crate::name::{DisplayName, fold};
use crate::token::{Token, TokenHash};

const SCHEMA: &str = include_str!("shared.sql");

/// Hosts that start at once take turns by this lock; the number means nothing.
const TURN: &str = "SELECT pg_advisory_xact_lock(5208215306)";

/// Connections: accounts are asked for at sign-in, and once per request for its token.
const CONNECTIONS: usize = 4;

/// How long to wait for a connection, a new one or a free one.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(crate) struct SharedAccounts {
    pool: Pool,
    own: Own,
}

impl SharedAccounts {
    pub(super) async fn connect(
        parameters: &str,
        tls: Option<MakeRustlsConnect>,
    ) -> Result<Self, StoreError> {
        // The parser's error may quote the text, which may hold a password.
        let mut parameters: Config = parameters.parse().map_err(|_| {
            StoreError::new(StoreErrorKind::Engine, "the connection parameters are not valid")
        })?;
        parameters.connect_timeout(PATIENCE).application_name("chat-host");
        let config = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = match tls {
            Some(tls) => Manager::from_config(parameters, tls, config),
            None => Manager::from_config(parameters, NoTls, config),
        };
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .timeouts(deadpool_postgres::Timeouts {
                wait: Some(PATIENCE),
                create: Some(PATIENCE),
                recycle: Some(PATIENCE),
            })
            .build()
            .map_err(|error| StoreError::new(StoreErrorKind::Engine, error))?;
        let mut client = taken(&pool).await?;
        let transaction = client.transaction().await.map_err(failed)?;
        transaction.batch_execute(TURN).await.map_err(failed)?;
        transaction.batch_execute(SCHEMA).await.map_err(failed)?;
        let own = own(&transaction).await?;
        transaction.commit().await.map_err(failed)?;
        drop(client);
        Ok(Self { pool, own })
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
        let expires_at = now.after(TOKEN_VALID_FOR);
        let renames = name.is_some();
        let name = name.unwrap_or_else(|| DisplayName::of_key(user));
        let owner = user.as_bytes().as_slice();
        let kept = i64::from(TOKENS_PER_ACCOUNT) - 1;
        let at_once = i64::from(EXPIRED_AT_ONCE);

        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(failed)?;
        // Of two hosts that were given one answer, the second waits here for the first.
        if !use_up(&transaction, challenge, now).await? {
            return Ok(None);
        }
        // The row is locked from here on, so two sign-ins of one user do not add a token too many.
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
            .map_err(failed)?;
        transaction
            .execute(
                "DELETE FROM chat_host.tokens WHERE hash IN (
                     SELECT hash FROM chat_host.tokens WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
                &[&millis(now), &at_once],
            )
            .await
            .map_err(failed)?;
        transaction
            .execute(
                "DELETE FROM chat_host.tokens WHERE hash IN (
                     SELECT hash FROM chat_host.tokens WHERE public_key = $1 ORDER BY expires_at DESC OFFSET $2)",
                &[&owner, &kept],
            )
            .await
            .map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO chat_host.tokens (hash, public_key, expires_at) VALUES ($1, $2, $3)",
                &[&token.hash().as_bytes().as_slice(), &owner, &millis(expires_at)],
            )
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(Some(SignedIn { token, expires_at, display_name: account.try_get(0).map_err(failed)? }))
    }

    pub(super) async fn sign_out(&self, token: TokenHash) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute("DELETE FROM chat_host.tokens WHERE hash = $1", &[&token.as_bytes().as_slice()])
            .await
            .map_err(failed)?;
        Ok(())
    }

    pub(super) async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("SELECT public_key, expires_at FROM chat_host.tokens WHERE hash = $1")
            .await
            .map_err(failed)?;
        let found = client.query_opt(&statement, &[&token.as_bytes().as_slice()]).await.map_err(failed)?;
        found
            .map(|row| {
                Ok(Session { user: user(&row, 0)?, expires_at: time(row.try_get(1).map_err(failed)?) })
            })
            .transpose()
    }

    pub(super) async fn names(&self, users: &[UserId]) -> Result<Vec<Option<String>>, StoreError> {
        let keys: Vec<&[u8]> = users.iter().map(|user| user.as_bytes().as_slice()).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT a.display_name FROM unnest($1::bytea[]) WITH ORDINALITY AS n(public_key, place)
                 LEFT JOIN chat_host.accounts a USING (public_key) ORDER BY n.place",
            )
            .await
            .map_err(failed)?;
        let rows = client.query(&statement, &[&keys]).await.map_err(failed)?;
        rows.iter().map(|row| row.try_get(0).map_err(failed)).collect()
    }

    pub(super) async fn find(&self, pattern: String) -> Result<Vec<Account>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                r"SELECT public_key, display_name FROM chat_host.accounts WHERE folded LIKE $1 ESCAPE '\'
                  ORDER BY folded, public_key LIMIT $2",
                &[&pattern, &i64::from(SEARCH_LIMIT)],
            )
            .await
            .map_err(failed)?;
        let account =
            |row| Ok(Account { user: user(row, 0)?, display_name: row.try_get(1).map_err(failed)? });
        rows.iter().map(account).collect()
    }

    async fn client(&self) -> Result<Object, StoreError> {
        taken(&self.pool).await
    }
}

/// What the hosts are called, and the key of their challenges, which the first of them makes.
async fn own(transaction: &Transaction<'_>) -> Result<Own, StoreError> {
    let fresh = ChallengeKey::random().map_err(no_randomness)?;
    let host = transaction
        .query_one(
            "UPDATE chat_host.host SET challenge_key = coalesce(challenge_key, $1)
             RETURNING server_id, challenge_key",
            &[&fresh.as_bytes().as_slice()],
        )
        .await
        .map_err(failed)?;
    let (server_id, key): (String, &[u8]) =
        (host.try_get(0).map_err(failed)?, host.try_get(1).map_err(failed)?);
    let key = key.try_into().map_err(|_| StoreError::from(StoreErrorKind::Corrupt))?;
    Ok(Own { server_id: server_id.into(), challenge_key: ChallengeKey::from_stored(key) })
}

/// Notes that a challenge was answered, and forgets some that are long over; whether it was the
/// first time.
async fn use_up(
    transaction: &Transaction<'_>,
    challenge: Challenge,
    now: Timestamp,
) -> Result<bool, StoreError> {
    transaction
        .execute(
            "DELETE FROM chat_host.used_challenges WHERE challenge IN (
                 SELECT challenge FROM chat_host.used_challenges WHERE expires_at <= $1 LIMIT $2
                 FOR UPDATE SKIP LOCKED)",
            &[&forgotten(now), &i64::from(EXPIRED_AT_ONCE)],
        )
        .await
        .map_err(failed)?;
    let noted = transaction
        .execute(
            "INSERT INTO chat_host.used_challenges (challenge, expires_at) VALUES ($1, $2)
             ON CONFLICT DO NOTHING",
            &[&challenge.bytes.as_slice(), &millis(challenge.expires_at)],
        )
        .await
        .map_err(failed)?;
    Ok(noted == 1)
}

async fn taken(pool: &Pool) -> Result<Object, StoreError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => failed(error),
        error => StoreError::new(StoreErrorKind::Unavailable, error.to_string()),
    })
}

fn user(row: &Row, column: usize) -> Result<UserId, StoreError> {
    let bytes: &[u8] = row.try_get(column).map_err(failed)?;
    let bytes = bytes.try_into().map_err(|_| StoreError::from(StoreErrorKind::Corrupt))?;
    Ok(UserId::from_stored(bytes))
}

/// Says what kind of thing failed; what the server says in detail may hold values of rows.
fn failed(error: tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(said) => {
            let what = format!("{} (SQLSTATE {})", said.message(), said.code().code());
            StoreError::new(StoreErrorKind::Engine, what)
        }
        None => StoreError::new(StoreErrorKind::Unavailable, error),
    }
}
