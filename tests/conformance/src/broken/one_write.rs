//! Shorthands for defects of writes, and what several of them look up.

use dm_core::store::{
    Action, MemoryStore, Outcome, Owner, Party, Prefix, Record, RecordKey, Scan, ScanQuery, Store as _,
    StoreError, Write,
};

/// Makes stores that change each write before it is applied.
macro_rules! changed_writes {
    ($($defect:ident: |$write:ident| $change:expr;)*) => {$(
        #[derive(Default)]
        struct $defect;

        impl Defect for $defect {
            fn write(&self, $write: &mut Write) {
                $change;
            }
        }
    )*};
}
pub(super) use changed_writes;

/// Makes stores that apply the writes of a batch one by one, each in a way of its own.
macro_rules! single_writes {
    ($($defect:ident: |$store:ident, $write:ident| $outcome:expr;)*) => {$(
        #[derive(Default)]
        struct $defect;

        #[async_trait]
        impl Defect for $defect {
            async fn commit(
                &self,
                $store: &MemoryStore,
                batch: Vec<Write>,
            ) -> Result<Vec<Outcome>, StoreError> {
                let mut outcomes = Vec::new();
                for $write in batch {
                    outcomes.push($outcome);
                }
                Ok(outcomes)
            }
        }
    )*};
}
pub(super) use single_writes;

/// Commits one write.
pub(super) async fn commit(store: &MemoryStore, write: Write) -> Result<Outcome, StoreError> {
    Ok(store.commit(vec![write]).await?.remove(0))
}

/// The record with a key.
pub(super) async fn record(store: &MemoryStore, key: &RecordKey) -> Result<Option<Record>, StoreError> {
    Ok(store.records(vec![key.clone()]).await?.remove(0))
}

/// The records under a prefix.
pub(super) async fn under(store: &MemoryStore, prefix: &Prefix) -> Result<Vec<Record>, StoreError> {
    let scan = Scan::Under { prefix: prefix.clone(), after: None };
    Ok(store.scan(ScanQuery { scan, limit: usize::MAX, max_bytes: usize::MAX }).await?.records)
}

/// The owner of the fence of a party of an append or an opening.
pub(super) async fn owner(
    store: &MemoryStore,
    action: &Action,
    party: Party,
) -> Result<Option<Owner>, StoreError> {
    let (sender, pair, conversation) = match action {
        Action::AppendMessage(write) => {
            let state = store.conversation(write.conversation).await?;
            let pair = state.map(|state| state.conversation.participants);
            (write.sender.user, pair, Some(write.conversation))
        }
        Action::OpenConversation(write) => (write.opener.user, Some(write.participants), None),
        _ => return Ok(None),
    };
    Ok(match party {
        Party::Sender => Some(Owner::User(sender)),
        Party::Peer => pair.and_then(|pair| pair.peer_of(sender)).map(Owner::User),
        Party::Conversation => conversation.map(Owner::Conversation),
    })
}
