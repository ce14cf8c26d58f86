//! Every table, with the bytes of its keys and values.
//!
//! All tables map bytes to bytes, so that no type of Rust or of an engine is part of a file.
//! Integers are big-endian, so that keys sort as their numbers do. The sizes below are in bytes. A
//! *ref* is a 4-byte number that stands for a user, a conversation, or a device of a user in this
//! database. A *row* is the 8-byte number of a message. A *seq* has 8 bytes, a *time* has 8 (Unix
//! milliseconds), an *id* 16, a *public key* 32.
//!
//! Rows are few and narrow: the wide row of a message is written once, at the end of its table, and
//! the tables by conversation and by user point to it. A message is five rows, six with a client
//! id. Two of them are added at the end of their tables, and so is a third one with a client id
//! from clients that make UUIDv7s. The others go to the *logs* `sequence` and `inbox`. Each new row
//! of a log is the last one of its conversation or user, and a walk stays within one conversation
//! or user. So an engine may keep the newest rows of a log apart.
//!
//! A *note*, on engines that have them, is the number of a session 4, and the number 8 of the
//! newest message of a conversation, or of the newest entry of a user. It is written when memory
//! has no room for the number any more, and when the store is closed. `session` decides whether a
//! note is valid.
//!
//! As key → value:
//!
//! - `schema`: rows of the engine, and `notes` in ASCII → number of the last session 4, of the first
//!   session since which none was lost 4, whether the last one is closed 1.
//! - `users`: user ref 4 → public key 32.
//! - `user_ids`: public key 32 → user ref 4.
//! - `keys`: user ref 4, version 4 → X25519 key 32, published at 8, binding code 1. The highest
//!   version is current.
//! - `announcements`: publisher's public key 32 → user ref 4, after 4, until 4: peers in the
//!   publisher's conversations with refs above `after` up to `until` are to be told.
//! - `conversations`: conversation ref 4 → id 16, user ref `a` 4, user ref `b` 4 (`a` has the
//!   smaller public key), opened at 8.
//! - `conversation_ids`: id 16 → conversation ref 4, user ref `a` 4, user ref `b` 4, public key of
//!   `a` 32, of `b` 32, [note 12]: all that a send needs of a conversation. Rows of schema
//!   version 1 end after the conversation's ref.
//! - `pairs`: user ref `a` 4, user ref `b` 4 → conversation ref 4.
//! - `members`: user ref 4, conversation ref 4 → the peer's user ref 4.
//! - `messages`: row 8 → conversation ref 4, sender's ref 4, recipient's ref 4, sequence 8, seq in
//!   the sender's inbox 8, in the recipient's 8, id 16, sent at 8, received at 8, parts 1, [client
//!   id 16], [suite 4], nonce 24, [ephemeral key 32], payload to the end. `parts` is the sum of
//!   1, 2 and 4 for those of the bracketed fields that are present, in this order.
//! - `message_ids`: id 16 → row 8.
//! - `client_ids`: client id 16, sender's ref 4 → row 8. The client's id comes first, because
//!   clients that make UUIDv7s then append to this table, too.
//! - `sequence`: conversation ref 4, sequence 8 → row 8, received at 8. The newest is the
//!   conversation's head and last activity.
//! - `inbox`: user ref 4, seq 8 → queued at 8, origin, then `1` and a row 8, or `2` and an encoded
//!   notice to the end. Origin is `255` for none, `0` for the default device, or a length 1 to 64
//!   and that much text.
//! - `floors`: user ref 4 → seq 8 of the newest entry that expired, zero before the first, [note
//!   12]. A user of whom neither is known has no row. The next number is above the floor even when
//!   the inbox is empty.
//! - `oldest`: time 8, user ref 4 → nothing: one row for each inbox that has entries, with the time
//!   at which its first entry was queued. It is written when an entry is appended to an empty inbox,
//!   and by expiry, so that few sends change it.
//! - `devices`: user ref 4, device ref 4 → cursor 8, registered at 8, name to the end. In order of
//!   registration.
//! - `acked`: user ref 4, device ref 4, seq 8 → nothing: a *mark*, which is an entry that the
//!   device acknowledged individually, above its cursor.

/// A value for each table, such as its name, the open table in one state, or the table as a batch
/// changes it.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the module's documentation describes each table")]
pub struct Tables<T> {
    pub schema: T,
    pub users: T,
    pub user_ids: T,
    pub keys: T,
    pub announcements: T,
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
}

impl<T> Tables<T> {
    /// Makes each table from its name, for instance by opening it in an engine.
    ///
    /// # Errors
    /// The error of the first table that cannot be made. The tables after it are not made.
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
            keys: make("keys")?,
            announcements: make("announcements")?,
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
        })
    }

    /// Makes a value of each table, by reference.
    pub fn each<'a, U>(&'a self, make: impl Fn(&'a T) -> U) -> Tables<U> {
        Tables {
            schema: make(&self.schema),
            users: make(&self.users),
            user_ids: make(&self.user_ids),
            keys: make(&self.keys),
            announcements: make(&self.announcements),
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
        }
    }

    /// All tables, in the order of the fields.
    pub fn all(self) -> [T; 18] {
        [
            self.schema,
            self.users,
            self.user_ids,
            self.keys,
            self.announcements,
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
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_is_made_by_the_name_of_its_field() {
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
