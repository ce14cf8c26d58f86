//! The documentation of [`PublishKey`](dm_core::store::PublishKey).

use dm_core::store::{KeyBinding, KeyRecord, Outcome, PublishKey, Store, Write};

use crate::build::{at, key, publish, user, version};
use crate::{Harness, World};

/// Versions are 1, 2, 3 …
pub async fn versions_are_counted_from_one<H: Harness>(world: World<H>) {
    must_be!(world.key(1).await, None);
    for n in 1..=5 {
        let (record, changed) = published(&world, publish(1, n, n.into())).await;
        let binding = KeyBinding::Unproven;
        let expected = KeyRecord {
            user: user(1),
            key: key(n),
            version: version(n.into()),
            published_at: at(n.into()),
            binding,
        };
        must_be!((record, changed), (expected, true));
        must_be!(world.key(1).await, Some(expected));
    }
}

/// The time and the binding stay those of the first publication.
pub async fn the_current_key_again_changes_nothing<H: Harness>(world: World<H>) {
    let (first, _) = published(&world, publish(1, 1, 1)).await;
    let again = PublishKey { user: user(1), key: key(1), binding: KeyBinding::Derived, at: at(9) };
    must_be!(published(&world, Write::PublishKey(again)).await, (first, false));
    must_be!(world.key(1).await, Some(first));
}

/// A key that was published before and replaced gets a new version.
pub async fn an_old_key_is_a_new_version<H: Harness>(world: World<H>) {
    world.commit(vec![publish(1, 1, 1), publish(1, 2, 2)]).await;
    let (record, changed) = published(&world, publish(1, 1, 3)).await;
    must_be!((record.version, record.key, changed), (version(3), key(1), true));
}

/// Every binding is read back as it was published.
pub async fn the_binding_is_kept<H: Harness>(world: World<H>) {
    for (n, binding) in [(1, KeyBinding::Derived), (2, KeyBinding::Unproven)] {
        let write = PublishKey { user: user(n), key: key(7), binding, at: at(1) };
        world.done(Write::PublishKey(write)).await;
        must_be!(world.key(n).await.unwrap().binding, binding);
    }
}

/// Each user has their own versions.
pub async fn users_have_versions_of_their_own<H: Harness>(world: World<H>) {
    world.commit(vec![publish(1, 1, 1), publish(1, 2, 2), publish(2, 2, 3)]).await;
    must_be!(world.key(1).await.unwrap().version, version(2));
    must_be!(world.key(2).await.unwrap().version, version(1));
    must_be!(world.key(3).await, None);
}

/// Versions are durable.
pub async fn versions_go_on_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![publish(1, 1, 1), publish(1, 2, 2)]).await;
    world.reopen().await;
    assert!(!published(&world, publish(1, 2, 3)).await.1);
    must_be!(published(&world, publish(1, 3, 4)).await.0.version, version(3));
}

/// A handle continues the versions that another one published.
pub async fn versions_go_on_across_handles<H: Harness>(world: World<H>) {
    world.done(publish(1, 1, 1)).await;
    let Some(second) = world.second_handle().await else { return };
    second.commit(vec![publish(1, 2, 2)]).await.unwrap();
    must_be!(published(&world, publish(1, 3, 3)).await.0.version, version(3));
}

/// More versions than a byte can count.
pub async fn three_hundred_keys_have_a_version_each<H: Harness>(world: World<H>) {
    let write = |n: u32| publish(1, u8::try_from(1 + n % 200).expect("below 256"), n.into());
    let outcomes = world.commit((1..=300).map(write).collect()).await;
    for (n, outcome) in (1..).zip(outcomes) {
        let Outcome::KeyPublished { record, changed: true } = outcome else { panic!("{outcome:?}") };
        must_be!(record.version, version(n));
    }
    must_be!(world.key(1).await.map(|record| record.version), Some(version(300)));
}

async fn published<H: Harness>(world: &World<H>, write: Write) -> (KeyRecord, bool) {
    match world.done(write).await {
        Outcome::KeyPublished { record, changed } => (record, changed),
        outcome => panic!("another write's outcome: {outcome:?}"),
    }
}
