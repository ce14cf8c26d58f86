//! Any sequence of batches does the same to a database as to the store in memory: every outcome and every
//! read is equal, over reopening, over two stores that take turns on one database, and over expiry.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{at, conversation, message_id, user};
use dm_core::*;
use dm_store_redb::{RedbConfig, RedbStore};
use proptest::prelude::*;

const USERS: u64 = 4;
const PAIRS: [(u64, u64); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
const DEVICES: [&str; 3] = ["default", "phone", "desk"];
/// More than a sequence makes.
const MESSAGES: u64 = 64;

/// What happens between reads. A number is the place of a user, a device or a pair among the few there are.
#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<Write>),
    /// The same through a second store on the database.
    Other(Vec<Write>),
    Reopen,
}

fn who() -> impl Strategy<Value = Principal> {
    (0..USERS, 0..DEVICES.len())
        .prop_map(|(n, device)| Principal::new(user(n), DEVICES[device].parse().unwrap()))
}

fn ack(target: impl Strategy<Value = AckTarget>) -> impl Strategy<Value = Write> {
    (who(), target).prop_map(|(who, target)| Write::Acknowledge(Acknowledge { who, target }))
}

/// A write without a time and without an id of its own: [`stamp`] gives it both.
fn write() -> impl Strategy<Value = Write> {
    let now = at(0);
    let seq = || prop_oneof![8 => 0..20_u64, 1 => Just(u64::MAX)].prop_map(InboxSeq::new);
    let ciphertext = (0..3_u8, prop::bool::weighted(0.1)).prop_map(|(n, large)| {
        let payload = vec![n; if large { 3_000 } else { 3 }];
        let ephemeral = [9; 32];
        let ephemeral = (n == 2).then_some(ephemeral.as_slice());
        Ciphertext::new(payload.into(), &[n; 24], ephemeral, (n == 1).then_some(Suite(u32::MAX))).unwrap()
    });
    let client_id = prop::option::of((0..4_u8).prop_map(|n| ClientMessageId::from_bytes([n; 16])));
    let version = prop::option::weighted(0.2, (1..3_u32).prop_map(|n| KeyVersion::new(n).unwrap()));
    let message = (0..MESSAGES).prop_map(message_id);
    prop_oneof![
        2 => (0..USERS, 1..4_u8).prop_map(move |(n, key)| Write::PublishKey(PublishKey {
            user: user(n), key: X25519Key::from_stored([key; 32]), binding: KeyBinding::Unproven, at: now,
        })),
        2 => (1..4_usize).prop_map(move |limit| Write::AnnounceKeys(AnnounceKeys { limit, at: now })),
        4 => (0..6_u8, any::<bool>(), 0..DEVICES.len()).prop_map(move |(pair, first, device)| {
            let (a, b) = PAIRS[usize::from(pair)];
            Write::OpenConversation(OpenConversation {
                id: conversation(pair),
                participants: Participants::new(user(a), user(b)).unwrap(),
                opener: Principal::new(user(if first { a } else { b }), DEVICES[device].parse().unwrap()),
                at: now,
            })
        }),
        12 => (0..6_u8, who(), client_id, version, ciphertext).prop_map(
            move |(to, sender, client_id, recipient_key_version, ciphertext)| {
                Write::AppendMessage(AppendMessage {
                    id: message_id(0), conversation: conversation(to), sender, client_id,
                    recipient_key_version, sent_at: at(u64::MAX), at: now, ciphertext,
                })
            },
        ),
        2 => ack(seq().prop_map(AckTarget::UpTo)),
        3 => ack(prop::collection::vec(seq(), 0..5).prop_map(AckTarget::Entries)),
        3 => ack(prop::collection::vec(message, 0..5).prop_map(AckTarget::Messages)),
        4 => (who(), any::<bool>(), 1..4_usize).prop_map(move |(who, now_only, limit)| {
            let start = if now_only { DeviceStart::Now } else { DeviceStart::Oldest };
            Write::RegisterDevice(RegisterDevice { who, start, limit, at: now })
        }),
        1 => who().prop_map(|who| Write::ForgetDevice(ForgetDevice { who })),
        // Without a limit: which inbox goes first is the store's to choose.
        1 => (0..80_u64).prop_map(|before| Write::Expire(Expire { before: at(before), limit: 10_000 })),
    ]
}

/// Every write comes a millisecond after the one before and makes new ids.
fn stamp(write: &mut Write, time: &mut u64) {
    *time += 1;
    match write {
        Write::PublishKey(PublishKey { at: when, .. })
        | Write::AnnounceKeys(AnnounceKeys { at: when, .. })
        | Write::OpenConversation(OpenConversation { at: when, .. })
        | Write::RegisterDevice(RegisterDevice { at: when, .. }) => *when = at(*time),
        Write::AppendMessage(append) => {
            append.at = at(*time);
            append.id = message_id(*time % MESSAGES + *time / MESSAGES * 1_000);
        }
        _ => {}
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batch = || prop::collection::vec(write(), 1..12);
    let step = prop_oneof![
        8 => batch().prop_map(Step::Batch),
        2 => batch().prop_map(Step::Other),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..12)
}

/// Two stores on one database. The small head caches forget all the time.
fn open(path: &Path) -> [RedbStore; 2] {
    let database = Arc::new(redb::Database::create(path).unwrap());
    let mut config = RedbConfig::default();
    config.heads = 2.try_into().unwrap();
    [(); 2].map(|()| RedbStore::from_database(Arc::clone(&database), &config).unwrap())
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
    let path = folder.path().join("dm.redb");
    let model = MemoryStore::new();
    let mut stores = open(&path);
    let mut time = 0;
    for step in steps {
        let (store, mut batch) = match step {
            Step::Batch(batch) => (&stores[0], batch),
            Step::Other(batch) => (&stores[1], batch),
            Step::Reopen => {
                drop(stores);
                stores = open(&path);
                continue;
            }
        };
        batch.iter_mut().for_each(|write| stamp(write, &mut time));
        let expected = model.commit(batch.clone()).await.unwrap();
        let found = store.commit(batch).await.unwrap();
        prop_assert_eq!(format!("{found:#?}"), format!("{expected:#?}"));
        for store in &stores {
            reads_agree(&model, store).await?;
        }
    }
    Ok(())
}

async fn reads_agree(model: &MemoryStore, store: &RedbStore) -> Result<(), TestCaseError> {
    for n in 0..USERS {
        prop_assert_eq!(store.key(user(n)).await.unwrap(), model.key(user(n)).await.unwrap());
        prop_assert_eq!(store.devices(user(n)).await.unwrap(), model.devices(user(n)).await.unwrap());
        let mut query = ConversationsQuery { user: user(n), after: None, limit: 2 };
        loop {
            let expected = model.conversations(query).await.unwrap();
            prop_assert_eq!(&store.conversations(query).await.unwrap(), &expected);
            let Some(last) = expected.last() else { break };
            query.after = Some(last.cursor());
        }
        for device in DEVICES {
            let who = Principal::new(user(n), device.parse().unwrap());
            prop_assert_eq!(store.depth(who.clone()).await.unwrap(), model.depth(who.clone()).await.unwrap());
            inboxes_agree(model, store, &who).await?;
        }
    }
    for n in 0..6 {
        let id = conversation(n);
        prop_assert_eq!(store.conversation(id).await.unwrap(), model.conversation(id).await.unwrap());
        for reader in 0..USERS {
            histories_agree(model, store, user(reader), id).await?;
        }
    }
    Ok(())
}

async fn inboxes_agree(model: &MemoryStore, store: &RedbStore, who: &Principal) -> Result<(), TestCaseError> {
    for own in [OwnEntries::Skip, OwnEntries::Include] {
        for (after, limit, max_bytes) in
            [(0, 1_000, usize::MAX), (3, 2, usize::MAX), (1, 5, 1_000), (u64::MAX, 1, 1)]
        {
            let query = InboxQuery { who: who.clone(), after: InboxSeq::new(after), own, limit, max_bytes };
            let expected = model.inbox(query.clone()).await.unwrap();
            let found = store.inbox(query).await.unwrap();
            prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        }
    }
    Ok(())
}

async fn histories_agree(
    model: &MemoryStore,
    store: &RedbStore,
    reader: UserId,
    conversation: ConversationId,
) -> Result<(), TestCaseError> {
    let at = ServerSequence::new;
    for range in [
        HistoryRange::Newest,
        HistoryRange::Before(at(0)),
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
            prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        }
    }
    Ok(())
}
