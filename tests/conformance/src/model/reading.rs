//! Reads from a store, compared with the model.

use std::fmt::Debug;

use dm_core::store::{
    ConversationId, ConversationsQuery, HistoryQuery, InboxQuery, InboxSeq, Principal, Store, StoreError,
    UserId,
};

use super::state::Model;

pub(crate) async fn key(model: &Model, store: &impl Store, user: UserId) -> Result<(), String> {
    equal("the key", &user, store.key(user).await, &model.key(user))
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

pub(crate) async fn conversation(
    model: &Model,
    store: &impl Store,
    id: ConversationId,
) -> Result<(), String> {
    equal("the conversation", &id, store.conversation(id).await, &model.conversation(id))
}

pub(crate) async fn list(model: &Model, store: &impl Store, query: ConversationsQuery) -> Result<(), String> {
    equal("the list", &query, store.conversations(query).await, &model.list(&query))
}

/// Reads the whole list, page by page.
pub(crate) async fn list_by_pages(
    model: &Model,
    store: &impl Store,
    user: UserId,
    limit: usize,
) -> Result<(), String> {
    let mut query = ConversationsQuery { user, after: None, limit };
    loop {
        list(model, store, query).await?;
        match model.list(&query).last() {
            Some(last) => query.after = Some(last.cursor()),
            None => return Ok(()),
        }
    }
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
