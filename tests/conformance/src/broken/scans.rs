//! Defects of scans and of the records in lists.

use std::sync::Mutex;

use async_trait::async_trait;
use dm_core::store::{
    Change, ConversationOrder, ConversationsQuery, Kind, ListedConversation, MemoryStore, Name, Owner, Put,
    Record, RecordKey, Revision, Scan, ScanPage, ScanQuery, Store as _, StoreError, Timestamp, Write,
};

use super::defect::{Defect, defects};

defects! {
    "scans": "a time itself is not due" => UntilExclusive,
    "scans": "the record at the cursor is in the page" => Inclusive,
    "scans": "pages skip records that are due at the same time" => SkipsEqual,
    "scans": "a moved record is found under its earlier time" => StaleTimes,
    "scans": "due records of the store are not found" => UsersOnly,
    "scans": "due records are in the order of their keys" => DueByKey,
    "scans": "a scan goes on with the following names" => GoesOn,
    "scans": "a scan starts after the name of its prefix" => AfterPrefix,
    "scans": "pages of records are not bounded by bytes" => Unbounded,
    "scans": "a record larger than the bound is never shown" => NoOversized,
    "scans": "a full page of records says that it is the last" => NoMore,
    "scans": "each page of records says that there are more" => AlwaysMore,
    "lists": "a list has no records" => NoRecords,
    "lists": "a list has the records of the peer" => OfThePeer,
    "lists": "a list has records in one order only" => OneOrder,
    "lists": "a list has its records in the order of the kinds" => SortsKinds,
    "lists": "a list has records of four kinds at most" => FewKinds,
    "lists": "a list has the records of the list before" => OldRecords,
    "lists": "in opened order the newest comes first" => Backwards,
    "lists": "in opened order the conversation at the cursor is in the page" => OpenedInclusive,
    "lists": "in opened order activity counts" => ByActivity,
    "lists": "in opened order a list ends after 256 conversations" => ShortList,
}

/// Changes queries of records.
macro_rules! changed_queries {
    ($($defect:ident: |$query:ident| $change:expr;)*) => {$(
        #[derive(Default)]
        struct $defect;

        impl Defect for $defect {
            fn scan_query(&self, $query: &mut ScanQuery) {
                $change;
            }
        }
    )*};
}

/// Changes pages of records.
macro_rules! changed_pages {
    ($($defect:ident: |$query:ident, $page:ident| $change:expr;)*) => {$(
        #[derive(Default)]
        struct $defect;

        impl Defect for $defect {
            fn scan_page(&self, $query: &ScanQuery, $page: &mut ScanPage) {
                $change;
            }
        }
    )*};
}

/// A name without its last byte.
fn shorter(name: &Name) -> Name {
    let bytes = name.as_bytes();
    Name::new(bytes[..bytes.len().saturating_sub(1)].to_vec()).unwrap()
}

changed_queries! {
    UntilExclusive: |query| if let Scan::Due { until, .. } = &mut query.scan {
        *until = Timestamp::from_millis(until.as_millis().saturating_sub(1));
    };
    Inclusive: |query| match &mut query.scan {
        Scan::Under { after: Some(name), .. } => *name = shorter(name),
        Scan::Due { after: Some((_, key)), .. } => key.name = shorter(&key.name),
        _ => {}
    };
    SkipsEqual: |query| if let Scan::Due { after: Some((_, key)), .. } = &mut query.scan {
        *key = RecordKey::new(Owner::Store, Kind::from_stored(u16::MAX), Name::EMPTY);
    };
    GoesOn: |query| if let Scan::Under { prefix, .. } = &mut query.scan {
        prefix.name = shorter(&prefix.name);
    };
    AfterPrefix: |query| if let Scan::Under { prefix, after } = &mut query.scan {
        after.get_or_insert(prefix.name.clone());
    };
    Unbounded: |query| query.max_bytes = usize::MAX;
}

changed_pages! {
    UsersOnly: |query, page| if matches!(query.scan, Scan::Due { .. }) {
        page.records.retain(|record| record.key.owner != Owner::Store);
    };
    DueByKey: |query, page| if matches!(query.scan, Scan::Due { .. }) {
        page.records.sort_by(|one, other| one.key.cmp(&other.key));
    };
    NoOversized: |query, page| page.records.retain(|record| record.cost() <= query.max_bytes);
    NoMore: |query, page| page.has_more &= page.records.len() < query.limit;
    AlwaysMore: |query, page| page.has_more |= query.limit > 0;
}

/// All records that were ever due.
#[derive(Default)]
struct StaleTimes(Mutex<Vec<Record>>);

impl Defect for StaleTimes {
    fn write(&self, write: &mut Write) {
        for change in &write.changes {
            if let Change::Put(Put { key, value, tag, due: due @ Some(_) }) = change {
                let (key, value) = (key.clone(), value.clone());
                self.0.lock().unwrap().push(Record {
                    key,
                    value,
                    tag: *tag,
                    due: *due,
                    revision: Revision::ZERO,
                });
            }
        }
    }

    fn scan_page(&self, query: &ScanQuery, page: &mut ScanPage) {
        let Scan::Due { kind, until, after: None } = &query.scan else { return };
        for record in self.0.lock().unwrap().iter() {
            let is_due = record.key.kind == *kind && record.due.is_some_and(|due| due <= *until);
            let is_there =
                page.records.iter().any(|there| (there.due, &there.key) == (record.due, &record.key));
            if is_due && !is_there {
                page.records.push(record.clone());
            }
        }
        page.records.sort_by(|one, other| (one.due, &one.key).cmp(&(other.due, &other.key)));
    }
}

/// Changes queries of lists.
macro_rules! changed_lists {
    ($($defect:ident: |$query:ident| $change:expr;)*) => {$(
        #[derive(Default)]
        struct $defect;

        impl Defect for $defect {
            fn list_query(&self, $query: &mut ConversationsQuery) {
                $change;
            }
        }
    )*};
}

changed_lists! {
    NoRecords: |query| query.kinds.clear();
    OneOrder: |query| if matches!(query.order, ConversationOrder::Active { .. }) {
        query.kinds.clear();
    };
    SortsKinds: |query| query.kinds.sort_unstable();
    FewKinds: |query| query.kinds.truncate(4);
    ByActivity: |query| if let ConversationOrder::Opened { after: None } = query.order {
        query.order = ConversationOrder::Active { after: None };
    };
    ShortList: |query| if matches!(query.order, ConversationOrder::Opened { .. }) {
        query.limit = query.limit.min(256);
    };
}

/// The records about the conversations of a list, of the user that `owner` returns.
async fn add_records(
    store: &MemoryStore,
    list: &mut [ListedConversation],
    kinds: &[Kind],
    owner: impl Fn(&ListedConversation) -> Option<Owner>,
) -> Result<(), StoreError> {
    for listed in list {
        let Some(owner) = owner(listed) else { continue };
        let name = Name::from(listed.state.conversation.id);
        let keys = kinds.iter().map(|kind| RecordKey::new(owner, *kind, name.clone())).collect();
        listed.records.extend(store.records(keys).await?.into_iter().flatten());
    }
    Ok(())
}

#[derive(Default)]
struct OfThePeer;

#[async_trait]
impl Defect for OfThePeer {
    async fn conversations(
        &self,
        store: &MemoryStore,
        query: ConversationsQuery,
    ) -> Result<Vec<ListedConversation>, StoreError> {
        let (kinds, user) = (query.kinds.clone(), query.user);
        let mut list = store.conversations(query).await?;
        let peer = |listed: &ListedConversation| listed.state.conversation.participants.peer_of(user);
        add_records(store, &mut list, &kinds, |listed| peer(listed).map(Owner::User)).await?;
        Ok(list)
    }
}

/// The previous list, from which the next one has its records.
#[derive(Default)]
struct OldRecords(Mutex<Vec<ListedConversation>>);

impl Defect for OldRecords {
    fn list_page(&self, page: &mut Vec<ListedConversation>) {
        let older = std::mem::replace(&mut *self.0.lock().unwrap(), page.clone());
        for listed in page {
            let id = listed.state.conversation.id;
            if let Some(before) = older.iter().find(|before| before.state.conversation.id == id) {
                listed.records.clone_from(&before.records);
            }
        }
    }
}

#[derive(Default)]
struct Backwards;

impl Defect for Backwards {
    fn list_page(&self, page: &mut Vec<ListedConversation>) {
        page.sort_by_key(|listed| std::cmp::Reverse(listed.state.conversation.id));
    }
}

#[derive(Default)]
struct OpenedInclusive;

#[async_trait]
impl Defect for OpenedInclusive {
    async fn conversations(
        &self,
        store: &MemoryStore,
        query: ConversationsQuery,
    ) -> Result<Vec<ListedConversation>, StoreError> {
        let ConversationOrder::Opened { after: Some(first) } = query.order else {
            return store.conversations(query).await;
        };
        let (order, limit) = (ConversationOrder::Opened { after: None }, usize::MAX);
        let list = store.conversations(ConversationsQuery { order, limit, ..query.clone() }).await?;
        let list = list.into_iter().filter(|listed| listed.state.conversation.id >= first);
        Ok(list.take(query.limit).collect())
    }
}
