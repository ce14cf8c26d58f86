//! Clause 7, dense: sender numbers, revisions and registrations.

use dm_core::store::Change;

use crate::build::{append, append_as, forget, naming, on, open, register, who};
use crate::outcome::registered;
use crate::reads::{above, history_of};
use crate::records::{numbers, only, put, raise, revision_of, shared};
use crate::{Harness, World};

/// The sender's numbers in each conversation, in answers, history and both inboxes.
pub async fn the_messages_of_a_sender_are_numbered_from_one<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3)]).await;
    for (id, (n, from, number)) in
        (1..).zip([(1, 1, 1), (1, 2, 1), (1, 1, 2), (2, 1, 1), (1, 1, 3), (2, 3, 1), (1, 2, 2), (2, 1, 2)])
    {
        let sent = world.append(append(n, from, id)).await;
        must_be!(sent.message.sender_sequence.get(), number, "message {id}");
        for entry in world.inbox(&who(1)).await.entries {
            if let Some(message) = entry.message().filter(|message| message.id == sent.message.id) {
                must_be!(**message, *sent.message);
            }
        }
    }
    let messages = world.messages(history_of(1, 2, above(0), 100)).await.messages;
    must_be!(messages.iter().map(|m| m.sender_sequence.get()).collect::<Vec<_>>(), [1, 1, 2, 3, 2]);
}

/// Nor does a repeat, which has the number of the first.
pub async fn a_refused_send_takes_no_number_of_its_sender<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append_as(1, 1, 1, 1).into(), append(1, 2, 2).into()]).await;
    world.refused(naming(append(1, 1, 3), 2)).await;
    world.refused(append_as(1, 1, 4, 1).into()).await;
    must_be!(world.append(append_as(1, 1, 1, 1)).await.message.sender_sequence.get(), 1);
    must_be!(world.append(append(1, 1, 5)).await.message.sender_sequence.get(), 2);
    must_be!(world.append(append(1, 2, 6)).await.message.sender_sequence.get(), 2);
}

/// Forty tasks of two senders.
pub async fn sends_at_once_have_each_number_of_their_sender_once<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    world.at_once((1..=40).map(|id| vec![append(1, 1 + id % 2, id).into()])).await;
    let messages = world.messages(history_of(1, 1, above(0), 100)).await.messages;
    for n in [1, 2] {
        let own = messages.iter().filter(|message| message.sender == crate::build::user(n));
        let own: Vec<_> = own.map(|message| message.sender_sequence.get()).collect();
        must_be!(own, (1..=20).collect::<Vec<_>>());
    }
}

/// A refused put, a found one and one that does not raise take none.
pub async fn revisions_are_numbered_from_one_without_holes<H: Harness>(world: World<H>) {
    use dm_core::store::Expect;
    must_be!(numbers(world.since(1, 0).await.revisions), (0, 0));
    for n in 1..=5 {
        let done = world.done(only(put(shared(1, "a"), n.to_string(), n))).await;
        must_be!(revision_of(&done.revisions, 1), Some(n));
        world.refused(only(put(shared(1, "b"), "v", n)).expect(Expect::Absent(shared(1, "a")))).await;
        assert!(world.done(only(put(shared(1, "a"), n.to_string(), n))).await.is_found);
        world.done(only(raise(shared(1, "a"), "", 99))).await;
        world.done(only(Change::Delete(shared(1, "none")))).await;
        must_be!(numbers(world.since(1, 0).await.revisions), (n, 0));
    }
}

/// In answers and in the list of devices. A registered device keeps its number.
pub async fn registrations_are_numbered_from_one<H: Harness>(world: World<H>) {
    for (n, name, number) in [(1, "a", 1), (1, "b", 2), (2, "a", 1), (1, "a", 1), (1, "c", 3), (2, "b", 2)] {
        let done = world.done(register(on(n, name))).await;
        must_be!(registered(&done).registration.get(), number, "{name} of user {n}");
    }
    let listed = |devices: Vec<dm_core::store::DeviceState>| -> Vec<_> {
        devices.into_iter().map(|device| (device.device.to_string(), device.registration.get())).collect()
    };
    must_be!(listed(world.devices(1).await), [("a".into(), 1), ("b".into(), 2), ("c".into(), 3)]);
    world.commit(vec![forget(on(1, "b")), register(on(1, "b"))]).await;
    must_be!(listed(world.devices(1).await), [("a".into(), 1), ("c".into(), 3), ("b".into(), 4)]);
}

/// Twenty tasks register devices of one user.
pub async fn registrations_at_once_have_each_number_once<H: Harness>(world: World<H>) {
    use crate::build::register_from;
    let register = |n: u64| vec![register_from(on(1, &format!("d{n}")), Default::default(), 50)];
    world.at_once((1..=20).map(register)).await;
    let numbers: Vec<_> = world.devices(1).await.iter().map(|device| device.registration.get()).collect();
    must_be!(numbers, (1..=20).collect::<Vec<_>>());
}
