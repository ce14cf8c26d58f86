//! Clause 15, expiry: the proof of the newest removed entry.

use std::sync::Arc;

use dm_core::store::{
    CursorProof, InboxQuery, InboxSeq, Notice, OtherNotice, OwnEntries, Post, Store as _, Write,
};

use crate::build::{append, at, expire, on, open_from, register, user, who};
use crate::reads::inbox_after;
use crate::records::{posted, posted_to, size};
use crate::{Harness, World};

/// The proofs of all entries of an inbox, in the order of their numbers.
async fn proofs<H: Harness>(world: &World<H>, n: u64) -> Vec<CursorProof> {
    world.inbox(&who(n)).await.entries.iter().map(|entry| entry.proof(user(n))).collect()
}

/// Messages sent and received and notices of all sorts, at times 1 to 8.
async fn prepare<H: Harness>(world: &World<H>) {
    let longest = Notice::Other(OtherNotice::new(vec![0xfe; 512]).unwrap());
    world
        .commit(vec![
            open_from(1, on(1, "desk"), 2, at(1)),
            append(1, 1, 2).into(),
            append(1, 2, 3).into(),
            Write::default().post(posted(1, 4)).post(posted(2, 4)),
            append(1, 2, 5).into(),
            Write::default().post(Post { notice: longest.clone(), ..posted(1, 6) }),
            Write::default().post(Post { notice: longest, ..posted(2, 6) }),
            append(1, 1, 7).into(),
            Write::default().post(posted(1, 8)).post(posted(2, 8)),
        ])
        .await;
}

/// The floor passes a message and a notice, in the inboxes of both users.
pub async fn the_proof_of_the_newest_expired_entry_is_kept<H: Harness>(world: World<H>) {
    prepare(&world).await;
    let proofs = [proofs(&world, 1).await, proofs(&world, 2).await];
    must_be!(proofs.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8]);
    for floor in 1..=8 {
        world.expire(expire(floor + 1, 100)).await;
        for (n, proofs) in [1, 2].into_iter().zip(&proofs) {
            let page = world.inbox(&who(n)).await;
            must_be!(page.floor.get(), floor);
            must_be!(page.floor_proof, Some(proofs[size(floor) - 1]), "entry {floor} of user {n}");
        }
    }
}

/// Steps of one entry, through both inboxes.
pub async fn the_proof_follows_the_floor_step_by_step<H: Harness>(world: World<H>) {
    prepare(&world).await;
    let proofs = [proofs(&world, 1).await, proofs(&world, 2).await];
    for _ in 0..16 {
        must_be!(world.expire(expire(u64::MAX, 1)).await.0, 1);
        for (n, proofs) in [1, 2].into_iter().zip(&proofs) {
            let page = world.inbox(&who(n)).await;
            let newest = page.floor.get().checked_sub(1).map(|index| proofs[size(index)]);
            must_be!(page.floor_proof, newest, "the floor is at {}", page.floor);
        }
    }
}

/// Every page has it, also one that is empty.
pub async fn every_page_has_the_proof_of_the_floor<H: Harness>(world: World<H>) {
    prepare(&world).await;
    let proofs = proofs(&world, 2).await;
    world.expire(expire(5, 100)).await;
    for after in [0, 3, 4, 6, 8, 100] {
        for own in [OwnEntries::Skip, OwnEntries::Include, OwnEntries::ReceivedOnly] {
            let query = InboxQuery { own, ..inbox_after(on(2, "none"), after, 1) };
            let page = world.page(query).await;
            must_be!((page.floor, page.floor_proof), (InboxSeq::new(4), Some(proofs[3])), "after {after}");
        }
    }
}

/// There is no proof, also for a user without an inbox.
pub async fn without_expired_entries_there_is_no_proof<H: Harness>(world: World<H>) {
    prepare(&world).await;
    world.expire(expire(1, 100)).await;
    for n in [1, 2, 5] {
        must_be!(world.inbox(&who(n)).await.floor_proof, None);
    }
}

/// The proof does not tell for which device an entry was.
pub async fn an_expired_entry_for_one_device_has_a_proof_for_all<H: Harness>(world: World<H>) {
    world.commit(vec![register(on(1, "a")), register(on(1, "b"))]).await;
    let entry = world.done(Write::default().post(posted_to(1, 1, 3))).await.appended.remove(0).entry;
    world.expire(expire(4, 100)).await;
    for name in ["a", "b", "none"] {
        must_be!(world.inbox(&on(1, name)).await.floor_proof, Some(entry.proof(user(1))));
    }
}

/// All entries expired, and new ones came.
pub async fn the_proof_stays_when_new_entries_come<H: Harness>(world: World<H>) {
    prepare(&world).await;
    let proofs = proofs(&world, 1).await;
    world.expire(expire(100, 100)).await;
    world.append(append(1, 1, 200)).await;
    must_be!(world.inbox(&who(1)).await.floor_proof, Some(proofs[7]));
}

/// The proof is stored, also for an inbox without entries.
pub async fn the_proof_is_there_after_reopening<H: Harness>(mut world: World<H>) {
    prepare(&world).await;
    let proofs = proofs(&world, 1).await;
    for floor in [3, 4, 8] {
        world.expire(expire(floor + 1, 100)).await;
        world.reopen().await;
        must_be!(world.inbox(&who(1)).await.floor_proof, Some(proofs[size(floor) - 1]));
    }
}

/// Another handle removed the entries.
pub async fn another_handle_reads_the_proof<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    prepare(&world).await;
    let proofs = proofs(&world, 1).await;
    for floor in 1..=8 {
        second.commit(vec![expire(floor + 1, 100)]).await.unwrap();
        must_be!(world.inbox(&who(1)).await.floor_proof, Some(proofs[size(floor) - 1]));
    }
}
