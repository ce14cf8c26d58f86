//! Reads. Each holds the lock once, so it answers from one state (clause 26).

use std::cmp::Reverse;
use std::sync::Arc;

use dm_core::store::*;

use super::{Tables, UserRow};

impl Tables {
    pub(crate) fn conversation(&self, id: ConversationId) -> Option<ConversationState> {
        let conversation = *self.conversations.get(&id)?;
        let newest = self.messages_of(id).next_back();
        Some(ConversationState {
            conversation,
            head: newest.map(|(message, _)| message.sequence).unwrap_or_default(),
            last_activity: newest.map(|(message, _)| message.received_at),
            counts: newest.map(|(_, counts)| *counts).unwrap_or_default(),
        })
    }

    pub(crate) fn conversations(&self, query: &ConversationsQuery) -> Vec<ListedConversation> {
        let user = query.user;
        let opened = self.opened.range((user, ConversationId::from_bytes([0; 16]))..);
        let opened = opened.take_while(|(other, _)| *other == user).map(|(_, id)| *id);
        let mut list: Vec<ConversationState> = match query.order {
            ConversationOrder::Opened { after } => opened
                .filter(|id| after.is_none_or(|after| *id > after))
                .filter_map(|id| self.conversation(id))
                .take(query.limit)
                .collect(),
            ConversationOrder::Active { after } => {
                let mut list: Vec<_> = opened
                    .filter_map(|id| self.conversation(id))
                    .filter(|state| after.is_none_or(|cursor| cursor.precedes(state)))
                    .collect();
                list.sort_unstable_by_key(|state| Reverse((state.last_activity, state.conversation.id)));
                list
            }
        };
        list.truncate(query.limit);
        let listed = |state: ConversationState| {
            // The user's records that are about this conversation have its id as their name.
            let name = Name::from(state.conversation.id);
            let key = |kind: &Kind| RecordKey::new(Owner::User(user), *kind, name.clone());
            let records = query.kinds.iter().filter_map(|kind| self.record(&key(kind))).collect();
            ListedConversation { state, records }
        };
        list.into_iter().map(listed).collect()
    }

    pub(crate) fn history(&self, query: &HistoryQuery) -> Option<HistoryPage> {
        // Clause 27: the conversation does not exist for a reader who is not a participant.
        self.conversations.get(&query.conversation)?.participants.side(query.reader)?;
        let messages = self.messages_of(query.conversation).map(|(message, _)| message);
        let mut rows: Box<dyn Iterator<Item = &Arc<Message>>> = match query.range {
            HistoryRange::Newest => Box::new(messages.rev()),
            HistoryRange::Before(bound) => Box::new(messages.rev().filter(move |row| row.sequence < bound)),
            HistoryRange::After(bound) => Box::new(messages.filter(move |row| row.sequence > bound)),
        };
        let mut space = PageSpace { items: query.limit, bytes: query.max_bytes, empty: true };
        let mut page = HistoryPage::default();
        page.has_more = rows.any(|message| {
            let fits = space.fits(message.cost());
            if fits {
                page.messages.push(Arc::clone(message));
            }
            !fits
        });
        Some(page)
    }

    pub(crate) fn inbox(&self, query: &InboxQuery) -> InboxPage {
        let who = &query.who;
        let head = self.head(who.user);
        let UserRow { floor, floor_proof, .. } = self.user(who.user);
        let mut page = InboxPage { entries: Vec::new(), through: head, head, floor, floor_proof };
        let registration = self.devices.get(who).map(|device| device.registration);
        let mut space = PageSpace { items: query.limit, bytes: query.max_bytes, empty: true };
        for entry in self.entries_after(who.user, query.after) {
            if !query.shows(entry, registration) || self.is_acknowledged(who, entry) {
                continue;
            }
            if !space.fits(entry.cost()) {
                // All entries up to the last one on the page are shown or left out.
                page.through = page.entries.last().map_or(query.after, |last| last.seq);
                break;
            }
            page.entries.push(entry.clone());
        }
        page
    }

    pub(crate) fn devices(&self, user: UserId) -> Vec<DeviceState> {
        let mut devices: Vec<_> = self.devices_of(user).collect();
        devices.sort_unstable_by_key(|(_, device)| device.registration);
        let state = |(who, device): (&Principal, &super::Device)| DeviceState {
            device: who.device.clone(),
            cursor: device.cursor,
            registered_at: device.registered_at,
            registration: device.registration,
        };
        devices.into_iter().map(state).collect()
    }

    pub(crate) fn depth(&self, who: &Principal) -> Depth {
        let mut depth = Depth::default();
        let device = self.devices.get(who);
        let cursor = device.map_or(InboxSeq::ZERO, |device| device.cursor);
        let registration = device.map(|device| device.registration);
        for entry in self.entries_after(who.user, cursor) {
            let is_own = entry.origin.as_ref() == Some(&who.device);
            if !is_own && entry.is_for(registration) && !self.is_acknowledged(who, entry) {
                let counter =
                    if entry.message().is_some() { &mut depth.messages } else { &mut depth.notices };
                *counter += 1;
            }
        }
        depth
    }

    fn is_acknowledged(&self, who: &Principal, entry: &InboxEntry) -> bool {
        self.acknowledged.contains(&(who.clone(), entry.seq))
    }
}

/// The space left on a page (clause 25), in items and bytes. The first item always fits.
struct PageSpace {
    items: usize,
    bytes: usize,
    empty: bool,
}

impl PageSpace {
    fn fits(&mut self, bytes: usize) -> bool {
        let fits = self.empty || (self.items > 0 && self.bytes >= bytes);
        self.empty = false;
        self.items = self.items.saturating_sub(1);
        self.bytes = if fits { self.bytes.saturating_sub(bytes) } else { 0 };
        fits
    }
}
