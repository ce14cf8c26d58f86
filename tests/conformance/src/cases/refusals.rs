//! Clause 4: refusals stand alone.

use dm_core::store::{Answer, DeviceStart, InboxSeq, Outcome, Refusal, Write};

use crate::build::{
    ack_entries, ack_messages, ack_up_to, append, append_as, forget, naming, on, open, publish, published,
    register, register_from, who,
};
use crate::outcome::answer;
use crate::{Harness, World};

/// A write to a missing conversation, in the middle of a batch.
pub async fn a_refused_write_leaves_its_neighbours_as_they_are<H: Harness>(world: World<H>) {
    one_is_refused(world, 33, 64).await;
}

/// The same at the start of a batch.
pub async fn a_refused_first_write_leaves_the_rest_as_it_is<H: Harness>(world: World<H>) {
    one_is_refused(world, 1, 64).await;
}

/// The same at the end of a batch.
pub async fn a_refused_last_write_leaves_the_rest_as_it_is<H: Harness>(world: World<H>) {
    one_is_refused(world, 64, 64).await;
}

/// The same among hundreds of writes.
pub async fn a_refused_write_leaves_a_large_batch_as_it_is<H: Harness>(world: World<H>) {
    one_is_refused(world, 257, 600).await;
}

/// All writes of a batch are refused, and the commit is no error.
pub async fn a_batch_of_refusals_only_changes_nothing<H: Harness>(world: World<H>) {
    prepare(&world).await;
    let before = world.snapshot().await;
    let outcomes = world.commit((1..=8).map(|id| append(9, 1, id).into()).collect()).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Refused(Refusal::NotFound))));
    must_be!(world.snapshot().await, before);
}

/// A message to a missing conversation.
pub async fn refused_as_not_found_it_changes_nothing<H: Harness>(world: World<H>) {
    changes_nothing(&world, append(9, 1, 50).into(), Refusal::NotFound).await;
}

/// A message with a client id that was used for another one.
pub async fn refused_as_client_id_reused_it_changes_nothing<H: Harness>(world: World<H>) {
    changes_nothing(&world, append_as(1, 1, 50, 1).into(), Refusal::ClientIdReused).await;
}

/// A message for a key version that is not current.
pub async fn refused_for_an_unmet_condition_it_changes_nothing<H: Harness>(world: World<H>) {
    prepare(&world).await;
    let current = Some(published(2, 2, 2).to_record().into());
    let write = naming(append_as(1, 1, 50, 50), 1);
    refused_without_change(&world, write, Refusal::Unmet { which: 0, current }).await;
    // The refused send did not take its client id.
    world.append(append_as(1, 1, 51, 50)).await;
}

/// A device beyond the limit of the user.
pub async fn refused_as_too_many_devices_it_changes_nothing<H: Harness>(world: World<H>) {
    let write = register_from(on(1, "third"), DeviceStart::Oldest, 1);
    changes_nothing(&world, write, Refusal::TooManyDevices).await;
}

/// An acknowledgement from a device that is not registered.
pub async fn refused_as_unknown_device_it_changes_nothing<H: Harness>(world: World<H>) {
    changes_nothing(&world, ack_up_to(on(1, "ghost"), 1), Refusal::UnknownDevice).await;
}

/// An acknowledgement of an entry beyond the head.
pub async fn refused_beyond_the_head_it_changes_nothing<H: Harness>(world: World<H>) {
    let head = InboxSeq::new(4);
    changes_nothing(&world, ack_up_to(who(1), 5), Refusal::BeyondHead { head }).await;
}

/// An acknowledgement of several entries, one of them beyond the head.
pub async fn refused_for_one_entry_beyond_the_head_it_changes_nothing<H: Harness>(world: World<H>) {
    let head = InboxSeq::new(4);
    changes_nothing(&world, ack_entries(who(1), [3, 5, 4]), Refusal::BeyondHead { head }).await;
}

/// One batch opens a conversation and appends to it.
pub async fn an_append_sees_the_conversation_opened_before_it<H: Harness>(world: World<H>) {
    let outcomes = world.commit(vec![open(1, 1, 2), append(1, 1, 1).into()]).await;
    assert!(matches!(answer(&outcomes[1]), Some(Answer::MessageAppended(_))), "{:?}", outcomes[1]);
}

/// One batch registers a device, appends an entry and acknowledges it.
pub async fn an_acknowledgement_sees_the_append_before_it<H: Harness>(world: World<H>) {
    let batch = vec![
        open(1, 1, 2),
        register(who(2)),
        append(1, 1, 1).into(),
        ack_messages(who(2), [1]),
        ack_up_to(who(2), 2),
    ];
    let outcomes = world.commit(batch).await;
    let Some(Answer::Acknowledged(done)) = answer(&outcomes[3]) else { panic!("{outcomes:?}") };
    must_be!(done.acknowledged, 1);
    assert!(matches!(answer(&outcomes[4]), Some(Answer::Acknowledged(_))), "{outcomes:?}");
    must_be!(world.cursor(&who(2)).await, 2);
}

/// A fence has its tag from the write that puts it; until then it has the tag before.
pub async fn an_append_sees_the_fence_put_before_it<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1)]).await;
    let send = |id, n| naming(append(1, 1, id), n);
    let outcomes = world.commit(vec![send(1, 1), publish(2, 2, 2), send(2, 1), send(3, 2)]).await;
    assert!(matches!(outcomes[0], Outcome::Done(_)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Refused(Refusal::Unmet { which: 0, .. })), "{outcomes:?}");
    assert!(matches!(outcomes[3], Outcome::Done(_)), "{outcomes:?}");
}

/// One batch forgets a device and registers another within the limit.
pub async fn a_registration_sees_the_device_forgotten_before_it<H: Harness>(world: World<H>) {
    world.done(register_from(on(1, "old"), DeviceStart::Oldest, 1)).await;
    let batch = vec![forget(on(1, "old")), register_from(on(1, "new"), DeviceStart::Oldest, 1)];
    let outcomes = world.commit(batch).await;
    assert!(matches!(answer(&outcomes[1]), Some(Answer::DeviceRegistered(_))), "{outcomes:?}");
}

async fn one_is_refused<H: Harness>(world: World<H>, refused: u64, writes: u64) {
    world.done(open(1, 1, 2)).await;
    let batch = (1..=writes).map(|id| append(if id == refused { 9 } else { 1 }, 1, id).into()).collect();
    let outcomes = world.commit(batch).await;
    for (id, outcome) in (1..).zip(outcomes) {
        must_be!(matches!(outcome, Outcome::Refused(_)), id == refused, "write {id}: {outcome:?}");
    }
    must_be!(world.inbox(&who(2)).await.entries.len() as u64, writes);
}

/// State of every kind. User 1 has four entries.
async fn prepare<H: Harness>(world: &World<H>) {
    world
        .commit(vec![
            open(1, 1, 2),
            publish(2, 1, 1),
            publish(2, 2, 2),
            register(who(1)),
            register(on(1, "phone")),
            append_as(1, 1, 1, 1).into(),
            append(1, 2, 2).into(),
            append(1, 2, 3).into(),
        ])
        .await;
}

async fn changes_nothing<H: Harness>(world: &World<H>, write: Write, refusal: Refusal) {
    prepare(world).await;
    refused_without_change(world, write, refusal).await;
}

async fn refused_without_change<H: Harness>(world: &World<H>, write: Write, refusal: Refusal) {
    let before = world.snapshot().await;
    must_be!(world.refused(write).await, refusal);
    must_be!(world.snapshot().await, before);
}
