//! Sessions deliver each entry once, in order and without a hole.

use std::time::Duration;

use dm_core::notify::NullNotifier;
use dm_core::{AckTarget, Delivery, DisconnectReason, Gap, GapReason, MemoryStore, SessionEnd};

use crate::common::gate::{GatedStore, Kind};
use crate::common::{
    DAY, World, backlog, delivered_texts, let_tasks_run, message, on, poll_once, seq, text, texts, user, who,
};

#[tokio::test]
async fn the_backlog_is_delivered_first_then_caught_up_then_new_entries() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 3).await;
    let mut session = world.connect(&who(2)).await;
    assert_eq!(delivered_texts(&backlog(&mut session).await), ["1", "2", "3"]);
    world.send(&who(1), chat, "live").await;
    assert_eq!(text(&mut session).await, "live");
}

#[tokio::test]
async fn caught_up_names_the_newest_entry() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "1").await;
    let mut session = world.connect(&who(2)).await;
    session.next().await.unwrap();
    session.next().await.unwrap();
    assert_eq!(session.next().await.unwrap(), Delivery::CaughtUp { position: seq(2) });
}

#[tokio::test]
async fn unacknowledged_entries_are_delivered_again_once_after_a_reconnect() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 3).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    // The notice and the first message.
    session.handle().acknowledge(AckTarget::UpTo(seq(2))).await.unwrap();
    drop(session);
    let mut session = world.connect(&who(2)).await;
    assert_eq!(delivered_texts(&backlog(&mut session).await), ["2", "3"]);
}

#[tokio::test]
async fn a_message_sent_while_the_backlog_is_read_is_delivered_once() {
    // The message is committed before the read of the store, or after it. In both cases its hint
    // waits while the read is held.
    for hold in [GatedStore::hold_before_inbox, GatedStore::hold_after_inbox] {
        let store = GatedStore::new();
        let world = World::with(store.clone(), |_| ());
        let chat = world.open(1, 2).await;
        world.send(&who(1), chat, "early").await;
        let mut session = world.connect(&who(2)).await;
        hold(&store);
        let mut first = Box::pin(session.next());
        assert!(poll_once(&mut first).await.is_none());
        world.send(&who(1), chat, "between").await;
        let_tasks_run().await;
        store.release_inbox();
        first.await.unwrap();
        world.send(&who(1), chat, "late").await;
        let mut seen = Vec::new();
        while seen.len() < 3 {
            if let Delivery::Entry(entry) = session.next().await.unwrap() {
                seen.extend(texts([&entry]));
            }
        }
        assert_eq!(seen, ["early", "between", "late"]);
        let_tasks_run().await;
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none(), "nothing is delivered twice");
    }
}

#[tokio::test]
async fn messages_are_delivered_within_the_poll_interval_if_all_hints_are_lost() {
    let world = World::notifying(MemoryStore::new(), |_| NullNotifier, |_| ());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    let mut next = Box::pin(session.next());
    assert!(poll_once(&mut next).await.is_none());
    world.send(&who(1), chat, "unannounced").await;
    let_tasks_run().await;
    assert!(poll_once(&mut next).await.is_none());
    world.clock.advance(world.dm.config().poll_interval);
    let Delivery::Entry(entry) = next.await.unwrap() else { panic!("not an entry") };
    assert_eq!(texts([&entry]), ["unannounced"]);
}

#[tokio::test]
async fn the_poll_interval_does_not_restart_when_the_host_drops_and_repeats_next() {
    let world = World::notifying(MemoryStore::new(), |_| NullNotifier, |_| ());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    world.send(&who(1), chat, "unannounced").await;
    let half = world.dm.config().poll_interval / 2;
    for _ in 0..2 {
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
        world.clock.advance(half);
    }
    assert_eq!(text(&mut session).await, "unannounced");
}

#[tokio::test]
async fn a_newer_connection_of_the_device_takes_over() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "1").await;
    let mut old = world.connect(&who(2)).await;
    backlog(&mut old).await;
    let mut new = world.connect(&who(2)).await;
    assert!(matches!(old.next().await, Err(SessionEnd::Replaced)));
    assert!(matches!(old.next().await, Err(SessionEnd::Replaced)), "it stays ended");
    drop(old);
    assert_eq!(delivered_texts(&backlog(&mut new).await), ["1"], "unacknowledged, so it is delivered again");
    world.send(&who(1), chat, "2").await;
    assert_eq!(text(&mut new).await, "2", "the new session stays after the old one is dropped");
    assert_eq!(world.hub.connections(), 1);
}

#[tokio::test]
async fn a_takeover_wakes_a_waiting_session() {
    let world = World::new();
    let mut old = world.connect(&who(2)).await;
    backlog(&mut old).await;
    let mut waiting = Box::pin(old.next());
    assert!(poll_once(&mut waiting).await.is_none());
    let _new = world.connect(&who(2)).await;
    assert!(matches!(waiting.await, Err(SessionEnd::Replaced)));
}

#[tokio::test]
async fn a_disconnect_ends_the_sessions_of_a_device_or_of_a_user() {
    let world = World::new();
    let (phone, desk) = (on(2, "phone"), on(2, "desk"));
    let mut on_phone = world.connect(&phone).await;
    let mut on_desk = world.connect(&desk).await;
    let mut of_another = world.connect(&who(3)).await;
    for session in [&mut on_phone, &mut on_desk, &mut of_another] {
        backlog(session).await;
    }
    let mut waiting = Box::pin(on_phone.next());
    assert!(poll_once(&mut waiting).await.is_none());

    let forgotten = DisconnectReason::DeviceForgotten;
    assert_eq!(world.hub.disconnect(user(2), Some(&phone.device), forgotten), 1);
    assert!(matches!(waiting.await, Err(SessionEnd::Disconnected(DisconnectReason::DeviceForgotten))));
    assert!(poll_once(&mut Box::pin(on_desk.next())).await.is_none(), "only the device that was named");

    assert_eq!(world.hub.disconnect(user(2), None, DisconnectReason::Refused), 1);
    assert!(matches!(on_desk.next().await, Err(SessionEnd::Disconnected(DisconnectReason::Refused))));
    assert!(poll_once(&mut Box::pin(of_another.next())).await.is_none(), "only the user who was named");
    assert_eq!(world.hub.disconnect(user(4), None, DisconnectReason::Refused), 0);
}

#[tokio::test]
async fn two_devices_are_served_independently() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let (phone, desk) = (on(2, "phone"), on(2, "desk"));
    let mut on_phone = world.connect(&phone).await;
    let mut on_desk = world.connect(&desk).await;
    backlog(&mut on_phone).await;
    backlog(&mut on_desk).await;
    world.send(&phone, chat, "from the phone").await;
    world.send(&who(1), chat, "answer").await;
    assert_eq!(text(&mut on_desk).await, "from the phone");
    assert_eq!(text(&mut on_desk).await, "answer");
    assert_eq!(text(&mut on_phone).await, "answer", "its own message is passed over");
}

#[tokio::test]
async fn a_client_that_never_acknowledges_stops_at_its_window_and_does_not_delay_others() {
    let world = World::configured(|config| config.window = 4);
    let chat = world.open(1, 2).await;
    let (silent, other) = (on(2, "silent"), on(2, "other"));
    let mut silent = world.connect(&silent).await;
    let mut other = world.connect(&other).await;
    backlog(&mut silent).await;
    backlog(&mut other).await;
    let acknowledging = other.handle();
    for n in 1..=1_000 {
        world.send(&who(1), chat, &n.to_string()).await;
        let Delivery::Entry(entry) = other.next().await.unwrap() else { panic!("not an entry") };
        assert_eq!(texts([&entry]), [n.to_string()]);
        acknowledging.acknowledge(AckTarget::UpTo(entry.seq)).await.unwrap();
    }
    // The notice of the conversation is not acknowledged either.
    for n in 1..=3 {
        assert_eq!(text(&mut silent).await, n.to_string());
    }
    assert!(poll_once(&mut Box::pin(silent.next())).await.is_none());
    // As soon as it acknowledges, it gets every message.
    let handle = silent.handle();
    for n in 4..=1_000 {
        handle.acknowledge(AckTarget::UpTo(seq(n))).await.unwrap();
        assert_eq!(text(&mut silent).await, n.to_string());
    }
}

#[tokio::test]
async fn individual_acknowledgements_make_room_in_the_window() {
    let world = World::configured(|config| config.window = 3);
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 4).await;
    let mut session = world.connect(&who(2)).await;
    session.next().await.unwrap();
    let Delivery::Entry(first) = session.next().await.unwrap() else { panic!("not an entry") };
    let Delivery::Entry(second) = session.next().await.unwrap() else { panic!("not an entry") };
    assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    let by_id = AckTarget::Messages(vec![second.message().unwrap().id]);
    session.handle().acknowledge(by_id).await.unwrap();
    assert_eq!(text(&mut session).await, "3");
    session.handle().acknowledge(AckTarget::Entries(vec![first.seq])).await.unwrap();
    assert_eq!(text(&mut session).await, "4");
}

#[tokio::test]
async fn acknowledgements_without_the_session_make_room_within_the_poll_interval() {
    let world = World::configured(|config| config.window = 1);
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "1").await;
    let mut session = world.connect(&who(2)).await;
    session.next().await.unwrap();
    let mut next = Box::pin(session.next());
    assert!(poll_once(&mut next).await.is_none());
    world.dm.acknowledge(&who(2), AckTarget::UpTo(seq(1))).await.unwrap();
    world.clock.advance(world.dm.config().poll_interval);
    let Delivery::Entry(entry) = next.await.unwrap() else { panic!("not an entry") };
    assert_eq!(texts([&entry]), ["1"]);
}

#[tokio::test]
async fn a_slow_client_gets_all_messages_from_the_store() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    // Three times the number of hints that a session keeps.
    world.send_many(&who(1), chat, 200).await;
    for n in 1..=200 {
        assert_eq!(text(&mut session).await, n.to_string());
    }
}

#[tokio::test]
async fn large_messages_are_delivered_although_their_hints_are_dropped() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    let large = "x".repeat(64 * 1024);
    for _ in 0..5 {
        world.send(&who(1), chat, &large).await;
    }
    for _ in 0..5 {
        assert_eq!(text(&mut session).await.len(), large.len());
    }
}

#[tokio::test]
async fn hints_are_dropped_above_a_number_of_hints_or_of_bytes() {
    for (messages, length) in [(200, 1), (5, 64 * 1024)] {
        let store = GatedStore::new();
        let world = World::with(store.clone(), |_| ());
        let chat = world.open(1, 2).await;
        let mut session = world.connect(&who(2)).await;
        backlog(&mut session).await;
        store.hold_before_inbox();
        let payload = "x".repeat(length);
        for _ in 0..messages {
            world.send(&who(1), chat, &payload).await;
        }
        let_tasks_run().await;
        let mut next = Box::pin(session.next());
        assert!(
            poll_once(&mut next).await.is_none(),
            "hints of {messages} messages of {length} bytes are kept"
        );
        store.release_inbox();
        next.await.unwrap();
    }
}

#[tokio::test]
async fn hints_that_were_taken_make_room_for_new_hints() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    // A session whose hints were dropped would read the store, and wait.
    store.hold_before_inbox();
    let large = "x".repeat(16 * 1024);
    // All messages together have several times the bytes of hints that a session keeps. At no time
    // do the waiting hints have more than half of these bytes.
    for _ in 0..8 {
        for _ in 0..2 {
            world.send(&who(1), chat, &large).await;
        }
        let_tasks_run().await;
        for _ in 0..2 {
            let mut next = Box::pin(session.next());
            assert!(poll_once(&mut next).await.is_some(), "the session waits for a read of the store");
        }
    }
}

#[tokio::test]
async fn a_device_that_returns_after_its_backlog_expired_is_told_of_the_gap_first() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    session.handle().acknowledge(AckTarget::UpTo(seq(1))).await.unwrap();
    drop(session);
    world.send_many(&who(1), chat, 3).await;
    world.clock.advance(31 * DAY);
    world.dm.expire().await.unwrap();
    world.send(&who(1), chat, "new").await;

    let mut session = world.connect(&who(2)).await;
    let gap = Gap { from: seq(2), to: seq(4), reason: GapReason::Expired };
    assert_eq!(session.next().await.unwrap(), Delivery::Gap(gap));
    assert_eq!(text(&mut session).await, "new");
    let history = world.dm.history(&who(2), chat, dm_core::HistoryRange::Newest, 10).await.unwrap();
    assert_eq!(history.messages.len(), 4, "history keeps messages that expired in the inbox");
    // An acknowledgement up to the gap's end removes the gap.
    session.handle().acknowledge(AckTarget::UpTo(gap.to)).await.unwrap();
    drop(session);
    let mut session = world.connect(&who(2)).await;
    assert_eq!(text(&mut session).await, "new");
}

#[tokio::test]
async fn entries_that_expire_during_a_session_are_delivered_or_reported_as_a_gap() {
    let world = World::configured(|config| config.window = 2);
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    world.send_many(&who(1), chat, 100).await;
    assert_eq!(text(&mut session).await, "1");
    world.clock.advance(31 * DAY);
    world.dm.expire().await.unwrap();
    world.send(&who(1), chat, "after").await;
    let handle = session.handle();
    handle.acknowledge(AckTarget::UpTo(seq(2))).await.unwrap();
    // Entries that the session has read, or has hints of, may still be delivered. The others are
    // one gap. New entries follow.
    let mut last = 2;
    loop {
        match session.next().await.unwrap() {
            Delivery::Gap(gap) => {
                assert_eq!(gap.from.get(), last + 1);
                last = gap.to.get();
            }
            Delivery::Entry(entry) => {
                assert_eq!(entry.seq.get(), last + 1);
                last = entry.seq.get();
                if texts([&entry]) == ["after"] {
                    break;
                }
            }
            Delivery::CaughtUp { .. } => panic!("caught up a second time"),
        }
        handle.acknowledge(AckTarget::UpTo(seq(last))).await.unwrap();
    }
    assert_eq!(last, 102);
}

#[tokio::test]
async fn a_follower_gets_only_new_entries_including_its_own_messages() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "old").await;
    let mut follower = world.dm.follow(&who(1)).await.unwrap();
    let mut second = world.dm.follow(&who(1)).await.unwrap();
    world.send(&who(1), chat, "mine").await;
    world.send(&who(2), chat, "theirs").await;
    for session in [&mut follower, &mut second] {
        assert_eq!(text(session).await, "mine");
        assert_eq!(text(session).await, "theirs");
    }
    assert!(world.dm.devices(&who(1)).await.unwrap().is_empty(), "following registers no device");
}

#[tokio::test]
async fn a_follower_gets_no_gap() {
    let world = World::notifying(MemoryStore::new(), |_| NullNotifier, |_| ());
    let chat = world.open(1, 2).await;
    let mut follower = world.dm.follow(&who(2)).await.unwrap();
    world.send(&who(1), chat, "expired").await;
    world.clock.advance(31 * DAY);
    world.dm.expire().await.unwrap();
    world.send(&who(1), chat, "new").await;
    world.hub.recheck(user(2));
    assert_eq!(text(&mut follower).await, "new");
}

#[tokio::test]
async fn a_follower_acknowledges_named_entries_and_up_to_includes_earlier_ones() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send(&who(1), chat, "before").await;
    let mut follower = world.dm.follow(&who(2)).await.unwrap();
    assert!(world.dm.devices(&who(2)).await.unwrap().is_empty(), "following registers no device");
    world.send(&who(1), chat, "shown").await;
    let Delivery::Entry(entry) = follower.next().await.unwrap() else { panic!("not an entry") };

    let shown = AckTarget::Entries(vec![entry.seq]);
    assert_eq!(follower.handle().acknowledge(shown).await.unwrap().acknowledged, 1);
    assert_eq!(
        world.dm.devices(&who(2)).await.unwrap().len(),
        1,
        "the first acknowledgement registers the device"
    );
    assert_eq!(texts(&world.pending(&who(2)).await), ["before"], "only named entries are acknowledged");

    follower.handle().acknowledge(AckTarget::UpTo(entry.seq)).await.unwrap();
    assert!(
        world.pending(&who(2)).await.is_empty(),
        "entries that this session never delivered are acknowledged, too"
    );
}

#[tokio::test]
async fn the_cursor_of_a_device_that_only_sends_is_moved_over_its_messages() {
    let store = GatedStore::new();
    let world = World::with(store.clone(), |_| ());
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(1)).await;
    backlog(&mut session).await;
    let before = store.batches().len();
    for n in 1..=600 {
        world.send(&who(1), chat, &n.to_string()).await;
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    }
    let_tasks_run().await;
    let cursor = world.dm.devices(&who(1)).await.unwrap()[0].cursor;
    assert!(cursor.get() > 256, "{cursor:?}");
    let moves = store.kinds()[before..].iter().flatten().filter(|kind| **kind == Kind::Other).count();
    assert_eq!(moves, 2, "one move for each long run");
}

#[tokio::test]
async fn sending_does_not_acknowledge_received_messages() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(1)).await;
    backlog(&mut session).await;
    world.send(&who(2), chat, "unacknowledged").await;
    assert_eq!(text(&mut session).await, "unacknowledged");
    for n in 1..=600 {
        world.send(&who(1), chat, &n.to_string()).await;
        assert!(poll_once(&mut Box::pin(session.next())).await.is_none());
    }
    let_tasks_run().await;
    assert_eq!(texts(&world.pending(&who(1)).await), ["unacknowledged"]);
}

#[tokio::test]
async fn shutdown_ends_sessions() {
    let world = World::new();
    let mut session = world.connect(&who(1)).await;
    backlog(&mut session).await;
    let mut waiting = Box::pin(session.next());
    assert!(poll_once(&mut waiting).await.is_none());
    world.dm.shutdown(Duration::from_secs(1)).await;
    assert!(matches!(waiting.await, Err(SessionEnd::ShuttingDown)));
}

#[tokio::test]
async fn ended_waits_for_the_end_and_takes_no_delivery() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    let mut ended = Box::pin(session.ended());
    world.send(&who(1), chat, "kept").await;
    assert!(poll_once(&mut ended).await.is_none(), "a delivery does not end the session");
    assert_eq!(text(&mut session).await, "kept");
    let newer = world.connect(&who(2)).await;
    assert!(matches!(ended.await, SessionEnd::Replaced));
    assert!(matches!(session.ended().await, SessionEnd::Replaced), "a later call resolves, too");

    let mut ended = Box::pin(newer.ended());
    assert!(poll_once(&mut ended).await.is_none());
    world.dm.disconnect(user(2), None, DisconnectReason::SignedOut).await;
    assert!(matches!(ended.await, SessionEnd::Disconnected(DisconnectReason::SignedOut)));

    let last = world.connect(&who(2)).await;
    // The future borrows nothing of the session.
    let ended = tokio::spawn(last.ended());
    let_tasks_run().await;
    assert!(!ended.is_finished());
    world.dm.shutdown(Duration::from_secs(1)).await;
    assert!(matches!(ended.await.unwrap(), SessionEnd::ShuttingDown));
}

#[tokio::test]
async fn a_dropped_session_leaves_no_connection_in_the_hub() {
    let world = World::new();
    let sessions =
        [world.connect(&who(1)).await, world.connect(&on(1, "phone")).await, world.connect(&who(2)).await];
    assert_eq!(world.hub.connections(), 3);
    drop(sessions);
    assert_eq!(world.hub.connections(), 0);
}

#[tokio::test]
async fn a_connection_of_one_device_too_many_is_refused_and_removed() {
    let world = World::configured(|config| config.devices_per_user = 1);
    let _first = world.connect(&on(1, "one")).await;
    let refused = world.dm.connect(&on(1, "two")).await;
    assert!(matches!(refused, Err(dm_core::Error::TooManyDevices { limit: 1 })));
    assert_eq!(world.hub.connections(), 1);
}

#[tokio::test]
async fn dropping_the_future_of_next_loses_no_delivery() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let mut session = world.connect(&who(2)).await;
    backlog(&mut session).await;
    for n in 1..=50 {
        // A host whose loop is often woken by other events drops the future in the same way.
        let _ = poll_once(&mut Box::pin(session.next())).await;
        world.dm.send(&who(1), message(chat, &n.to_string())).await.unwrap();
        assert_eq!(text(&mut session).await, n.to_string());
    }
    assert_eq!(world.hub.connections(), 1);
    assert_eq!(session.principal().user, user(2));
}
