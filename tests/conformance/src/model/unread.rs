//! The numbers of unread messages, counted message by message.

use dm_core::store::{ConversationState, Message, SenderSequence, Side};

use super::state::Model;

impl Model {
    /// Compares the numbers of unread messages that the counts of a conversation tell with its
    /// messages: for both readers, after any message as the newest that was read.
    pub(super) fn unread_as_counted(&self, state: &ConversationState) -> Result<(), String> {
        let log = &self.conversations[&state.conversation.id];
        let messages: Vec<&Message> = log.sent.iter().map(|sent| &*sent.message).collect();
        for reader in [Side::A, Side::B] {
            let own = state.conversation.participants.participant(reader);
            // Who sends has seen what came before.
            let seen = messages.iter().rposition(|message| message.sender == own).map_or(0, |at| at + 1);
            for read in 0..=messages.len() {
                let unread = messages.iter().skip(seen.max(read));
                let unread = unread.filter(|message| message.sender != own).count() as u64;
                let newest = read.checked_sub(1).map(|at| messages[at]);
                let position = newest.and_then(|newest| state.sent_up_to(reader.other(), newest));
                let told = state.counts.unread(reader, position.unwrap_or(SenderSequence::ZERO));
                if told != unread {
                    return Err(format!(
                        "{told} unread messages of {own:?} in {:?} after the first {read}, expected {unread}",
                        state.conversation.id
                    ));
                }
            }
        }
        Ok(())
    }
}
