//! Encoding and decoding of rows. [`tables`](crate::tables) documents the bytes of each table.

mod conversation;
mod device;
mod entry;
mod fields;
mod floor;
mod gate;
mod keys;
mod message;
mod old_key;
mod record;
#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod tests;

pub(crate) use conversation::{
    ConversationDetails, ConversationIdRow, ConversationNote, ConversationRow, SequenceRow, participants,
};
pub(crate) use device::DeviceRow;
pub(crate) use entry::{Content, EntryRow};
pub(crate) use fields::Fields;
pub(crate) use floor::{FloorRow, Note};
pub(crate) use gate::PairRow;
pub(crate) use keys::{client_id_key, mark_key, member_key, oldest_key, refs_key};
pub use keys::{log_key, owner_and_number};
pub(crate) use message::MessageHeader;
pub(crate) use old_key::old_key_record;
pub(crate) use record::{
    RecordRow, after, due_key, due_key_and_time, end_of_prefix, group_key, name, prefix_key, record_key,
    revision_row, revision_value,
};
