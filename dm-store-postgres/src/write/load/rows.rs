//! Storing loaded rows in the batch state.

use std::collections::HashMap;
use std::sync::Arc;

use dm_core::store::{
    Conversation, InboxSeq, Name, Prefix, Principal, RecordKey, Revision, Revisions, ServerSequence,
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::codec::{self, MESSAGE_COLUMN_COUNT};
use crate::error::Fault;
use crate::write::state::{BatchState, ConversationHead, InboxNumbers, PairGate, SentMessage, User};

/// The columns of a user in SQL, in the order in which this module reads them. The alias `u` is for the
/// table `users`.
pub(super) const USER_COLUMNS: &str = "u.id, u.inbox_head, u.inbox_floor, u.oldest_at, u.registrations, u.revision_head, u.revision_floor, \
     u.fence, u.gate";

/// The number of columns in [`USER_COLUMNS`].
const USER_COLUMN_COUNT: usize = 9;

/// The number of columns of a conversation: those of the statements that read or reserve.
const CONVERSATION_COLUMN_COUNT: usize = 14;

/// The number of columns in [`codec::RECORD_COLUMNS`].
const RECORD_COLUMN_COUNT: usize = 7;

/// The kind of rows that a statement of the pipeline returns.
pub(in crate::write) enum RowKind {
    /// Rows that are ignored.
    Ignored,
    /// Users whose rows are locked.
    Users,
    /// Users whose rows are locked, with the number of entries that are reserved for each.
    ReservedEntries,
    /// Conversations, and gates of pairs.
    Conversations,
    /// Conversations as they were before numbers were reserved, with the heads that their rows have
    /// now, and without the times of their newest messages.
    ReservedMessages,
    /// Messages that were sent with a client id.
    SentMessages,
    /// Messages with the numbers of their inbox entries.
    InboxNumbers,
    Devices,
    /// Entries that block the cursor of a device.
    Unacknowledged,
    /// The records with some keys.
    Records(Vec<RecordKey>),
    /// The first records under some prefixes.
    Windows(Vec<(Prefix, Window)>),
}

/// The number of records to read under a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::write) struct Window {
    pub(super) max_rows: usize,
    /// The number of records whose values are read in full.
    pub(super) complete: usize,
}

impl BatchState {
    /// Adds to the state the rows that a statement returned.
    pub(in crate::write) fn load(&mut self, kind: RowKind, rows: Vec<Row>) -> Result<(), Fault> {
        match kind {
            RowKind::Records(keys) => {
                let found = rows.iter().map(|row| codec::get_record(row, 0)).collect::<Result<_, _>>()?;
                self.records.load(&keys, found);
                return Ok(());
            }
            RowKind::Windows(windows) => return self.load_windows(windows, &rows),
            _ => {}
        }
        for row in rows {
            match kind {
                RowKind::Users => self.load_user(&row, 0)?,
                RowKind::ReservedEntries => {
                    self.load_user(&row, codec::get_number(&row, USER_COLUMN_COUNT)?)?;
                }
                RowKind::Conversations => self.load_conversation(&row, 4)?,
                RowKind::ReservedMessages => self.load_conversation(&row, CONVERSATION_COLUMN_COUNT)?,
                RowKind::SentMessages => self.load_sent(&row)?,
                RowKind::InboxNumbers => {
                    let numbers = InboxNumbers {
                        sender: codec::get_user(&row, 1)?,
                        recipient: codec::get_user(&row, 2)?,
                        sender_seq: codec::get_seq(&row, 3)?,
                        recipient_seq: codec::get_seq(&row, 4)?,
                    };
                    self.inbox_numbers.insert(codec::get_message_id(&row, 0)?, numbers);
                }
                RowKind::Devices => {
                    let who = Principal::new(codec::get_user(&row, 0)?, codec::get_device(&row, 1)?);
                    let highest: Option<i64> = row.try_get(4)?;
                    let device = self.devices.entry(who).or_default();
                    device.registration = codec::get_registration(&row, 2)?;
                    device.cursor = codec::get_number(&row, 3)?;
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
                RowKind::Ignored | RowKind::Records(_) | RowKind::Windows(_) => {}
            }
        }
        Ok(())
    }

    /// Adds a user. The head in the row includes the numbers of `reserved` entries that this
    /// segment reserved.
    fn load_user(&mut self, row: &Row, reserved: u64) -> Result<(), Fault> {
        let oldest_at: Option<i64> = row.try_get(3)?;
        let head_in_row = codec::get_number(row, 1)?;
        let head = head_in_row
            .checked_sub(reserved)
            .ok_or(Fault::Corrupt("a head is smaller than the count of reserved numbers"))?;
        let user = User {
            head: InboxSeq::new(head),
            head_in_row: InboxSeq::new(head_in_row),
            floor: codec::get_seq(row, 2)?,
            oldest_at: oldest_at.map(codec::time_from_i64),
            registration: codec::get_registration(row, 4)?,
            revisions: Revisions {
                head: Revision::new(codec::get_number(row, 5)?),
                floor: Revision::new(codec::get_number(row, 6)?),
            },
            fence: codec::get_fence(row, 7)?,
            gate: codec::get_user_gate(row, 8)?,
            is_changed: false,
        };
        self.users.insert(codec::get_user(row, 0)?, user);
        Ok(())
    }

    /// Adds a conversation, unless it is known already, or the gate of a pair. The column with the
    /// index `head_in_row` has the head that the conversation's row has now.
    fn load_conversation(&mut self, row: &Row, head_in_row: usize) -> Result<(), Fault> {
        let participants = codec::get_participants(row, 1)?;
        let gate = codec::get_gate(row, 13)?;
        if row.try_get::<_, Option<Uuid>>(0)?.is_none() {
            self.gates.insert(participants, PairGate { gate, is_changed: false });
            return Ok(());
        }
        let id = codec::get_conversation(row, 0)?;
        let last_at: Option<i64> = row.try_get(5)?;
        let head = ConversationHead {
            conversation: Conversation { id, participants, opened_at: codec::get_time(row, 3)? },
            sequence: ServerSequence::new(codec::get_number(row, 4)?),
            sequence_in_row: ServerSequence::new(codec::get_number(row, head_in_row)?),
            last_activity: last_at.map(codec::time_from_i64),
            counts: codec::get_counts(row, 6)?,
            fence: codec::get_fence(row, 12)?,
            gate,
            has_new_gate: false,
            is_new: false,
        };
        self.by_participants.insert(participants, id);
        // A conversation whose numbers are reserved is loaded first with its reservation.
        self.conversations.entry(id).or_insert(head);
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

    /// Adds the first records under prefixes. A prefix with fewer records than were asked for has no
    /// others.
    fn load_windows(&mut self, windows: Vec<(Prefix, Window)>, rows: &[Row]) -> Result<(), Fault> {
        let mut found: HashMap<i64, (usize, Name)> = HashMap::new();
        for row in rows {
            let record = codec::get_record(row, 0)?;
            let prefix: i64 = row.try_get(RECORD_COLUMN_COUNT)?;
            let place: i64 = row.try_get(RECORD_COLUMN_COUNT + 1)?;
            let (count, last) = found.entry(prefix).or_default();
            *count += 1;
            *last = record.key.name.clone();
            let window = usize::try_from(prefix - 1).ok().and_then(|index| windows.get(index));
            let complete = window.map_or(0, |(_, window)| codec::usize_to_i64(window.complete));
            self.records.load_first(record, place > complete);
        }
        for ((prefix, window), place) in windows.into_iter().zip(1..) {
            let last = found.remove(&place).filter(|(count, _)| *count >= window.max_rows);
            self.records.add_window(prefix, last.map(|(_, name)| name));
        }
        Ok(())
    }
}
