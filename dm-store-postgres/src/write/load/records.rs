//! Reading records: those whose keys a segment names, and the first ones under its prefixes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dm_core::store::{
    Action, Change, ConversationId, Expect, Kind, Owner, Participants, Party, Prefix, RecordKey, Write,
};

use crate::codec::{self, RECORD_COLUMNS};
use crate::error::Fault;
use crate::write::load::rows::{RowKind, Window};
use crate::write::pipeline::{Pipeline, param};
use crate::write::state::BatchState;

/// Reads records by their keys.
pub(super) fn keys_statement() -> String {
    format!(
        "SELECT {RECORD_COLUMNS} FROM unnest($1::bytea[], $2::integer[], $3::bytea[]) AS n(owner, kind, name)
         JOIN records r ON r.owner = n.owner AND r.kind = n.kind AND r.name = n.name"
    )
}

/// Reads the first `max_rows` records under each prefix of the arrays. The values of those after the
/// first `full` ones are shortened to a byte. The last two columns are the index of the prefix, from
/// 1, and the index of the record under the prefix, from 1.
pub(super) fn windows_statement() -> String {
    format!(
        "SELECT {RECORD_COLUMNS}, n.place, r.place
         FROM unnest($1::bytea[], $2::integer[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[])
              WITH ORDINALITY AS n(owner, kind, low, high, max_rows, complete, place)
         CROSS JOIN LATERAL (
             SELECT f.owner, f.kind, f.name, f.tag, f.due, f.revision, f.place,
                    CASE WHEN f.place <= n.complete THEN f.value ELSE substr(f.value, 1, 1) END AS value
             FROM (
                 SELECT f.*, row_number() OVER (ORDER BY f.name) AS place
                 FROM (
                     SELECT r.* FROM records r
                     WHERE r.owner = n.owner AND r.kind = n.kind AND r.name >= n.low AND r.name < n.high
                     ORDER BY r.name LIMIT n.max_rows
                 ) f
             ) f
         ) r
         ORDER BY n.place, r.place"
    )
}

/// The records that a segment reads.
#[derive(Debug, Default)]
struct Needs {
    keys: BTreeSet<RecordKey>,
    windows: BTreeMap<Prefix, Window>,
}

impl Needs {
    /// Collects the records that `writes` name. Writes that are not valid are left out.
    ///
    /// A change may remove records that a later write would have found among the first ones under
    /// its prefix. So for each removal of a record of the same owner and kind by an earlier change
    /// of the segment, one more record is read.
    fn collect(writes: &[Write]) -> Self {
        let mut needs = Self::default();
        let mut removals: HashMap<(Owner, Kind), usize> = HashMap::new();
        for write in writes {
            if (write.expects.is_empty() && write.changes.is_empty()) || write.validate().is_err() {
                continue;
            }
            for expect in &write.expects {
                match expect {
                    Expect::Absent(key) | Expect::Tagged(key, _) => _ = needs.keys.insert(key.clone()),
                    Expect::Fewer { under, than } => {
                        let removed = removals.get(&(under.owner, under.kind)).copied().unwrap_or_default();
                        needs.add_window(under, usize::from(*than) + removed, 0);
                    }
                    _ => {}
                }
            }
            for change in &write.changes {
                match change {
                    Change::Put(put) | Change::Raise(put) => _ = needs.keys.insert(put.key.clone()),
                    Change::Delete(key) => {
                        needs.keys.insert(key.clone());
                        *removals.entry((key.owner, key.kind)).or_default() += 1;
                    }
                    Change::Clear(under) => {
                        let removed = removals.get(&(under.owner, under.kind)).copied().unwrap_or_default();
                        needs.add_window(under, Change::MAX_CLEARED + 1 + removed, 0);
                    }
                    Change::TakeFirst { under, or } => {
                        needs.keys.extend(or.clone());
                        let removed = removals.entry((under.owner, under.kind)).or_default();
                        *removed += 1;
                        needs.add_window(under, *removed, *removed);
                    }
                    _ => {}
                }
            }
        }
        needs
    }

    fn add_window(&mut self, under: &Prefix, max_rows: usize, complete: usize) {
        let window = self.windows.entry(under.clone()).or_default();
        window.max_rows = window.max_rows.max(max_rows);
        window.complete = window.complete.max(complete);
    }
}

/// Adds the statements that read the records that a segment names.
pub(super) async fn read_records(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    writes: &[Write],
) -> Result<(), Fault> {
    let Needs { keys, windows } = Needs::collect(writes);
    read_keys(pipeline, kinds, keys).await?;
    if !windows.is_empty() {
        let (mut owners, mut record_kinds) = (Vec::new(), Vec::new());
        let (mut low, mut high) = (Vec::new(), Vec::new());
        for under in windows.keys() {
            owners.push(codec::owner(under.owner));
            record_kinds.push(codec::kind(under.kind));
            let bounds = codec::name_bounds(under, None);
            low.push(bounds.0);
            high.push(bounds.1);
        }
        let max_rows: Vec<i64> =
            windows.values().map(|window| codec::usize_to_i64(window.max_rows)).collect();
        let complete: Vec<i64> =
            windows.values().map(|window| codec::usize_to_i64(window.complete)).collect();
        let params = vec![
            param(owners),
            param(record_kinds),
            param(low),
            param(high),
            param(max_rows),
            param(complete),
        ];
        pipeline.add(windows_statement(), params).await?;
        kinds.push(RowKind::Windows(windows.into_iter().collect()));
    }
    Ok(())
}

/// Adds the statement that reads the fences that a segment requires and that have other tags now. A
/// refusal names the record of such a fence. Usually there are none.
pub(in crate::write) async fn read_unmet_fences(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    writes: &[Write],
    state: &BatchState,
) -> Result<(), Fault> {
    let is_fenced = |write: &&Write| {
        write.expects.iter().any(|expect| matches!(expect, Expect::Fence { .. })) && write.validate().is_ok()
    };
    let mut keys = BTreeSet::new();
    for write in writes.iter().filter(is_fenced) {
        for expect in &write.expects {
            let Expect::Fence { of, tag } = expect else { continue };
            let Some(owner) = fence_owner(&write.action, *of, writes, state) else { continue };
            let current = match owner {
                Owner::User(user) => state.users.get(&user).and_then(|user| user.fence),
                Owner::Conversation(id) => state.conversations.get(&id).and_then(|head| head.fence),
                Owner::Store => None,
            };
            let key = RecordKey::fence(owner);
            if current != Some(*tag) && !state.records.is_loaded(&key) {
                keys.insert(key);
            }
        }
    }
    read_keys(pipeline, kinds, keys).await
}

/// The owner of the fence that a condition names; `None` if the write is refused before the
/// condition is checked.
fn fence_owner(action: &Action, of: Party, writes: &[Write], state: &BatchState) -> Option<Owner> {
    match action {
        Action::AppendMessage(write) => {
            let sender = write.sender.user;
            match of {
                Party::Sender => Some(Owner::User(sender)),
                Party::Conversation => Some(Owner::Conversation(write.conversation)),
                Party::Peer => {
                    let stored = state.conversations.get(&write.conversation);
                    let participants = stored.map(|head| head.conversation.participants);
                    participants
                        .or_else(|| opened(write.conversation, writes))?
                        .peer_of(sender)
                        .map(Owner::User)
                }
            }
        }
        Action::OpenConversation(write) => match of {
            Party::Sender => Some(Owner::User(write.opener.user)),
            Party::Peer => write.participants.peer_of(write.opener.user).map(Owner::User),
            Party::Conversation => None,
        },
        _ => None,
    }
}

/// The participants of a conversation that one of `writes` opens.
fn opened(id: ConversationId, writes: &[Write]) -> Option<Participants> {
    writes.iter().find_map(|write| match &write.action {
        Action::OpenConversation(write) if write.id == id => Some(write.participants),
        _ => None,
    })
}

async fn read_keys(
    pipeline: &mut Pipeline<'_>,
    kinds: &mut Vec<RowKind>,
    keys: BTreeSet<RecordKey>,
) -> Result<(), Fault> {
    if keys.is_empty() {
        return Ok(());
    }
    let owners: Vec<Vec<u8>> = keys.iter().map(|key| codec::owner(key.owner)).collect();
    let record_kinds: Vec<i32> = keys.iter().map(|key| codec::kind(key.kind)).collect();
    let names: Vec<Vec<u8>> = keys.iter().map(|key| key.name.as_bytes().to_vec()).collect();
    pipeline.add(keys_statement(), vec![param(owners), param(record_kinds), param(names)]).await?;
    kinds.push(RowKind::Records(keys.into_iter().collect()));
    Ok(())
}
