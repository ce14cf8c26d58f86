//! Everything that can be read of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use dm_core::{
    ConversationId, ConversationState, ConversationsQuery, DeviceId, Event, HistoryQuery, HistoryRange,
    InboxEntry, InboxPage, InboxQuery, InboxSeq, KeyRecord, Message, OwnEntries, Principal, ServerSequence,
    Store, Timestamp, UserId, Write,
};

use super::Wrong;

/// Items of a page: few enough that reading pages on is part of what is tried.
const PAGE: usize = 200;
const PAGE_BYTES: usize = 1 << 18;

/// Who and what the writes named so far: where to look.
#[derive(Debug, Default)]
pub(super) struct Known {
    users: BTreeSet<UserId>,
    devices: BTreeSet<Principal>,
    conversations: BTreeSet<ConversationId>,
}

impl Known {
    pub(super) fn note(&mut self, batch: &[Write]) {
        for write in batch {
            match write {
                Write::PublishKey(write) => _ = self.users.insert(write.user),
                Write::OpenConversation(write) => {
                    self.users.extend([write.participants.a(), write.participants.b()]);
                    self.conversations.insert(write.id);
                }
                Write::AppendMessage(write) => {
                    self.users.insert(write.sender.user);
                    self.conversations.insert(write.conversation);
                }
                Write::Acknowledge(write) => self.device(&write.who),
                Write::RegisterDevice(write) => self.device(&write.who),
                Write::ForgetDevice(write) => self.device(&write.who),
                _ => {}
            }
        }
    }

    fn device(&mut self, who: &Principal) {
        self.users.insert(who.user);
        self.devices.insert(who.clone());
    }
}

/// Everything that can be read about what is known, in maps that compare.
#[derive(Debug, Default)]
pub(super) struct Contents {
    keys: BTreeMap<UserId, KeyRecord>,
    conversations: BTreeMap<ConversationId, ConversationState>,
    messages: BTreeMap<(ConversationId, ServerSequence), Arc<Message>>,
    lists: BTreeMap<UserId, Vec<ConversationState>>,
    /// Head and floor.
    inboxes: BTreeMap<UserId, (InboxSeq, InboxSeq)>,
    entries: BTreeMap<(UserId, InboxSeq), InboxEntry>,
    devices: BTreeMap<Principal, Timestamp>,
    /// The messages that a device is still to be given. Notices are not compared here: a store may pass over those
    /// with an acknowledged entry above them.
    pending: BTreeMap<Principal, Vec<InboxSeq>>,
}

impl Contents {
    /// Reads it all, and checks what must hold of any store: numbers are dense, a client id stands for one message.
    pub(super) async fn read(store: &impl Store, known: &Known) -> Result<Self, Wrong> {
        let mut contents = Self::default();
        for &id in &known.conversations {
            contents.read_conversation(store, id).await?;
        }
        for &user in &known.users {
            contents.read_user(store, user).await?;
        }
        for who in &known.devices {
            contents.read_pending(store, who).await?;
        }
        contents.one_message_per_client_id()?;
        Ok(contents)
    }

    /// The first thing that is another than expected, in words.
    pub(super) fn difference(&self, expected: &Self) -> Option<String> {
        differ("the key of", &self.keys, &expected.keys)
            .or_else(|| differ("conversation", &self.conversations, &expected.conversations))
            .or_else(|| differ("message", &self.messages, &expected.messages))
            .or_else(|| differ("the inbox (head, floor) of", &self.inboxes, &expected.inboxes))
            .or_else(|| differ("inbox entry", &self.entries, &expected.entries))
            .or_else(|| differ("the conversations of", &self.lists, &expected.lists))
            .or_else(|| differ("the registration of", &self.devices, &expected.devices))
            .or_else(|| differ("the messages pending for", &self.pending, &expected.pending))
    }

    async fn read_conversation(&mut self, store: &impl Store, id: ConversationId) -> Result<(), Wrong> {
        let Some(state) = store.conversation(id).await? else { return Ok(()) };
        let reader = state.conversation.participants.a();
        let mut last = ServerSequence::ZERO;
        loop {
            let range = HistoryRange::After(last);
            let query = HistoryQuery { reader, conversation: id, range, limit: PAGE, max_bytes: PAGE_BYTES };
            let page = store.history(query).await?.ok_or_else(|| broken(format!("{id} has no history")))?;
            for message in page.messages {
                dense(&format!("messages of {id}"), message.sequence.get(), last.next().get())?;
                last = message.sequence;
                self.messages.insert((id, last), message);
            }
            if !page.has_more {
                break;
            }
        }
        dense(&format!("messages of {id} to its head"), last.get(), state.head.get())?;
        self.conversations.insert(id, state);
        Ok(())
    }

    async fn read_user(&mut self, store: &impl Store, user: UserId) -> Result<(), Wrong> {
        if let Some(record) = store.key(user).await? {
            self.keys.insert(user, record);
        }
        let list = store.conversations(ConversationsQuery { user, after: None, limit: 10_000 }).await?;
        self.lists.insert(user, list);
        for device in store.devices(user).await? {
            self.devices.insert(Principal::new(user, device.device), device.registered_at);
        }

        let (pages, all) =
            read_inbox(store, &Principal::new(user, nobody()), InboxSeq::ZERO, OwnEntries::Include).await?;
        let mut last = pages.floor;
        for entry in all {
            dense(&format!("entries of {user}"), entry.seq.get(), last.next().get())?;
            last = entry.seq;
            self.entries.insert((user, last), entry);
        }
        dense(&format!("entries of {user} to the head"), last.get(), pages.head.get())?;
        self.inboxes.insert(user, (pages.head, pages.floor));
        Ok(())
    }

    async fn read_pending(&mut self, store: &impl Store, who: &Principal) -> Result<(), Wrong> {
        let devices = store.devices(who.user).await?;
        let Some(device) = devices.into_iter().find(|device| device.device == who.device) else {
            return Ok(());
        };
        let (_, entries) = read_inbox(store, who, device.cursor, OwnEntries::Skip).await?;
        let messages: Vec<InboxSeq> = entries
            .iter()
            .filter(|entry| matches!(entry.event, Event::Message(_)))
            .map(|entry| entry.seq)
            .collect();
        let depth = store.depth(who.clone()).await?.messages;
        if depth != messages.len() as u64 {
            return Err(broken(format!(
                "{} messages are pending for {who:?}, its depth is {depth}",
                messages.len()
            )));
        }
        self.pending.insert(who.clone(), messages);
        Ok(())
    }

    fn one_message_per_client_id(&self) -> Result<(), Wrong> {
        let mut used = BTreeSet::new();
        for message in self.messages.values() {
            if let Some(id) = message.client_id
                && !used.insert((message.sender, id))
            {
                return Err(broken(format!("{id} of {} stands for two messages", message.sender)));
            }
        }
        Ok(())
    }
}

/// Everything in an inbox after an entry, page by page, and the last page without its entries.
async fn read_inbox(
    store: &impl Store,
    who: &Principal,
    mut after: InboxSeq,
    own: OwnEntries,
) -> Result<(InboxPage, Vec<InboxEntry>), Wrong> {
    let mut all = Vec::new();
    loop {
        let query = InboxQuery { who: who.clone(), after, own, limit: PAGE, max_bytes: PAGE_BYTES };
        let mut page = store.inbox(query).await?;
        all.append(&mut page.entries);
        if page.through >= page.head {
            return Ok((page, all));
        }
        if page.through <= after {
            return Err(broken(format!("the inbox of {} does not go on after {after}", who.user)));
        }
        after = page.through;
    }
}

/// A device that no write names.
fn nobody() -> DeviceId {
    "oracle".parse().expect("a device's name")
}

fn dense(what: &str, found: u64, expected: u64) -> Result<(), Wrong> {
    if found == expected {
        return Ok(());
    }
    Err(broken(format!("{what} are not dense: {found} where {expected} must be")))
}

fn broken(what: String) -> Wrong {
    Wrong::Broken(what)
}

fn differ<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    found: &BTreeMap<K, V>,
    expected: &BTreeMap<K, V>,
) -> Option<String> {
    let keys: BTreeSet<&K> = found.keys().chain(expected.keys()).collect();
    let key = keys.into_iter().find(|key| found.get(key) != expected.get(key))?;
    Some(format!("{what} {key:?}: found {:?}, expected {:?}", found.get(key), expected.get(key)))
}
