//! The model of reads of records.

use dm_core::store::{Owner, Record, RecordKey, Revisions, Scan, ScanPage, ScanQuery};

use super::reads::fitting;
use super::state::Model;

impl Model {
    pub(super) fn record(&self, key: &RecordKey) -> Option<Record> {
        self.records.get(key).cloned()
    }

    /// The page that answers a scan.
    ///
    /// # Panics
    /// Panics for a scan that this version of the contract does not know.
    pub(super) fn scan(&self, query: &ScanQuery) -> ScanPage {
        let mut revisions = Revisions::default();
        let matching: Vec<&Record> = match &query.scan {
            Scan::Under { prefix, after } => {
                let is_after = |record: &&Record| after.as_ref().is_none_or(|after| record.key.name > *after);
                self.under(prefix).filter(is_after).collect()
            }
            Scan::Since { user, revision } => {
                revisions = self.users.get(user).map(|person| person.revisions).unwrap_or_default();
                let is_newer = |record: &&Record| {
                    record.key.owner == Owner::User(*user)
                        && record.key.kind.is_synced()
                        && record.revision > *revision
                };
                let mut records: Vec<_> = self.records.values().filter(is_newer).collect();
                records.sort_by_key(|record| record.revision);
                records
            }
            Scan::Due { kind, until, after } => {
                let is_due = |record: &&Record| {
                    record.key.kind == *kind
                        && record.due.is_some_and(|due| due <= *until)
                        && after.as_ref().is_none_or(|(at, key)| (record.due, &record.key) > (Some(*at), key))
                };
                let mut records: Vec<_> = self.records.values().filter(is_due).collect();
                records.sort_by_key(|record| (record.due, &record.key));
                records
            }
            other => panic!("a scan that this contract does not know: {other:?}"),
        };
        let fits = fitting(matching.iter().map(|record| record.cost()), query.limit, query.max_bytes);
        ScanPage {
            records: matching[..fits].iter().copied().cloned().collect(),
            has_more: fits < matching.len(),
            revisions,
        }
    }
}
