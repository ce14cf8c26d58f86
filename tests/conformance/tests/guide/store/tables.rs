//! The tables: sorted maps, as an engine has them.

mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dm_core::store::*;

#[derive(Default)]
pub(crate) struct Tables {
    keys: BTreeMap<UserId, KeyRecord>,
    /// Announcements with peers that are still to be told, by publisher: the numbers of the
    /// conversations with these peers.
    announcements: BTreeMap<UserId, std::ops::Range<u64>>,
    conversations: BTreeMap<ConversationId, Conversation>,
    pairs: BTreeMap<Participants, ConversationId>,
    /// Each user's conversations, numbered in the order in which they were opened.
    opened: BTreeMap<(UserId, u64), ConversationId>,
    /// The newest message of a conversation is its head, because messages are never deleted.
    messages: BTreeMap<(ConversationId, ServerSequence), Arc<Message>>,
    client_ids: BTreeMap<(UserId, ClientMessageId), MessageId>,
    message_rows: BTreeMap<MessageId, MessageRows>,
    inbox: BTreeMap<(UserId, InboxSeq), InboxEntry>,
    /// The number of each user's newest expired entry. It determines the next number after an inbox
    /// became empty.
    floors: BTreeMap<UserId, InboxSeq>,
    devices: BTreeMap<Principal, Device>,
    /// The marks of single acknowledged entries, above the device's cursor.
    acknowledged: BTreeSet<(Principal, InboxSeq)>,
}

/// A message, with its number in both inboxes.
struct MessageRows {
    message: Arc<Message>,
    sender_seq: InboxSeq,
    recipient: UserId,
    recipient_seq: InboxSeq,
}

struct Device {
    /// The device's position in the order of registration.
    number: u64,
    cursor: InboxSeq,
    registered_at: Timestamp,
}

impl Tables {
    fn floor(&self, user: UserId) -> InboxSeq {
        self.floors.get(&user).copied().unwrap_or_default()
    }

    /// The newest number that was given, also if its entry expired.
    fn head(&self, user: UserId) -> InboxSeq {
        let newest = self.inbox.range((user, InboxSeq::ZERO)..=(user, InboxSeq::new(u64::MAX))).next_back();
        newest.map_or_else(|| self.floor(user), |((_, seq), _)| *seq)
    }

    fn entries_after(&self, user: UserId, after: InboxSeq) -> impl Iterator<Item = &InboxEntry> {
        let rows = self.inbox.range((user, after)..=(user, InboxSeq::new(u64::MAX)));
        rows.map(|(_, entry)| entry).filter(move |entry| entry.seq > after)
    }

    /// A conversation's messages, oldest first.
    fn messages_of(&self, id: ConversationId) -> impl DoubleEndedIterator<Item = &Arc<Message>> {
        let rows = self.messages.range((id, ServerSequence::ZERO)..=(id, ServerSequence::new(u64::MAX)));
        rows.map(|(_, message)| message)
    }

    fn conversations_of(&self, user: UserId) -> impl DoubleEndedIterator<Item = (u64, ConversationId)> {
        self.opened.range((user, 0)..=(user, u64::MAX)).map(|((_, number), id)| (*number, *id))
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
