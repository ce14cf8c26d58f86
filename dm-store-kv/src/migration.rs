//! [`Migration`]: changes the rows of schema versions 1 and 2 to those of version 3.

use dm_core::store::{ConversationId, Tag, UserId, key_announcement};

use crate::codec::{ConversationRow, Fields, after, mark_key, member_key, old_key_record, refs_key};
use crate::failure::Failure;
use crate::rows::{Changes, RowsExt as _};
use crate::tables::Tables;

/// The tables of schema versions 1 and 2 that version 3 does not have.
#[derive(Debug)]
#[allow(missing_docs, reason = "the documentation of `tables` describes each table")]
pub struct OldTables<T> {
    pub keys: T,
    pub announcements: T,
}

/// The migration from schema version 1 or 2 to version 3. It walks all published keys,
/// announcements, conversations and devices, but no messages and no entries of inboxes:
///
/// - The newest key of each user becomes the user's fence.
/// - An unfinished announcement of a key becomes a record of a job. It begins with the first
///   conversation again, because jobs use another order than the old announcements. So a peer may
///   get a notice a second time.
/// - The rows of `members` get the ids of conversations in their keys.
/// - The devices of a user get the registrations 1, 2, 3 … in the order of their refs.
///
/// ```
/// use dm_store_kv::{Changes, Failure, Migration, OldTables, Tables};
///
/// /// Migrates a database in one transaction of the engine.
/// fn migrate<T: Changes>(tables: &mut Tables<T>, old: &mut OldTables<T>) -> Result<(), Failure> {
///     let mut migration = Migration::default();
///     while !migration.step(tables, old, 10_000)? {}
///     Ok(())
/// }
/// ```
#[derive(Debug, Default)]
pub struct Migration {
    stage: Stage,
    /// The key of the last row that was walked in this stage; empty before the first.
    last_key: Vec<u8>,
    /// The user whose devices were walked last, and the number of these devices.
    devices: (u32, u32),
}

/// The parts of the migration, in their order.
#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Keys,
    Announcements,
    Conversations,
    Devices,
    Done,
}

/// A row that was walked.
type Row = (Vec<u8>, Vec<u8>);

impl Migration {
    /// Changes up to `limit` rows, and returns whether the migration is done. `limit` is at least 1.
    ///
    /// An engine whose transactions are limited commits the changes after each step, with the same
    /// migration. A migration that was interrupted between two steps is begun again: what is done
    /// already stays as it is. The engine stores the new version when the migration is done.
    ///
    /// # Errors
    /// Any [`Failure`].
    pub fn step<T: Changes>(
        &mut self,
        tables: &mut Tables<T>,
        old: &mut OldTables<T>,
        limit: usize,
    ) -> Result<bool, Failure> {
        let table = match self.stage {
            Stage::Keys => &old.keys,
            Stage::Announcements => &old.announcements,
            Stage::Conversations => &tables.conversations,
            Stage::Devices => &tables.devices,
            Stage::Done => return Ok(true),
        };
        let rows = next_rows(table, &self.last_key, limit)?;
        let Some((last_key, _)) = rows.last() else {
            self.stage = self.stage.next();
            self.last_key.clear();
            return Ok(matches!(self.stage, Stage::Done));
        };
        self.last_key.clone_from(last_key);
        for row in rows {
            match self.stage {
                Stage::Keys => migrate_key(tables, old, &row)?,
                Stage::Announcements => migrate_announcement(tables, old, &row)?,
                Stage::Conversations => migrate_members(tables, &row)?,
                Stage::Devices => self.migrate_device(tables, &row)?,
                Stage::Done => {}
            }
        }
        Ok(false)
    }

    /// Moves a device, with its marks, to the next ref of its user.
    fn migrate_device(
        &mut self,
        tables: &mut Tables<impl Changes>,
        (key, value): &Row,
    ) -> Result<(), Failure> {
        let mut fields = Fields::new(key);
        let (user_ref, device_ref) = (fields.u32()?, fields.last(Fields::u32)?);
        if self.devices.0 != user_ref {
            self.devices = (user_ref, 0);
        }
        self.devices.1 += 1;
        let next_ref = self.devices.1;
        if next_ref >= device_ref {
            return Ok(());
        }
        tables.devices.remove(key)?;
        tables.devices.insert(&refs_key(user_ref, next_ref), value)?;
        let marks = tables
            .acked
            .scan(&mark_key(user_ref, device_ref, 0), &mark_key(user_ref, device_ref, u64::MAX))?
            .map(|mark| Ok(mark?.0.to_vec()))
            .collect::<Result<Vec<_>, Failure>>()?;
        for mark in marks {
            let seq = crate::read::marked_entry(&mark)?;
            tables.acked.remove(&mark)?;
            tables.acked.insert(&mark_key(user_ref, next_ref, seq.get()), &[])?;
        }
        Ok(())
    }
}

impl Stage {
    const fn next(self) -> Self {
        match self {
            Self::Keys => Self::Announcements,
            Self::Announcements => Self::Conversations,
            Self::Conversations => Self::Devices,
            Self::Devices | Self::Done => Self::Done,
        }
    }
}

/// Makes a published key the fence of its user. The versions of a user are walked in ascending
/// order, so the newest one stays.
fn migrate_key<T: Changes>(
    tables: &mut Tables<T>,
    old: &mut OldTables<T>,
    (key, value): &Row,
) -> Result<(), Failure> {
    let mut fields = Fields::new(key);
    let (user_ref, version) = (fields.u32()?, fields.last(Fields::u32)?);
    let user = tables.user_by_ref(user_ref)?;
    let record = old_key_record(user, version, Fields::new(value))?.to_record();
    let mut row = tables.floor_row(user_ref)?;
    row.fence = Some(record.tag);
    tables.insert_record(&record, None)?;
    tables.floors.insert(&user_ref.to_be_bytes(), &row.encode())?;
    old.keys.remove(key)
}

/// Makes an announcement a job.
fn migrate_announcement<T: Changes>(
    tables: &mut Tables<T>,
    old: &mut OldTables<T>,
    (key, _): &Row,
) -> Result<(), Failure> {
    let publisher: UserId = Fields::new(key).last(Fields::user)?;
    let job = key_announcement(publisher, None, Tag::from_bytes([0; Tag::LEN]));
    tables.insert_record(&job, None)?;
    old.announcements.remove(key)
}

/// Gives the two rows of a conversation in `members` their new keys.
fn migrate_members(tables: &mut Tables<impl Changes>, (key, value): &Row) -> Result<(), Failure> {
    let conversation_ref: u32 = Fields::new(key).last(Fields::u32)?;
    let ConversationRow { id, a, b, .. } = ConversationRow::decode(Fields::new(value))?;
    let id: ConversationId = id;
    for user_ref in [a, b] {
        tables.members.remove(&refs_key(user_ref, conversation_ref))?;
        tables.members.insert(&member_key(user_ref, id), key)?;
    }
    Ok(())
}

/// The next rows of a table after a key.
fn next_rows(table: &impl Changes, last_key: &[u8], limit: usize) -> Result<Vec<Row>, Failure> {
    let from = if last_key.is_empty() { Vec::new() } else { after(last_key.to_vec()) };
    // The upper bound is longer than any key of these tables.
    let rows = table.scan(&from, &[u8::MAX; 33])?;
    rows.take(limit).map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec()))).collect()
}
