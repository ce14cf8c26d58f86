//! Writes the changed rows of a [`BatchState`] with a fixed set of statements. Each statement
//! writes all its rows at once, and is left out if it has none.

mod conversations;
mod devices;
mod messages;
mod records;
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
    records::write_records(state, pipeline).await?;
    conversations::write_conversations(state, pipeline).await?;
    conversations::write_gates(state, pipeline).await?;
    messages::insert_messages(state, pipeline).await?;
    messages::insert_entries(state, pipeline).await?;
    users::write_users(state, pipeline).await?;
    devices::delete_forgotten(state, pipeline).await?;
    devices::write_devices(state, pipeline).await
}

/// The statements of this module that must find their rows by an index, for the test `query_plans`.
#[cfg(test)]
pub(super) const INDEXED_STATEMENTS: [&str; 10] = [
    records::DELETE_RECORDS,
    users::UPDATE_USERS,
    conversations::INSERT_CONVERSATIONS,
    conversations::UPDATE_CONVERSATIONS,
    conversations::UPDATE_FENCES,
    conversations::DELETE_GATES,
    devices::UPDATE_DEVICES,
    devices::DELETE_ACKED,
    devices::FORGET_DEVICES,
    devices::FORGET_ACKED,
];
