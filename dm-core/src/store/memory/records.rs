//! Reads of records of the store in memory.

use std::ops::Bound;

use super::State;
use crate::ids::ConversationId;
use crate::record::{Kind, Name, Owner, Prefix, Record, RecordKey};
use crate::store::scan::{Scan, ScanPage, ScanQuery};
use crate::user::UserId;

impl State {
    pub(super) fn scan(&self, query: &ScanQuery) -> ScanPage {
        match &query.scan {
            Scan::Under { prefix, after } => collect(query, self.under(prefix, after.as_ref())),
            Scan::Since { user, revision } => {
                let (owner, revision) = (Owner::User(*user), *revision);
                let mut records: Vec<_> = self
                    .records
                    .values()
                    .filter(|record| record.key.owner == owner && record.revision > revision)
                    .collect();
                records.sort_unstable_by_key(|record| record.revision);
                let revisions = self.users.get(user).map(|user| user.revisions).unwrap_or_default();
                ScanPage { revisions, ..collect(query, records) }
            }
            Scan::Due { kind, until, after } => {
                let after = after.as_ref().map(|(at, key)| (*at, key));
                let mut records: Vec<_> = self
                    .records
                    .values()
                    .filter(|record| record.key.kind == *kind)
                    .filter_map(|record| Some((record.due.filter(|due| due <= until)?, record)))
                    .filter(|(due, record)| after.is_none_or(|after| (*due, &record.key) > after))
                    .collect();
                records.sort_unstable_by_key(|(due, record)| (*due, &record.key));
                collect(query, records.into_iter().map(|(_, record)| record))
            }
        }
    }

    /// The records under a prefix, in the order of their names.
    pub(super) fn under(&self, prefix: &Prefix, after: Option<&Name>) -> impl Iterator<Item = &Record> {
        let start = Scan::start_under(prefix, after);
        self.records
            .range((start, Bound::Unbounded))
            .map(|(_, record)| record)
            .take_while(|record| prefix.contains(&record.key))
    }

    /// A user's records of some kinds that are about a conversation.
    pub(super) fn records_about(&self, user: UserId, id: ConversationId, kinds: &[Kind]) -> Vec<Record> {
        let record = |kind: &Kind| {
            self.records.get(&RecordKey::new(Owner::User(user), *kind, Name::from(id))).cloned()
        };
        kinds.iter().filter_map(record).collect()
    }
}

fn collect<'a>(query: &ScanQuery, records: impl IntoIterator<Item = &'a Record>) -> ScanPage {
    let records = records.into_iter().map(|record| Ok::<_, std::convert::Infallible>(record.clone()));
    match ScanPage::collect(query, records) {
        Ok(page) => page,
        Err(never) => match never {},
    }
}
