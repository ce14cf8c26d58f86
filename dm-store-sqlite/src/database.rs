//! [`Database`], a connection that replaces `dm_` in SQL statements by the store's table prefix.

use rusqlite::{CachedStatement, Connection, Params, Result, Row, Transaction, TransactionBehavior};

use crate::table_prefix::TablePrefix;

/// A connection to the database file. Statements are written with the prefix `dm_`, and run with
/// the prefix that the tables have in the file.
pub(crate) struct Database {
    connection: Connection,
    prefix: TablePrefix,
    /// The texts of all statements that were prepared.
    #[cfg(test)]
    prepared: std::cell::RefCell<std::collections::BTreeSet<String>>,
}

impl Database {
    pub(crate) const fn new(connection: Connection, prefix: TablePrefix) -> Self {
        Self {
            connection,
            prefix,
            #[cfg(test)]
            prepared: std::cell::RefCell::new(std::collections::BTreeSet::new()),
        }
    }

    /// Begins a transaction. Dropping it without a commit rolls it back. No other transaction may
    /// be open on the connection.
    pub(crate) fn transaction(&self, behavior: TransactionBehavior) -> Result<Transaction<'_>> {
        Transaction::new_unchecked(&self.connection, behavior)
    }

    pub(crate) fn prepare_cached(&self, sql: &str) -> Result<CachedStatement<'_>> {
        let sql = self.prefix.apply(sql);
        #[cfg(test)]
        self.prepared.borrow_mut().insert(sql.clone().into_owned());
        self.connection.prepare_cached(&sql)
    }

    /// The texts of all statements that were prepared.
    #[cfg(test)]
    pub(crate) fn prepared_statements(&self) -> Vec<String> {
        self.prepared.borrow().iter().cloned().collect()
    }

    /// The statements that SQLite planned more than once on this connection.
    #[cfg(test)]
    pub(crate) fn replanned_statements(&self) -> Vec<String> {
        let again = |sql: &&String| {
            let statement = self.connection.prepare_cached(sql).unwrap();
            statement.get_status(rusqlite::StatementStatus::RePrepare) > 0
        };
        self.prepared.borrow().iter().filter(again).cloned().collect()
    }

    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.connection.execute(&self.prefix.apply(sql), params)
    }

    pub(crate) fn execute_batch(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(&self.prefix.apply(sql))
    }

    pub(crate) fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.connection.query_row(&self.prefix.apply(sql), params, read)
    }

    pub(crate) fn last_insert_rowid(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    pub(crate) fn is_autocommit(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// The connection itself, for statements without table names such as pragmas.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) const fn prefix(&self) -> &TablePrefix {
        &self.prefix
    }
}
