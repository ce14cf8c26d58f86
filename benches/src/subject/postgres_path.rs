//! An implementation by hand on PostgreSQL: a pool, and for each message a transaction with the
//! seed's four statements, with prepared statements and native types.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use dm_store_postgres::PostgresConfig;
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::options::Options;
use crate::people::{pick, user, uuid_v7};
use crate::store;

const SCHEMA: &str = "
    CREATE TABLE conversations (id uuid PRIMARY KEY, a bytea NOT NULL, b bytea NOT NULL, last_at bigint,
                                sequence bigint NOT NULL DEFAULT 0, UNIQUE (a, b));
    CREATE TABLE messages (id uuid PRIMARY KEY, conversation uuid NOT NULL REFERENCES conversations, sender bytea NOT NULL,
                           payload bytea NOT NULL, nonce bytea NOT NULL, at bigint NOT NULL, sequence bigint NOT NULL,
                           UNIQUE (conversation, sequence));
    CREATE TABLE queue (id uuid PRIMARY KEY, recipient bytea NOT NULL, message uuid NOT NULL REFERENCES messages,
                        queued_at bigint NOT NULL, delivered_at bigint);
    CREATE INDEX queue_by_recipient ON queue (recipient, queued_at);";

pub(crate) struct PostgresPath {
    pool: Pool,
    /// Conversation, sender and recipient.
    chats: Vec<(Uuid, Vec<u8>, Vec<u8>)>,
    payload: Vec<u8>,
    sent: AtomicUsize,
}

impl PostgresPath {
    pub(crate) async fn open(options: &Options) -> anyhow::Result<Self> {
        let parameters = store::database().parameters().parse()?;
        let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(parameters, NoTls, fast);
        // The store's default number of connections.
        let config = PostgresConfig::default();
        let most = config.commit_connections.get() + config.read_connections.get();
        let pool = Pool::builder(manager).max_size(most).build()?;
        let mut client = pool.get().await?;
        client.batch_execute(SCHEMA).await?;
        let transaction = client.transaction().await?;
        let mut chats = Vec::with_capacity(options.conversations);
        for n in 0..options.conversations {
            let one = n % options.users;
            let other = (one + 1 + n / options.users) % options.users;
            let bytes = |n: usize| user(n).as_bytes().to_vec();
            let chat = (uuid_v7(), bytes(one), bytes(other));
            transaction
                .execute(
                    "INSERT INTO conversations (id, a, b) VALUES ($1, $2, $3)",
                    &[&chat.0, &chat.1, &chat.2],
                )
                .await?;
            chats.push(chat);
        }
        transaction.commit().await?;
        drop(client);
        Ok(Self { pool, chats, payload: vec![7; options.payload], sent: AtomicUsize::new(0) })
    }

    /// Stores one message.
    pub(crate) async fn send(&self) -> anyhow::Result<()> {
        let n = self.sent.fetch_add(1, Ordering::Relaxed);
        let (conversation, sender, recipient) = &self.chats[pick(n, self.chats.len())];
        let (id, at, nonce) = (uuid_v7(), i64::try_from(n)?, [7_u8; 24].as_slice());
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let look = transaction.prepare_cached("SELECT a, b FROM conversations WHERE id = $1").await?;
        transaction.query_opt(&look, &[conversation]).await?.context("the conversation is there")?;
        let next = transaction
            .prepare_cached(
                "UPDATE conversations SET sequence = sequence + 1, last_at = $2 WHERE id = $1 RETURNING sequence",
            )
            .await?;
        let sequence: i64 = transaction.query_one(&next, &[conversation, &at]).await?.try_get(0)?;
        let store =
            transaction.prepare_cached("INSERT INTO messages VALUES ($1, $2, $3, $4, $5, $6, $7)").await?;
        transaction
            .execute(&store, &[&id, conversation, sender, &self.payload, &nonce, &at, &sequence])
            .await?;
        let queue = transaction.prepare_cached("INSERT INTO queue VALUES ($1, $2, $3, $4, NULL)").await?;
        transaction.execute(&queue, &[&uuid_v7(), recipient, &id, &at]).await?;
        Ok(transaction.commit().await?)
    }

    /// Stores messages before the measurement, without a faster path.
    pub(crate) async fn preload(&self, messages: usize) {
        for _ in 0..messages {
            self.send().await.expect("it is stored");
        }
    }
}
