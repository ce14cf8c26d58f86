//! Writing what a run decided: one statement for each table, whatever the run's size.

use super::book::{Book, Content, Thread};
use super::flight::{Flight, param};
use crate::codec;
use crate::error::Fault;

pub(crate) const INSERT_MESSAGES: &str = "INSERT INTO messages (conversation, seq, id, sender, recipient,
        sender_seq, recipient_seq, client_id, sent_at, received_at, suite, nonce, ephemeral, payload)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[], $6::bigint[],
        $7::bigint[], $8::uuid[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], $13::bytea[],
        $14::bytea[])";

pub(crate) const INSERT_ENTRIES: &str = "INSERT INTO inbox (user_id, seq, at, conversation, message_seq,
        notice, origin)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[], $6::bytea[],
        $7::text[])";

pub(crate) const UPDATE_USERS: &str = "UPDATE users u SET inbox_head = n.head, oldest_at = n.oldest_at,
        conversations = n.conversations, registrations = n.registrations
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
         AS n(id, head, oldest_at, conversations, registrations)
    WHERE u.id = n.id";

pub(crate) const UPDATE_KEYS: &str = "UPDATE users u SET key_version = n.version, key = n.key,
        key_binding = n.binding, key_published_at = n.published_at
    FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::smallint[], $5::bigint[])
         AS n(id, version, key, binding, published_at)
    WHERE u.id = n.id";

const ANNOUNCE: &str = "INSERT INTO announcements (publisher, told, until)
    SELECT n.publisher, 0, n.until FROM unnest($1::bytea[], $2::bigint[]) AS n(publisher, until)
    ON CONFLICT (publisher) DO UPDATE SET told = 0, until = excluded.until";

const INSERT_THREADS: &str =
    "INSERT INTO conversations (id, a, b, opened_at, a_number, b_number, head, last_at)
    SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[])";

/// Without a time, that of the message at the head: what was reserved is given back.
pub(crate) const UPDATE_THREADS: &str =
    "UPDATE conversations c SET head = n.head, last_at = coalesce(n.last_at,
        (SELECT m.received_at FROM messages m WHERE m.conversation = n.id AND m.seq = n.head))
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n(id, head, last_at) WHERE c.id = n.id";

const INSERT_DEVICES: &str = "INSERT INTO devices (user_id, device, number, cursor, registered_at)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])";

pub(crate) const UPDATE_DEVICES: &str = "UPDATE devices d SET cursor = n.cursor
    FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS n(user_id, device, cursor)
    WHERE d.user_id = n.user_id AND d.device = n.device";

const INSERT_MARKS: &str = "INSERT INTO acked (user_id, device, seq)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[]) ON CONFLICT DO NOTHING";

pub(crate) const DELETE_MARKS: &str = "DELETE FROM acked k
    USING unnest($1::bytea[], $2::text[], $3::bigint[]) AS n(user_id, device, cursor)
    WHERE k.user_id = n.user_id AND k.device = n.device AND k.seq <= n.cursor";

impl Book {
    /// Adds the statements that write this run.
    pub(super) async fn flush<'a>(&'a self, flight: &mut Flight<'a>) -> Result<(), Fault> {
        self.flush_threads(flight).await?;
        self.flush_messages(flight).await?;
        self.flush_entries(flight).await?;
        self.flush_users(flight).await?;
        self.flush_devices(flight).await
    }

    async fn flush_messages<'a>(&'a self, flight: &mut Flight<'a>) -> Result<(), Fault> {
        if self.messages.is_empty() {
            return Ok(());
        }
        macro_rules! column {
            (|$message:ident, $filed:ident| $value:expr) => {
                param(self.messages.iter().map(|($message, $filed)| $value).collect::<Vec<_>>())
            };
        }
        let params = vec![
            column!(|m, _f| codec::uuid(m.conversation.as_bytes())),
            column!(|m, _f| codec::number(m.sequence.get())),
            column!(|m, _f| codec::uuid(m.id.as_bytes())),
            column!(|m, _f| m.sender.as_bytes().as_slice()),
            column!(|_m, f| f.recipient.as_bytes().as_slice()),
            column!(|_m, f| codec::number(f.sender_seq.get())),
            column!(|_m, f| codec::number(f.recipient_seq.get())),
            column!(|m, _f| m.client_id.as_ref().map(|id| codec::uuid(id.as_bytes()))),
            column!(|m, _f| codec::time(m.sent_at)),
            column!(|m, _f| codec::time(m.received_at)),
            column!(|m, _f| m.ciphertext.suite().map(|suite| i64::from(suite.0))),
            column!(|m, _f| m.ciphertext.nonce().as_slice()),
            column!(|m, _f| m.ciphertext.ephemeral().map(<[u8; 32]>::as_slice)),
            column!(|m, _f| &m.ciphertext.payload()[..]),
        ];
        flight.add(INSERT_MESSAGES, params).await
    }

    async fn flush_entries<'a>(&'a self, flight: &mut Flight<'a>) -> Result<(), Fault> {
        if self.entries.is_empty() {
            return Ok(());
        }
        macro_rules! column {
            (|$entry:ident| $value:expr) => {
                param(self.entries.iter().map(|$entry| $value).collect::<Vec<_>>())
            };
        }
        let params = vec![
            column!(|e| e.user.as_bytes().as_slice()),
            column!(|e| codec::number(e.seq.get())),
            column!(|e| codec::time(e.at)),
            column!(|e| match &e.content {
                Content::Message(conversation, _) => Some(codec::uuid(conversation.as_bytes())),
                Content::Notice(_) => None,
            }),
            column!(|e| match &e.content {
                Content::Message(_, sequence) => Some(codec::number(sequence.get())),
                Content::Notice(_) => None,
            }),
            column!(|e| match &e.content {
                Content::Message(..) => None,
                Content::Notice(notice) => Some(notice.as_slice()),
            }),
            column!(|e| codec::origin(e.origin.as_ref())),
        ];
        flight.add(INSERT_ENTRIES, params).await
    }

    async fn flush_users<'a>(&'a self, flight: &mut Flight<'a>) -> Result<(), Fault> {
        let changed: Vec<_> =
            self.users.iter().filter(|(_, user)| user.is_changed || user.head != user.head_in_row).collect();
        if !changed.is_empty() {
            let params = vec![
                param(changed.iter().map(|(id, _)| id.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(changed.iter().map(|(_, user)| codec::number(user.head.get())).collect::<Vec<_>>()),
                param(changed.iter().map(|(_, user)| user.oldest_at.map(codec::time)).collect::<Vec<_>>()),
                param(changed.iter().map(|(_, user)| codec::number(user.conversations)).collect::<Vec<_>>()),
                param(changed.iter().map(|(_, user)| codec::number(user.registrations)).collect::<Vec<_>>()),
            ];
            flight.add(UPDATE_USERS, params).await?;
        }
        let keys: Vec<_> = self
            .users
            .values()
            .filter(|user| user.has_new_key)
            .filter_map(|user| user.key.as_ref())
            .collect();
        if !keys.is_empty() {
            let params = vec![
                param(keys.iter().map(|key| key.user.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(keys.iter().map(|key| i64::from(key.version.get())).collect::<Vec<_>>()),
                param(keys.iter().map(|key| key.key.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(keys.iter().map(|key| i16::from(key.binding.code())).collect::<Vec<_>>()),
                param(keys.iter().map(|key| codec::time(key.published_at)).collect::<Vec<_>>()),
            ];
            flight.add(UPDATE_KEYS, params).await?;
        }
        if !self.announcements.is_empty() {
            let params = vec![
                param(self.announcements.keys().map(|id| id.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(self.announcements.values().map(|until| codec::number(*until)).collect::<Vec<_>>()),
            ];
            flight.add(ANNOUNCE, params).await?;
        }
        Ok(())
    }

    async fn flush_threads<'a>(&'a self, flight: &mut Flight<'a>) -> Result<(), Fault> {
        let new: Vec<_> = self
            .threads
            .values()
            .filter_map(|thread| thread.opened_as.map(|numbers| (thread, numbers)))
            .collect();
        if !new.is_empty() {
            macro_rules! column {
                (|$thread:ident, $numbers:ident| $value:expr) => {
                    param(new.iter().map(|($thread, $numbers)| $value).collect::<Vec<_>>())
                };
            }
            let params = vec![
                column!(|t, _n| codec::uuid(t.conversation.id.as_bytes())),
                column!(|t, _n| t.conversation.participants.a().as_bytes().to_vec()),
                column!(|t, _n| t.conversation.participants.b().as_bytes().to_vec()),
                column!(|t, _n| codec::time(t.conversation.opened_at)),
                column!(|_t, n| codec::number(n.0)),
                column!(|_t, n| codec::number(n.1)),
                column!(|t, _n| codec::number(t.head.get())),
                column!(|t, _n| t.last_activity.map(codec::time)),
            ];
            flight.add(INSERT_THREADS, params).await?;
        }
        let is_changed = |thread: &&Thread| thread.opened_as.is_none() && thread.head != thread.head_in_row;
        let changed: Vec<_> = self.threads.values().filter(is_changed).collect();
        if !changed.is_empty() {
            let params = vec![
                param(changed.iter().map(|t| codec::uuid(t.conversation.id.as_bytes())).collect::<Vec<_>>()),
                param(changed.iter().map(|t| codec::number(t.head.get())).collect::<Vec<_>>()),
                param(changed.iter().map(|t| t.last_activity.map(codec::time)).collect::<Vec<_>>()),
            ];
            flight.add(UPDATE_THREADS, params).await?;
        }
        Ok(())
    }

    async fn flush_devices<'a>(&'a self, flight: &mut Flight<'a>) -> Result<(), Fault> {
        let new: Vec<_> = self
            .devices
            .iter()
            .filter_map(|(who, device)| device.registered_as.map(|registered| (who, device, registered)))
            .collect();
        if !new.is_empty() {
            let params = vec![
                param(new.iter().map(|(who, ..)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(new.iter().map(|(who, ..)| who.device.as_str()).collect::<Vec<_>>()),
                param(new.iter().map(|(_, _, (number, _))| codec::number(*number)).collect::<Vec<_>>()),
                param(new.iter().map(|(_, device, _)| codec::number(device.cursor)).collect::<Vec<_>>()),
                param(new.iter().map(|(_, _, (_, at))| codec::time(*at)).collect::<Vec<_>>()),
            ];
            flight.add(INSERT_DEVICES, params).await?;
        }
        let changed: Vec<_> = self
            .devices
            .iter()
            .filter(|(_, device)| device.is_changed && device.registered_as.is_none())
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let params = vec![
            param(changed.iter().map(|(who, _)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
            param(changed.iter().map(|(who, _)| who.device.as_str()).collect::<Vec<_>>()),
            param(changed.iter().map(|(_, device)| codec::number(device.cursor)).collect::<Vec<_>>()),
        ];
        flight.add(UPDATE_DEVICES, params).await?;

        let marks: Vec<_> = changed
            .iter()
            .flat_map(|(who, device)| {
                device.named.iter().filter(|seq| **seq > device.cursor).map(move |seq| (who, *seq))
            })
            .collect();
        if !marks.is_empty() {
            let params = vec![
                param(marks.iter().map(|(who, _)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(marks.iter().map(|(who, _)| who.device.as_str()).collect::<Vec<_>>()),
                param(marks.iter().map(|(_, seq)| codec::number(*seq)).collect::<Vec<_>>()),
            ];
            flight.add(INSERT_MARKS, params).await?;
        }
        let marked: Vec<_> = changed.iter().filter(|(_, device)| device.newest_mark.is_some()).collect();
        if !marked.is_empty() {
            let params = vec![
                param(marked.iter().map(|(who, _)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(marked.iter().map(|(who, _)| who.device.as_str()).collect::<Vec<_>>()),
                param(marked.iter().map(|(_, device)| codec::number(device.cursor)).collect::<Vec<_>>()),
            ];
            flight.add(DELETE_MARKS, params).await?;
        }
        Ok(())
    }
}
