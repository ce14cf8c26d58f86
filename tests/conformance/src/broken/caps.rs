//! Defects that show with large numbers only: of writes, of items, of bytes.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use dm_core::store::{
    AckTarget, Action, Answer, AppendMessage, ClientMessageId, DeviceId, Done, HistoryPage, HistoryQuery,
    InboxPage, InboxQuery, ListedConversation, MemoryStore, Outcome, Principal, Store, StoreError, UserId,
    Write,
};
use tokio::task::yield_now;

use super::defect::{Defect, defects};

defects! {
    "atomic": "a batch of more than 200 writes is applied in parts" => Parts,
    "idempotent": "a client id is forgotten after 1,000 further sends" => ForgetsIds,
    "idempotent": "a client id is kept for a day, by a clock that wraps" => Wraps,
    "idempotent": "content is compared in its first 4 KiB" => ComparesPart,
    "acknowledging": "a device has at most 256 entries acknowledged one by one" => FewMarks,
    "acknowledging": "an acknowledgement names 256 messages at most" => FewNames,
    "devices": "a user has 256 devices at most" => FewDevices,
    "expiry": "a step removes at most 256 entries and says that it removed all" => RemovesFew,
    "pages": "a page of history ends after 256 messages and says that there are no more" => ShortHistory,
    "pages": "a page of an inbox skips the entries after the first 256" => ShortInbox,
    "pages": "a list ends after 256 conversations" => ShortList,
    "durable": "the origin of a message is cut after 63 characters" => CutsOrigin,
}

/// The limit of these stores, which few tests of a store would reach.
const CAP: usize = 256;

#[derive(Default)]
struct Parts;

#[async_trait]
impl Defect for Parts {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for part in batch.chunks(200) {
            outcomes.extend(store.commit(part.to_vec()).await?);
            yield_now().await;
        }
        Ok(outcomes)
    }
}

/// Removes the client id of a send, unless `forgotten` says that the send repeats an earlier one.
fn forget_id(write: &mut Write, forgotten: impl FnOnce(&mut AppendMessage, UserId, ClientMessageId) -> bool) {
    if let Action::AppendMessage(write) = &mut write.action
        && let Some(id) = write.client_id
        && forgotten(write, write.sender.user, id)
    {
        write.client_id = None;
    }
}

#[derive(Default)]
struct ForgetsIds(Mutex<Vec<(UserId, ClientMessageId)>>);

impl Defect for ForgetsIds {
    fn write(&self, write: &mut Write) {
        let mut sends = self.0.lock().unwrap();
        forget_id(write, |_, user, id| match sends.iter().position(|sent| *sent == (user, id)) {
            Some(index) => sends.len() - index > 1_000,
            None => {
                sends.push((user, id));
                false
            }
        });
    }
}

#[derive(Default)]
struct Wraps(Mutex<Vec<(UserId, ClientMessageId)>>);

impl Defect for Wraps {
    fn write(&self, write: &mut Write) {
        let mut sends = self.0.lock().unwrap();
        forget_id(write, |write, user, id| {
            let known = sends.contains(&(user, id));
            sends.push((user, id));
            known && write.at.as_millis().checked_add(86_400_000).is_none()
        });
    }
}

#[derive(Default)]
struct ComparesPart(Mutex<Vec<AppendMessage>>);

impl Defect for ComparesPart {
    fn write(&self, write: &mut Write) {
        let Action::AppendMessage(new) = &mut write.action else { return };
        let mut seen = self.0.lock().unwrap();
        let start = |write: &AppendMessage| write.ciphertext.payload().get(..4_096).map(<[u8]>::to_vec);
        let same = |old: &&AppendMessage| {
            (old.client_id, old.sender.user) == (new.client_id, new.sender.user)
                && start(old).is_some_and(|old| Some(old) == start(new))
        };
        match seen.iter().find(same) {
            Some(old) => *new = old.clone(),
            None => seen.push(new.clone()),
        }
    }
}

#[derive(Default)]
struct FewMarks(Mutex<HashMap<Principal, usize>>);

impl Defect for FewMarks {
    fn write(&self, write: &mut Write) {
        if let Action::Acknowledge(write) = &mut write.action
            && let AckTarget::Entries(seqs) = &mut write.target
        {
            let mut marks = self.0.lock().unwrap();
            let marks = marks.entry(write.who.clone()).or_default();
            seqs.truncate(CAP.saturating_sub(*marks));
            *marks += seqs.len();
        }
    }
}

#[derive(Default)]
struct FewNames;

impl Defect for FewNames {
    fn write(&self, write: &mut Write) {
        if let Action::Acknowledge(write) = &mut write.action
            && let AckTarget::Messages(ids) = &mut write.target
        {
            ids.truncate(CAP);
        }
    }
}

#[derive(Default)]
struct FewDevices;

impl Defect for FewDevices {
    fn write(&self, write: &mut Write) {
        if let Action::RegisterDevice(write) = &mut write.action {
            write.limit = write.limit.min(CAP);
        }
    }
}

#[derive(Default)]
struct RemovesFew;

impl Defect for RemovesFew {
    fn write(&self, write: &mut Write) {
        if let Action::Expire(write) = &mut write.action {
            write.limit = write.limit.min(CAP);
        }
    }

    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(Done { answer: Answer::Expired { entries, more }, .. }) = outcome {
            *more &= *entries < CAP;
        }
    }
}

#[derive(Default)]
struct ShortHistory;

impl Defect for ShortHistory {
    fn history_query(&self, query: &mut HistoryQuery) {
        query.limit = query.limit.min(CAP);
    }

    fn history_page(&self, page: &mut HistoryPage) {
        page.has_more &= page.messages.len() < CAP;
    }
}

#[derive(Default)]
struct ShortInbox;

impl Defect for ShortInbox {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        page.entries.truncate(CAP);
    }
}

#[derive(Default)]
struct ShortList;

impl Defect for ShortList {
    fn list_page(&self, page: &mut Vec<ListedConversation>) {
        page.truncate(CAP);
    }
}

#[derive(Default)]
struct CutsOrigin;

impl Defect for CutsOrigin {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        for entry in page.entries.iter_mut().filter(|entry| entry.message().is_some()) {
            let cut = |origin: DeviceId| {
                let name: String = origin.as_str().chars().take(63).collect();
                name.parse().unwrap()
            };
            entry.origin = entry.origin.take().map(cut);
        }
    }
}
