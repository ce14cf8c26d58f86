//! Flushing: writes the changed rows of the batch state, with one statement for each table whatever
//! the number of rows.

mod conversations;
mod devices;
mod messages;
mod users;

use crate::error::Fault;
use crate::write::pipeline::Pipeline;
use crate::write::state::BatchState;

/// Adds the statements that write a segment.
pub(super) async fn flush<'a>(state: &'a BatchState, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
    conversations::write_conversations(state, pipeline).await?;
    messages::insert_messages(state, pipeline).await?;
    messages::insert_entries(state, pipeline).await?;
    users::write_users(state, pipeline).await?;
    devices::write_devices(state, pipeline).await
}

#[cfg(test)]
pub(super) const HOT_STATEMENTS: [&str; 5] = [
    users::UPDATE_USERS,
    users::UPDATE_KEYS,
    conversations::UPDATE_CONVERSATIONS,
    devices::UPDATE_DEVICES,
    devices::DELETE_ACKED,
];
