//! A connection on which the server is asked something.

use deadpool_postgres::Object;
use tokio::runtime::Handle;

use crate::connection::{Connections, close};
use crate::error::Fault;

/// A connection of a read. A read that is dropped leaves its question with the server, which goes
/// on with it: the connection goes back to the others when the server is done, and until then
/// nobody is queued behind that question.
pub(super) struct ReadLease<'a> {
    connections: &'a Connections,
    connection: Option<Object>,
}

impl<'a> ReadLease<'a> {
    pub(super) async fn acquire(connections: &'a Connections) -> Result<Self, Fault> {
        Ok(Self { connections, connection: Some(connections.get().await?) })
    }

    pub(super) fn connection(&self) -> Result<&Object, Fault> {
        self.connection.as_ref().ok_or(Fault::Corrupt("a connection that was given back"))
    }

    /// The server has answered, or did not in time.
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
            // Answered after what was asked before.
            let done = connections.client(&connection).with_timeout(connection.simple_query("")).await;
            if done.is_err() {
                close(connection);
            }
        });
    }
}
