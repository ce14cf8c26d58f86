//! Clause 12: no stale key.

use dm_core::store::{AppendMessage, Outcome, Refusal};

use crate::build::{append, open, publish, version};
use crate::{Harness, World};

/// The message names the current version.
pub async fn a_message_for_the_current_version_is_stored<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1), publish(2, 2, 2)]).await;
    world.append(naming(1, 2)).await;
}

/// The message names an older version: the refusal contains the current key.
pub async fn a_message_for_an_older_version_is_refused<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1), publish(2, 2, 2)]).await;
    let current = world.key(2).await;
    must_be!(current.unwrap().version, version(2));
    must_be!(world.refused(naming(1, 1).into()).await, Refusal::StaleKey { current });
}

/// The message names a version that does not exist yet.
pub async fn a_message_for_a_later_version_is_refused<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1)]).await;
    let current = world.key(2).await;
    must_be!(world.refused(naming(1, 2).into()).await, Refusal::StaleKey { current });
}

/// A user without a key has no current version.
pub async fn a_version_of_a_user_without_a_key_is_refused<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    must_be!(world.refused(naming(1, 1).into()).await, Refusal::StaleKey { current: None });
}

/// The version of the sender's own key does not matter.
pub async fn the_recipients_version_counts_and_not_the_senders<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(1, 1, 1), publish(1, 2, 2), publish(2, 3, 3)]).await;
    world.append(naming(1, 1)).await;
    world.refused(naming(2, 2).into()).await;
}

/// A client need not name a version.
pub async fn a_message_that_names_no_version_is_not_checked<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1), publish(2, 2, 2)]).await;
    world.append(append(1, 1, 1)).await;
}

/// Publishing the current key again makes no new version.
pub async fn the_same_key_again_makes_nothing_stale<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1), publish(2, 1, 2)]).await;
    world.append(naming(1, 1)).await;
}

/// Versions are durable.
pub async fn a_message_is_refused_as_stale_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1), publish(2, 2, 2)]).await;
    world.reopen().await;
    world.refused(naming(1, 1).into()).await;
    world.append(naming(2, 2)).await;
}

/// With concurrent sends: once a publication has returned, a message for the version before it is
/// refused.
pub async fn nothing_is_stored_for_the_old_version_once_a_rotation_returned<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), publish(2, 1, 1)]).await;
    let sends = (1..=30).map(|id| vec![vec![naming(id, 1).into()]]);
    let rotation = [vec![vec![publish(2, 2, 2)]]];
    let rotated = async || {
        if world.key(2).await.unwrap().version == version(2) {
            let head = world.state(1).await.unwrap().head;
            tokio::task::yield_now().await;
            must_be!(world.state(1).await.unwrap().head, head, "stored after the rotation");
        }
    };
    world.during(sends.chain(rotation), rotated).await;
    let outcome = world.one(naming(99, 1).into()).await;
    let Outcome::Refused(Refusal::StaleKey { .. }) = outcome else { panic!("{outcome:?}") };
}

fn naming(id: u64, number: u32) -> AppendMessage {
    AppendMessage { recipient_key_version: Some(version(number)), ..append(1, 1, id) }
}
