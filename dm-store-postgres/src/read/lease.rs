//! [`ReadLease`], a connection for one read.

use deadpool_postgres::Object;
use tokio::runtime::Handle;

use crate::connection::{Connections, close};
use crate::error::Fault;

/// A connection for one read.
///
/// If the future of a read is dropped, the server still runs the read's statement. The connection
/// returns to the pool only after the statement has ended, so that no other read waits for the
/// statement. If the statement does not end in time, the connection is closed.
pub(super) struct ReadLease<'a> {
    connections: &'a Connections,
    connection: Option<Object>,
}

impl<'a> ReadLease<'a> {
    /// Takes a connection from the pool.
    pub(super) async fn acquire(connections: &'a Connections) -> Result<Self, Fault> {
        Ok(Self { connections, connection: Some(connections.get().await?) })
    }

    pub(super) fn connection(&self) -> Result<&Object, Fault> {
        self.connection.as_ref().ok_or(Fault::Corrupt("the connection was already returned to the pool"))
    }

    /// Ends the lease after the read, and returns `answer`. If the read timed out, the connection
    /// is closed. Otherwise it returns to the pool.
    pub(super) fn finish<T>(mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let (Some(connection), Err(Fault::Timeout)) = (self.connection.take(), &answer) {
            close(connection);
        }
        answer
    }
}

impl Drop for ReadLease<'_> {
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
