//! Every table, with the bytes of its keys and values.
//!
//! All are maps of bytes to bytes, so that no type of Rust or of an engine is part of a file.
//! Integers are big-endian, and keys sort as their numbers do. A *ref* is a 4-byte number that
//! stands for a user, a conversation or a device of a user inside this database; a *row* is the
//! 8-byte number of a message. A *seq* has 8 bytes, a *time* has 8 bytes (Unix milliseconds), an
//! *id* has 16 bytes, a *public key* has 32.
//!
//! Rows are few and narrow: the wide row of a message is written once, in order, and what is looked
//! up by conversation or by user points at it. A message is five rows, with its client id six; two
//! of them, or three with a client id from clients that make UUIDv7s, go to the end of their table.
//! The others go to `sequence` and `inbox`, in which every row is new, the last of its conversation
//! or user, and rows are walked over within one conversation or user only: an engine may keep those
//! that were written lately apart.
//!
//! A *note*, on engines that have them, is a session 4 and the number 8 that the conversation's
//! newest message, or the user's newest entry, had when it was written: when memory had no more
//! room for the number, or when the store was closed. `session` says when it is right.
//!
//! As key → value:
//!
//! - `schema` is the engine's own, but for `notes` in ASCII → the last session 4, the first one
//!   since which none was lost 4, whether the last one is closed 1.
//! - `users`: user ref 4 → public key 32.
//! - `user_ids`: public key 32 → user ref 4.
//! - `keys`: user ref 4, version 4 → X25519 key 32, published at 8, binding code 1. The highest
//!   version is current.
//! - `announcements`: publisher's public key 32 → user ref 4, after 4, until 4: peers in the
//!   publisher's conversations with refs above `after` up to `until` are left to tell.
//! - `conversations`: conversation ref 4 → id 16, user ref `a` 4, user ref `b` 4 (`a` has the
//!   smaller public key), opened at 8.
//! - `conversation_ids`: id 16 → conversation ref 4, user ref `a` 4, user ref `b` 4, public key of
//!   `a` 32, of `b` 32, [note 12]: all that a send needs of a conversation. Rows of an older
//!   version end after the conversation's ref.
//! - `pairs`: user ref `a` 4, user ref `b` 4 → conversation ref 4.
//! - `members`: user ref 4, conversation ref 4 → the peer's user ref 4.
//! - `messages`: row 8 → conversation ref 4, sender's ref 4, recipient's ref 4, sequence 8, seq in
//!   the sender's inbox 8, in the recipient's 8, id 16, sent at 8, received at 8, parts 1, [client
//!   id 16], [suite 4], nonce 24, [ephemeral key 32], payload to the end. `parts` says which of the
//!   bracketed are there: 1, 2, 4 in that order.
//! - `message_ids`: id 16 → row 8.
//! - `client_ids`: client id 16, sender's ref 4 → row 8. The client's id comes first, because
//!   clients that make UUIDv7s then append to this table, too.
//! - `sequence`: conversation ref 4, sequence 8 → row 8, received at 8. The newest is the
//!   conversation's head and last activity.
//! - `inbox`: user ref 4, seq 8 → queued at 8, origin, then `1` and a row 8, or `2` and an encoded
//!   notice to the end. Origin is `255` for none, `0` for the default device, or a length 1 to 64
//!   and that much text.
//! - `floors`: user ref 4 → seq 8 of the newest entry that expired, zero before the first, [note
//!   12]; no row before there is one of the two. The next number is above it even when the inbox is
//!   empty.
//! - `oldest`: time 8, user ref 4 → nothing: one for each inbox that holds entries, by when its
//!   first one was queued. Written when an entry goes into an empty inbox and by expiry, so that a
//!   send seldom touches it.
//! - `devices`: user ref 4, device ref 4 → cursor 8, registered at 8, name to the end. In order of
//!   registration.
//! - `acked`: user ref 4, device ref 4, seq 8 → nothing: acknowledged individually, above the
//!   cursor.

/// The tables, as an engine has them: with what they are made of, in one state, or as a batch
/// changes them.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "described above, where their bytes are")]
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
    /// Makes each table by its name, such as by opening it in an engine.
    ///
    /// # Errors
    /// The error of the first that cannot be made; those after it are not made.
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

    /// Makes something of each table, by reference.
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

    /// All of them, in the order of their fields.
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
