//! Locking and reading: what a run of writes needs to know, in one pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dm_core::store::{AckTarget, Conversation, InboxSeq, MessageId, Principal, ServerSequence, Write};
use tokio_postgres::Row;
use uuid::Uuid;

use super::state::{BatchState, InboxNumbers, SentMessage, ConversationHead, User};
use super::pipeline::{Pipeline, Param, param};
use super::lock_set::{LockSet, owners};
use super::reserve::Reservation;
use crate::codec::{self, MESSAGE, MESSAGE_COLUMNS};
use crate::connection::Client;
use crate::error::Fault;

/// Makes rows for users who have none, in the order of their keys.
pub(crate) const ENSURE_USERS: &str = "INSERT INTO users (id)
    SELECT n.id FROM unnest($1::bytea[]) AS n(id) ORDER BY n.id ON CONFLICT (id) DO NOTHING";

/// Locks the users who are named and those of the conversations that are named, in the order of their keys. Everything
/// else that a batch changes belongs to one of them, so these are its only locks that are waited for.
pub(crate) const LOCK_USERS: &str = "SELECT u.id, u.inbox_head, u.inbox_floor, u.oldest_at, u.conversations,
           u.registrations, u.key_version, u.key, u.key_binding, u.key_published_at
    FROM users u
    WHERE u.id IN (SELECT unnest($1::bytea[])
                   UNION SELECT c.a FROM conversations c WHERE c.id = ANY ($2::uuid[])
                   UNION SELECT c.b FROM conversations c WHERE c.id = ANY ($2::uuid[]))
    ORDER BY u.id FOR UPDATE OF u";

pub(crate) const CONVERSATIONS: &str = "SELECT c.id, c.a, c.b, c.opened_at, c.head
    FROM conversations c WHERE c.id = ANY ($1::uuid[])
    UNION ALL
    SELECT c.id, c.a, c.b, c.opened_at, c.head
    FROM unnest($2::bytea[], $3::bytea[]) AS p(a, b) JOIN conversations c ON c.a = p.a AND c.b = p.b";

pub(crate) const DEVICES: &str = "SELECT d.user_id, d.device, d.cursor,
           (SELECT max(k.seq) FROM acked k WHERE k.user_id = d.user_id AND k.device = d.device)
    FROM devices d WHERE d.user_id = ANY ($1::bytea[])";

/// For each device and each place where its cursor may come to stand, the first entries that keep it from moving on: as
/// many as the run can acknowledge, and one more. Only those below the highest one that is acknowledged matter.
pub(crate) const UNACKNOWLEDGED: &str = "SELECT s.user_id, s.device, e.seq,
           (SELECT max(k.seq) FROM acked k
            WHERE k.user_id = s.user_id AND k.device = s.device AND k.seq < e.seq)
    FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
         AS s(user_id, device, origin, start, top, most)
    JOIN devices d ON d.user_id = s.user_id AND d.device = s.device
    JOIN users u ON u.id = s.user_id
    CROSS JOIN LATERAL (
        SELECT i.seq FROM inbox i
        WHERE i.user_id = s.user_id
          AND i.seq > greatest(s.start, d.cursor, u.inbox_floor)
          AND i.seq < greatest(s.top, (SELECT max(k.seq) FROM acked k
                                       WHERE k.user_id = s.user_id AND k.device = s.device))
          AND i.message_seq IS NOT NULL AND i.origin IS DISTINCT FROM s.origin
          AND NOT EXISTS (SELECT FROM acked k
                          WHERE k.user_id = s.user_id AND k.device = s.device AND k.seq = i.seq)
        ORDER BY i.seq LIMIT s.most
    ) e";

pub(crate) const INBOX_NUMBERS: &str = "SELECT m.id, m.sender, m.recipient, m.sender_seq, m.recipient_seq
    FROM messages m WHERE m.id = ANY ($1::uuid[])";

/// What the client ids stand for.
pub(crate) fn sent_statement() -> String {
    format!(
        "SELECT {MESSAGE}, m.sender_seq FROM unnest($1::bytea[], $2::uuid[]) AS s(sender, client_id)
         JOIN messages m ON m.sender = s.sender AND m.client_id = s.client_id AND m.client_id IS NOT NULL"
    )
}

/// Which statement of a pipeline an answer belongs to.
pub(super) enum RowKind {
    Other,
    Users,
    ReservedEntries,
    Conversations,
    ReservedMessages,
    Sent,
    Devices,
    Unacknowledged,
}

/// Adds the lock of every user of a batch.
pub(super) async fn lock(pipeline: &mut Pipeline<'_>, lock_set: &LockSet) -> Result<(), Fault> {
    let users: Vec<Vec<u8>> = lock_set.users.iter().map(|user| user.as_bytes().to_vec()).collect();
    let unresolved: Vec<Uuid> = lock_set.unresolved.iter().map(|id| codec::uuid(id.as_bytes())).collect();
    pipeline.add(LOCK_USERS, vec![param(users), param(unresolved)]).await
}

/// Reads where messages stand that are acknowledged by their ids. Needs no lock: a message keeps its places, and who
/// acknowledges one was told of it after it was committed.
pub(super) async fn inbox_numbers(
    client: Client<'_>,
    ids: &BTreeSet<MessageId>,
    state: &mut BatchState,
) -> Result<(), Fault> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| codec::uuid(id.as_bytes())).collect();
    let mut pipeline = Pipeline::new(client);
    pipeline.add(INBOX_NUMBERS, vec![param(ids)]).await?;
    for row in pipeline.execute().await?.flatten() {
        let numbers = InboxNumbers {
            sender: codec::get_user(&row, 1)?,
            recipient: codec::get_user(&row, 2)?,
            sender_seq: codec::get_seq(&row, 3)?,
            recipient_seq: codec::get_seq(&row, 4)?,
        };
        state.inbox_numbers.insert(codec::get_message_id(&row, 0)?, numbers);
    }
    Ok(())
}

/// Adds the locks of a run, and the reads behind them.
pub(super) async fn lock_and_read<'a>(
    pipeline: &mut Pipeline<'a>,
    kinds: &mut Vec<RowKind>,
    lock_set: &LockSet,
    writes: &'a [Write],
    state: &BatchState,
) -> Result<(), Fault> {
    if let Some(reservation) = Reservation::of(writes, lock_set) {
        reservation.entries(pipeline).await?;
        kinds.push(RowKind::ReservedEntries);
        reservation.messages(pipeline).await?;
        kinds.push(RowKind::ReservedMessages);
    } else {
        lock(pipeline, lock_set).await?;
        kinds.push(RowKind::Users);
        conversations(pipeline, kinds, writes).await?;
    }
    let (mut senders, mut client_ids) = (Vec::new(), Vec::new());
    for write in writes {
        let Write::AppendMessage(write) = write else { continue };
        if let Some(id) = &write.client_id {
            senders.push(write.sender.user.as_bytes().as_slice());
            client_ids.push(codec::uuid(id.as_bytes()));
        }
    }
    if !client_ids.is_empty() {
        pipeline.add(sent_statement(), vec![param(senders), param(client_ids)]).await?;
        kinds.push(RowKind::Sent);
    }
    let owners: Vec<Vec<u8>> = owners(writes).iter().map(|user| user.as_bytes().to_vec()).collect();
    if !owners.is_empty() {
        pipeline.add(DEVICES, vec![param(owners)]).await?;
        kinds.push(RowKind::Devices);
    }
    if let Some(ranges) = AckRanges::of(writes, state) {
        pipeline.add(UNACKNOWLEDGED, ranges.into_params()).await?;
        kinds.push(RowKind::Unacknowledged);
    }
    Ok(())
}

/// Adds the read of the conversations that a run appends to or opens.
async fn conversations(pipeline: &mut Pipeline<'_>, kinds: &mut Vec<RowKind>, writes: &[Write]) -> Result<(), Fault> {
    let (mut ids, mut a, mut b) = (BTreeSet::new(), Vec::new(), Vec::new());
    for write in writes {
        match write {
            Write::AppendMessage(write) => _ = ids.insert(codec::uuid(write.conversation.as_bytes())),
            Write::OpenConversation(write) => {
                a.push(write.participants.a().as_bytes().to_vec());
                b.push(write.participants.b().as_bytes().to_vec());
            }
            _ => {}
        }
    }
    if !ids.is_empty() || !a.is_empty() {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        pipeline.add(CONVERSATIONS, vec![param(ids), param(a), param(b)]).await?;
        kinds.push(RowKind::Conversations);
    }
    Ok(())
}

impl BatchState {
    /// Forgets what the last run was about. What is filed stays.
    pub(super) fn start_segment(&mut self) {
        let inbox_numbers = std::mem::take(&mut self.inbox_numbers);
        *self = Self { inbox_numbers, ..Self::default() };
    }

    /// Takes in the rows that answer a part.
    pub(super) fn load(&mut self, kind: &RowKind, rows: Vec<Row>) -> Result<(), Fault> {
        for row in rows {
            match kind {
                RowKind::Other => {}
                RowKind::Users => self.load_user(&row, 0)?,
                RowKind::ReservedEntries => self.load_user(&row, codec::get_number(&row, 10)?)?,
                RowKind::Conversations => self.load_conversation(&row, 0)?,
                RowKind::ReservedMessages => self.load_conversation(&row, codec::get_number(&row, 5)?)?,
                RowKind::Sent => self.load_sent(&row)?,
                RowKind::Devices => {
                    let who = Principal::new(codec::get_user(&row, 0)?, codec::get_device(&row, 1)?);
                    let newest: Option<i64> = row.try_get(3)?;
                    let device = self.devices.entry(who).or_default();
                    device.cursor = codec::get_number(&row, 2)?;
                    device.highest_acked = newest.map(i64::cast_unsigned);
                }
                RowKind::Unacknowledged => {
                    let who = Principal::new(codec::get_user(&row, 0)?, codec::get_device(&row, 1)?);
                    let acked_below: Option<i64> = row.try_get(3)?;
                    let device = self.devices.entry(who).or_default();
                    device.unacknowledged.insert(codec::get_number(&row, 2)?, acked_below.map(i64::cast_unsigned));
                }
            }
        }
        Ok(())
    }

    fn load_user(&mut self, row: &Row, reserved: u64) -> Result<(), Fault> {
        let id = codec::get_user(row, 0)?;
        let oldest_at: Option<i64> = row.try_get(3)?;
        let head_in_row = codec::get_number(row, 1)?;
        let user = User {
            head: InboxSeq::new(before(head_in_row, reserved)?),
            head_in_row: InboxSeq::new(head_in_row),
            floor: codec::get_seq(row, 2)?,
            oldest_at: oldest_at.map(codec::from_time),
            conversations: codec::get_number(row, 4)?,
            registrations: codec::get_number(row, 5)?,
            key: codec::key_record(id, row, 6)?,
            is_changed: false,
            has_new_key: false,
        };
        self.users.insert(id, user);
        Ok(())
    }

    fn load_conversation(&mut self, row: &Row, reserved: u64) -> Result<(), Fault> {
        let conversation = Conversation {
            id: codec::get_conversation(row, 0)?,
            participants: codec::get_participants(row, 1)?,
            opened_at: codec::get_time(row, 3)?,
        };
        let head_in_row = codec::get_number(row, 4)?;
        let head = ConversationHead {
            conversation,
            sequence: ServerSequence::new(before(head_in_row, reserved)?),
            sequence_in_row: ServerSequence::new(head_in_row),
            last_activity: None,
            opened_as: None,
        };
        self.by_participants.insert(conversation.participants, conversation.id);
        self.conversations.insert(conversation.id, head);
        Ok(())
    }

    fn load_sent(&mut self, row: &Row) -> Result<(), Fault> {
        let message = codec::message(row, 0)?;
        let Some(client_id) = message.client_id else { return Ok(()) };
        let sender_seq = codec::get_seq(row, MESSAGE_COLUMNS)?;
        self.sent.insert((message.sender, client_id), SentMessage { message: Arc::new(message), sender_seq });
        Ok(())
    }
}

/// A head before something was reserved.
fn before(head_in_row: u64, reserved: u64) -> Result<u64, Fault> {
    head_in_row.checked_sub(reserved).ok_or(Fault::Corrupt("a head below what was reserved"))
}

/// Where the cursors of a run's devices may come to stand, and how far beyond to look.
struct AckRanges<'a> {
    by_device: BTreeMap<&'a Principal, AckRange>,
}

#[derive(Default)]
struct AckRange {
    /// Zero stands for where the cursor is.
    starts: BTreeSet<u64>,
    /// Above the highest entry that the run acknowledges individually.
    top: u64,
    count: usize,
}

impl<'a> AckRanges<'a> {
    fn of(writes: &'a [Write], state: &BatchState) -> Option<Self> {
        let mut by_device: BTreeMap<_, AckRange> = BTreeMap::new();
        for write in writes {
            let Write::Acknowledge(write) = write else { continue };
            let range = by_device.entry(&write.who).or_default();
            range.starts.insert(0);
            let acked: Vec<InboxSeq> = match &write.target {
                AckTarget::UpTo(seq) => {
                    range.starts.insert(seq.get());
                    continue;
                }
                AckTarget::Entries(seqs) => seqs.clone(),
                AckTarget::Messages(ids) => ids
                    .iter()
                    .map(|id| match state.inbox_numbers.get(id) {
                        Some(numbers) if numbers.sender == write.who.user => numbers.sender_seq,
                        Some(numbers) if numbers.recipient == write.who.user => numbers.recipient_seq,
                        Some(_) => InboxSeq::ZERO,
                        // This run may append it, above all there is.
                        None => InboxSeq::new(u64::MAX),
                    })
                    .collect(),
            };
            range.count += acked.len();
            range.top = acked.iter().map(|seq| seq.get()).fold(range.top, u64::max);
        }
        (!by_device.is_empty()).then_some(Self { by_device })
    }

    fn into_params(self) -> Vec<Param<'a>> {
        let (mut users, mut devices, mut origins) = (Vec::new(), Vec::new(), Vec::new());
        let (mut starts, mut tops, mut most) = (Vec::new(), Vec::new(), Vec::new());
        for (who, range) in self.by_device {
            for start in range.starts {
                users.push(who.user.as_bytes().as_slice());
                devices.push(who.device.as_str());
                origins.push(codec::origin(Some(&who.device)));
                starts.push(codec::number(start));
                tops.push(codec::number(range.top));
                most.push(codec::count(range.count.saturating_add(1)));
            }
        }
        vec![param(users), param(devices), param(origins), param(starts), param(tops), param(most)]
    }
}
