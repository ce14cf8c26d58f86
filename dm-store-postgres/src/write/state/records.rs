//! [`RecordRows`], the records that a segment reads or changes, in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use dm_core::store::{Name, Prefix, Record, RecordKey};

use crate::write::state::Retry;

/// The records that a segment reads or changes, and the first names under some prefixes.
#[derive(Default)]
pub(in crate::write) struct RecordRows {
    rows: BTreeMap<RecordKey, Row>,
    /// The prefixes under which the first records are loaded, each with the name of the last one;
    /// `None` if all records under the prefix are loaded.
    windows: BTreeMap<Prefix, Option<Name>>,
}

/// What is known of a key.
struct Row {
    /// The record, with the changes of the segment; `None` if there is none.
    record: Option<Record>,
    /// Whether the value is shortened, because the segment only counts or clears the record.
    is_shortened: bool,
    /// Whether the database has a record with this key.
    is_stored: bool,
    /// Whether the segment changed the record.
    is_changed: bool,
}

impl Row {
    const fn loaded(record: Option<Record>, is_shortened: bool) -> Self {
        Self { is_stored: record.is_some(), record, is_shortened, is_changed: false }
    }
}

impl RecordRows {
    /// Adds what the database has under some keys: the records that were found, and nothing for the
    /// other keys.
    pub(in crate::write) fn load(&mut self, keys: &[RecordKey], found: Vec<Record>) {
        for record in found {
            self.rows.insert(record.key.clone(), Row::loaded(Some(record), false));
        }
        for key in keys {
            self.rows.entry(key.clone()).or_insert_with(|| Row::loaded(None, false));
        }
    }

    /// Adds a record under a prefix. If `is_shortened`, its value may have been shortened; an empty
    /// value stays empty and another one does not become empty.
    pub(in crate::write) fn load_first(&mut self, record: Record, is_shortened: bool) {
        match self.rows.entry(record.key.clone()) {
            Entry::Vacant(vacant) => _ = vacant.insert(Row::loaded(Some(record), is_shortened)),
            Entry::Occupied(mut occupied) if occupied.get().is_shortened && !is_shortened => {
                occupied.insert(Row::loaded(Some(record), false));
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Notes that the first records under a prefix were loaded, up to `last`, or all of them.
    pub(in crate::write) fn add_window(&mut self, prefix: Prefix, last: Option<Name>) {
        self.windows.insert(prefix, last);
    }

    /// Whether it is known which record has this key, with its whole value.
    pub(in crate::write) fn is_loaded(&self, key: &RecordKey) -> bool {
        self.rows.get(key).is_some_and(|row| !row.is_shortened)
    }

    /// A record; `None` if there is none.
    ///
    /// # Errors
    /// [`Retry`] if the key was not loaded.
    pub(in crate::write) fn get(&self, key: &RecordKey) -> Result<Option<Record>, Retry> {
        self.rows.get(key).map(|row| row.record.clone()).ok_or(Retry)
    }

    /// The names of the first `limit` records under a prefix, in order.
    ///
    /// # Errors
    /// [`Retry`] if too few records under the prefix were loaded.
    pub(in crate::write) fn names(&self, under: &Prefix, limit: usize) -> Result<Vec<Name>, Retry> {
        let last = self.windows.get(under).ok_or(Retry)?;
        let is_within = |name: &Name| last.as_ref().is_none_or(|last| name <= last);
        let names: Vec<Name> = self
            .rows
            .range(under.first_key()..)
            .take_while(|(key, _)| under.contains(key) && is_within(&key.name))
            .filter(|(_, row)| row.record.is_some())
            .map(|(key, _)| key.name.clone())
            .take(limit)
            .collect();
        if names.len() < limit && last.is_some() { Err(Retry) } else { Ok(names) }
    }

    /// Stores a record in place of the one with its key.
    pub(in crate::write) fn put(&mut self, record: Record) {
        match self.rows.entry(record.key.clone()) {
            Entry::Vacant(vacant) => {
                let row =
                    Row { record: Some(record), is_shortened: false, is_stored: false, is_changed: true };
                vacant.insert(row);
            }
            Entry::Occupied(mut occupied) => {
                let row = occupied.get_mut();
                (row.record, row.is_shortened, row.is_changed) = (Some(record), false, true);
            }
        }
    }

    /// Removes the record with a key.
    pub(in crate::write) fn remove(&mut self, key: &RecordKey) {
        if let Some(row) = self.rows.get_mut(key) {
            (row.record, row.is_shortened, row.is_changed) = (None, false, true);
        }
    }

    /// The records that the segment stored.
    pub(in crate::write) fn stored(&self) -> impl Iterator<Item = &Record> {
        self.rows.values().filter(|row| row.is_changed).filter_map(|row| row.record.as_ref())
    }

    /// The keys of the records that the segment removed from the database.
    pub(in crate::write) fn removed(&self) -> impl Iterator<Item = &RecordKey> {
        let is_removed = |row: &Row| row.is_changed && row.is_stored && row.record.is_none();
        self.rows.iter().filter(move |(_, row)| is_removed(row)).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dm_core::store::{Kind, Owner, Revision, Tag};

    use super::*;

    fn key(name: &str) -> RecordKey {
        RecordKey::new(Owner::Store, Kind::FENCE, Name::new(name.as_bytes().to_vec()).unwrap())
    }

    fn record(name: &str, value: &'static str) -> Record {
        let value = Bytes::from_static(value.as_bytes());
        Record { key: key(name), value, tag: Tag::from_bytes([1; 16]), due: None, revision: Revision::ZERO }
    }

    fn prefix() -> Prefix {
        Prefix { owner: Owner::Store, kind: Kind::FENCE, name: Name::new("a").unwrap() }
    }

    fn names(rows: &RecordRows, limit: usize) -> Option<Vec<String>> {
        let text = |name: &Name| String::from_utf8(name.as_bytes().to_vec()).unwrap();
        rows.names(&prefix(), limit).ok().map(|names| names.iter().map(text).collect())
    }

    #[test]
    fn first_names_include_the_changes_of_the_segment_up_to_the_last_loaded_name() {
        let mut rows = RecordRows::default();
        for name in ["a1", "a3"] {
            rows.load_first(record(name, "v"), true);
        }
        rows.add_window(prefix(), Some(Name::new("a3").unwrap()));
        assert_eq!(names(&rows, 2), Some(vec!["a1".into(), "a3".into()]));
        assert_eq!(names(&rows, 3), None, "more records may follow");
        rows.put(record("a2", "v"));
        rows.put(record("a4", "v"));
        rows.remove(&key("a1"));
        assert_eq!(names(&rows, 2), Some(vec!["a2".into(), "a3".into()]));
        assert_eq!(names(&rows, 3), None, "a record between a3 and a4 may be stored");
        rows.add_window(prefix(), None);
        assert_eq!(names(&rows, 9), Some(vec!["a2".into(), "a3".into(), "a4".into()]));
    }

    #[test]
    fn only_changes_are_written_and_no_removal_of_a_record_that_is_not_stored() {
        let mut rows = RecordRows::default();
        rows.load(&[key("a"), key("b"), key("c")], vec![record("a", "1"), record("b", "2")]);
        rows.put(record("c", "3"));
        rows.remove(&key("c"));
        rows.remove(&key("a"));
        assert_eq!((rows.stored().count(), rows.removed().collect::<Vec<_>>()), (0, vec![&key("a")]));
        rows.put(record("a", "4"));
        assert_eq!((rows.stored().collect::<Vec<_>>(), rows.removed().count()), (vec![&record("a", "4")], 0));
        assert!(rows.get(&key("d")).is_err());
    }

    #[test]
    fn a_full_record_replaces_a_shortened_one_and_not_the_reverse() {
        let mut rows = RecordRows::default();
        rows.load_first(record("a", "v"), true);
        rows.load_first(record("a", "value"), false);
        rows.load_first(record("a", "v"), true);
        assert_eq!(rows.get(&key("a")).unwrap(), Some(record("a", "value")));
    }
}
