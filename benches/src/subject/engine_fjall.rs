//! The bare fjall engine, in batches: see [`engine`](super::engine).

use std::path::Path;

use dm_store_fjall::{FjallConfig, FjallStore};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::engine::{Engine, Heads, Table, Transactions};
use crate::options::Options;

struct Fjall {
    database: Database,
    messages: Keyspace,
    logs: Keyspace,
    rows: Keyspace,
}

pub(crate) fn open(folder: &Path, options: &Options) -> anyhow::Result<Engine> {
    let path = folder.join("engine");
    let config = FjallConfig::default();
    // The store makes the keyspaces.
    drop(FjallStore::open_with(&path, &config)?);
    let database = Database::builder(&path)
        .cache_size(config.cache_bytes)
        .max_journaling_size(config.journal_bytes)
        .worker_threads(4)
        .journal_compression(CompressionType::None)
        .open()?;
    let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
    let (messages, logs, rows) = (keyspace("dm_messages")?, keyspace("dm_logs")?, keyspace("dm_rows")?);
    Ok(Engine::new(Fjall { database, messages, logs, rows }, options))
}

impl Transactions for Fjall {
    fn store(&mut self, heads: &mut Heads, messages: usize) -> anyhow::Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for _ in 0..messages {
            for row in heads.next() {
                let (keyspace, prefix) = match row.table {
                    Table::Messages => (&self.messages, 9),
                    Table::MessageIds => (&self.rows, 10),
                    Table::ClientIds => (&self.rows, 11),
                    Table::Sequence => (&self.logs, 12),
                    Table::Inbox => (&self.logs, 13),
                };
                batch.insert(keyspace, [[prefix].as_slice(), &row.key].concat(), row.value);
            }
        }
        Ok(batch.commit()?)
    }
}
