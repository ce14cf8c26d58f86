//! The publication of keys, and sends that name a key version.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use dm_core::record::{Owner, RecordKey};
use dm_core::store::{
    Change, GateChange, Put, Scan, ScanQuery, Store, StoreErrorKind, Write, key_announcement,
};
use dm_core::{
    Error, KeyBinding, KeyPolicy, KeyRecord, KeyVersion, MemoryStore, Participants, SendMessage, Timestamp,
};

use crate::common::{World, client_id, derived_key, is_not_found, let_tasks_run, message, user, who};

#[tokio::test]
async fn a_new_key_gets_the_next_version_and_the_current_key_changes_nothing() {
    let world = World::configured(|config| config.key_policy = KeyPolicy::AcceptUnproven);
    assert!(is_not_found(world.dm.key(user(1)).await));
    let first = world.dm.publish_key(&who(1), derived_key(1)).await.unwrap();
    assert_eq!((first.version.get(), first.binding), (1, KeyBinding::Derived));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.dm.publish_key(&who(1), derived_key(1)).await.unwrap(), first);
    let second = world.dm.publish_key(&who(1), derived_key(9)).await.unwrap();
    assert_eq!((second.version.get(), second.binding), (2, KeyBinding::Unproven));
    assert_eq!(world.dm.key(user(1)).await.unwrap(), second);
    // Publishing an older key again makes a new version, too.
    assert_eq!(world.dm.publish_key(&who(1), derived_key(1)).await.unwrap().version.get(), 3);
}

#[tokio::test]
async fn a_key_not_derived_from_the_callers_identity_is_refused_by_default() {
    let world = World::new();
    let refused = world.dm.publish_key(&who(1), derived_key(2)).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert!(is_not_found(world.dm.key(user(1)).await));
}

#[tokio::test]
async fn a_message_for_an_older_key_version_is_refused_with_the_new_key_and_not_stored() {
    let world = World::configured(|config| config.key_policy = KeyPolicy::AcceptUnproven);
    let chat = world.open(1, 2).await;
    let naming = |version| SendMessage { recipient_key_version: Some(version), ..message(chat, "x") };
    let unpublished = world.dm.send(&who(1), naming(KeyVersion::FIRST)).await;
    assert!(matches!(unpublished, Err(Error::StaleKey { current: None })));
    let first = world.dm.publish_key(&who(2), derived_key(2)).await.unwrap();
    let sent = SendMessage { client_id: Some(client_id(1)), ..naming(first.version) };
    world.dm.send(&who(1), sent.clone()).await.unwrap();
    let second = world.dm.publish_key(&who(2), derived_key(9)).await.unwrap();
    match world.dm.send(&who(1), naming(first.version)).await {
        Err(Error::StaleKey { current: Some(current) }) => assert_eq!(*current, second),
        other => panic!("{other:?}"),
    }
    assert!(
        world.dm.send(&who(1), sent).await.unwrap().repeated,
        "the repeat of an accepted send is accepted"
    );
    assert!(world.dm.send(&who(1), naming(second.version)).await.is_ok());
    assert_eq!(world.dm.conversation(&who(1), chat).await.unwrap().head.get(), 2);
}

#[tokio::test]
async fn a_repeated_send_is_answered_although_the_key_and_the_gate_have_changed() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |config| config.key_policy = KeyPolicy::AcceptUnproven);
    let chat = world.open(1, 2).await;
    let first = world.dm.publish_key(&who(2), derived_key(2)).await.unwrap();
    let send = SendMessage {
        client_id: Some(client_id(1)),
        recipient_key_version: Some(first.version),
        ..message(chat, "x")
    };
    let sent = world.dm.send(&who(1), send.clone()).await.unwrap();
    world.dm.publish_key(&who(2), derived_key(9)).await.unwrap();
    let pair = Participants::new(user(1), user(2)).unwrap();
    let close = Change::Gate(GateChange { close: 1, ..GateChange::new(pair) });
    store.commit(vec![Write::default().change(close)]).await.unwrap();
    let again = world.dm.send(&who(1), send).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.message.id, sent.message.id);
}

#[tokio::test]
async fn keys_published_through_two_services_at_once_get_dense_versions() {
    let store = MemoryStore::new();
    let worlds =
        [(); 2].map(|()| World::with(store.clone(), |config| config.key_policy = KeyPolicy::AcceptUnproven));
    let publications: Vec<_> = (1..=30)
        .map(|n| {
            let dm = worlds[usize::from(n % 2 == 0)].dm.clone();
            tokio::spawn(async move { dm.publish_key(&who(1), derived_key(n)).await.unwrap() })
        })
        .collect();
    let mut versions = BTreeMap::new();
    for publication in publications {
        let KeyRecord { version, key, .. } = publication.await.unwrap();
        assert_eq!(versions.insert(version.get(), key), None, "one version for two keys");
    }
    assert_eq!(versions.keys().copied().collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    assert_eq!(Some(&worlds[0].dm.key(user(1)).await.unwrap().key), versions.get(&30));
}

#[tokio::test]
async fn the_same_key_published_at_once_is_one_version() {
    let store = MemoryStore::new();
    let worlds = [(); 2].map(|()| World::with(store.clone(), |_| ()));
    let publications: Vec<_> = (0..20)
        .map(|n| {
            let dm = worlds[n % 2].dm.clone();
            tokio::spawn(async move { dm.publish_key(&who(1), derived_key(1)).await.unwrap() })
        })
        .collect();
    for publication in publications {
        assert_eq!(publication.await.unwrap().version, KeyVersion::FIRST);
    }
}

/// A node of a newer version of the library wrote the key. Nodes of this version must neither
/// replace it nor say that there is none.
#[tokio::test]
async fn a_key_of_an_unknown_form_is_neither_replaced_nor_taken_for_no_key() {
    let store = MemoryStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let tag = KeyVersion::FIRST.tag();
    let fence = Put::new(RecordKey::fence(Owner::User(user(2))), Bytes::from_static(b"\x02new"), tag);
    let job = key_announcement(user(2), None, tag);
    let job = Put { key: job.key, value: job.value, tag, due: job.due };
    store.commit(vec![Write::default().change(Change::Put(fence)).change(Change::Put(job))]).await.unwrap();
    let is_newer =
        |error| matches!(error, Error::Unavailable(error) if error.kind() == StoreErrorKind::NewerSchema);
    assert!(is_newer(world.dm.key(user(2)).await.unwrap_err()));
    assert!(is_newer(world.dm.publish_key(&who(2), derived_key(2)).await.unwrap_err()));
    let stale = SendMessage { recipient_key_version: Some(KeyVersion::FIRST.next()), ..message(chat, "x") };
    assert!(is_newer(world.dm.send(&who(1), stale).await.unwrap_err()));
    let current = SendMessage { recipient_key_version: Some(KeyVersion::FIRST), ..message(chat, "x") };
    world.dm.send(&who(1), current).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let_tasks_run().await;
    let until = Timestamp::from_millis(u64::MAX);
    let scan = Scan::Due { kind: dm_core::record::Kind::KEY_ANNOUNCEMENT, until, after: None };
    let page = store.scan(ScanQuery { scan, limit: 10, max_bytes: usize::MAX }).await.unwrap();
    assert_eq!(page.records.len(), 1, "its announcement is left to the newer nodes");
}
