//! Reading messages by the numbers of their rows.

use std::collections::HashMap;
use std::sync::Arc;

use dm_core::store::{ConversationId, Message, UserId};

use crate::codec::{Fields, MessageHeader};
use crate::failure::Failure;
use crate::rows::Rows;
use crate::tables::Tables;

/// Reads the messages of one page. A page has few conversations and senders, so each of them is
/// looked up only once.
pub(crate) struct MessageReader<'a, T> {
    tables: &'a Tables<T>,
    conversations: HashMap<u32, ConversationId>,
    users: HashMap<u32, UserId>,
}

impl<'a, T: Rows> MessageReader<'a, T> {
    pub(crate) fn new(tables: &'a Tables<T>) -> Self {
        Self { tables, conversations: HashMap::new(), users: HashMap::new() }
    }

    /// The header and the message in a row of `messages`, which must exist.
    pub(crate) fn read(&mut self, row: u64) -> Result<(MessageHeader, Arc<Message>), Failure> {
        let value = self
            .tables
            .messages
            .get(&row.to_be_bytes())?
            .ok_or(Failure::Damaged("a message has no row in the table `messages`"))?;
        let mut fields = Fields::new(&value);
        let header = MessageHeader::decode(&mut fields)?;
        let conversation = match self.conversations.get(&header.conversation) {
            Some(known) => *known,
            None => {
                let id = self.tables.conversation_row(header.conversation)?.id;
                self.conversations.insert(header.conversation, id);
                id
            }
        };
        let sender = match self.users.get(&header.sender) {
            Some(known) => *known,
            None => {
                let user = self.tables.user_by_ref(header.sender)?;
                self.users.insert(header.sender, user);
                user
            }
        };
        Ok((header, Arc::new(header.message(conversation, sender, fields)?)))
    }
}
