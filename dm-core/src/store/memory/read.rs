//! Reads of the store in memory. Each method of [`State`] does the same as the method with its name
//! in [`Store`](crate::store::Store).

use std::cmp::Reverse;
use std::ops::Bound;
use std::sync::Arc;

use super::{ConversationLog, State, UserState};
use crate::conversation::ConversationState;
use crate::device::{DeviceId, Principal};
use crate::ids::ConversationId;
use crate::inbox::{Event, InboxEntry};
use crate::numbers::{InboxSeq, ServerSequence};
use crate::store::read::{
    ConversationOrder, ConversationsQuery, Depth, DeviceState, HistoryPage, HistoryQuery, HistoryRange,
    InboxPage, InboxQuery, ListedConversation,
};
use crate::user::UserId;

impl ConversationLog {
    /// The conversation with the number and time of its newest message.
    pub(super) fn state(&self) -> ConversationState {
        ConversationState {
            conversation: self.conversation,
            head: ServerSequence::new(self.messages.len() as u64),
            last_activity: self.messages.last().map(|message| message.received_at),
            counts: self.counts,
        }
    }
}

impl UserState {
    /// The entries with higher numbers than `after`, oldest first.
    pub(super) fn entries_after(&self, after: InboxSeq) -> impl Iterator<Item = &InboxEntry> {
        let skip = after.get().saturating_sub(self.floor);
        self.entries.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    /// Whether a device acknowledged a single entry above its cursor.
    fn is_acknowledged(&self, device: &DeviceId, seq: InboxSeq) -> bool {
        self.devices.get(device).is_some_and(|device| device.acknowledged.contains(&seq))
    }
}

impl State {
    /// A page of a user's conversations, with the records that the query names.
    pub(super) fn conversations_of(&self, query: &ConversationsQuery) -> Vec<ListedConversation> {
        let Some(user) = self.users.get(&query.user) else { return Vec::new() };
        let states = |ids: &mut dyn Iterator<Item = &ConversationId>| -> Vec<ConversationState> {
            ids.filter_map(|id| self.conversations.get(id)).map(ConversationLog::state).collect()
        };
        let mut list = match query.order {
            ConversationOrder::Opened { after } => {
                let after = after.map_or(Bound::Unbounded, Bound::Excluded);
                states(&mut user.conversations.range((after, Bound::Unbounded)).take(query.limit))
            }
            ConversationOrder::Active { after } => {
                let mut list = states(&mut user.conversations.iter());
                list.retain(|state| after.is_none_or(|cursor| cursor.precedes(state)));
                list.sort_unstable_by_key(|state| Reverse((state.last_activity, state.conversation.id)));
                list
            }
        };
        list.truncate(query.limit);
        list.into_iter()
            .map(|state| ListedConversation {
                state,
                records: self.records_about(query.user, state.conversation.id, &query.kinds),
            })
            .collect()
    }

    pub(super) fn history(&self, query: &HistoryQuery) -> Option<HistoryPage> {
        let log = self.conversations.get(&query.conversation)?;
        log.conversation.participants.side(query.reader)?;
        let index = |sequence: ServerSequence| {
            usize::try_from(sequence.get()).unwrap_or(usize::MAX).min(log.messages.len())
        };
        let (older, newer) = match query.range {
            HistoryRange::Newest => (log.messages.as_slice(), [].as_slice()),
            HistoryRange::Before(sequence) => (
                log.messages.split_at(index(ServerSequence::new(sequence.get().saturating_sub(1)))).0,
                [].as_slice(),
            ),
            HistoryRange::After(sequence) => ([].as_slice(), log.messages.split_at(index(sequence)).1),
        };
        let mut page = HistoryPage::default();
        let mut bytes = 0;
        for message in older.iter().rev().chain(newer) {
            bytes += message.cost();
            let is_full = page.messages.len() == query.limit || bytes > query.max_bytes;
            if is_full && !page.messages.is_empty() {
                page.has_more = true;
                break;
            }
            page.messages.push(Arc::clone(message));
        }
        Some(page)
    }

    pub(super) fn inbox(&self, query: &InboxQuery) -> InboxPage {
        let Some(user) = self.users.get(&query.who.user) else {
            return InboxPage {
                entries: Vec::new(),
                through: InboxSeq::ZERO,
                head: InboxSeq::ZERO,
                floor: InboxSeq::ZERO,
                floor_proof: None,
            };
        };
        let mut page = InboxPage {
            entries: Vec::new(),
            through: user.head(),
            head: user.head(),
            floor: InboxSeq::new(user.floor),
            floor_proof: user.floor_proof,
        };
        let registration = user.devices.get(&query.who.device).map(|device| device.registration);
        let mut bytes = 0;
        for entry in user.entries_after(query.after) {
            if !query.shows(entry, registration) || user.is_acknowledged(&query.who.device, entry.seq) {
                continue;
            }
            bytes += entry.cost();
            let is_full = page.entries.len() == query.limit || bytes > query.max_bytes;
            if is_full && let Some(last) = page.entries.last() {
                page.through = last.seq;
                break;
            }
            page.entries.push(entry.clone());
        }
        page
    }

    pub(super) fn devices(&self, user: UserId) -> Vec<DeviceState> {
        let Some(user) = self.users.get(&user) else { return Vec::new() };
        let mut devices: Vec<_> = user
            .devices
            .iter()
            .map(|(id, device)| DeviceState {
                device: id.clone(),
                cursor: device.cursor,
                registered_at: device.registered_at,
                registration: device.registration,
            })
            .collect();
        devices.sort_unstable_by_key(|state| state.registration);
        devices
    }

    pub(super) fn depth(&self, who: &Principal) -> Depth {
        let mut depth = Depth::default();
        let Some(user) = self.users.get(&who.user) else { return depth };
        let device = user.devices.get(&who.device);
        let cursor = device.map_or(InboxSeq::ZERO, |device| device.cursor);
        let registration = device.map(|device| device.registration);
        for entry in user.entries_after(cursor) {
            let is_own = entry.origin.as_ref() == Some(&who.device);
            if is_own || !entry.is_for(registration) || user.is_acknowledged(&who.device, entry.seq) {
                continue;
            }
            match &entry.event {
                Event::Message(_) => depth.messages += 1,
                Event::Notice(_) => depth.notices += 1,
            }
        }
        depth
    }
}
