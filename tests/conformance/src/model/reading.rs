//! Reads from a store, compared with the model.

use std::fmt::Debug;

use dm_core::store::{
    ConversationId, ConversationOrder, ConversationsQuery, HistoryQuery, InboxQuery, InboxSeq, Kind, Name,
    Owner, Prefix, Principal, RecordKey, Revision, Scan, ScanQuery, Store, StoreError, Timestamp, UserId,
};

use super::state::Model;

pub(crate) async fn records(model: &Model, store: &impl Store, keys: Vec<RecordKey>) -> Result<(), String> {
    let expected: Vec<_> = keys.iter().map(|key| model.record(key)).collect();
    equal("the records", &keys, store.records(keys.clone()).await, &expected)
}

pub(crate) async fn devices(model: &Model, store: &impl Store, user: UserId) -> Result<(), String> {
    equal("the devices", &user, store.devices(user).await, &model.devices(user))
}

pub(crate) async fn heads(model: &Model, store: &impl Store, users: Vec<UserId>) -> Result<(), String> {
    let expected = users.iter().map(|user| InboxSeq::new(model.head(*user))).collect::<Vec<_>>();
    equal("the newest numbers", &users, store.inbox_heads(users.clone()).await, &expected)
}

pub(crate) async fn depth(model: &Model, store: &impl Store, who: Principal) -> Result<(), String> {
    equal("the depth", &who, store.depth(who.clone()).await, &model.depth(&who))
}

/// Reads a conversation. Its counts must tell the numbers of unread messages, after any message as
/// the newest that was read.
pub(crate) async fn conversation(
    model: &Model,
    store: &impl Store,
    id: ConversationId,
) -> Result<(), String> {
    let found = store.conversation(id).await;
    let state = found.as_ref().ok().copied().flatten();
    equal("the conversation", &id, found, &model.conversation(id))?;
    state.map_or(Ok(()), |state| model.unread_as_counted(&state))
}

pub(crate) async fn scan(model: &Model, store: &impl Store, query: ScanQuery) -> Result<(), String> {
    let page = store.scan(query.clone()).await;
    let page = page.map(|page| (page.records, page.has_more, page.revisions));
    let expected = model.scan(&query);
    equal("the scan", &query, page, &(expected.records, expected.has_more, expected.revisions))
}

/// Reads all records of some owners and kinds in all three orders, page by page.
pub(crate) async fn all_records(
    model: &Model,
    store: &impl Store,
    owners: &[Owner],
    kinds: &[Kind],
    limit: usize,
) -> Result<(), String> {
    let mut scans = Vec::new();
    for owner in owners.iter().copied() {
        for kind in kinds.iter().copied() {
            scans.push(Scan::Under { prefix: Prefix { owner, kind, name: Name::EMPTY }, after: None });
        }
        if let Owner::User(user) = owner {
            scans.push(Scan::Since { user, revision: Revision::ZERO });
        }
    }
    let until = Timestamp::from_millis(u64::MAX);
    scans.extend(kinds.iter().map(|kind| Scan::Due { kind: *kind, until, after: None }));
    for first in scans {
        let mut next = Some(first);
        while let Some(scan) = next {
            let query = ScanQuery { scan, limit, max_bytes: usize::MAX };
            self::scan(model, store, query.clone()).await?;
            next = model.scan(&query).records.pop().map(|last| match query.scan {
                Scan::Under { prefix, .. } => Scan::Under { prefix, after: Some(last.key.name) },
                Scan::Since { user, .. } => Scan::Since { user, revision: last.revision },
                Scan::Due { kind, until, .. } => {
                    Scan::Due { kind, until, after: last.due.map(|due| (due, last.key)) }
                }
                other => other,
            });
        }
    }
    Ok(())
}

pub(crate) async fn list(model: &Model, store: &impl Store, query: ConversationsQuery) -> Result<(), String> {
    let expected = model.list(&query);
    equal("the list", &query, store.conversations(query.clone()).await, &expected)
}

/// Reads the whole list in both orders, page by page, with records of some kinds.
pub(crate) async fn list_by_pages(
    model: &Model,
    store: &impl Store,
    user: UserId,
    kinds: &[Kind],
    limit: usize,
) -> Result<(), String> {
    let orders = [ConversationOrder::Active { after: None }, ConversationOrder::Opened { after: None }];
    for first in orders {
        let mut next = Some(first);
        while let Some(order) = next {
            let query = ConversationsQuery { user, order, kinds: kinds.to_vec(), limit };
            list(model, store, query.clone()).await?;
            next = model.list(&query).pop().map(|last| match order {
                ConversationOrder::Active { .. } => {
                    ConversationOrder::Active { after: Some(last.state.cursor()) }
                }
                ConversationOrder::Opened { .. } => {
                    ConversationOrder::Opened { after: Some(last.state.conversation.id) }
                }
            });
        }
    }
    Ok(())
}

pub(crate) async fn history(model: &Model, store: &impl Store, query: HistoryQuery) -> Result<(), String> {
    let found = store.history(query).await.map(|page| page.map(|page| (page.messages, page.has_more)));
    let expected = model.history(&query).map(|page| (page.messages, page.has_more));
    equal("the history", &query, found, &expected)
}

pub(crate) async fn inbox(model: &Model, store: &impl Store, query: InboxQuery) -> Result<(), String> {
    let page = store.inbox(query.clone()).await.map_err(|error| not_read("the inbox", &query, &error))?;
    model.inbox(&query, &page).map_err(|what| format!("the inbox {query:?}\nis {page:?}\n{what}"))
}

fn equal<T: PartialEq + Debug>(
    what: &str,
    query: &impl Debug,
    found: Result<T, StoreError>,
    expected: &T,
) -> Result<(), String> {
    let found = found.map_err(|error| not_read(what, query, &error))?;
    if found == *expected {
        Ok(())
    } else {
        Err(format!("{what} {query:?}\nis {found:?}\nexpected {expected:?}"))
    }
}

fn not_read(what: &str, query: &impl Debug, error: &StoreError) -> String {
    format!("{what} {query:?}\ncannot be read: {error:?}")
}
