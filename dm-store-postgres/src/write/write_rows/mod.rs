//! Writes the changed rows of a [`BatchState`] with a fixed set of statements. Each statement
//! writes all its rows at once, and is left out if it has none.

mod conversations;
mod devices;
mod messages;
mod users;

use crate::error::Fault;
use crate::write::pipeline::Pipeline;
use crate::write::state::BatchState;

/// Adds to `pipeline` the statements that write the changes of a segment, which is a part of a
/// batch.
pub(super) async fn add_statements<'a>(
    state: &'a BatchState,
    pipeline: &mut Pipeline<'a>,
) -> Result<(), Fault> {
    conversations::write_conversations(state, pipeline).await?;
    messages::insert_messages(state, pipeline).await?;
    messages::insert_entries(state, pipeline).await?;
    users::write_users(state, pipeline).await?;
    devices::write_devices(state, pipeline).await
}

/// The statements of this module that must find their rows by an index, for the test `query_plans`.
#[cfg(test)]
pub(super) const INDEXED_STATEMENTS: [&str; 5] = [
    users::UPDATE_USERS,
    users::UPDATE_KEYS,
    conversations::UPDATE_CONVERSATIONS,
    devices::UPDATE_DEVICES,
    devices::DELETE_ACKED,
];
