//! Clause 2, durable: after `Ok` a batch is stored.

use dm_core::store::{
    Ciphertext, HistoryQuery, InboxSeq, KeyRecord, OwnEntries, Principal, RegisterDevice, SenderSequence,
    ServerSequence, Store, Suite,
};

use crate::build::{
    ack_entries, append, append_as, at, expire, on, open, open_from, publish, published, put, register, user,
    who,
};
use crate::process::show;
use crate::reads::{above, history_of, inbox_after};
use crate::{Harness, World};

/// One comparison of all kinds of state.
pub async fn everything_is_there_after_reopening<H: Harness>(mut world: World<H>) {
    world
        .commit(vec![
            open(1, 1, 2),
            open(2, 3, 1),
            register(on(1, "phone")),
            register(who(1)),
            publish(2, 1, 5),
            publish(2, 2, 6),
            append_as(1, 1, 10, 1).into(),
            append(1, 2, 11).into(),
            append(2, 3, 12).into(),
            append(1, 2, 13).into(),
            ack_entries(on(1, "phone"), [4]),
            expire(2, 100),
        ])
        .await;
    let before = world.snapshot().await;
    world.reopen().await;
    must_be!(world.snapshot().await, before);
}

/// Every batch is stored after every reopening, also the last one before it.
pub async fn no_batch_is_lost_over_many_reopenings<H: Harness>(mut world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for id in 1..=5 {
        world.append(append(1, 1, id)).await;
        world.reopen().await;
        must_be!(world.inbox(&who(2)).await.head, InboxSeq::new(id + 1));
    }
}

/// A handle that was open all the time reads the commits of another handle.
pub async fn every_handle_reads_a_batch_after_ok<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let Some(second) = world.second_handle().await else { return };
    for id in 1..=5 {
        world.append(append(1, 1, id)).await;
        let page = second.inbox(inbox_after(who(2), 0, 100)).await.unwrap();
        must_be!(page.head, InboxSeq::new(id + 1));
    }
}

/// The first handle reads the commits of the second.
pub async fn a_second_handle_writes_to_the_same_data<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let Some(second) = world.second_handle().await else { return };
    second.commit(vec![publish(1, 1, 1), append(1, 1, 1).into()]).await.unwrap();
    must_be!(world.inbox(&who(2)).await.entries.len(), 2);
    assert!(world.key(1).await.is_some());
}

/// The first handle works, whether or not the second was refused.
pub async fn the_first_handle_works_beside_an_attempt_to_open_a_second<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    drop(world.second_handle().await);
    world.append(append(1, 1, 1)).await;
    must_be!(world.inbox(&who(2)).await.entries.len(), 2);
}

/// A payload of 64 KiB with every byte value, a nonce, an ephemeral key and the largest suite.
pub async fn a_ciphertext_comes_back_bit_for_bit<H: Harness>(world: World<H>) {
    let payload: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
    let nonce: Vec<u8> = (1..=24).collect();
    keeps(&world, Ciphertext::new(payload.into(), &nonce, Some(&[0xff; 32]), Some(Suite(u32::MAX)))).await;
}

/// The smallest possible payload.
pub async fn a_payload_of_one_zero_byte_is_kept<H: Harness>(world: World<H>) {
    keeps(&world, Ciphertext::new(vec![0].into(), &[0; 24], None, None)).await;
}

/// Suite 0 is a suite and an all-zero ephemeral key is a key; neither means that there is none.
pub async fn zeros_are_not_taken_for_absence<H: Harness>(world: World<H>) {
    keeps(&world, Ciphertext::new(vec![1].into(), &[0; 24], Some(&[0; 32]), Some(Suite(0)))).await;
}

/// All times have 64 bits.
pub async fn the_largest_times_are_kept<H: Harness>(world: World<H>) {
    let last = at(u64::MAX);
    world.done(open_from(1, who(1), 2, last)).await;
    let mut write = append(1, 1, 1);
    (write.sent_at, write.at) = (last, last);
    world.append(write).await;
    let key = KeyRecord { published_at: last, ..published(1, 1, 1) };
    world.done(put(dm_core::store::Record { due: Some(last), ..key.to_record() })).await;
    let register = RegisterDevice { who: who(1), start: Default::default(), limit: 1, at: last };
    world.done(register.into()).await;

    let state = world.state(1).await.unwrap();
    must_be!((state.conversation.opened_at, state.last_activity), (last, Some(last)));
    let message = &world.messages(history_of(1, 2, above(0), 1)).await.messages[0];
    must_be!((message.sent_at, message.received_at), (last, last));
    assert!(world.inbox(&who(2)).await.entries.iter().all(|entry| entry.at == last));
    must_be!(world.record(key.to_record().key).await.unwrap().due, Some(last));
    must_be!(world.key(1).await, Some(key));
    must_be!(world.devices(1).await[0].registered_at, last);
}

/// The longest possible name of a device, as a device and as the origin of an entry.
pub async fn a_device_name_of_64_characters_is_kept<H: Harness>(world: World<H>) {
    let long = on(1, &"Zz9._-x1".repeat(8));
    world.commit(vec![open_from(1, long.clone(), 2, at(1)), register(long.clone())]).await;
    must_be!(world.devices(1).await[0].device, long.device);
    must_be!(world.inbox(&who(1)).await.entries[0].origin, Some(long.device));
}

/// A stored message keeps its ids, its client id included.
pub async fn a_message_keeps_its_ids<H: Harness>(mut world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let write = append_as(1, 2, 7, 9);
    world.append(write.clone()).await;
    world.reopen().await;
    let history = world.messages(history_of(1, 1, above(0), 1)).await;
    must_be!(*history.messages[0], write.into_message(ServerSequence::new(1), SenderSequence::new(1)));
}

/// The longest possible name of the sending device, in the sender's inbox.
pub async fn a_device_name_of_64_characters_is_kept_with_a_message<H: Harness>(world: World<H>) {
    let long = on(1, &"Zz9._-x1".repeat(8));
    world.done(open(1, 1, 2)).await;
    world.append(dm_core::store::AppendMessage { sender: long.clone(), ..append(1, 1, 1) }).await;
    must_be!(world.inbox(&who(1)).await.entries[1].origin, Some(long.device.clone()));
    let page = world.page(inbox_after(long, 1, 10)).await;
    must_be!(page.entries, [], "the entries that the device did not send itself");
}

/// Each commit increases the number of syncs before it returns, if the harness can count them.
pub async fn each_commit_is_synced_before_it_is_answered<H: Harness>(world: World<H>) {
    let Some(mut synced) = world.harness().syncs() else {
        let harness = std::any::type_name::<H>();
        return show(&format!("not proven for {harness}: that a commit is synced before it is answered"));
    };
    let writes = [open(1, 1, 2), append(1, 1, 1).into(), publish(1, 1, 1), register(who(1)), expire(2, 10)];
    for write in writes {
        world.done(write.clone()).await;
        let now = world.harness().syncs();
        assert!(now > Some(synced), "{write:?} was answered without a sync, after {synced} earlier ones");
        synced = now.unwrap_or_default();
    }
}

async fn keeps<H: Harness>(world: &World<H>, ciphertext: Result<Ciphertext, dm_core::Invalid>) {
    let ciphertext = ciphertext.unwrap();
    world.done(open(1, 1, 2)).await;
    world.append(dm_core::store::AppendMessage { ciphertext: ciphertext.clone(), ..append(1, 1, 1) }).await;
    let query = HistoryQuery { max_bytes: 1, ..history_of(1, 2, above(0), 1) };
    assert!(world.messages(query).await.messages[0].ciphertext == ciphertext, "changed in history");
    for n in [1, 2] {
        let (who, own) = (Principal::from(user(n)), OwnEntries::Include);
        let page = world.page(dm_core::store::InboxQuery { own, ..inbox_after(who, 1, 1) }).await;
        assert!(page.entries[0].message().unwrap().ciphertext == ciphertext, "changed in an inbox");
    }
}
