//! A wrong store fails the model test with a short script, and fails that script again.

use async_trait::async_trait;
use dm_conformance::Harness;
use dm_conformance::model::{Script, Search, Step, play, search};
use dm_core::store::*;

/// A wrong store: it acknowledges all entries up to the newest named one. For most clients that
/// makes no difference.
struct Cumulative(MemoryStore);

#[async_trait]
impl Store for Cumulative {
    async fn commit(&self, mut batch: Vec<Write>) -> Result<Vec<Outcome>, StoreError> {
        for write in &mut batch {
            if let Action::Acknowledge(ack) = &mut write.action
                && let AckTarget::Entries(seqs) = &ack.target
                && let Some(newest) = seqs.iter().max()
            {
                ack.target = AckTarget::UpTo(*newest);
            }
        }
        self.0.commit(batch).await
    }

    async fn records(&self, keys: Vec<RecordKey>) -> Result<Vec<Option<Record>>, StoreError> {
        self.0.records(keys).await
    }

    async fn scan(&self, query: ScanQuery) -> Result<ScanPage, StoreError> {
        self.0.scan(query).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationState>, StoreError> {
        self.0.conversation(id).await
    }

    async fn conversations(&self, query: ConversationsQuery) -> Result<Vec<ListedConversation>, StoreError> {
        self.0.conversations(query).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Option<HistoryPage>, StoreError> {
        self.0.history(query).await
    }

    async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, StoreError> {
        self.0.inbox(query).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<DeviceState>, StoreError> {
        self.0.devices(user).await
    }

    async fn depth(&self, who: Principal) -> Result<Depth, StoreError> {
        self.0.depth(who).await
    }
}

struct Wrong(MemoryStore);

impl Harness for Wrong {
    type Store = Cumulative;

    async fn fresh() -> Self {
        Self(MemoryStore::new())
    }

    async fn open(&self) -> Result<Cumulative, StoreError> {
        Ok(Cumulative(self.0.clone()))
    }
}

#[test]
fn a_wrong_store_is_found_out_by_a_short_script_that_fails_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = search::<Wrong>(runtime.handle(), Search { cases: 256, seed: 7 }).unwrap_err();

    let printed = found.to_string();
    let (_, script) = printed.split_once("DM_REPLAY='").unwrap();
    let script: Script = script.trim_end().trim_end_matches('\'').parse().unwrap();
    assert_eq!(script, found.script);
    let ops: usize =
        script.0.iter().map(|step| if let Step::Batch { ops, .. } = step { ops.len() } else { 1 }).sum();
    assert!(ops <= 8, "not short:\n{script}");
    assert_eq!(runtime.block_on(play::<Wrong>(&script)), Err(found.difference));
}

#[test]
fn the_same_seed_finds_the_same_script() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = || search::<Wrong>(runtime.handle(), Search { cases: 256, seed: 11 }).unwrap_err().script;
    assert_eq!(found(), found());
}
