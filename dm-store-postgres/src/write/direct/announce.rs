//! Announcing new keys: notices in the inboxes of the publishers' peers.
//!
//! A publisher is a user who published a new key. An announcement is a row for a publisher. The row
//! exists until all peers of the publisher have the notice.
//!
//! The write [`AnnounceKeys`] names no user. It locks the rows of publishers and peers as it finds
//! them, and skips rows that another transaction has locked. A publisher's row is locked before the
//! publisher's announcement is read, because each transaction that writes an announcement holds
//! this lock.

use dm_core::notify::Notification;
use dm_core::store::{AnnounceKeys, Event, InboxEntry, InboxSeq, KeyRecord, Notice, Outcome, UserId};

use crate::codec;
use crate::connection::TimedClient;
use crate::error::Fault;
use crate::write::pipeline::{Pipeline, param};

/// Locks the first publisher above `$1` who has an announcement and whose row is not locked.
/// Returns the publisher and the current key.
const LOCK_PUBLISHER: &str = "SELECT u.id, u.key_version, u.key, u.key_binding, u.key_published_at
    FROM announcements n JOIN users u ON u.id = n.publisher
    WHERE n.publisher > $1 ORDER BY n.publisher LIMIT 1 FOR UPDATE OF u SKIP LOCKED";

/// Locks the peers of the publisher's conversations with numbers above `$2`, up to `$3`, except
/// peers whose rows are locked. Returns them in the order of these numbers. A user's conversations
/// are numbered 1, 2, 3 … in the order in which they were opened.
pub(super) const LOCK_PEERS: &str = "SELECT t.number, u.id, u.inbox_head FROM (
        SELECT c.a_number AS number, c.b AS peer FROM conversations c
        WHERE c.a = $1 AND c.a_number > $2 AND c.a_number <= $3
        UNION ALL
        SELECT c.b_number, c.a FROM conversations c
        WHERE c.b = $1 AND c.b_number > $2 AND c.b_number <= $3
    ) t JOIN users u ON u.id = t.peer
    ORDER BY t.number FOR UPDATE OF u SKIP LOCKED";

const INSERT_NOTICES: &str = "INSERT INTO inbox (user_id, seq, at, notice)
    SELECT n.id, n.seq, $3, $4 FROM unnest($1::bytea[], $2::bigint[]) AS n(id, seq)";

/// Raises inbox heads to the numbers of the new notices.
const RAISE_HEADS: &str = "UPDATE users u SET inbox_head = n.seq, oldest_at = coalesce(u.oldest_at, $3)
    FROM unnest($1::bytea[], $2::bigint[]) AS n(id, seq) WHERE u.id = n.id";

/// Appends up to `write.limit` notices, and says whether announcements remain.
pub(crate) async fn announce(client: TimedClient<'_>, write: &AnnounceKeys) -> Result<Outcome, Fault> {
    let mut appended = Vec::new();
    let mut last = Vec::new();
    while appended.len() < write.limit
        && let Some((publisher, record)) = next_publisher(client, &last).await?
    {
        last = publisher.as_bytes().to_vec();
        notify_peers(client, write, publisher, record, &mut appended).await?;
    }
    let mut pipeline = Pipeline::new(client);
    pipeline.add("SELECT EXISTS (SELECT FROM announcements)", Vec::new()).await?;
    let more = pipeline.execute().await?.flatten().next();
    let more = more.map(|row| row.try_get(0)).transpose()?.unwrap_or(false);
    Ok(Outcome::KeysAnnounced { appended, more })
}

/// Locks the first publisher above `after` who has an announcement and whose row no other
/// transaction has locked. Returns the publisher and the current key; `None` if there is no such
/// publisher.
async fn next_publisher(
    client: TimedClient<'_>,
    after: &[u8],
) -> Result<Option<(UserId, Option<KeyRecord>)>, Fault> {
    let mut pipeline = Pipeline::new(client);
    pipeline.add(LOCK_PUBLISHER, vec![param(after)]).await?;
    let Some(row) = pipeline.execute().await?.flatten().next() else { return Ok(None) };
    let publisher = codec::get_user(&row, 0)?;
    Ok(Some((publisher, codec::key_record(publisher, &row, 1)?)))
}

/// Appends a notice to the inbox of each peer of a locked publisher, and adds it to `appended`.
/// Stops at the limit, or before the first peer whom another transaction has locked.
async fn notify_peers(
    client: TimedClient<'_>,
    write: &AnnounceKeys,
    publisher: UserId,
    record: Option<KeyRecord>,
    appended: &mut Vec<Notification>,
) -> Result<(), Fault> {
    let id = publisher.as_bytes().as_slice();
    let mut pipeline = Pipeline::new(client);
    pipeline.add("SELECT told, until FROM announcements WHERE publisher = $1", vec![param(id)]).await?;
    let Some(row) = pipeline.execute().await?.flatten().next() else { return Ok(()) };
    // Numbers of the publisher's conversations: peers in those up to `told` have the notice, and
    // peers in those after `told`, up to `until`, need it.
    let (told, until): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let max_notices = codec::usize_to_i64(write.limit - appended.len());
    let end = until.min(told.saturating_add(max_notices));

    let mut pipeline = Pipeline::new(client);
    pipeline.add(LOCK_PEERS, vec![param(id), param(told), param(end)]).await?;
    let rows = pipeline.execute().await?.next().unwrap_or_default();
    let (mut reached, mut peers, mut seqs) = (told, Vec::new(), Vec::new());
    for row in rows {
        // The peer with the next number was skipped, because its row is locked. The skipped peer
        // and all following peers get their notices from a later write.
        if row.try_get::<_, i64>(0)? != reached + 1 {
            break;
        }
        reached += 1;
        peers.push(codec::get_user(&row, 1)?);
        seqs.push(row.try_get::<_, i64>(2)?.saturating_add(1));
    }
    let mut pipeline = Pipeline::new(client);
    if let Some(record) = record {
        let notice = Notice::PeerKeyChanged(record);
        let ids: Vec<Vec<u8>> = peers.iter().map(|peer| peer.as_bytes().to_vec()).collect();
        let at = codec::time_to_i64(write.at);
        let params = vec![param(ids.clone()), param(seqs.clone()), param(at), param(notice.encode())];
        pipeline.add(INSERT_NOTICES, params).await?;
        pipeline.add(RAISE_HEADS, vec![param(ids), param(seqs.clone()), param(at)]).await?;
        for (peer, seq) in peers.into_iter().zip(seqs) {
            let (seq, event) = (InboxSeq::new(seq.cast_unsigned()), Event::Notice(notice));
            appended.push(Notification {
                user: peer,
                entry: InboxEntry { seq, at: write.at, origin: None, event },
            });
        }
    }
    if reached == until {
        pipeline.add("DELETE FROM announcements WHERE publisher = $1", vec![param(id)]).await?;
    } else {
        let sql = "UPDATE announcements SET told = $2 WHERE publisher = $1";
        pipeline.add(sql, vec![param(id), param(reached)]).await?;
    }
    pipeline.execute().await?;
    Ok(())
}
