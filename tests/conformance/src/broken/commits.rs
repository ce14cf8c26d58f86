//! Defects of commits as a whole.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use dm_core::store::{
    Action, InboxPage, InboxQuery, InboxSeq, MemoryStore, Outcome, Refusal, Store, StoreError, UserId, Write,
};
use tokio::task::yield_now;

use super::defect::{Defect, defects};

defects! {
    "atomic": "a batch is applied write by write" => WriteByWrite,
    "atomic": "a batch is applied backwards" => Backwards,
    "durable": "everything is lost on reopening" => Forgets,
    "durable": "the last batch before a reopening is lost" => LosesTheLast,
    "consistent": "a commit is answered before it can be read" => AnswersEarly,
    "aligned": "outcomes come in another order" => Misaligned,
    "refusals": "a refused write stops the rest of its batch" => StopsAtRefusal,
    "refusals": "a refused message is stored" => StoresRefused,
    "refusals": "a write does not see those before it in its batch" => Blind,
    "unknown_actions": "an action of this version is refused as unknown" => Ignorant,
    "concurrent": "concurrent commits overwrite each other" => Overwrites,
}

#[derive(Default)]
struct WriteByWrite;

#[async_trait]
impl Defect for WriteByWrite {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        for write in batch {
            outcomes.extend(store.commit(vec![write]).await?);
            yield_now().await;
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct Backwards;

#[async_trait]
impl Defect for Backwards {
    async fn commit(&self, store: &MemoryStore, mut batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        batch.reverse();
        let mut outcomes = store.commit(batch).await?;
        outcomes.reverse();
        Ok(outcomes)
    }
}

#[derive(Default)]
struct Forgets;

#[async_trait]
impl Defect for Forgets {
    async fn open(&self, _store: &MemoryStore) -> MemoryStore {
        MemoryStore::new()
    }
}

#[derive(Default)]
struct LosesTheLast(Mutex<Vec<Vec<Write>>>);

#[async_trait]
impl Defect for LosesTheLast {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        self.0.lock().unwrap().push(batch.clone());
        store.commit(batch).await
    }

    async fn open(&self, _store: &MemoryStore) -> MemoryStore {
        self.0.lock().unwrap().pop();
        let (log, store) = (self.0.lock().unwrap().clone(), MemoryStore::new());
        for batch in log {
            store.commit(batch).await.unwrap();
        }
        store
    }
}

#[derive(Default)]
struct AnswersEarly {
    late: MemoryStore,
    waiting: Mutex<Vec<Write>>,
}

#[async_trait]
impl Defect for AnswersEarly {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let before = std::mem::replace(&mut *self.waiting.lock().unwrap(), batch.clone());
        self.late.commit(before).await?;
        store.commit(batch).await
    }

    fn read<'a>(&'a self, _store: &'a MemoryStore) -> &'a MemoryStore {
        &self.late
    }
}

#[derive(Default)]
struct Misaligned;

#[async_trait]
impl Defect for Misaligned {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = store.commit(batch).await?;
        outcomes.reverse();
        Ok(outcomes)
    }
}

#[derive(Default)]
struct StopsAtRefusal;

#[async_trait]
impl Defect for StopsAtRefusal {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let (writes, mut outcomes) = (batch.len(), Vec::new());
        for write in batch {
            outcomes.extend(store.commit(vec![write]).await?);
            if matches!(outcomes.last(), Some(Outcome::Refused(_))) {
                outcomes.resize(writes, Outcome::Refused(Refusal::NotFound));
                break;
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct StoresRefused;

#[async_trait]
impl Defect for StoresRefused {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = store.commit(batch.clone()).await?;
        for (write, outcome) in batch.into_iter().zip(&outcomes) {
            if matches!(outcome, Outcome::Refused(Refusal::Unmet { .. })) {
                store.commit(vec![Write { expects: Vec::new(), ..write }]).await?;
            }
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct Blind;

#[async_trait]
impl Defect for Blind {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let (mut outcomes, mut known) = (Vec::new(), Vec::new());
        for write in &batch {
            known.push(match &write.action {
                Action::AppendMessage(write) => store.conversation(write.conversation).await?.is_some(),
                _ => true,
            });
        }
        for (write, known) in batch.into_iter().zip(known) {
            outcomes.extend(if known {
                store.commit(vec![write]).await?
            } else {
                vec![Outcome::Refused(Refusal::NotFound)]
            });
        }
        Ok(outcomes)
    }
}

#[derive(Default)]
struct Ignorant;

impl Defect for Ignorant {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if matches!(write.action, Action::Expire(_)) {
            *outcome = Outcome::Refused(Refusal::Unsupported);
        }
    }
}

/// Two batches that began at the same time are numbered from the same head: one of them is lost.
#[derive(Default)]
struct Overwrites {
    running: AtomicUsize,
    lost: Mutex<HashSet<(UserId, InboxSeq)>>,
}

#[async_trait]
impl Defect for Overwrites {
    async fn commit(&self, store: &MemoryStore, batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        let others = self.running.fetch_add(1, Ordering::SeqCst);
        yield_now().await;
        let outcomes = store.commit(batch).await;
        if others > 0 {
            let appended = outcomes.clone()?.into_iter().flat_map(|outcome| match outcome {
                Outcome::Done(done) => done.appended,
                Outcome::Refused(_) => Vec::new(),
            });
            self.lost.lock().unwrap().extend(appended.map(|hint| (hint.user, hint.entry.seq)));
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        outcomes
    }

    fn inbox_page(&self, query: &InboxQuery, page: &mut InboxPage) {
        let lost = self.lost.lock().unwrap();
        page.entries.retain(|entry| !lost.contains(&(query.who.user, entry.seq)));
    }
}
