//! Changing records.

use dm_core::store::{Name, Owner, Prefix, Record, RecordKey, Tag};

use super::BatchWriter;
use crate::codec::{end_of_prefix, group_key, prefix_key, record_key};
use crate::failure::Failure;
use crate::rows::Changes;

impl<T: Changes> BatchWriter<'_, T> {
    /// The names of the first `limit` records under a prefix, in order.
    pub(super) fn first_names(&mut self, under: &Prefix, limit: usize) -> Result<Vec<Name>, Failure> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let (group, start) = (group_key(under.owner, under.kind), prefix_key(under));
        let from = self.heads.empty_ranges.skip(&group, &start).to_vec();
        let names = self.tables.names_from(under, &from, limit)?;
        let first = match names.first() {
            Some(name) => [group.as_slice(), name.as_bytes()].concat(),
            None => end_of_prefix(under),
        };
        self.heads.empty_ranges.insert(&group, &start, &first);
        Ok(names)
    }

    /// Stores a record in place of `old`.
    pub(super) fn put_record(&mut self, record: &Record, old: Option<&Record>) -> Result<(), Failure> {
        self.tables.insert_record(record, old)?;
        if old.is_none() {
            let group = group_key(record.key.owner, record.key.kind);
            self.heads.empty_ranges.fill(&group, &record_key(&record.key));
        }
        self.move_revision(&record.key, old, Some(record))?;
        if record.key.is_fence() && old.map(|old| old.tag) != Some(record.tag) {
            self.set_fence(record.key.owner, Some(record.tag))?;
        }
        Ok(())
    }

    /// Removes a record.
    pub(super) fn remove_record(&mut self, record: &Record) -> Result<(), Failure> {
        self.tables.remove_record(record)?;
        self.move_revision(&record.key, Some(record), None)?;
        if record.key.is_fence() { self.set_fence(record.key.owner, None) } else { Ok(()) }
    }

    /// Moves a synced record from the revision of `old` to that of `new`.
    fn move_revision(
        &mut self,
        key: &RecordKey,
        old: Option<&Record>,
        new: Option<&Record>,
    ) -> Result<(), Failure> {
        match key.owner {
            Owner::User(user) if key.kind.is_synced() => {
                let user_ref = self.user_or_new(user)?.user_ref;
                self.tables.move_revision(user_ref, old, new)
            }
            _ => Ok(()),
        }
    }

    /// Keeps the tag of a fence with the head of its owner. A conversation that does not exist yet
    /// gets it when it is opened.
    fn set_fence(&mut self, owner: Owner, fence: Option<Tag>) -> Result<(), Failure> {
        match owner {
            Owner::User(user) => {
                let mut head = self.user_or_new(user)?;
                head.fence = fence;
                self.heads.write_user(self.tables, user, head)
            }
            Owner::Conversation(id) => match self.heads.conversation(self.tables, id)? {
                Some(mut head) => {
                    head.fence = fence;
                    self.heads.write_conversation(self.tables, id, head)
                }
                None => Ok(()),
            },
            Owner::Store => Ok(()),
        }
    }
}
