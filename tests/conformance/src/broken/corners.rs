//! Defects that show in a corner case of one clause only.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use dm_core::store::{
    AckTarget, Acknowledge, Action, Answer, ClientMessageId, Expect, ForgetDevice, InboxPage, InboxQuery,
    InboxSeq, MemoryStore, Outcome, OwnEntries, Principal, Refusal, Store, StoreError, UserId, Write,
};
use tokio::task::yield_now;

use super::defect::{Defect, defects};
use super::deliveries::renumber;

defects! {
    "durable": "every second commit is answered before it is synced" => SyncsLate,
    "acknowledging": "the head is checked before the device" => HeadFirst,
    "expiry": "an expired entry that is named is unknown" => ExpiredUnknown,
    "expiry": "an expired entry that is named moves the cursor" => ExpiredMoves,
    "never_reused": "numbers restart for a user without entries and devices" => NumbersAnew,
    "devices": "forgetting a device forgets those that have its name as a prefix" => ForgetsAlike,
    "idempotent": "the conditions are part of the content" => ConditionsAreContent,
    "devices": "a device starts at zero in an inbox with only expired entries" => StartsAtZero,
    "expiry": "a limit of zero entries is taken for one" => ExpiresOne,
    "consistent": "devices and depth are read in the middle of a batch" => ReadsDevicesEarly,
}

#[derive(Default)]
struct SyncsLate(AtomicU64);

#[async_trait]
impl Defect for SyncsLate {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        store.commit(batch).await
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.0.load(Ordering::SeqCst) / 2)
    }
}

/// The user's newest entry, and the newest entry that expired.
pub(super) async fn extent(store: &MemoryStore, user: UserId) -> Result<(InboxSeq, InboxSeq), StoreError> {
    let (own, limit, max_bytes) = (OwnEntries::Include, 1, 1);
    let query = InboxQuery { who: user.into(), after: InboxSeq::ZERO, own, limit, max_bytes };
    let page = store.inbox(query).await?;
    Ok((page.head, page.floor))
}

#[derive(Default)]
struct HeadFirst;

#[async_trait]
impl Defect for HeadFirst {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = store.commit(batch.clone()).await?;
        for (write, outcome) in batch.iter().zip(&mut outcomes) {
            if let Action::Acknowledge(Acknowledge { who, target }) = &write.action
                && matches!(outcome, Outcome::Refused(Refusal::UnknownDevice))
            {
                let (head, _) = extent(store, who.user).await?;
                let beyond = match target {
                    AckTarget::UpTo(seq) => *seq > head,
                    AckTarget::Entries(seqs) => seqs.iter().any(|seq| *seq > head),
                    AckTarget::Messages(_) => false,
                };
                if beyond {
                    *outcome = Outcome::Refused(Refusal::BeyondHead { head });
                }
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct ExpiredUnknown;

#[async_trait]
impl Defect for ExpiredUnknown {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = store.commit(batch.clone()).await?;
        for (write, outcome) in batch.iter().zip(&mut outcomes) {
            if let (Action::Acknowledge(write), Outcome::Done(done)) = (&write.action, outcome)
                && let Answer::Acknowledged(done) = &mut done.answer
                && let AckTarget::Entries(seqs) = &write.target
            {
                let (_, floor) = extent(store, write.who.user).await?;
                let gone = seqs.iter().filter(|seq| **seq > InboxSeq::ZERO && **seq <= floor).count() as u64;
                (done.acknowledged, done.unknown) = (done.acknowledged - gone, done.unknown + gone);
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct ExpiredMoves;

#[async_trait]
impl Defect for ExpiredMoves {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = store.commit(batch.clone()).await?;
        for write in batch {
            if let Action::Acknowledge(Acknowledge { who, target: AckTarget::Entries(seqs) }) = write.action {
                let (_, floor) = extent(store, who.user).await?;
                if let Some(newest) = seqs.into_iter().filter(|seq| *seq <= floor).max() {
                    let target = AckTarget::UpTo(newest);
                    store.commit(vec![Acknowledge { who, target }.into()]).await?;
                }
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct NumbersAnew(Mutex<HashMap<UserId, u64>>);

#[async_trait]
impl Defect for NumbersAnew {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = store.commit(batch.clone()).await?;
        for write in &batch {
            if let Action::ForgetDevice(ForgetDevice { who }) = &write.action {
                let (head, floor) = extent(store, who.user).await?;
                if head == floor && store.devices(who.user).await?.is_empty() {
                    self.0.lock().unwrap().insert(who.user, head.get());
                }
            }
        }
        Ok(outcomes)
    }

    fn inbox_page(&self, query: &InboxQuery, page: &mut InboxPage) {
        if let Some(gone) = self.0.lock().unwrap().get(&query.who.user) {
            renumber(page, |seq| seq.saturating_sub(*gone));
        }
    }
}

#[derive(Default)]
struct ForgetsAlike;

#[async_trait]
impl Defect for ForgetsAlike {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = store.commit(batch.clone()).await?;
        for write in batch {
            let Action::ForgetDevice(ForgetDevice { who }) = write.action else { continue };
            for other in store.devices(who.user).await? {
                if other.device.as_str().starts_with(who.device.as_str()) {
                    let who = Principal::new(who.user, other.device);
                    store.commit(vec![ForgetDevice { who }.into()]).await?;
                }
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct ConditionsAreContent(Mutex<HashMap<(UserId, ClientMessageId), Vec<Expect>>>);

impl Defect for ConditionsAreContent {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        let Action::AppendMessage(append) = &write.action else { return };
        let Some(id) = append.client_id else { return };
        let mut first = self.0.lock().unwrap();
        let named = first.entry((append.sender.user, id)).or_insert_with(|| write.expects.clone());
        if *named != write.expects {
            *outcome = Outcome::Refused(Refusal::ClientIdReused);
        }
    }
}

#[derive(Default)]
struct StartsAtZero;

#[async_trait]
impl Defect for StartsAtZero {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = store.commit(batch.clone()).await?;
        for (write, outcome) in batch.iter().zip(&mut outcomes) {
            if let (Action::RegisterDevice(write), Outcome::Done(done)) = (&write.action, outcome)
                && let Answer::DeviceRegistered(device) = &mut done.answer
            {
                let (head, floor) = extent(store, write.who.user).await?;
                if head == floor {
                    device.cursor = InboxSeq::ZERO;
                }
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct ExpiresOne;

impl Defect for ExpiresOne {
    fn write(&self, write: &mut Write) {
        if let Action::Expire(write) = &mut write.action {
            write.limit = write.limit.max(1);
        }
    }
}

/// Applies its writes to the tables of devices one by one. After each it waits, up to a limit,
/// until a reader has read.
#[derive(Default)]
struct ReadsDevicesEarly {
    devices: MemoryStore,
    looks: AtomicU64,
}

impl ReadsDevicesEarly {
    async fn wait_for_a_look(&self) {
        let before = self.looks.load(Ordering::SeqCst);
        for _ in 0..100 {
            if self.looks.load(Ordering::SeqCst) != before {
                return;
            }
            // Lets other threads run, also if all cores are busy, and other tasks.
            std::thread::yield_now();
            yield_now().await;
        }
    }
}

#[async_trait]
impl Defect for ReadsDevicesEarly {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        for write in &batch {
            self.devices.commit(vec![write.clone()]).await?;
            if matches!(write.action, Action::ForgetDevice(_) | Action::Acknowledge(_)) {
                self.wait_for_a_look().await;
            }
        }
        store.commit(batch).await
    }

    fn read_devices<'a>(&'a self, _store: &'a MemoryStore) -> &'a MemoryStore {
        self.looks.fetch_add(1, Ordering::SeqCst);
        &self.devices
    }
}
