//! The model of reads.

use std::sync::Arc;

use dm_core::store::{
    ConversationId, ConversationOrder, ConversationState, ConversationsQuery, Counts, Depth, DeviceState,
    Event, HistoryPage, HistoryQuery, HistoryRange, InboxEntry, InboxPage, InboxQuery, InboxSeq,
    ListedConversation, Message, Name, OwnEntries, Owner, Principal, RecordKey, SenderSequence,
    ServerSequence, SideCounts, UserId,
};

use super::state::{ConversationLog, Device, Model, UserState};

impl ConversationLog {
    pub(super) fn state(&self) -> ConversationState {
        ConversationState {
            conversation: self.conversation,
            head: ServerSequence::new(self.sent.len() as u64),
            last_activity: self.sent.last().map(|sent| sent.message.received_at),
            counts: Counts {
                a: self.side(self.conversation.participants.a()),
                b: self.side(self.conversation.participants.b()),
            },
        }
    }

    /// What a participant sent and had seen at the last own message, counted message by message.
    fn side(&self, user: UserId) -> SideCounts {
        let mut side = SideCounts::default();
        let mut of_peer = 0;
        for message in self.sent.iter().map(|sent| &sent.message) {
            if message.sender == user {
                side.sent = side.sent.next();
                side.bytes += message.ciphertext.len() as u64;
                side.seen = SenderSequence::new(of_peer);
            } else {
                of_peer += 1;
            }
        }
        side
    }
}

impl UserState {
    /// The entries after a number that a device is shown.
    fn shown<'a>(
        &'a self,
        device: &'a dm_core::DeviceId,
        after: u64,
        own: OwnEntries,
    ) -> impl Iterator<Item = &'a InboxEntry> {
        let marked = |seq| self.device(device).is_some_and(|device| device.marks.contains(&seq));
        self.entries.values().filter(move |entry| {
            let shown = match own {
                OwnEntries::Skip => entry.origin.as_ref() != Some(device),
                OwnEntries::Include => true,
                OwnEntries::ReceivedOnly => entry.origin.is_none() && entry.message().is_some(),
            };
            let registration = self.device(device).map(|device| device.registration);
            let is_addressed = entry.addressee.is_none() || entry.addressee == registration;
            entry.seq.get() > after && shown && is_addressed && !marked(entry.seq.get())
        })
    }
}

impl Model {
    pub(super) fn conversation(&self, id: ConversationId) -> Option<ConversationState> {
        self.conversations.get(&id).map(ConversationLog::state)
    }

    pub(super) fn list(&self, query: &ConversationsQuery) -> Vec<ListedConversation> {
        let of_user = |state: &ConversationState| state.conversation.participants.side(query.user).is_some();
        // By id, because the conversations are in a sorted map.
        let mut list: Vec<_> =
            self.conversations.values().map(ConversationLog::state).filter(of_user).collect();
        match query.order {
            ConversationOrder::Active { after } => {
                let sort_key = |state: &ConversationState| (state.last_activity, state.conversation.id);
                list.sort_by_key(sort_key);
                list.reverse();
                list.retain(|state| {
                    after.is_none_or(|after| sort_key(state) < (after.last_activity, after.id))
                });
            }
            ConversationOrder::Opened { after } => {
                list.retain(|state| after.is_none_or(|after| state.conversation.id > after));
            }
        }
        list.truncate(query.limit);
        let about = |state: &ConversationState| {
            let name = Name::from(state.conversation.id);
            let key = |kind| RecordKey::new(Owner::User(query.user), kind, name.clone());
            query.kinds.iter().filter_map(|kind| self.record(&key(*kind))).collect()
        };
        list.into_iter().map(|state| ListedConversation { records: about(&state), state }).collect()
    }

    pub(super) fn history(&self, query: &HistoryQuery) -> Option<HistoryPage> {
        let log = self.conversations.get(&query.conversation)?;
        log.conversation.participants.side(query.reader)?;
        let messages = log.sent.iter().map(|sent| &sent.message);
        let matching: Vec<&Arc<Message>> = match query.range {
            HistoryRange::Newest => messages.rev().collect(),
            HistoryRange::Before(bound) => {
                messages.filter(|message| message.sequence < bound).rev().collect()
            }
            HistoryRange::After(bound) => messages.filter(|message| message.sequence > bound).collect(),
        };
        let fits = fitting(matching.iter().map(|message| message.cost()), query.limit, query.max_bytes);
        Some(HistoryPage {
            messages: matching[..fits].iter().copied().cloned().collect(),
            has_more: fits < matching.len(),
        })
    }

    /// Whether a page of an inbox is allowed.
    ///
    /// Its entries are fixed. Where entries are left out, the store chooses how far the page goes.
    pub(super) fn inbox(&self, query: &InboxQuery, page: &InboxPage) -> Result<(), String> {
        let nobody = UserState::default();
        let person = self.users.get(&query.who.user).unwrap_or(&nobody);
        let (head, floor) = (person.head, person.floor());
        if (page.head.get(), page.floor.get()) != (head, floor) {
            return Err(format!(
                "head and floor are {} and {}, expected {head} and {floor}",
                page.head, page.floor
            ));
        }
        if page.floor_proof != person.floor_proof {
            return Err(format!("the proof of the floor should be {:?}", person.floor_proof));
        }
        let after = query.after.get().min(head);
        let shown: Vec<_> = person.shown(&query.who.device, after, query.own).collect();
        let fits = fitting(shown.iter().map(|entry| entry.cost()), query.limit, query.max_bytes);
        let count = page.entries.len();
        if count > fits || !page.entries.iter().zip(&shown).all(|(found, expected)| found == *expected) {
            return Err(format!("expected at most {fits} of the first entries of {:?}", shown));
        }
        let last = page.entries.last().map_or(after, |entry| entry.seq.get());
        let through = page.through.get();
        let next = shown.get(count).map_or(head + 1, |entry| entry.seq.get());
        if through < last || through >= next {
            return Err(format!("the page goes through {through}, expected {last} to {}", next - 1));
        }
        let early = if count == fits && fits < shown.len() { false } else { through < head };
        let left_out = (through - after).saturating_sub(count as u64) > 0;
        if early && !left_out {
            return Err(format!("the page ends at {through} without a reason, expected {shown:?}"));
        }
        Ok(())
    }

    pub(super) fn devices(&self, user: UserId) -> Vec<DeviceState> {
        let state = |device: &Device| DeviceState {
            device: device.name.clone(),
            cursor: InboxSeq::new(device.cursor),
            registered_at: device.registered_at,
            registration: device.registration,
        };
        self.users.get(&user).map(|person| person.devices.iter().map(state).collect()).unwrap_or_default()
    }

    pub(super) fn depth(&self, who: &Principal) -> Depth {
        let mut depth = Depth::default();
        let Some(person) = self.users.get(&who.user) else { return depth };
        let cursor = person.device(&who.device).map_or(0, |device| device.cursor);
        for entry in person.shown(&who.device, cursor, OwnEntries::Skip) {
            match entry.event {
                Event::Message(_) => depth.messages += 1,
                Event::Notice(_) => depth.notices += 1,
            }
        }
        depth
    }
}

/// The number of items with these costs that fit on a page: at least one.
pub(super) fn fitting(costs: impl Iterator<Item = usize>, limit: usize, max_bytes: usize) -> usize {
    let totals = costs.scan(0_usize, |total, cost| {
        *total += cost;
        Some(*total)
    });
    totals
        .enumerate()
        .take_while(|(before, total)| *before == 0 || (*before < limit && *total <= max_bytes))
        .count()
}
