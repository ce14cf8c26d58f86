//! Applying writes to the [`BatchState`] in memory, which decides the outcome of each write. The
//! writes are those of one segment, a part of a batch that is loaded and written at once.

mod acknowledge;
mod append;
mod conversations;
mod devices;
mod keys;

use dm_core::store::{Outcome, Refusal, Write};

use crate::write::state::{BatchState, Stop};

impl BatchState {
    /// Applies one write to the state, which includes the changes of all writes before it.
    pub(super) fn apply(&mut self, write: &Write) -> Result<Outcome, Stop> {
        match write {
            Write::PublishKey(write) => self.publish_key(write),
            Write::OpenConversation(write) => self.open_conversation(write),
            Write::AppendMessage(write) => self.append_message(write),
            Write::Acknowledge(write) => self.acknowledge(write),
            Write::RegisterDevice(write) => self.register_device(write),
            _ => Err(Refusal::Unsupported.into()),
        }
    }
}
