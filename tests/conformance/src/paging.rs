//! Reading an inbox page by page.

use dm_core::store::{InboxPage, InboxQuery, Store};

/// The most pages of one inbox. No case has so many entries, and every page moves on by at least
/// one.
const PAGES: usize = 10_000;

/// Reads an inbox from the query's cursor to its head. Returns all entries, with the head and floor
/// of the last page.
///
/// # Errors
/// Fails if a page is not read or does not move on, or if the head is not reached in [`PAGES`]
/// pages.
pub(crate) async fn to_the_head(store: &impl Store, mut query: InboxQuery) -> Result<InboxPage, String> {
    let mut entries = Vec::new();
    for _ in 0..PAGES {
        let page = store.inbox(query.clone()).await;
        let mut page = page.map_err(|error| format!("the inbox cannot be read: {error:?}"))?;
        entries.append(&mut page.entries);
        if page.through >= page.head {
            return Ok(InboxPage { entries, ..page });
        }
        if page.through <= query.after {
            return Err(format!("the page after {} does not move on: {page:?}", query.after));
        }
        query.after = page.through;
    }
    Err(format!("the head of the inbox is not reached within {PAGES} pages: {query:?}"))
}
