//! Defects of reads: numbers, entries, messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use dm_core::store::{
    Action, Ciphertext, HistoryPage, HistoryQuery, InboxPage, InboxQuery, InboxSeq, MemoryStore, Message,
    Store, StoreError, Write,
};

use super::defect::{Defect, defects};

defects! {
    "dense": "the numbers of an inbox have a hole" => Hole,
    "never_reused": "numbers start again after expiry" => StartsAgain,
    "visible_in_order": "an entry is seen before the one below it" => OutOfOrder,
    "three_rows": "every second message is not in the recipient's inbox" => LosesSecond,
    "three_rows": "a sent message does not say which device sent it" => NoOrigin,
    "expiry": "messages expire with their entries" => DeletesMessages,
    "expiry": "entries expire from the middle of an inbox" => NoPrefix,
    "expiry": "the newest expired number is not remembered" => NoFloor,
    "foreign": "every user may read every conversation" => Open,
    "durable": "a message loses its suite" => NoSuite,
}

pub(super) fn renumber(page: &mut InboxPage, number: impl Fn(u64) -> u64) {
    let seqs = page.entries.iter_mut().map(|entry| &mut entry.seq);
    for seq in seqs.chain([&mut page.through, &mut page.head]) {
        *seq = InboxSeq::new(number(seq.get()));
    }
}

#[derive(Default)]
struct Hole;

impl Defect for Hole {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        renumber(page, |seq| if seq > 3 { seq + 1 } else { seq });
    }
}

#[derive(Default)]
struct StartsAgain;

impl Defect for StartsAgain {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        let floor = page.floor.get();
        renumber(page, |seq| seq.saturating_sub(floor));
    }
}

/// Every third read lacks the last entry or message but one.
#[derive(Default)]
struct OutOfOrder(AtomicUsize);

impl OutOfOrder {
    fn disorder<T>(&self, page: &mut Vec<T>) {
        if self.0.fetch_add(1, Ordering::SeqCst) % 3 == 2 && page.len() > 1 {
            page.remove(page.len() - 2);
        }
    }
}

impl Defect for OutOfOrder {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        self.disorder(&mut page.entries);
    }

    fn history_page(&self, page: &mut HistoryPage) {
        self.disorder(&mut page.messages);
    }
}

#[derive(Default)]
struct LosesSecond;

impl Defect for LosesSecond {
    fn inbox_page(&self, query: &InboxQuery, page: &mut InboxPage) {
        page.entries.retain(|entry| {
            entry.message().is_none_or(|message| {
                message.sender == query.who.user || !message.sequence.get().is_multiple_of(2)
            })
        });
    }
}

#[derive(Default)]
struct NoOrigin;

impl Defect for NoOrigin {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        for entry in page.entries.iter_mut().filter(|entry| entry.message().is_some()) {
            entry.origin = None;
        }
    }
}

/// Notes the latest time before which entries expired.
fn expired_before(latest: &AtomicU64, write: &Write) {
    if let Action::Expire(write) = &write.action {
        latest.fetch_max(write.before.as_millis(), Ordering::SeqCst);
    }
}

#[derive(Default)]
struct DeletesMessages(AtomicU64);

impl Defect for DeletesMessages {
    fn write(&self, write: &mut Write) {
        expired_before(&self.0, write);
    }

    fn history_page(&self, page: &mut HistoryPage) {
        let before = self.0.load(Ordering::SeqCst);
        page.messages.retain(|message| message.received_at.as_millis() >= before);
    }
}

#[derive(Default)]
struct NoPrefix(AtomicU64);

impl Defect for NoPrefix {
    fn write(&self, write: &mut Write) {
        expired_before(&self.0, write);
    }

    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        let before = self.0.load(Ordering::SeqCst);
        page.entries.retain(|entry| entry.at.as_millis() >= before);
    }
}

#[derive(Default)]
struct NoFloor;

impl Defect for NoFloor {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        page.floor = InboxSeq::ZERO;
    }
}

#[derive(Default)]
struct Open;

#[async_trait]
impl Defect for Open {
    async fn history(
        &self,
        store: &MemoryStore,
        mut query: HistoryQuery,
    ) -> Result<Option<HistoryPage>, StoreError> {
        if let Some(state) = store.conversation(query.conversation).await? {
            query.reader = state.conversation.participants.a();
        }
        store.history(query).await
    }
}

#[derive(Default)]
struct NoSuite;

impl Defect for NoSuite {
    fn history_page(&self, page: &mut HistoryPage) {
        for message in &mut page.messages {
            let Message { ciphertext, .. } = Arc::make_mut(message);
            let (payload, ephemeral) = (ciphertext.payload().clone(), ciphertext.ephemeral().copied());
            let ephemeral = ephemeral.as_ref().map(<[u8; 32]>::as_slice);
            *ciphertext = Ciphertext::new(payload, ciphertext.nonce(), ephemeral, None).unwrap();
        }
    }
}
