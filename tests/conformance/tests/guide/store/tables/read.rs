//! Reads. Each holds the lock once, so it answers from one state (clause 17).

use std::sync::Arc;

use dm_core::store::*;

use super::Tables;

impl Tables {
    pub(crate) fn key(&self, user: UserId) -> Option<KeyRecord> {
        self.keys.get(&user).copied()
    }

    pub(crate) fn conversation(&self, id: ConversationId) -> Option<ConversationState> {
        let conversation = *self.conversations.get(&id)?;
        let newest = self.messages_of(id).next_back();
        Some(ConversationState {
            conversation,
            head: newest.map(|message| message.sequence).unwrap_or_default(),
            last_activity: newest.map(|message| message.received_at),
        })
    }

    pub(crate) fn conversations(&self, query: &ConversationsQuery) -> Vec<ConversationState> {
        let mut list: Vec<ConversationState> = self
            .conversations_of(query.user)
            .filter_map(|(_, id)| self.conversation(id))
            .filter(|state| query.after.is_none_or(|cursor| cursor.precedes(state)))
            .collect();
        list.sort_unstable_by_key(|state| std::cmp::Reverse((state.last_activity, state.conversation.id)));
        list.truncate(query.limit);
        list
    }

    pub(crate) fn history(&self, query: &HistoryQuery) -> Option<HistoryPage> {
        // Clause 18: the conversation does not exist for a reader who is not a participant.
        self.conversations.get(&query.conversation)?.participants.side(query.reader)?;
        let messages = self.messages_of(query.conversation);
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
        let (head, floor) = (self.head(who.user), self.floor(who.user));
        let mut page = InboxPage { entries: Vec::new(), through: head, head, floor };
        let mut space = PageSpace { items: query.limit, bytes: query.max_bytes, empty: true };
        for entry in self.entries_after(who.user, query.after) {
            if !query.shows(entry) || self.is_acknowledged(who, entry) {
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
        devices.sort_unstable_by_key(|(_, device)| device.number);
        let state = |(who, device): (&Principal, &super::Device)| DeviceState {
            device: who.device.clone(),
            cursor: device.cursor,
            registered_at: device.registered_at,
        };
        devices.into_iter().map(state).collect()
    }

    pub(crate) fn depth(&self, who: &Principal) -> Depth {
        let mut depth = Depth::default();
        let cursor = self.devices.get(who).map_or(InboxSeq::ZERO, |device| device.cursor);
        for entry in self.entries_after(who.user, cursor) {
            if entry.origin.as_ref() != Some(&who.device) && !self.is_acknowledged(who, entry) {
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

/// The space left on a page (clause 16), in items and bytes. The first item always fits.
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
