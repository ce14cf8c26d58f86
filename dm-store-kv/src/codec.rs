//! Encoding and decoding of rows. [`tables`](crate::tables) documents the bytes of each table.

mod conversation;
mod device;
mod entry;
mod fields;
mod floor;
mod key_record;
mod keys;
mod message;
#[cfg(test)]
mod tests;

pub(crate) use conversation::{
    ConversationDetails, ConversationIdRow, ConversationRow, SequenceRow, participants,
};
pub(crate) use device::DeviceRow;
pub(crate) use entry::{Content, EntryRow};
pub(crate) use fields::Fields;
pub(crate) use floor::{FloorRow, Note};
pub(crate) use key_record::{Announcement, key_record, key_value};
pub(crate) use keys::{client_id_key, mark_key, oldest_key, refs_key};
pub use keys::{log_key, owner_and_number};
pub(crate) use message::MessageHeader;
