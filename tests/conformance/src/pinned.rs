//! Pinned conversations: a feature that lives in tests alone. It is made of records, so every store
//! has it and no store knows of it.

use std::collections::BTreeSet;

use dm_core::store::*;

/// The kind of a pin: a record of the user with the id of the conversation as its name. Its value is
/// the form, 1. The empty value stands for a removed pin, so that other devices learn of it.
fn kind() -> Kind {
    Kind::custom(77, true).expect("a number of a custom kind")
}

/// Pins or unpins a conversation. With the same tag the call may be repeated.
pub(crate) async fn pin(
    store: &impl Store,
    user: UserId,
    conversation: ConversationId,
    is_pinned: bool,
    tag: Tag,
) -> Result<bool, StoreError> {
    let key = RecordKey::new(Owner::User(user), kind(), Name::from(conversation));
    let value = vec![1; usize::from(is_pinned)].into();
    let write = Write::default().change(Change::Put(Put::new(key, value, tag)));
    let outcomes = store.commit(vec![write]).await?;
    Ok(matches!(outcomes.as_slice(), [Outcome::Done(_)]))
}

/// The user's conversations, the pinned ones first, with one read.
pub(crate) async fn list(
    store: &impl Store,
    user: UserId,
) -> Result<Vec<(ConversationId, bool)>, StoreError> {
    let order = ConversationOrder::Active { after: None };
    let query = ConversationsQuery { user, order, kinds: vec![kind()], limit: 100 };
    let is_pinned = |records: &[Record]| records.iter().any(|record| !record.value.is_empty());
    let listed = store.conversations(query).await?.into_iter();
    let mut listed: Vec<_> =
        listed.map(|listed| (listed.state.conversation.id, is_pinned(&listed.records))).collect();
    listed.sort_by_key(|(_, is_pinned)| !is_pinned);
    Ok(listed)
}

/// The pins that a device knows.
#[derive(Debug, Default)]
pub(crate) struct Device {
    /// The names of the pins.
    pub(crate) pins: BTreeSet<Name>,
    revision: Revision,
}

impl Device {
    /// Reads what changed since the last call.
    pub(crate) async fn sync(&mut self, store: &impl Store, user: UserId) -> Result<(), StoreError> {
        let since = |revision| ScanQuery {
            scan: Scan::Since { user, revision },
            limit: 1_000,
            max_bytes: usize::MAX,
        };
        let mut page = store.scan(since(self.revision)).await?;
        if page.revisions.floor > self.revision {
            self.pins.clear();
            page = store.scan(since(Revision::ZERO)).await?;
        }
        for Record { key, value, .. } in page.records.into_iter().filter(|record| record.key.kind == kind()) {
            if value.is_empty() {
                self.pins.remove(&key.name)
            } else {
                self.pins.insert(key.name)
            };
        }
        self.revision = page.revisions.head;
        Ok(())
    }
}
