//! Storing loaded rows in the batch state.

use std::sync::Arc;

use dm_core::store::{Conversation, InboxSeq, Principal, ServerSequence};
use tokio_postgres::Row;

use crate::codec::{self, MESSAGE_COLUMN_COUNT};
use crate::error::Fault;
use crate::write::state::{BatchState, ConversationHead, SentMessage, User};

/// The kind of rows that a statement of the pipeline returns.
pub(crate) enum RowKind {
    /// Rows that are ignored.
    Ignored,
    /// Users whose rows are locked.
    Users,
    /// Users whose rows are locked, with the number of entries that are reserved for each.
    ReservedEntries,
    Conversations,
    /// Conversations, with the number of messages that are reserved in each.
    ReservedMessages,
    /// Messages that were sent with a client id.
    SentMessages,
    Devices,
    /// Entries that block the cursor of a device.
    Unacknowledged,
}

impl BatchState {
    /// Adds to the state the rows that a statement returned.
    pub(in crate::write) fn load(&mut self, kind: &RowKind, rows: Vec<Row>) -> Result<(), Fault> {
        for row in rows {
            match kind {
                RowKind::Ignored => {}
                RowKind::Users => self.load_user(&row, 0)?,
                RowKind::ReservedEntries => self.load_user(&row, codec::get_number(&row, 10)?)?,
                RowKind::Conversations => self.load_conversation(&row, 0)?,
                RowKind::ReservedMessages => self.load_conversation(&row, codec::get_number(&row, 5)?)?,
                RowKind::SentMessages => self.load_sent(&row)?,
                RowKind::Devices => {
                    let who = Principal::new(codec::get_user(&row, 0)?, codec::get_device(&row, 1)?);
                    let highest: Option<i64> = row.try_get(3)?;
                    let device = self.devices.entry(who).or_default();
                    device.cursor = codec::get_number(&row, 2)?;
                    device.highest_acked = highest.map(i64::cast_unsigned);
                }
                RowKind::Unacknowledged => {
                    let who = Principal::new(codec::get_user(&row, 0)?, codec::get_device(&row, 1)?);
                    let acked_below: Option<i64> = row.try_get(3)?;
                    let device = self.devices.entry(who).or_default();
                    device
                        .unacknowledged
                        .insert(codec::get_number(&row, 2)?, acked_below.map(i64::cast_unsigned));
                }
            }
        }
        Ok(())
    }

    /// Adds a user. The head in the row includes the numbers of `reserved` entries that this
    /// segment reserved.
    fn load_user(&mut self, row: &Row, reserved: u64) -> Result<(), Fault> {
        let id = codec::get_user(row, 0)?;
        let oldest_at: Option<i64> = row.try_get(3)?;
        let head_in_row = codec::get_number(row, 1)?;
        let user = User {
            head: InboxSeq::new(without_reserved(head_in_row, reserved)?),
            head_in_row: InboxSeq::new(head_in_row),
            floor: codec::get_seq(row, 2)?,
            oldest_at: oldest_at.map(codec::time_from_i64),
            conversations: codec::get_number(row, 4)?,
            registrations: codec::get_number(row, 5)?,
            key: codec::key_record(id, row, 6)?,
            is_changed: false,
            has_new_key: false,
        };
        self.users.insert(id, user);
        Ok(())
    }

    /// Adds a conversation. The head in the row includes the numbers of `reserved` messages that
    /// this segment reserved.
    fn load_conversation(&mut self, row: &Row, reserved: u64) -> Result<(), Fault> {
        let conversation = Conversation {
            id: codec::get_conversation(row, 0)?,
            participants: codec::get_participants(row, 1)?,
            opened_at: codec::get_time(row, 3)?,
        };
        let head_in_row = codec::get_number(row, 4)?;
        let head = ConversationHead {
            conversation,
            sequence: ServerSequence::new(without_reserved(head_in_row, reserved)?),
            sequence_in_row: ServerSequence::new(head_in_row),
            last_activity: None,
            new_numbers: None,
        };
        self.by_participants.insert(conversation.participants, conversation.id);
        self.conversations.insert(conversation.id, head);
        Ok(())
    }

    /// Adds a stored message that has a client id.
    fn load_sent(&mut self, row: &Row) -> Result<(), Fault> {
        let message = codec::message(row, 0)?;
        let Some(client_id) = message.client_id else { return Ok(()) };
        let sender_seq = codec::get_seq(row, MESSAGE_COLUMN_COUNT)?;
        self.sent.insert((message.sender, client_id), SentMessage { message: Arc::new(message), sender_seq });
        Ok(())
    }
}

/// The head before `reserved` numbers were reserved.
fn without_reserved(head_in_row: u64, reserved: u64) -> Result<u64, Fault> {
    head_in_row
        .checked_sub(reserved)
        .ok_or(Fault::Corrupt("a head is smaller than the count of reserved numbers"))
}
