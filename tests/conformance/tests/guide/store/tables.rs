//! The tables: sorted maps, as an engine has them.

mod actions;
mod read;
mod records;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dm_core::store::*;

#[derive(Default)]
pub(crate) struct Tables {
    users: BTreeMap<UserId, UserRow>,
    conversations: BTreeMap<ConversationId, Conversation>,
    pairs: BTreeMap<Participants, ConversationId>,
    /// Each user's conversations, in the order of their ids, which is about that of opening.
    opened: BTreeSet<(UserId, ConversationId)>,
    /// The gate of a pair exists also before the pair has a conversation.
    gates: BTreeMap<Participants, Gate>,
    /// The newest message of a conversation is its head, because messages are never deleted. Its row
    /// has the counts of the conversation.
    messages: BTreeMap<(ConversationId, ServerSequence), (Arc<Message>, Counts)>,
    client_ids: BTreeMap<(UserId, ClientMessageId), MessageId>,
    message_rows: BTreeMap<MessageId, MessageRows>,
    inbox: BTreeMap<(UserId, InboxSeq), InboxEntry>,
    devices: BTreeMap<Principal, Device>,
    /// The marks of single acknowledged entries, above the device's cursor.
    acknowledged: BTreeSet<(Principal, InboxSeq)>,
    records: BTreeMap<RecordKey, Record>,
    /// The records that are due at some time, for the scans of [`Scan::Due`].
    due: BTreeSet<(Kind, Timestamp, RecordKey)>,
    /// The synced records by the revisions of their users, for the scans of [`Scan::Since`].
    changed: BTreeMap<(UserId, Revision), RecordKey>,
}

/// The numbers of a user that must outlive what they number, and the gate.
#[derive(Clone, Copy, Default)]
struct UserRow {
    /// The number of the newest expired entry. It determines the next number after the inbox became
    /// empty.
    floor: InboxSeq,
    floor_proof: Option<CursorProof>,
    /// The newest registration, also if its device was forgotten.
    registration: Registration,
    revisions: Revisions,
    gate: UserGate,
}

/// A message, with its number in both inboxes.
struct MessageRows {
    message: Arc<Message>,
    sender_seq: InboxSeq,
    recipient: UserId,
    recipient_seq: InboxSeq,
}

struct Device {
    registration: Registration,
    cursor: InboxSeq,
    registered_at: Timestamp,
}

impl Tables {
    fn user(&self, user: UserId) -> UserRow {
        self.users.get(&user).copied().unwrap_or_default()
    }

    /// The newest number that was given, also if its entry expired.
    fn head(&self, user: UserId) -> InboxSeq {
        let newest = self.inbox.range((user, InboxSeq::ZERO)..=(user, InboxSeq::new(u64::MAX))).next_back();
        newest.map_or_else(|| self.user(user).floor, |((_, seq), _)| *seq)
    }

    fn entries_after(&self, user: UserId, after: InboxSeq) -> impl Iterator<Item = &InboxEntry> {
        let rows = self.inbox.range((user, after)..=(user, InboxSeq::new(u64::MAX)));
        rows.map(|(_, entry)| entry).filter(move |entry| entry.seq > after)
    }

    /// A conversation's messages, oldest first, each with the counts up to it.
    fn messages_of(&self, id: ConversationId) -> impl DoubleEndedIterator<Item = &(Arc<Message>, Counts)> {
        let rows = self.messages.range((id, ServerSequence::ZERO)..=(id, ServerSequence::new(u64::MAX)));
        rows.map(|(_, row)| row)
    }

    fn devices_of(&self, user: UserId) -> impl Iterator<Item = (&Principal, &Device)> {
        // The default device sorts before all others of its user.
        self.devices.range(Principal::from(user)..).take_while(move |(who, _)| who.user == user)
    }

    fn acknowledged_by(&self, who: &Principal) -> impl DoubleEndedIterator<Item = InboxSeq> {
        let all = (who.clone(), InboxSeq::ZERO)..=(who.clone(), InboxSeq::new(u64::MAX));
        self.acknowledged.range(all).map(|(_, seq)| *seq)
    }
}
