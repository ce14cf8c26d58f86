//! Pending entries, acknowledgements, devices and expiry.

use dm_core::store::*;
use dm_core::*;

use crate::common::gate::{GatedStore, Kind};
use crate::common::{DAY, World, is_message, let_tasks_run, message, numbers, on, seq, texts, user, who};

#[tokio::test]
async fn a_new_device_starts_at_the_oldest_entry_kept() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 3).await;
    assert_eq!(texts(&world.pending(&on(2, "phone")).await), ["1", "2", "3"]);
    assert_eq!(world.dm.devices(&who(2)).await.unwrap()[0].device.as_str(), "phone");
}

#[tokio::test]
async fn a_new_device_may_start_at_the_newest_entry() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "old").await;
    let phone = on(2, "phone");
    drop(world.dm.connect_from(&phone, DeviceStart::Now).await.unwrap());
    world.send(&who(1), chat, "new").await;
    assert_eq!(texts(&world.pending(&phone).await), ["new"]);
}

#[tokio::test]
async fn an_acknowledgement_affects_one_device_only() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 3).await;
    let (phone, desk) = (on(2, "phone"), on(2, "desk"));
    world.dm.acknowledge(&phone, AckTarget::UpTo(seq(3))).await.unwrap();
    assert_eq!(texts(&world.pending(&phone).await), ["3"]);
    assert_eq!(texts(&world.pending(&desk).await), ["1", "2", "3"]);
}

#[tokio::test]
async fn acknowledging_by_id_removes_exactly_the_named_messages_and_is_idempotent() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 5).await;
    let all = world.pending(&who(2)).await;
    let ids: Vec<_> = all.iter().filter_map(|entry| entry.message()).map(|message| message.id).collect();
    let named = AckTarget::Messages(vec![ids[3], ids[1], MessageId::from_bytes([0; 16])]);
    for _ in 0..2 {
        let done = world.dm.acknowledge(&who(2), named.clone()).await.unwrap();
        assert_eq!((done.acknowledged, done.unknown), (2, 1));
        assert_eq!(texts(&world.pending(&who(2)).await), ["1", "3", "5"]);
    }
    world.dm.acknowledge(&who(2), AckTarget::Messages(vec![ids[0], ids[2]])).await.unwrap();
    let done = world.dm.acknowledge(&who(2), AckTarget::Messages(vec![ids[4]])).await.unwrap();
    assert_eq!(done.cursor, seq(6), "the cursor advances when no entry before it is left");
    assert!(world.pending(&who(2)).await.is_empty());
}

#[tokio::test]
async fn an_acknowledgement_beyond_the_newest_entry_is_refused_and_changes_nothing() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "1").await;
    let head = seq(2);
    for target in
        [AckTarget::UpTo(seq(3)), AckTarget::UpTo(seq(u64::MAX)), AckTarget::Entries(vec![seq(1), seq(3)])]
    {
        match world.dm.acknowledge(&who(2), target).await {
            Err(Error::BeyondHead { head: told }) => assert_eq!(told, head),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(numbers(&world.pending(&who(2)).await), [1, 2]);
}

#[tokio::test]
async fn an_acknowledgement_below_the_cursor_changes_nothing() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 3).await;
    world.dm.acknowledge(&who(2), AckTarget::UpTo(seq(3))).await.unwrap();
    let done = world.dm.acknowledge(&who(2), AckTarget::UpTo(seq(1))).await.unwrap();
    assert_eq!((done.acknowledged, done.cursor), (0, seq(3)));
}

#[tokio::test]
async fn ids_of_other_users_messages_are_unknown() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let sent = world.send(&who(1), chat, "1").await;
    let done = world.dm.acknowledge(&who(3), AckTarget::Messages(vec![sent.message.id])).await.unwrap();
    assert_eq!((done.acknowledged, done.unknown), (0, 1));
    assert_eq!(texts(&world.pending(&who(2)).await), ["1"]);
}

#[tokio::test]
async fn an_acknowledgement_that_names_too_many_messages_is_refused() {
    let world = World::configured(|config| {
        config.list_page = 10;
        config.pending_page = 10;
    });
    let ids = vec![MessageId::from_bytes([1; 16]); 11];
    let refused = world.dm.acknowledge(&who(2), AckTarget::Messages(ids)).await;
    assert!(matches!(refused, Err(Error::TooLarge { limit: 10, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_fetch_acknowledges_its_entries_only_in_on_fetch_mode() {
    for (mode, second) in [(AckMode::Explicit, vec!["1", "2"]), (AckMode::OnFetch, vec![])] {
        let world = World::configured(|config| config.ack_mode = mode);
        let chat = world.open(1, 2).await;
        world.send_many(&who(1), chat, 2).await;
        let messages = PendingQuery { kind: PendingKind::Received, ..PendingQuery::default() };
        let fetch = async || texts(&world.dm.pending(&who(2), messages).await.unwrap().entries);
        assert_eq!(fetch().await, ["1", "2"]);
        assert_eq!(fetch().await, second, "{mode:?}");
    }
}

#[tokio::test]
async fn a_fetch_in_on_fetch_mode_acknowledges_only_its_own_page() {
    let world = World::configured(|config| config.ack_mode = AckMode::OnFetch);
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 5).await;
    let two = PendingQuery { kind: PendingKind::Received, limit: Some(2), after: None };
    for expected in [vec!["1", "2"], vec!["3", "4"], vec!["5"], vec![]] {
        assert_eq!(texts(&world.dm.pending(&who(2), two).await.unwrap().entries), expected);
    }
}

#[tokio::test]
async fn each_pending_page_starts_where_the_previous_one_ended() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    for n in 1..=20 {
        // Every second message is sent by the device itself and therefore not pending.
        world.send(&who(1 + n % 2), chat, &n.to_string()).await;
    }
    for kind in [PendingKind::Received, PendingKind::Everything] {
        let mut seen = Vec::new();
        let mut query = PendingQuery { kind, limit: Some(3), after: None };
        loop {
            let page = world.dm.pending(&who(2), query).await.unwrap();
            assert!(page.entries.len() <= 3);
            seen.extend(texts(&page.entries));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let expected: Vec<_> = (1..=20).filter(|n| n % 2 == 0).map(|n| n.to_string()).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn the_other_devices_of_a_user_get_messages_that_one_device_sent() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let (phone, desk) = (on(1, "phone"), on(1, "desk"));
    world.send(&phone, chat, "from the phone").await;
    let sent = PendingQuery { kind: PendingKind::ReceivedAndSent, ..PendingQuery::default() };
    assert_eq!(texts(&world.dm.pending(&desk, sent).await.unwrap().entries), ["from the phone"]);
    assert!(texts(&world.dm.pending(&phone, sent).await.unwrap().entries).is_empty());
    let received = PendingQuery { kind: PendingKind::Received, ..PendingQuery::default() };
    assert!(world.dm.pending(&desk, received).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn depth_counts_pending_messages_and_notices() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 3).await;
    assert_eq!(world.dm.depth(&who(2)).await.unwrap(), Depth { messages: 3, notices: 1 });
    world.dm.acknowledge(&who(2), AckTarget::UpTo(seq(2))).await.unwrap();
    assert_eq!(world.dm.depth(&who(2)).await.unwrap(), Depth { messages: 2, notices: 0 });
}

#[tokio::test]
async fn depth_counts_neither_sent_nor_acknowledged_messages() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 3).await;
    world.send(&who(2), chat, "own").await;
    assert_eq!(world.dm.depth(&who(2)).await.unwrap(), Depth { messages: 3, notices: 1 });
    world.dm.acknowledge(&who(2), AckTarget::Entries(vec![seq(3)])).await.unwrap();
    assert_eq!(world.dm.depth(&who(2)).await.unwrap(), Depth { messages: 2, notices: 1 });
}

#[tokio::test]
async fn devices_are_limited_listed_and_forgotten() {
    let world = World::configured(|config| config.devices_per_user = 2);
    world.pending(&on(1, "a")).await;
    world.pending(&on(1, "b")).await;
    let refused = world.dm.pending(&on(1, "c"), PendingQuery::default()).await;
    assert!(matches!(refused, Err(Error::TooManyDevices { limit: 2 })));
    assert!(world.dm.forget_device(&who(1), "a".parse().unwrap()).await.unwrap());
    assert!(!world.dm.forget_device(&who(1), "a".parse().unwrap()).await.unwrap());
    world.pending(&on(1, "c")).await;
    let devices = world.dm.devices(&who(1)).await.unwrap();
    assert_eq!(devices.iter().map(|d| d.device.as_str()).collect::<Vec<_>>(), ["b", "c"]);
}

#[tokio::test]
async fn entries_expire_after_their_retention_and_their_numbers_are_not_reused() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 3).await;
    assert_eq!(numbers(&world.pending(&who(2)).await), [1, 2, 3, 4]);
    world.clock.advance(20 * DAY);
    world.send(&who(1), chat, "young").await;
    world.clock.set(world.dm.clock().now().after(11 * DAY));
    let expired = world.dm.expire().await.unwrap();
    assert_eq!(expired.entries, 2 * 4, "the notice and three messages, in both inboxes");
    let fresh = world.dm.pending(&on(2, "fresh"), PendingQuery::default()).await.unwrap();
    assert_eq!(
        (fresh.gap, texts(&fresh.entries)),
        (None, vec!["young".to_owned()]),
        "a new device has no gap"
    );
    let pending = world.dm.pending(&who(2), PendingQuery::default()).await.unwrap();
    assert_eq!(pending.gap, Some(Gap { from: seq(1), to: seq(4), reason: GapReason::Expired }));
    assert_eq!(texts(&pending.entries), ["young"]);

    world.clock.advance(40 * DAY);
    world.dm.expire().await.unwrap();
    world.send(&who(1), chat, "after everything expired").await;
    assert_eq!(numbers(&world.pending(&who(2)).await), [6]);
    assert_eq!(world.dm.conversation(&who(1), chat).await.unwrap().head.get(), 5);
}

#[tokio::test]
async fn expiry_commits_in_steps_between_other_writes() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |config| config.expiry_step = 10);
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 50).await;
    let_tasks_run().await;
    store.hold_commits();
    let before = store.batches().len();
    // The service itself starts to expire entries, and the first commit of this is held.
    world.clock.advance(31 * DAY);
    let_tasks_run().await;
    let dm = world.dm.clone();
    let sending = tokio::spawn(async move { dm.send(&who(1), message(chat, "between")).await.unwrap() });
    let_tasks_run().await;
    store.release_commits();
    sending.await.unwrap();
    let_tasks_run().await;
    let batches = &store.kinds()[before..];
    let steps = batches.iter().filter(|batch| batch.contains(&Kind::Expire)).count();
    assert_eq!(steps, 11, "102 entries in steps of 10");
    assert!(batches[..3].concat().contains(&Kind::Append), "the send waited for {batches:?}");
    assert_eq!(texts(&world.pending(&who(2)).await), ["between"]);
}

#[tokio::test]
async fn the_service_expires_entries_without_a_call() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "1").await;
    assert_eq!(numbers(&world.pending(&who(2)).await), [1, 2]);
    let_tasks_run().await;
    world.clock.advance(31 * DAY);
    let_tasks_run().await;
    assert!(world.dm.pending(&who(2), PendingQuery::default()).await.unwrap().gap.is_some());
}

#[tokio::test]
async fn a_clock_jump_shorter_than_the_retention_expires_nothing() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "1").await;
    world.clock.set(world.dm.clock().now().after(DAY));
    world.dm.expire().await.unwrap();
    world.clock.set(world.dm.clock().now().before(2 * DAY));
    world.dm.expire().await.unwrap();
    let entries = world.pending(&who(2)).await;
    assert_eq!(entries.iter().filter(|entry| is_message(entry)).count(), 1);
    assert_eq!(entries[0].seq, seq(1));
    let _ = user(1);
}
