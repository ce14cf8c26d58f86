//! Any sequence of batches does the same to a file as to the store in memory: every outcome and every read is equal,
//! over reopening, over two handles that take turns on one file, and over expiry.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use common::{at, conversation, message_id, user};
use dm_core::*;
use dm_store_sqlite::SqliteStore;
use proptest::prelude::*;

const USERS: u64 = 4;
const CONVERSATIONS: u8 = 6;
const DEVICES: [&str; 3] = ["default", "phone", "desk"];
/// More than a sequence makes.
const MESSAGES: u64 = 64;

/// A write, with small numbers for names so that they meet.
#[derive(Clone, Debug)]
enum Op {
    Publish {
        user: u64,
        key: u8,
    },
    Announce {
        limit: usize,
    },
    Open {
        one: u64,
        other: u64,
        device: usize,
    },
    Append {
        to: u8,
        from: u64,
        device: usize,
        client_id: Option<u8>,
        key_version: Option<u32>,
        payload: u8,
        large: bool,
    },
    AckUpTo {
        user: u64,
        device: usize,
        seq: u64,
    },
    AckEntries {
        user: u64,
        device: usize,
        seqs: Vec<u64>,
    },
    AckMessages {
        user: u64,
        device: usize,
        ids: Vec<u64>,
    },
    Register {
        user: u64,
        device: usize,
        now: bool,
        limit: usize,
    },
    Forget {
        user: u64,
        device: usize,
    },
    Expire {
        before: u64,
    },
}

/// What happens between reads.
#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<Op>),
    /// The same through a second handle on the file.
    OtherHandle(Vec<Op>),
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    let user = || 0..USERS;
    let device = || 0..DEVICES.len();
    let seq = || prop_oneof![8 => 0..20_u64, 1 => Just(u64::MAX)];
    prop_oneof![
        2 => (user(), 0..3_u8).prop_map(|(user, key)| Op::Publish { user, key }),
        2 => (1..4_usize).prop_map(|limit| Op::Announce { limit }),
        4 => (user(), 1..USERS, device())
            .prop_map(|(one, by, device)| Op::Open { one, other: (one + by) % USERS, device }),
        12 => (
            0..CONVERSATIONS,
            user(),
            device(),
            prop::option::of(0..4_u8),
            prop::option::weighted(0.2, 1..3_u32),
            0..3_u8,
            prop::bool::weighted(0.1),
        )
            .prop_map(|(to, from, device, client_id, key_version, payload, large)| Op::Append {
                to, from, device, client_id, key_version, payload, large,
            }),
        2 => (user(), device(), seq()).prop_map(|(user, device, seq)| Op::AckUpTo { user, device, seq }),
        3 => (user(), device(), prop::collection::vec(seq(), 0..5))
            .prop_map(|(user, device, seqs)| Op::AckEntries { user, device, seqs }),
        3 => (user(), device(), prop::collection::vec(0..MESSAGES, 0..5))
            .prop_map(|(user, device, ids)| Op::AckMessages { user, device, ids }),
        4 => (user(), device(), any::<bool>(), 1..4_usize)
            .prop_map(|(user, device, now, limit)| Op::Register { user, device, now, limit }),
        1 => (user(), device()).prop_map(|(user, device)| Op::Forget { user, device }),
        1 => (0..80_u64).prop_map(|before| Op::Expire { before }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batch = || prop::collection::vec(op(), 1..12);
    prop::collection::vec(
        prop_oneof![
            8 => batch().prop_map(Step::Batch),
            2 => batch().prop_map(Step::OtherHandle),
            1 => Just(Step::Reopen),
        ],
        1..12,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_outcome_and_every_read_is_equal(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(steps))?;
    }
}

async fn compare(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dm.db");
    let model = MemoryStore::new();
    let mut store = SqliteStore::open(&path).unwrap();
    let other = SqliteStore::open(&path).unwrap();
    let mut time = 0;
    for step in steps {
        let (handle, ops) = match step {
            Step::Batch(ops) => (&store, ops),
            Step::OtherHandle(ops) => (&other, ops),
            Step::Reopen => {
                drop(store);
                store = SqliteStore::open(&path).unwrap();
                continue;
            }
        };
        let batch: Vec<_> = ops.iter().map(|op| write(op, &mut time)).collect();
        let expected = model.commit(batch.clone()).await.unwrap();
        let found = handle.commit(batch).await.unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        }
        prop_assert_eq!(found.len(), expected.len());
        for handle in [&store, &other] {
            reads_agree(&model, handle).await?;
        }
    }
    Ok(())
}

/// The write of an op. Every write comes a millisecond after the one before and makes new ids.
fn write(op: &Op, time: &mut u64) -> Write {
    *time += 1;
    let now = at(*time);
    let on = |n: u64, device: usize| Principal::new(user(n), DEVICES[device].parse().unwrap());
    match op.clone() {
        Op::Publish { user: n, key } => Write::PublishKey(PublishKey {
            user: user(n),
            key: X25519Key::from_stored([key + 1; 32]),
            binding: KeyBinding::Unproven,
            at: now,
        }),
        Op::Announce { limit } => Write::AnnounceKeys(AnnounceKeys { limit, at: now }),
        Op::Open { one, other, device } => {
            let pair = if one < other { (one, other) } else { (other, one) };
            Write::OpenConversation(OpenConversation {
                id: conversation(pair_number(pair)),
                participants: Participants::new(user(one), user(other)).unwrap(),
                opener: on(one, device),
                at: now,
            })
        }
        Op::Append { to, from, device, client_id, key_version, payload, large } => {
            let size = if large { 3_000 } else { 3 };
            let suite = (payload == 1).then_some(Suite(u32::MAX));
            let ephemeral = (payload == 2).then_some([9; 32]);
            Write::AppendMessage(AppendMessage {
                id: message_id(*time % MESSAGES + *time / MESSAGES * 1_000),
                conversation: conversation(to),
                sender: on(from, device),
                client_id: client_id.map(|n| ClientMessageId::from_bytes([n; 16])),
                recipient_key_version: key_version.map(|version| KeyVersion::new(version).unwrap()),
                sent_at: at(u64::MAX - u64::from(payload)),
                at: now,
                ciphertext: Ciphertext::new(
                    vec![payload; size].into(),
                    &[payload; 24],
                    ephemeral.as_ref().map(|key: &[u8; 32]| key.as_slice()),
                    suite,
                )
                .unwrap(),
            })
        }
        Op::AckUpTo { user, device, seq } => ack(on(user, device), AckTarget::UpTo(InboxSeq::new(seq))),
        Op::AckEntries { user, device, seqs } => {
            ack(on(user, device), AckTarget::Entries(seqs.into_iter().map(InboxSeq::new).collect()))
        }
        Op::AckMessages { user, device, ids } => {
            ack(on(user, device), AckTarget::Messages(ids.into_iter().map(message_id).collect()))
        }
        Op::Register { user, device, now: from_now, limit } => Write::RegisterDevice(RegisterDevice {
            who: on(user, device),
            start: if from_now { DeviceStart::Now } else { DeviceStart::Oldest },
            limit,
            at: now,
        }),
        Op::Forget { user, device } => Write::ForgetDevice(ForgetDevice { who: on(user, device) }),
        // Without a limit: which inbox goes first is the store's to choose.
        Op::Expire { before } => Write::Expire(Expire { before: at(before), limit: 10_000 }),
    }
}

fn ack(who: Principal, target: AckTarget) -> Write {
    Write::Acknowledge(Acknowledge { who, target })
}

/// 0 to 5 for the six pairs of four users.
fn pair_number((a, b): (u64, u64)) -> u8 {
    [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        .iter()
        .position(|pair| *pair == (a, b))
        .unwrap()
        .try_into()
        .unwrap()
}

async fn reads_agree(model: &MemoryStore, store: &SqliteStore) -> Result<(), TestCaseError> {
    for n in 0..USERS {
        prop_assert_eq!(store.key(user(n)).await.unwrap(), model.key(user(n)).await.unwrap());
        prop_assert_eq!(store.devices(user(n)).await.unwrap(), model.devices(user(n)).await.unwrap());
        lists_agree(model, store, user(n)).await?;
        for device in DEVICES {
            let who = Principal::new(user(n), device.parse().unwrap());
            prop_assert_eq!(store.depth(who.clone()).await.unwrap(), model.depth(who.clone()).await.unwrap());
            inboxes_agree(model, store, &who).await?;
        }
    }
    for n in 0..CONVERSATIONS {
        let id = conversation(n);
        prop_assert_eq!(store.conversation(id).await.unwrap(), model.conversation(id).await.unwrap());
        for reader in 0..USERS {
            histories_agree(model, store, user(reader), id).await?;
        }
    }
    Ok(())
}

async fn lists_agree(model: &MemoryStore, store: &SqliteStore, user: UserId) -> Result<(), TestCaseError> {
    let mut after = None;
    loop {
        let query = ConversationsQuery { user, after, limit: 2 };
        let expected = model.conversations(query).await.unwrap();
        prop_assert_eq!(&store.conversations(query).await.unwrap(), &expected);
        match expected.last() {
            Some(last) => after = Some(last.cursor()),
            None => return Ok(()),
        }
    }
}

async fn inboxes_agree(
    model: &MemoryStore,
    store: &SqliteStore,
    who: &Principal,
) -> Result<(), TestCaseError> {
    for own in [OwnEntries::Skip, OwnEntries::Include] {
        for (after, limit, max_bytes) in
            [(0, 1_000, usize::MAX), (3, 2, usize::MAX), (1, 5, 1_000), (u64::MAX, 1, 1)]
        {
            let query = InboxQuery { who: who.clone(), after: InboxSeq::new(after), own, limit, max_bytes };
            let expected = model.inbox(query.clone()).await.unwrap();
            let found = store.inbox(query).await.unwrap();
            prop_assert_eq!(&found.entries, &expected.entries);
            prop_assert_eq!(
                (found.through, found.head, found.floor),
                (expected.through, expected.head, expected.floor)
            );
        }
    }
    Ok(())
}

async fn histories_agree(
    model: &MemoryStore,
    store: &SqliteStore,
    reader: UserId,
    conversation: ConversationId,
) -> Result<(), TestCaseError> {
    let at = ServerSequence::new;
    for range in [
        HistoryRange::Newest,
        HistoryRange::Before(at(3)),
        HistoryRange::Before(at(u64::MAX)),
        HistoryRange::After(at(0)),
        HistoryRange::After(at(2)),
        HistoryRange::After(at(u64::MAX)),
    ] {
        for (limit, max_bytes) in [(1_000, usize::MAX), (2, usize::MAX), (10, 1_000)] {
            let query = HistoryQuery { reader, conversation, range, limit, max_bytes };
            let expected = model.history(query).await.unwrap();
            let found = store.history(query).await.unwrap();
            prop_assert_eq!(found.is_some(), expected.is_some());
            if let (Some(found), Some(expected)) = (found, expected) {
                prop_assert_eq!(found.messages, expected.messages);
                prop_assert_eq!(found.has_more, expected.has_more);
            }
        }
    }
    Ok(())
}
