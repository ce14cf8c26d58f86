//! Records, and the two tables that list them in other orders.

use std::convert::Infallible;
use std::ops::Bound;

use dm_core::store::*;

use super::Tables;

impl Tables {
    pub(crate) fn record(&self, key: &RecordKey) -> Option<Record> {
        self.records.get(key).cloned()
    }

    /// The records under a prefix, in the order of their names.
    pub(super) fn records_under(
        &self,
        prefix: &Prefix,
        after: Option<&Name>,
    ) -> impl Iterator<Item = &Record> {
        let rows = self.records.range((Scan::start_under(prefix, after), Bound::Unbounded));
        rows.map(|(_, record)| record).take_while(|record| prefix.contains(&record.key))
    }

    pub(crate) fn scan(&self, query: &ScanQuery) -> ScanPage {
        match &query.scan {
            Scan::Under { prefix, after } => page(query, self.records_under(prefix, after.as_ref())),
            Scan::Since { user, revision } => {
                let rows = self.changed.range((*user, revision.next())..);
                let rows = rows.take_while(|((other, _), _)| other == user);
                let records = rows.filter_map(|(_, key)| self.records.get(key));
                ScanPage { revisions: self.user(*user).revisions, ..page(query, records) }
            }
            Scan::Due { kind, until, after } => {
                let first = RecordKey::new(Owner::User(UserId::from_stored([0; 32])), *kind, Name::EMPTY);
                let start = match after {
                    Some((at, key)) => Bound::Excluded((*kind, *at, key.clone())),
                    None => Bound::Included((*kind, Timestamp::from_millis(0), first)),
                };
                let rows = self.due.range((start, Bound::Unbounded));
                let rows = rows.take_while(|(other, at, _)| other == kind && at <= until);
                page(query, rows.filter_map(|(.., key)| self.records.get(key)))
            }
            // A kind of scan of a later version.
            _ => ScanPage::default(),
        }
    }

    /// Stores a record in place of the one with its key.
    pub(super) fn put_record(&mut self, record: Record, old: Option<&Record>) {
        old.into_iter().for_each(|old| self.unlist(old));
        self.due.extend(record.due.map(|at| (record.key.kind, at, record.key.clone())));
        if let Owner::User(user) = record.key.owner
            && record.key.kind.is_synced()
        {
            self.changed.insert((user, record.revision), record.key.clone());
        }
        self.records.insert(record.key.clone(), record);
    }

    pub(super) fn remove_record(&mut self, record: &Record) {
        self.unlist(record);
        self.records.remove(&record.key);
    }

    /// Removes a record from the two lists.
    fn unlist(&mut self, record: &Record) {
        if let Some(at) = record.due {
            self.due.remove(&(record.key.kind, at, record.key.clone()));
        }
        if let Owner::User(user) = record.key.owner {
            self.changed.remove(&(user, record.revision));
        }
    }
}

fn page<'a>(query: &ScanQuery, records: impl Iterator<Item = &'a Record>) -> ScanPage {
    match ScanPage::collect(query, records.map(|record| Ok::<_, Infallible>(record.clone()))) {
        Ok(page) => page,
        Err(never) => match never {},
    }
}
