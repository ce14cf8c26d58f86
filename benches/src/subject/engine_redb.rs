//! redb alone, in transactions: see [`engine`](super::engine).

use std::path::Path;

use dm_store_redb::{RedbConfig, RedbStore};
use redb::{Database, Durability, TableDefinition};

use super::engine::{Engine, Heads, Table, Transactions};
use crate::options::Options;

struct Redb {
    database: Database,
    commits: u64,
}

pub(crate) fn open(folder: &Path, options: &Options) -> anyhow::Result<Engine> {
    let path = folder.join("engine.redb");
    let config = RedbConfig::default();
    // For its tables.
    drop(RedbStore::open_with(&path, &config)?);
    let database = Database::builder().set_cache_size(config.cache_bytes).open(&path)?;
    Ok(Engine::new(Redb { database, commits: 0 }, options))
}

impl Transactions for Redb {
    fn store(&mut self, heads: &mut Heads, messages: usize) -> anyhow::Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        {
            let open = |name| transaction.open_table(TableDefinition::<&[u8], &[u8]>::new(name));
            // In each transaction the store counts it.
            self.commits += 1;
            open("dm_schema")?.insert(b"commit".as_slice(), self.commits.to_be_bytes().as_slice())?;
            let mut rows = open("dm_messages")?;
            let mut message_ids = open("dm_message_ids")?;
            let mut client_ids = open("dm_client_ids")?;
            let mut sequence = open("dm_sequence")?;
            let mut inbox = open("dm_inbox")?;
            for _ in 0..messages {
                for row in heads.next() {
                    let table = match row.table {
                        Table::Messages => &mut rows,
                        Table::MessageIds => &mut message_ids,
                        Table::ClientIds => &mut client_ids,
                        Table::Sequence => &mut sequence,
                        Table::Inbox => &mut inbox,
                    };
                    table.insert(row.key.as_slice(), row.value.as_slice())?;
                }
            }
        }
        Ok(transaction.commit()?)
    }
}
