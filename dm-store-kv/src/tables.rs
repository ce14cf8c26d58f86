//! Every table, with the bytes of its keys and values.
//!
//! All tables map bytes to bytes, so that no type of Rust or of an engine is part of a file.
//! Integers are big-endian, so that keys sort as their numbers do. A number after a field is the
//! field's length in bytes. These fields have the same length everywhere:
//!
//! - *ref*, 4 bytes: a number that stands for a user, a conversation, or a device of a user in this
//!   database.
//! - *row*, 8 bytes: the number of a message's row in the table `messages`.
//! - *seq*, 8 bytes: the number of an entry in a user's inbox.
//! - *time*, 8 bytes: Unix milliseconds.
//! - *id*, 16 bytes.
//! - *public key*, 32 bytes: a user's id.
//! - *note*, 12 bytes: the number of an epoch 4, then the number 8 of a conversation's newest
//!   message or of a user's newest entry. Only engines with notes
//!   ([`Heads::with_notes`](crate::Heads::with_notes)) write it: when a conversation is opened,
//!   when entries expire, when a fence or a gate changes, when the number is dropped from memory,
//!   and when the store is closed. `epoch` decides whether a note is valid. Where another field
//!   follows, zeros stand for no note.
//! - *tag*, 16 bytes: the state of a record.
//! - *gate*: closing bits 1, flags 1, then for each ceiling the messages 8 and the bytes 8. The
//!   flags are the sum of 1 for a ceiling of `a` and 2 for one of `b`.
//! - *counts*, up to 60 bytes: the counts of a conversation with one of its messages, as
//!   [`Counts::encode`](dm_core::Counts::encode) writes them.
//! - *owner*: `1` and a public key 32, `2` and a conversation's id 16, or `3` for the store.
//!
//! `flags` is the sum of the numbers in brackets before those optional fields that a row has.
//!
//! A message has few rows, and only its row in `messages` is wide, because it has the payload. The
//! rows in `sequence` and `inbox` refer to this row by its number. A message has five rows: in
//! `messages`, in `message_ids`, in `sequence`, and two in `inbox`. A message with a client id has
//! a sixth row, in `client_ids`. The rows in `messages` and `message_ids` are appended to their
//! tables, because row numbers ascend and message ids are UUIDv7s, which begin with the time. The
//! row in `client_ids` is appended, too, if the client makes UUIDv7s.
//!
//! The tables `sequence` and `inbox` are *logs*: each new row is the last one of its owner, which
//! is a conversation or a user, and a walk stays within the rows of one owner. So an engine may
//! keep the newest rows of a log in separate tables, as `dm-store-redb` does.
//!
//! The tables, as key → value:
//!
//! - `schema`: rows of the engine, and `notes` in ASCII → number of the last epoch 4, number of the
//!   first epoch since which no epoch was lost 4, whether the last epoch is closed 1.
//! - `users`: user ref 4 → public key 32, [newest revision 8, floor of the revisions 8]. A user who
//!   has never had a synced record has no revisions.
//! - `user_ids`: public key 32 → user ref 4.
//! - `conversations`: conversation ref 4 → id 16, user ref `a` 4, user ref `b` 4 (`a` has the
//!   smaller public key), opened at 8.
//! - `conversation_ids`: id 16 → conversation ref 4, user ref `a` 4, user ref `b` 4, public key of
//!   `a` 32, of `b` 32, [note 12], [flags 1, [1: tag of the conversation's fence 16], [2: gate of
//!   the pair], [4: counts with the message in the note]]. This row is all that a send needs of a
//!   conversation. It is written when the conversation is opened, when its fence or gate changes,
//!   and with each note. Rows of schema version 1 end after the conversation's ref.
//! - `pairs`: user ref `a` 4, user ref `b` 4 → conversation ref 4; or `0` 4 and the gate of a pair
//!   that has no conversation. Opening a conversation moves the gate to the conversation's row.
//! - `members`: user ref 4, id of a conversation 16 → conversation ref 4. So a user's conversations
//!   are listed in the order of their ids without a look at others.
//! - `messages`: row 8 → conversation ref 4, sender's ref 4, recipient's ref 4, sequence 8, seq in
//!   the sender's inbox 8, in the recipient's 8, id 16, sent at 8, received at 8, flags 1, [8:
//!   number among the sender's messages, as unsigned LEB128], [1: client id 16], [2: suite 4],
//!   nonce 24, [4: ephemeral key 32], payload to the end. Rows of schema versions 1 and 2 have no
//!   number of the sender, which stands for zero.
//! - `message_ids`: id 16 → row 8.
//! - `client_ids`: client id 16, sender's ref 4 → row 8. The client's id is first, so that the rows
//!   of clients that make UUIDv7s are appended.
//! - `sequence`: conversation ref 4, sequence 8 → row 8, received at 8, counts. A conversation's
//!   last row has the number of its newest message, the time of its last activity, and the counts.
//!   Rows of schema versions 1 and 2 have no counts, which stands for zeros.
//! - `inbox`: user ref 4, seq 8 → queued at 8, origin, then `1` and a row 8, or `2` and an encoded
//!   notice to the end, or `3`, the registration 8 that the entry is for, and an encoded notice to
//!   the end. Origin is `255` for none, `0` for the default device, or a length 1 to 64 and that
//!   much text.
//! - `floors`: user ref 4 → seq 8 of the newest entry that expired, zero before the first, [note
//!   12], [flags 1, [1: proof of that entry 8], [2: tag of the user's fence 16], [4: nothing, the
//!   user's gate is closed], [8: ceiling of the user's inbox 8]]. This row is all that a send needs
//!   of a user. A user with none of these fields has no row. The next number is above the floor
//!   even when the inbox is empty.
//! - `oldest`: time 8, user ref 4 → nothing: one row for each inbox that has entries, with the time
//!   at which its first entry was queued. The row is written when an entry is appended to an empty
//!   inbox, and by expiry. So most sends do not change this table.
//! - `devices`: user ref 4, device ref 4 → cursor 8, registered at 8, name to the end. The ref of a
//!   device is the number of its registration. User ref 4, `0` 4 → the number 4 of the newest
//!   registration of a device that was forgotten, if no newer device was registered at the time.
//! - `acked`: user ref 4, device ref 4, seq 8 → nothing: a *mark*, which is an entry that the
//!   device acknowledged individually, above its cursor.
//! - `records`: owner, kind 2, name to the end → tag, revision 8, `0` or `1` and due time 8, value
//!   to the end. The order of the keys is the order of
//!   [`RecordKey`](dm_core::record::RecordKey).
//! - `due`: kind 2, due time 8, owner, name to the end → nothing: one row for each record that is
//!   due at some time.
//! - `revisions`: user ref 4, revision 8 → kind 2, name to the end: one row for each synced record,
//!   with the revision of its last change.
//!
//! Schema versions 1 and 2 had two more tables, which [`Migration`](crate::Migration) empties:
//!
//! - `keys`: user ref 4, version 4 → X25519 key 32, published at 8, binding code 1.
//! - `announcements`: publisher's public key 32 → user ref 4, after 4, until 4: peers in the
//!   publisher's conversations with refs above `after`, up to `until`, must still get a notice.
//!
//! In these versions, the key in `members` was user ref 4, conversation ref 4, and the refs of
//! devices could have gaps.

/// One value for each table, such as its name, or the open table ([`Rows`](crate::Rows) or
/// [`Changes`](crate::Changes)).
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the module's documentation describes each table")]
pub struct Tables<T> {
    pub schema: T,
    pub users: T,
    pub user_ids: T,
    pub conversations: T,
    pub conversation_ids: T,
    pub pairs: T,
    pub members: T,
    pub messages: T,
    pub message_ids: T,
    pub client_ids: T,
    pub sequence: T,
    pub inbox: T,
    pub floors: T,
    pub oldest: T,
    pub devices: T,
    pub acked: T,
    pub records: T,
    pub due: T,
    pub revisions: T,
}

impl<T> Tables<T> {
    /// Calls `make` with the name of each table, for instance to open it in an engine.
    ///
    /// # Errors
    /// The first error of `make`, which is then not called for the remaining tables.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use dm_store_kv::Tables;
    ///
    /// let engine: BTreeMap<&str, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
    /// let tables = Tables::try_new(|name| engine.get(name).ok_or(format!("there is no table {name}")));
    /// assert_eq!(tables.unwrap_err(), "there is no table schema");
    /// ```
    pub fn try_new<E>(mut make: impl FnMut(&'static str) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self {
            schema: make("schema")?,
            users: make("users")?,
            user_ids: make("user_ids")?,
            conversations: make("conversations")?,
            conversation_ids: make("conversation_ids")?,
            pairs: make("pairs")?,
            members: make("members")?,
            messages: make("messages")?,
            message_ids: make("message_ids")?,
            client_ids: make("client_ids")?,
            sequence: make("sequence")?,
            inbox: make("inbox")?,
            floors: make("floors")?,
            oldest: make("oldest")?,
            devices: make("devices")?,
            acked: make("acked")?,
            records: make("records")?,
            due: make("due")?,
            revisions: make("revisions")?,
        })
    }

    /// Calls `make` with a reference to each table, and returns the results.
    pub fn each<'a, U>(&'a self, make: impl Fn(&'a T) -> U) -> Tables<U> {
        Tables {
            schema: make(&self.schema),
            users: make(&self.users),
            user_ids: make(&self.user_ids),
            conversations: make(&self.conversations),
            conversation_ids: make(&self.conversation_ids),
            pairs: make(&self.pairs),
            members: make(&self.members),
            messages: make(&self.messages),
            message_ids: make(&self.message_ids),
            client_ids: make(&self.client_ids),
            sequence: make(&self.sequence),
            inbox: make(&self.inbox),
            floors: make(&self.floors),
            oldest: make(&self.oldest),
            devices: make(&self.devices),
            acked: make(&self.acked),
            records: make(&self.records),
            due: make(&self.due),
            revisions: make(&self.revisions),
        }
    }

    /// All tables, in the order of the fields.
    pub fn all(self) -> [T; 19] {
        [
            self.schema,
            self.users,
            self.user_ids,
            self.conversations,
            self.conversation_ids,
            self.pairs,
            self.members,
            self.messages,
            self.message_ids,
            self.client_ids,
            self.sequence,
            self.inbox,
            self.floors,
            self.oldest,
            self.devices,
            self.acked,
            self.records,
            self.due,
            self.revisions,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_is_made_with_the_name_of_its_field() {
        let tables = Tables::try_new(Ok::<_, ()>).unwrap();
        let shown = format!("{tables:?}");
        for name in tables.all() {
            assert!(shown.contains(&format!("{name}: {name:?}")), "{name} in {shown}");
        }
        let mut made = 0;
        let failed = Tables::<()>::try_new(|name| {
            made += 1;
            if name == "users" { Err(name) } else { Ok(()) }
        });
        assert_eq!((failed.unwrap_err(), made), ("users", 2));
    }
}
