//! The reads of records: [`ScanQuery`] and the page that answers it.

use std::ops::Bound;

use super::batch_rows::Revisions;
use crate::numbers::Revision;
use crate::record::{Kind, Name, Prefix, Record, RecordKey};
use crate::time::Timestamp;
use crate::user::UserId;

/// A query for a page of records.
#[derive(Clone, Debug)]
pub struct ScanQuery {
    /// The records, and their order.
    pub scan: Scan,
    /// Maximum number of records.
    pub limit: usize,
    /// Maximum number of bytes, by [`Record::cost`]. A page of one record may exceed it.
    pub max_bytes: usize,
}

/// The records of a scan, and their order. Bounds are exclusive, except where noted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scan {
    /// The records under a prefix, in the order of their names.
    Under {
        /// The prefix.
        prefix: Prefix,
        /// Only names after this one; `None` starts at the first.
        after: Option<Name>,
    },
    /// A user's synced records of all kinds that changed after a revision, in the order of their
    /// revisions: each once, as it is now. If [`ScanPage::revisions`] has a floor above
    /// `revision`, records were removed since. The caller then has to read from revision zero, and
    /// to drop the records that are not in the answer.
    Since {
        /// The owner.
        user: UserId,
        /// Only records that changed after this revision.
        revision: Revision,
    },
    /// The records of a kind, of all owners, that are due up to a time, in the order of their due
    /// times and, among equal ones, of their keys.
    Due {
        /// The kind.
        kind: Kind,
        /// Only records that are due at this time or earlier.
        until: Timestamp,
        /// Only records after this one, given by its due time and its key; `None` starts at the
        /// first.
        after: Option<(Timestamp, RecordKey)>,
    },
}

/// A page of records, in the order of its scan.
#[derive(Clone, Debug, Default)]
pub struct ScanPage {
    /// The records.
    pub records: Vec<Record>,
    /// Whether there are more records after this page.
    pub has_more: bool,
    /// The user's revisions, for [`Scan::Since`]; the default for other scans.
    pub revisions: Revisions,
}

impl ScanPage {
    /// A page of the first records, within the limits of a query. `records` is only advanced as far
    /// as the page needs.
    ///
    /// # Errors
    /// The first error of `records`.
    pub fn collect<E>(
        query: &ScanQuery,
        records: impl IntoIterator<Item = Result<Record, E>>,
    ) -> Result<Self, E> {
        let mut page = Self::default();
        let mut bytes = 0_usize;
        for record in records {
            let record = record?;
            bytes = bytes.saturating_add(record.cost());
            let is_full = page.records.len() >= query.limit || bytes > query.max_bytes;
            if is_full && !page.records.is_empty() {
                page.has_more = true;
                break;
            }
            page.records.push(record);
        }
        Ok(page)
    }
}

impl Scan {
    /// The bound before the first key of a scan under a prefix, for engines with ordered keys:
    /// names after `after`, or the prefix itself and later ones.
    #[must_use]
    pub fn start_under(prefix: &Prefix, after: Option<&Name>) -> Bound<RecordKey> {
        let key = |name: &Name| RecordKey::new(prefix.owner, prefix.kind, name.clone());
        match after {
            Some(after) if *after >= prefix.name => Bound::Excluded(key(after)),
            _ => Bound::Included(prefix.first_key()),
        }
    }
}
