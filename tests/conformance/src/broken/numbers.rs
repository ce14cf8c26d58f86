//! Defects of counts, sender numbers, revisions and registrations.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dm_core::store::{
    Action, Answer, Change, ConversationState, DeviceState, Done, Event, HistoryPage, InboxPage, InboxQuery,
    ListedConversation, MemoryStore, Message, Outcome, Owner, Put, Registration, Revision, Scan, ScanPage,
    ScanQuery, SenderSequence, SideCounts, Store as _, StoreError, UserId, Write,
};

use super::defect::{Defect, defects};
use super::one_write::{commit, record, single_writes};

defects! {
    "counts": "only payloads count" => PayloadsOnly,
    "counts": "who sends has seen nothing" => SeesNothing,
    "counts": "the two sides have each other's counts" => OtherSides,
    "counts": "the counts of a listed conversation are those of an empty one" => NotListed,
    "dense": "the number of a sender is that of the conversation" => OneNumber,
    "dense": "registrations are numbered from zero" => FromZero,
    "dense": "a record that is not raised takes a revision" => RaiseTakesOne,
    "never_reused": "registrations begin anew without devices" => RegistersAnew,
    "never_reused": "revisions begin anew without synced records" => RevisesAnew,
    "visible_in_order": "a revision is seen before the one below it" => RevisionEarly,
    "visible_in_order": "the newest revision is that of the newest record" => NewestRecord,
    "revisions": "the records since a revision are those from it on" => SinceInclusive,
    "revisions": "the records since a revision are in the order of their keys" => ByKey,
    "revisions": "the floor of revisions is not kept" => NoRevisionFloor,
    "revisions": "removing an empty record raises the floor to the newest revision" => HighFloor,
    "revisions": "a write names the revision of one user" => OneUser,
    "revisions": "a write names the first revision that it took" => FirstRevision,
    "revisions": "each kind has revisions of its own" => ByKind,
    "revisions": "a record that is not synced takes a revision" => PlainTakesOne,
}

/// Changes the counts of both sides in every read.
macro_rules! changed_counts {
    ($($defect:ident: |$counts:ident| $change:expr;)*) => {$(
        #[derive(Default)]
        struct $defect;

        impl Defect for $defect {
            fn state(&self, state: &mut ConversationState) {
                let $counts = &mut state.counts;
                $change;
            }

            fn list_page(&self, page: &mut Vec<ListedConversation>) {
                page.iter_mut().for_each(|listed| self.state(&mut listed.state));
            }
        }
    )*};
}

changed_counts! {
    PayloadsOnly: |counts| for side in [&mut counts.a, &mut counts.b] {
        side.bytes = side.bytes.saturating_sub(24 * side.sent.get());
    };
    SeesNothing: |counts| for side in [&mut counts.a, &mut counts.b] {
        side.seen = SenderSequence::ZERO;
    };
    OtherSides: |counts| std::mem::swap(&mut counts.a, &mut counts.b);
}

#[derive(Default)]
struct NotListed;

impl Defect for NotListed {
    fn list_page(&self, page: &mut Vec<ListedConversation>) {
        for listed in page {
            (listed.state.counts.a, listed.state.counts.b) = (SideCounts::default(), SideCounts::default());
        }
    }
}

#[derive(Default)]
struct OneNumber;

fn one_number(message: &mut Arc<Message>) {
    let sender_sequence = SenderSequence::new(message.sequence.get());
    *message = Arc::new(Message { sender_sequence, ..(**message).clone() });
}

impl Defect for OneNumber {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(Done { answer: Answer::MessageAppended(appended), .. }) = outcome {
            one_number(&mut appended.message);
        }
    }

    fn history_page(&self, page: &mut HistoryPage) {
        page.messages.iter_mut().for_each(one_number);
    }

    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        for entry in &mut page.entries {
            if let Event::Message(message) = &mut entry.event {
                one_number(message);
            }
        }
    }
}

fn lower(registration: &mut Registration, base: u64) {
    *registration = Registration::new(registration.get().saturating_sub(base));
}

#[derive(Default)]
struct FromZero;

impl Defect for FromZero {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(Done { answer: Answer::DeviceRegistered(registered), .. }) = outcome {
            lower(&mut registered.registration, 1);
        }
    }

    fn devices(&self, _user: UserId, devices: &mut Vec<DeviceState>) {
        devices.iter_mut().for_each(|device| lower(&mut device.registration, 1));
    }
}

/// The registrations that were given before a user had no device.
#[derive(Default)]
struct RegistersAnew(Mutex<HashMap<UserId, u64>>);

#[async_trait]
impl Defect for RegistersAnew {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            let user = match &write.action {
                Action::ForgetDevice(write) => Some(write.who.user),
                Action::RegisterDevice(write) => Some(write.who.user),
                _ => None,
            };
            let Some(user) = user else {
                outcomes.push(commit(store, write).await?);
                continue;
            };
            let newest = store.devices(user).await?.last().map(|device| device.registration.get());
            let mut outcome = commit(store, write).await?;
            let is_empty = store.devices(user).await?.is_empty();
            let mut gone = self.0.lock().unwrap();
            if let Some(newest) = newest.filter(|_| is_empty) {
                gone.insert(user, newest);
            }
            if let Outcome::Done(Done { answer: Answer::DeviceRegistered(registered), .. }) = &mut outcome {
                lower(&mut registered.registration, gone.get(&user).copied().unwrap_or_default());
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn devices(&self, user: UserId, devices: &mut Vec<DeviceState>) {
        let base = self.0.lock().unwrap().get(&user).copied().unwrap_or_default();
        devices.iter_mut().for_each(|device| lower(&mut device.registration, base));
    }
}

/// The revisions that were given before a user had no synced record.
#[derive(Default)]
struct RevisesAnew(Mutex<HashMap<UserId, u64>>);

#[async_trait]
impl Defect for RevisesAnew {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            let mut outcome = commit(store, write).await?;
            if let Outcome::Done(done) = &mut outcome {
                for (user, revision) in &mut done.revisions {
                    let scan = Scan::Since { user: *user, revision: Revision::ZERO };
                    let page = store.scan(ScanQuery { scan, limit: 1, max_bytes: 1 }).await?;
                    let mut gone = self.0.lock().unwrap();
                    let base = gone.get(user).copied().unwrap_or_default();
                    *revision = Revision::new(revision.get().saturating_sub(base));
                    if page.records.is_empty() {
                        gone.insert(*user, page.revisions.head.get());
                    }
                }
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }
}

single_writes! {
    RaiseTakesOne: |store, write| {
        let mut write = write;
        for change in &mut write.changes {
            if let Change::Raise(put) = change
                && put.key.kind.is_synced()
                && let Some(old) = record(store, &put.key).await?
                && old.value >= put.value
            {
                *change = Change::Put(Put { value: old.value, due: old.due, ..put.clone() });
            }
        }
        commit(store, write).await?
    };
}

/// Changes the pages of records since a revision.
macro_rules! changed_scans {
    ($($defect:ident: |$page:ident| $change:expr;)*) => {$(
        #[derive(Default)]
        struct $defect;

        impl Defect for $defect {
            fn scan_page(&self, query: &ScanQuery, $page: &mut ScanPage) {
                if matches!(query.scan, Scan::Since { .. }) {
                    $change;
                }
            }
        }
    )*};
}

changed_scans! {
    NewestRecord: |page| if let Some(last) = page.records.last() {
        page.revisions.head = last.revision;
    } else {
        page.revisions.head = page.revisions.head.min(page.revisions.floor);
    };
    ByKey: |page| page.records.sort_by(|one, other| one.key.cmp(&other.key));
    NoRevisionFloor: |page| page.revisions.floor = Revision::ZERO;
    HighFloor: |page| if page.revisions.floor > Revision::ZERO {
        page.revisions.floor = page.revisions.head;
    };
}

/// Every third page lacks the last record but one.
#[derive(Default)]
struct RevisionEarly(AtomicUsize);

impl Defect for RevisionEarly {
    fn scan_page(&self, _query: &ScanQuery, page: &mut ScanPage) {
        if self.0.fetch_add(1, Ordering::SeqCst) % 3 == 2 && page.records.len() > 1 {
            page.records.remove(page.records.len() - 2);
        }
    }
}

#[derive(Default)]
struct SinceInclusive;

impl Defect for SinceInclusive {
    fn scan_query(&self, query: &mut ScanQuery) {
        if let Scan::Since { revision, .. } = &mut query.scan {
            *revision = Revision::new(revision.get().saturating_sub(1));
        }
    }
}

#[derive(Default)]
struct OneUser;

impl Defect for OneUser {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(done) = outcome {
            done.revisions.truncate(1);
        }
    }
}

#[derive(Default)]
struct FirstRevision;

impl Defect for FirstRevision {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        let Outcome::Done(done) = outcome else { return };
        for (user, revision) in &mut done.revisions {
            let is_own = |change: &&Change| matches!(change, Change::Put(put) if put.key.kind.is_synced() && put.key.owner == Owner::User(*user));
            let others = write.changes.iter().filter(is_own).count().saturating_sub(1) as u64;
            *revision = Revision::new(revision.get() - others);
        }
    }
}

#[derive(Default)]
struct PlainTakesOne;

impl Defect for PlainTakesOne {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(done) = outcome
            && done.revisions.is_empty()
            && let Some(Change::Put(Put { key, .. })) = write.changes.first()
            && let Owner::User(user) = key.owner
        {
            done.revisions.push((user, Revision::new(1)));
        }
    }
}

/// The answers count the records of one kind.
#[derive(Default)]
struct ByKind(Mutex<HashMap<(Owner, u16), u64>>);

impl Defect for ByKind {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let ([Change::Put(put)], Outcome::Done(done)) = (write.changes.as_slice(), outcome)
            && let [(_, revision)] = done.revisions.as_mut_slice()
        {
            let mut numbers = self.0.lock().unwrap();
            let number = numbers.entry((put.key.owner, put.key.kind.get())).or_default();
            *number += 1;
            *revision = Revision::new(*number);
        }
    }
}
