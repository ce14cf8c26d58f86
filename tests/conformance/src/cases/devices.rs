//! The documentation of [`RegisterDevice`](dm_core::store::RegisterDevice) and
//! [`ForgetDevice`](dm_core::store::ForgetDevice).

use dm_core::store::{Answer, DeviceStart, Done, Refusal, RegisterDevice};

use crate::build::{
    ack_entries, ack_up_to, append, at, expire, forget, on, open, register, register_from, who,
};
use crate::outcome::registered;
use crate::{Harness, World};

/// The cursor and the time stay those of the first registration.
pub async fn registering_again_changes_nothing<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    world.commit(vec![register(who(2)), ack_up_to(who(2), 2)]).await;
    let before = world.snapshot().await;
    for start in [DeviceStart::Oldest, DeviceStart::Now] {
        let again = RegisterDevice { who: who(2), start, limit: 8, at: at(99) };
        must_be!(cursor(world.done(again.into()).await), 2);
    }
    must_be!(world.snapshot().await, before);
}

/// The order is that of registration, not of names or times.
pub async fn devices_are_listed_oldest_registration_first<H: Harness>(world: World<H>) {
    let names = ["m", "a", "z", "default", "B"];
    for (time, name) in [5, 4, 3, 2, 1].into_iter().zip(names) {
        let register =
            RegisterDevice { who: on(1, name), start: DeviceStart::Oldest, limit: 8, at: at(time) };
        world.done(register.into()).await;
    }
    let listed: Vec<_> = world.devices(1).await.into_iter().map(|state| state.device.to_string()).collect();
    must_be!(listed, names);
}

/// A device beyond the limit is refused; registered devices are still found.
pub async fn a_user_has_no_more_devices_than_the_limit<H: Harness>(world: World<H>) {
    let register = |name| register_from(on(1, name), DeviceStart::Oldest, 2);
    world.commit(vec![register("a"), register("b")]).await;
    must_be!(world.refused(register("c")).await, Refusal::TooManyDevices);
    world.done(register("a")).await;
    // The limit is counted for each user.
    world.done(register_from(on(2, "c"), DeviceStart::Oldest, 2)).await;
}

/// All held entries are pending for it.
pub async fn a_device_that_starts_at_the_oldest_is_shown_all_held_entries<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    must_be!(cursor(world.done(register(who(2))).await), 0);
    must_be!(world.pending(&who(2)).await, [1, 2, 3, 4]);
}

/// Entries that expired before its registration are no gap for the device.
pub async fn a_device_that_starts_at_the_oldest_starts_above_expired_entries<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    world.done(expire(3, 100)).await;
    must_be!(cursor(world.done(register(who(2))).await), 3);
    must_be!(world.pending(&who(2)).await, [4]);
}

/// Only later entries are pending for it.
pub async fn a_device_that_starts_now_is_shown_later_entries<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    must_be!(cursor(world.done(register_from(who(2), DeviceStart::Now, 8)).await), 4);
    world.append(append(1, 1, 4)).await;
    must_be!(world.pending(&who(2)).await, [5]);
}

/// The user has never had an entry.
pub async fn a_device_of_an_empty_inbox_starts_at_zero<H: Harness>(world: World<H>) {
    for (name, start) in [("a", DeviceStart::Oldest), ("b", DeviceStart::Now)] {
        must_be!(cursor(world.done(register_from(on(5, name), start, 8)).await), 0);
    }
}

/// For either start, expired entries are not pending.
pub async fn a_device_starts_at_the_head_of_an_inbox_with_only_expired_entries<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    world.done(expire(100, 100)).await;
    for (name, start) in [("a", DeviceStart::Oldest), ("b", DeviceStart::Now)] {
        must_be!(cursor(world.done(register_from(on(2, name), start, 8)).await), 4, "{start:?}");
    }
}

/// Forgetting a second time finds no device.
pub async fn a_device_is_forgotten_once<H: Harness>(world: World<H>) {
    world.commit(vec![register(on(1, "a")), register(on(1, "b"))]).await;
    for existed in [true, false] {
        let done = world.done(forget(on(1, "a"))).await;
        assert!(matches!(done.answer, Answer::DeviceForgotten), "{done:?}");
        must_be!(done.is_found, !existed);
    }
    must_be!(world.devices(1).await.len(), 1);
    assert!(world.done(forget(who(9))).await.is_found);
}

/// It may not acknowledge, and its earlier acknowledgements are gone when it is registered again.
pub async fn a_forgotten_device_comes_back_as_new<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    world.commit(vec![register(who(2)), ack_up_to(who(2), 2), ack_entries(who(2), [4])]).await;
    world.done(forget(who(2))).await;
    must_be!(world.refused(ack_up_to(who(2), 2)).await, Refusal::UnknownDevice);
    must_be!(world.pending(&who(2)).await, [1, 2, 3, 4]);
    must_be!(cursor(world.done(register(who(2))).await), 0);
    must_be!(world.pending(&who(2)).await, [1, 2, 3, 4]);
}

/// It is the last one in the list.
pub async fn a_device_that_comes_back_is_the_newest<H: Harness>(world: World<H>) {
    world.commit(vec![register(on(1, "a")), register(on(1, "b"))]).await;
    world.commit(vec![forget(on(1, "a")), register(on(1, "a"))]).await;
    let listed: Vec<_> = world.devices(1).await.into_iter().map(|state| state.device.to_string()).collect();
    must_be!(listed, ["b", "a"]);
}

/// Names are compared exactly, and a device belongs to one user.
pub async fn devices_of_other_names_and_users_are_other_devices<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    let devices = [on(2, "Phone"), on(2, "phone"), on(2, "phone."), on(1, "phone")];
    for who in &devices {
        world.done(register(who.clone())).await;
    }
    world.done(ack_up_to(on(2, "phone"), 3)).await;
    let mut cursors = Vec::new();
    for who in &devices {
        cursors.push(world.cursor(who).await);
    }
    must_be!(cursors, [0, 3, 0, 0]);
}

/// Registrations, their order and forgotten devices are durable.
pub async fn devices_are_there_after_reopening<H: Harness>(mut world: World<H>) {
    three_messages(&world).await;
    let names = ["z", "a", "m"];
    world.commit(names.map(|name| register(on(2, name))).into()).await;
    world.commit(vec![ack_up_to(on(2, "m"), 3), forget(on(2, "a"))]).await;
    let before = world.devices(2).await;
    world.reopen().await;
    must_be!(world.devices(2).await, before);
    must_be!(before.len(), 2);
}

/// "phone" is forgotten; "phone2" and its acknowledgements stay.
pub async fn forgetting_a_device_keeps_one_whose_name_has_it_as_a_prefix<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    for name in ["phone", "phone2", "phon"] {
        let marks = ack_entries(on(2, name), [3]);
        world.commit(vec![register(on(2, name)), ack_up_to(on(2, name), 1), marks]).await;
    }
    world.done(forget(on(2, "phone"))).await;
    let listed: Vec<_> = world.devices(2).await.into_iter().map(|state| state.device.to_string()).collect();
    must_be!(listed, ["phone2", "phon"]);
    for name in ["phone2", "phon"] {
        must_be!(world.cursor(&on(2, name)).await, 1, "the cursor of {name}");
        must_be!(world.pending(&on(2, name)).await, [2, 4], "the entries pending for {name}");
    }
}

/// The host sets the limit; a store has none of its own.
pub async fn three_hundred_devices_are_registered<H: Harness>(world: World<H>) {
    three_messages(&world).await;
    let name = |n: u64| on(2, &format!("d{n}"));
    world.commit((1..=300).map(|n| register_from(name(n), DeviceStart::Oldest, 300)).collect()).await;
    must_be!(
        world.refused(register_from(name(301), DeviceStart::Oldest, 300)).await,
        Refusal::TooManyDevices
    );
    world.done(ack_up_to(name(300), 4)).await;
    let listed: Vec<_> = world.devices(2).await.into_iter().map(|state| state.device).collect();
    must_be!(listed, (1..=300).map(|n| name(n).device).collect::<Vec<_>>());
    must_be!((world.cursor(&name(300)).await, world.cursor(&name(299)).await), (4, 0));
}

#[expect(clippy::needless_pass_by_value, reason = "the result is not used again")]
fn cursor(done: Done) -> u64 {
    registered(&done).cursor.get()
}

/// Entries 1 to 4 in both inboxes, at times 1, 1, 2, 3.
async fn three_messages<H: Harness>(world: &World<H>) {
    world.done(open(1, 1, 2)).await;
    world.commit((1..=3).map(|id| append(1, 1, id).into()).collect()).await;
}
