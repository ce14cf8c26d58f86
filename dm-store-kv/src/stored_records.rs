//! Reading and writing the rows of records: the tables `records`, `due` and `revisions`.

use dm_core::store::{Kind, Name, Owner, Prefix, Record, RecordKey, Revision, Revisions, Timestamp, UserId};

use crate::codec::{
    Fields, RecordRow, after, due_key, due_key_and_time, end_of_prefix, log_key, prefix_key, record_key,
    revision_row, revision_value,
};
use crate::failure::Failure;
use crate::rows::{Changes, Rows, RowsExt as _};
use crate::tables::Tables;

impl<T: Rows> Tables<T> {
    /// A record; `None` if there is none with this key.
    pub(crate) fn record(&self, key: &RecordKey) -> Result<Option<Record>, Failure> {
        let row = self.records.find(&record_key(key), RecordRow::decode)?;
        Ok(row.map(|row| row.with_key(key.clone())))
    }

    /// The records under a prefix with names above `later_than`, in the order of their names.
    pub(crate) fn records_under<'a>(
        &'a self,
        prefix: &'a Prefix,
        later_than: Option<&Name>,
    ) -> Result<impl Iterator<Item = Result<Record, Failure>> + 'a, Failure> {
        let from = match later_than {
            Some(name) if *name >= prefix.name => {
                after(record_key(&RecordKey::new(prefix.owner, prefix.kind, name.clone())))
            }
            _ => prefix_key(prefix),
        };
        let rows = self.records.scan(&from, &end_of_prefix(prefix))?;
        let group = prefix_key(prefix).len() - prefix.name.as_bytes().len();
        Ok(rows.map(move |row| {
            let (key, value) = row?;
            let name = name_after(&key, group)?;
            let key = RecordKey::new(prefix.owner, prefix.kind, name);
            Ok(RecordRow::decode(Fields::new(&value))?.with_key(key))
        }))
    }

    /// The names of the first `limit` records under a prefix whose keys are not below `from`.
    pub(crate) fn names_from(
        &self,
        prefix: &Prefix,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Name>, Failure> {
        let group = prefix_key(prefix).len() - prefix.name.as_bytes().len();
        self.records
            .scan(from, &end_of_prefix(prefix))?
            .take(limit)
            .map(|row| name_after(&row?.0, group))
            .collect()
    }

    /// The records of a kind that are due up to a time, in the order of their due times and keys,
    /// after one of them.
    pub(crate) fn records_due<'a>(
        &'a self,
        kind: Kind,
        until: Timestamp,
        later_than: Option<&(Timestamp, RecordKey)>,
    ) -> Result<impl Iterator<Item = Result<Record, Failure>> + 'a, Failure> {
        let from = match later_than {
            Some((due, key)) => after(due_key(kind, *due, key.owner, &key.name)),
            None => kind.get().to_be_bytes().to_vec(),
        };
        // The bound is above all keys with the time `until`, which go on with the byte of an owner.
        let mut to = kind.get().to_be_bytes().to_vec();
        to.extend(until.as_millis().to_be_bytes());
        to.push(u8::MAX);
        let rows = self.due.scan(&from, &to)?;
        Ok(rows.map(|row| {
            let (key, _) = due_key_and_time(&row?.0)?;
            self.record(&key)?.ok_or(Failure::Damaged("a row of `due` has no record"))
        }))
    }

    /// A user's synced records that changed after a revision, in the order of their revisions.
    pub(crate) fn records_since(
        &self,
        (user, user_ref): (UserId, u32),
        revision: Revision,
    ) -> Result<impl Iterator<Item = Result<Record, Failure>>, Failure> {
        let from = log_key(user_ref, revision.next().get());
        let rows = self.revisions.scan(&from, &log_key(user_ref, u64::MAX))?;
        Ok(rows.map(move |row| {
            let key = revision_row(Owner::User(user), Fields::new(&row?.1))?;
            self.record(&key)?.ok_or(Failure::Damaged("a row of `revisions` has no record"))
        }))
    }

    /// The revisions of a user, from the user's row.
    pub(crate) fn user_revisions(&self, user_ref: u32) -> Result<Revisions, Failure> {
        let revisions = self.users.find(&user_ref.to_be_bytes(), |mut value| {
            value.user()?;
            value.optional_last(|value| {
                Ok(Revisions { head: Revision::new(value.u64()?), floor: Revision::new(value.u64()?) })
            })
        })?;
        Ok(revisions.flatten().unwrap_or_default())
    }
}

impl<T: Changes> Tables<T> {
    /// Writes the rows of a record in `records` and `due`, in place of those of `old`.
    pub(crate) fn insert_record(&mut self, record: &Record, old: Option<&Record>) -> Result<(), Failure> {
        let RecordKey { owner, kind, name } = &record.key;
        let old_due = old.and_then(|old| old.due);
        if old_due != record.due {
            if let Some(due) = old_due {
                self.due.remove(&due_key(*kind, due, *owner, name))?;
            }
            if let Some(due) = record.due {
                self.due.insert(&due_key(*kind, due, *owner, name), &[])?;
            }
        }
        self.records.insert(&record_key(&record.key), &RecordRow::encode(record))
    }

    /// Removes the rows of a record in `records` and `due`.
    pub(crate) fn remove_record(&mut self, record: &Record) -> Result<(), Failure> {
        let RecordKey { owner, kind, name } = &record.key;
        if let Some(due) = record.due {
            self.due.remove(&due_key(*kind, due, *owner, name))?;
        }
        self.records.remove(&record_key(&record.key))
    }

    /// Moves a user's synced record from the revision of `old` to that of `new`. A record that is
    /// removed or added has only one of them.
    pub(crate) fn move_revision(
        &mut self,
        user_ref: u32,
        old: Option<&Record>,
        new: Option<&Record>,
    ) -> Result<(), Failure> {
        if let Some(old) = old {
            self.revisions.remove(&log_key(user_ref, old.revision.get()))?;
        }
        if let Some(new) = new {
            self.revisions.insert(&log_key(user_ref, new.revision.get()), &revision_value(&new.key))?;
        }
        Ok(())
    }

    /// Writes the row of a user in `users`, with the user's revisions.
    pub(crate) fn insert_user_revisions(
        &mut self,
        user: UserId,
        user_ref: u32,
        revisions: Revisions,
    ) -> Result<(), Failure> {
        let numbers = [revisions.head, revisions.floor].map(|revision| revision.get().to_be_bytes());
        let row = [user.as_bytes().as_slice(), numbers.as_flattened()].concat();
        self.users.insert(&user_ref.to_be_bytes(), &row)
    }
}

/// Decodes the name in a key of `records`, which begins after the bytes of owner and kind.
fn name_after(key: &[u8], group: usize) -> Result<Name, Failure> {
    let name = key.get(group..).ok_or(Failure::Damaged("a key of `records` is too short"))?;
    crate::codec::name(Fields::new(name))
}
