//! Clause 1.

use crate::build::{append, open, who};
use crate::{Harness, World};

/// A write for a conversation that does not exist, amid others.
pub async fn a_refused_write_leaves_its_neighbours_as_they_are<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let batch = (1..=64).map(|id| append(if id == 33 { 9 } else { 1 }, 1, id).into()).collect();
    let outcomes = world.commit(batch).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        assert_eq!(matches!(outcome, dm_core::Outcome::Refused(_)), n == 32, "write {n}: {outcome:?}");
    }
    assert_eq!(world.inbox(&who(2)).await.entries.len(), 1 + 63);
}

/// After `Ok`, all of a batch is there.
pub async fn a_batch_is_there_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![open(1, 1, 2), append(1, 1, 1).into(), append(1, 2, 2).into()]).await;
    world.reopen().await;
    assert_eq!(world.inbox(&who(1)).await.entries.len(), 3);
}
