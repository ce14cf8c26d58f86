//! [`read_rows`], which runs one statement on a connection of a pool.

use deadpool_postgres::Object;
use tokio::runtime::Handle;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connection::{Connections, close};
use crate::error::Fault;

/// Runs one statement, which must only read, and returns its rows.
pub(super) async fn read_rows(
    connections: &Connections,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Fault> {
    let connection = connections.get().await?;
    let mut lease = ReadLease { connections, connection: None };
    let connection = &*lease.connection.insert(connection);
    let answer = async {
        let statement = connection.prepare_cached(sql).await?;
        connection.query(&statement, params).await
    };
    let rows = connections.client(connection).with_timeout(answer).await;
    lease.finish(rows)
}

/// The connection of one read.
///
/// If the future of a read is dropped, the server still runs the read's statement. The connection
/// returns to the pool only after the statement has ended, so that no other read waits for the
/// statement. If the statement does not end within the time limit for answers, the connection is
/// closed.
struct ReadLease<'a> {
    connections: &'a Connections,
    /// `None` before the connection is inserted and after the read has ended.
    connection: Option<Object>,
}

impl ReadLease<'_> {
    /// Ends the lease after the read, and returns `answer`. If the read timed out, the connection
    /// is closed. Otherwise it returns to the pool.
    fn finish<T>(mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let (Some(connection), Err(Fault::Timeout)) = (self.connection.take(), &answer) {
            close(connection);
        }
        answer
    }
}

impl Drop for ReadLease<'_> {
    /// Returns the connection of a dropped read to the pool after the read's statement has ended.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return close(connection) };
        let connections = self.connections.clone();
        runtime.spawn(async move {
            // The server answers this empty query after the statement of the read.
            let done = connections.client(&connection).with_timeout(connection.simple_query("")).await;
            if done.is_err() {
                close(connection);
            }
        });
    }
}
