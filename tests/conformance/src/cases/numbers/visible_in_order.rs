//! Clause 9, visible in order: revisions.

use std::sync::Arc;

use dm_core::store::{ScanPage, Store as _};

use crate::records::{all, only, put, raise, scan_since, shared};
use crate::{Harness, World};

/// The records of a page are those of the revisions after `revision`, up to the newest.
fn has_no_hole(page: &ScanPage, revision: u64) {
    let read: Vec<_> = page.records.iter().map(|record| record.revision.get()).collect();
    must_be!(read, (revision + 1..=page.revisions.head.get()).collect::<Vec<_>>());
}

/// Several tasks put records with names of their own.
pub async fn a_reader_of_revisions_during_commits_sees_no_hole<H: Harness>(world: World<H>) {
    let mut seen = 0;
    let batches = |task: u8| {
        (0..20)
            .map(|n| {
                vec![only(put(shared(1, [task, n]), "v", 1)), only(raise(shared(1, [task, n, 0]), "v", 1))]
            })
            .collect()
    };
    world
        .during([batches(1), batches(2), batches(3)], async || {
            has_no_hole(&world.since(1, 0).await, 0);
            let page = world.since(1, seen).await;
            has_no_hole(&page, seen);
            seen = page.revisions.head.get();
        })
        .await;
    must_be!(seen, 120);
}

/// Batches and writes with many records of one user are visible as a whole.
pub async fn a_reader_on_another_handle_sees_no_hole_in_revisions<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    let batches =
        |task: u8| (0..10).map(|n| vec![all((0..5).map(|i| put(shared(1, [task, n, i]), "v", 1)))]).collect();
    world
        .during([batches(1), batches(2)], async || {
            let page = second.scan(scan_since(1, 0, 1_000)).await.unwrap();
            has_no_hole(&page, 0);
            must_be!(page.records.len() % 5, 0, "a part of a write");
        })
        .await;
}

/// The newest revision and the floor never go back.
pub async fn the_newest_revision_never_goes_back<H: Harness>(world: World<H>) {
    use dm_core::store::Change;
    let mut before = Default::default();
    let batch = |n: u8| vec![only(put(shared(1, [n]), "v", 1)), only(Change::Delete(shared(1, [n])))];
    world
        .during([(0..40).map(batch).collect()], async || {
            let revisions = world.since(1, u64::MAX).await.revisions;
            let now = crate::records::numbers(revisions);
            assert!(now >= before && now.0 >= now.1, "{now:?} after {before:?}");
            must_be!(now.0 % 2, 0, "a part of a batch");
            before = now;
        })
        .await;
}
