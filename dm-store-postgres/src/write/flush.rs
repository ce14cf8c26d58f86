//! Writing what a run decided: one statement for each table, whatever the run's size.

use super::state::{BatchState, Content, ConversationHead};
use super::pipeline::{Pipeline, param};
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

const UPSERT_ANNOUNCEMENTS: &str = "INSERT INTO announcements (publisher, told, until)
    SELECT n.publisher, 0, n.until FROM unnest($1::bytea[], $2::bigint[]) AS n(publisher, until)
    ON CONFLICT (publisher) DO UPDATE SET told = 0, until = excluded.until";

const INSERT_CONVERSATIONS: &str =
    "INSERT INTO conversations (id, a, b, opened_at, a_number, b_number, head, last_at)
    SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[])";

/// Without a time, that of the message at the head: what was reserved is given back.
pub(crate) const UPDATE_CONVERSATIONS: &str =
    "UPDATE conversations c SET head = n.head, last_at = coalesce(n.last_at,
        (SELECT m.received_at FROM messages m WHERE m.conversation = n.id AND m.seq = n.head))
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n(id, head, last_at) WHERE c.id = n.id";

const INSERT_DEVICES: &str = "INSERT INTO devices (user_id, device, number, cursor, registered_at)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])";

pub(crate) const UPDATE_DEVICES: &str = "UPDATE devices d SET cursor = n.cursor
    FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS n(user_id, device, cursor)
    WHERE d.user_id = n.user_id AND d.device = n.device";

const INSERT_ACKED: &str = "INSERT INTO acked (user_id, device, seq)
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[]) ON CONFLICT DO NOTHING";

pub(crate) const DELETE_ACKED: &str = "DELETE FROM acked k
    USING unnest($1::bytea[], $2::text[], $3::bigint[]) AS n(user_id, device, cursor)
    WHERE k.user_id = n.user_id AND k.device = n.device AND k.seq <= n.cursor";

impl BatchState {
    /// Adds the statements that write this run.
    pub(super) async fn flush<'a>(&'a self, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
        self.flush_conversations(pipeline).await?;
        self.flush_messages(pipeline).await?;
        self.flush_entries(pipeline).await?;
        self.flush_users(pipeline).await?;
        self.flush_devices(pipeline).await
    }

    async fn flush_messages<'a>(&'a self, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
        if self.messages.is_empty() {
            return Ok(());
        }
        macro_rules! column {
            (|$message:ident, $numbers:ident| $value:expr) => {
                param(self.messages.iter().map(|($message, $numbers)| $value).collect::<Vec<_>>())
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
        pipeline.add(INSERT_MESSAGES, params).await
    }

    async fn flush_entries<'a>(&'a self, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
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
        pipeline.add(INSERT_ENTRIES, params).await
    }

    async fn flush_users<'a>(&'a self, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
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
            pipeline.add(UPDATE_USERS, params).await?;
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
            pipeline.add(UPDATE_KEYS, params).await?;
        }
        if !self.announcements.is_empty() {
            let params = vec![
                param(self.announcements.keys().map(|id| id.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(self.announcements.values().map(|until| codec::number(*until)).collect::<Vec<_>>()),
            ];
            pipeline.add(UPSERT_ANNOUNCEMENTS, params).await?;
        }
        Ok(())
    }

    async fn flush_conversations<'a>(&'a self, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
        let new: Vec<_> = self.conversations
            .values()
            .filter_map(|head| head.opened_as.map(|numbers| (head, numbers)))
            .collect();
        if !new.is_empty() {
            macro_rules! column {
                (|$head:ident, $numbers:ident| $value:expr) => {
                    param(new.iter().map(|($head, $numbers)| $value).collect::<Vec<_>>())
                };
            }
            let params = vec![
                column!(|h, _n| codec::uuid(h.conversation.id.as_bytes())),
                column!(|h, _n| h.conversation.participants.a().as_bytes().to_vec()),
                column!(|h, _n| h.conversation.participants.b().as_bytes().to_vec()),
                column!(|h, _n| codec::time(h.conversation.opened_at)),
                column!(|_h, n| codec::number(n.0)),
                column!(|_h, n| codec::number(n.1)),
                column!(|h, _n| codec::number(h.sequence.get())),
                column!(|h, _n| h.last_activity.map(codec::time)),
            ];
            pipeline.add(INSERT_CONVERSATIONS, params).await?;
        }
        let is_changed = |head: &&ConversationHead| head.opened_as.is_none() && head.sequence != head.sequence_in_row;
        let changed: Vec<_> = self.conversations.values().filter(is_changed).collect();
        if !changed.is_empty() {
            let params = vec![
                param(changed.iter().map(|h| codec::uuid(h.conversation.id.as_bytes())).collect::<Vec<_>>()),
                param(changed.iter().map(|h| codec::number(h.sequence.get())).collect::<Vec<_>>()),
                param(changed.iter().map(|h| h.last_activity.map(codec::time)).collect::<Vec<_>>()),
            ];
            pipeline.add(UPDATE_CONVERSATIONS, params).await?;
        }
        Ok(())
    }

    async fn flush_devices<'a>(&'a self, pipeline: &mut Pipeline<'a>) -> Result<(), Fault> {
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
            pipeline.add(INSERT_DEVICES, params).await?;
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
        pipeline.add(UPDATE_DEVICES, params).await?;

        let acked: Vec<_> = changed
            .iter()
            .flat_map(|(who, device)| {
                device.newly_acked.iter().filter(|seq| **seq > device.cursor).map(move |seq| (who, *seq))
            })
            .collect();
        if !acked.is_empty() {
            let params = vec![
                param(acked.iter().map(|(who, _)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(acked.iter().map(|(who, _)| who.device.as_str()).collect::<Vec<_>>()),
                param(acked.iter().map(|(_, seq)| codec::number(*seq)).collect::<Vec<_>>()),
            ];
            pipeline.add(INSERT_ACKED, params).await?;
        }
        let compacted: Vec<_> = changed.iter().filter(|(_, device)| device.highest_acked.is_some()).collect();
        if !compacted.is_empty() {
            let params = vec![
                param(compacted.iter().map(|(who, _)| who.user.as_bytes().as_slice()).collect::<Vec<_>>()),
                param(compacted.iter().map(|(who, _)| who.device.as_str()).collect::<Vec<_>>()),
                param(compacted.iter().map(|(_, device)| codec::number(device.cursor)).collect::<Vec<_>>()),
            ];
            pipeline.add(DELETE_ACKED, params).await?;
        }
        Ok(())
    }
}
