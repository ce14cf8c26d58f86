//! Clause 23, posts: entries of inboxes like any other, also for one device only.

use dm_core::store::{
    Depth, Event, InboxQuery, InboxSeq, Notice, OtherNotice, OwnEntries, Post, Refusal, Write,
};

use crate::build::{
    ack_entries, ack_up_to, append, at, expire, forget, notice, on, open, register, user, who,
};
use crate::reads::{inbox_after, seqs};
use crate::records::{byte, posted, posted_to, said};
use crate::{Harness, World};

fn post(post: Post) -> Write {
    Write::default().post(post)
}

/// Number, time, origin, addressee and notice, in the answer and in the inbox.
pub async fn a_post_is_an_entry_of_its_inbox<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(on(2, "desk"))]).await;
    let posts = [
        posted(2, 5),
        posted_to(2, 1, 6),
        Post { origin: Some(on(2, "phone").device), ..posted(2, 7) },
        Post { origin: Some(on(2, "phone").device), ..posted_to(2, 1, 8) },
    ];
    let appended = world.done(Write { posts: posts.to_vec(), ..Write::default() }).await.appended;
    let entries = world.inbox(&on(2, "desk")).await.entries;
    for (index, (post, hint)) in posts.into_iter().zip(appended).enumerate() {
        let entry = &entries[index + 1];
        must_be!((hint.user, &hint.entry), (post.to, entry));
        must_be!((entry.seq, entry.at), (InboxSeq::new(index as u64 + 2), post.at));
        must_be!((&entry.origin, entry.addressee), (&post.origin, post.addressee));
        must_be!(entry.event, Event::Notice(post.notice));
    }
}

/// One byte, and as many as a notice may have.
pub async fn notices_at_their_bounds_are_kept<H: Harness>(world: World<H>) {
    let longest = (0..512_u64).map(|n| if n == 0 { 0xff } else { byte(n) }).collect();
    for (index, bytes) in [vec![0x80], vec![0x80, 0], longest].into_iter().enumerate() {
        let notice = Notice::Other(OtherNotice::new(bytes).unwrap());
        world.done(post(Post { notice: notice.clone(), ..posted(1, 1) })).await;
        must_be!(world.inbox(&who(1)).await.entries[index].event, Event::Notice(notice));
    }
}

/// A user with nothing else gets an inbox.
pub async fn a_post_may_be_the_first_entry_of_a_user<H: Harness>(world: World<H>) {
    world.done(post(posted(7, u64::MAX))).await;
    let page = world.inbox(&who(7)).await;
    must_be!((seqs(&page.entries), page.head, page.entries[0].at), (vec![1], InboxSeq::new(1), at(u64::MAX)));
}

/// A post for all devices is pending for all but the one that caused it.
pub async fn a_post_is_pending_for_all_devices_but_its_origin<H: Harness>(world: World<H>) {
    world.commit(["a", "b", "c"].map(|name| register(on(1, name))).to_vec()).await;
    world.done(post(posted(1, 1)).post(Post { origin: Some(on(1, "b").device), ..posted(1, 2) })).await;
    for (name, pending) in [("a", vec![1, 2]), ("b", vec![1]), ("c", vec![1, 2]), ("none", vec![1, 2])] {
        let notices = pending.len() as u64;
        must_be!(world.pending(&on(1, name)).await, pending, "{name}");
        must_be!(world.depth(&on(1, name)).await, Depth { messages: 0, notices });
    }
}

/// It is shown and counted for one device, whatever the query includes.
pub async fn an_addressed_entry_is_for_one_device<H: Harness>(world: World<H>) {
    world.commit(["a", "b"].map(|name| register(on(1, name))).to_vec()).await;
    world
        .done(post(posted_to(1, 2, 1)).post(posted_to(1, 1, 2)).post(posted(1, 3)).post(posted_to(1, 2, 4)))
        .await;
    for (name, pending) in [("a", vec![2, 3]), ("b", vec![1, 3, 4]), ("none", vec![3])] {
        must_be!(world.pending(&on(1, name)).await, pending, "{name}");
        must_be!(seqs(&world.inbox(&on(1, name)).await.entries), pending, "all entries of {name}");
        let notices = pending.len() as u64;
        must_be!(world.depth(&on(1, name)).await, Depth { messages: 0, notices }, "{name}");
        let query = InboxQuery { own: OwnEntries::ReceivedOnly, ..inbox_after(on(1, name), 0, 10) };
        must_be!(world.page(query).await.entries, []);
    }
}

/// The entries between them count for no page, and each page moves on.
pub async fn pages_pass_over_entries_for_other_devices<H: Harness>(world: World<H>) {
    world.commit(["a", "b"].map(|name| register(on(1, name))).to_vec()).await;
    let posts = (1..=300).map(|n| posted_to(1, if n % 100 == 0 { 1 } else { 2 }, n)).collect();
    world.done(Write { posts, ..Write::default() }).await;
    let (mut after, mut read) = (0, Vec::new());
    for _ in 0..300 {
        let page = world.page(inbox_after(on(1, "a"), after, 2)).await;
        read.extend(seqs(&page.entries));
        if page.through == page.head {
            break;
        }
        assert!(page.through.get() > after, "the page after {after} does not move on");
        after = page.through.get();
    }
    must_be!(read, [100, 200, 300]);
    must_be!(world.pending(&on(1, "b")).await.len(), 297);
}

/// A device that is registered again under the name does not get what was for its predecessor.
pub async fn an_entry_for_a_forgotten_device_is_for_no_device<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(on(1, "a")), register(on(1, "b"))]).await;
    world.done(post(posted_to(1, 1, 1))).await;
    must_be!(world.pending(&on(1, "a")).await, [1, 2]);
    world.done(forget(on(1, "a"))).await;
    must_be!(world.pending(&on(1, "a")).await, [1]);
    world.done(register(on(1, "a"))).await;
    must_be!(world.pending(&on(1, "a")).await, [1]);
    must_be!(world.depth(&on(1, "a")).await, Depth { messages: 0, notices: 1 });
    world.commit(vec![append(1, 2, 1).into(), post(posted_to(1, 3, 2))]).await;
    must_be!(world.pending(&on(1, "a")).await, [1, 3, 4]);
    must_be!(world.pending(&on(1, "b")).await, [1, 3]);
    // The cursors of both pass over the entry.
    for device in [on(1, "a"), on(1, "b")] {
        world.ack(ack_entries(device.clone(), [1])).await;
        world.ack(ack_entries(device.clone(), [3])).await;
        must_be!(world.cursor(&device).await, 3);
    }
    must_be!(world.pending(&on(1, "a")).await, [4]);
}

/// Registered and forgotten within one batch, with posts between.
pub async fn each_post_of_a_batch_sees_the_registrations_before_it<H: Harness>(world: World<H>) {
    let outcomes = world
        .commit(vec![
            post(posted_to(1, 1, 1)),
            register(on(1, "a")),
            post(posted_to(1, 1, 2)),
            forget(on(1, "a")),
            post(posted_to(1, 1, 3)),
            register(on(1, "a")),
            post(posted_to(1, 1, 4)),
            post(posted_to(1, 2, 5)),
        ])
        .await;
    let is_refused =
        |outcome: &dm_core::store::Outcome| matches!(outcome, dm_core::store::Outcome::Refused(_));
    let refused: Vec<_> = outcomes.iter().map(is_refused).collect();
    must_be!(refused, [true, false, false, false, true, false, true, false]);
    must_be!(world.pending(&on(1, "a")).await, [2]);
}

/// A number that nobody has, one of another user, zero, and that of a forgotten device.
pub async fn posts_to_registrations_that_the_user_does_not_have_are_refused<H: Harness>(world: World<H>) {
    world
        .commit(vec![register(on(1, "a")), register(on(2, "a")), register(on(2, "b")), register(on(1, "b"))])
        .await;
    world.commit(vec![forget(on(1, "a")), register(on(2, "c"))]).await;
    let before = world.snapshot().await;
    for registration in [0, 1, 3, u64::MAX] {
        let refusal = world.refused(post(posted(1, 1)).post(posted_to(1, registration, 2))).await;
        must_be!(refusal, Refusal::UnknownRegistration { which: 1 }, "registration {registration}");
    }
    must_be!(world.refused(post(posted_to(5, 1, 1))).await, Refusal::UnknownRegistration { which: 0 });
    must_be!(world.snapshot().await, before);
    world.done(post(posted_to(1, 2, 1)).post(posted_to(2, 3, 1))).await;
}

/// As over own entries and notices: below an acknowledged message, or up to a number.
pub async fn cursors_pass_over_entries_for_other_devices<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), register(on(2, "a")), register(on(2, "b"))]).await;
    world.done(post(posted_to(2, 1, 1)).post(posted_to(2, 2, 2))).await;
    world.append(append(1, 1, 1)).await;
    world.done(post(posted_to(2, 1, 3))).await;
    world.append(append(1, 1, 2)).await;
    world.ack(ack_entries(on(2, "b"), [4])).await;
    must_be!(world.cursor(&on(2, "b")).await, 4);
    must_be!(world.pending(&on(2, "b")).await, [6]);
    world.ack(ack_entries(on(2, "b"), [6])).await;
    must_be!(world.cursor(&on(2, "b")).await, 6);
    must_be!(world.cursor(&on(2, "a")).await, 0);
    must_be!(world.pending(&on(2, "a")).await, [1, 2, 4, 5, 6]);
    world.ack(ack_up_to(on(2, "a"), 5)).await;
    must_be!(world.pending(&on(2, "a")).await, [6]);
}

/// An addressed entry above the newest acknowledged one stays where it is.
pub async fn an_addressed_entry_is_acknowledged_by_its_device<H: Harness>(world: World<H>) {
    world.commit(vec![register(on(1, "a")), register(on(1, "b"))]).await;
    world.done(post(posted_to(1, 1, 1)).post(posted_to(1, 1, 2)).post(posted(1, 3))).await;
    let done = world.ack(ack_entries(on(1, "a"), [2])).await;
    must_be!((done.acknowledged, done.unknown, done.cursor.get()), (1, 0, 2));
    must_be!(world.pending(&on(1, "a")).await, [3]);
    must_be!(world.pending(&on(1, "b")).await, [3]);
    must_be!(world.cursor(&on(1, "b")).await, 0);
}

/// As many as one write may have, to several inboxes, addressed and not.
pub async fn a_thousand_posts_are_appended_in_their_order<H: Harness>(world: World<H>) {
    world.commit(vec![register(on(1, "a")), register(on(2, "a"))]).await;
    let posts: Vec<_> = (0..1_024)
        .map(|n| if n % 4 < 2 { posted(1 + n % 2, n) } else { posted_to(1 + n % 2, 1, n) })
        .collect();
    let appended = world.done(Write { posts, ..Write::default() }).await.appended;
    let numbers: Vec<_> = appended.iter().map(|hint| (hint.user, hint.entry.seq.get())).collect();
    must_be!(numbers, (0..1_024).map(|n| (user(1 + n % 2), n / 2 + 1)).collect::<Vec<_>>());
    for n in [1, 2] {
        let entries = world.inbox(&on(n, "a")).await.entries;
        let events =
            (0..1_024).filter(|number| 1 + number % 2 == n).map(|number| Event::Notice(notice(number)));
        must_be!(
            entries.into_iter().map(|entry| entry.event).collect::<Vec<_>>(),
            events.collect::<Vec<_>>()
        );
    }
}

/// Posts and messages of tasks at once are numbered without holes.
pub async fn posts_at_once_with_messages_are_numbered_without_holes<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let batch = |n: u64| vec![append(1, 1 + n % 2, n).into(), post(posted(2, n)).post(posted(1, n))];
    world.at_once((1..=30).map(batch)).await;
    for n in [1, 2] {
        let entries = world.inbox(&who(n)).await.entries;
        must_be!(seqs(&entries), (1..=61).collect::<Vec<_>>());
        let is_post = |event: &Event| matches!(event, Event::Notice(notice) if said(notice).is_some());
        must_be!(entries.iter().filter(|entry| is_post(&entry.event)).count(), 30);
    }
}

/// Addressed entries are entries of an inbox that expires.
pub async fn posts_expire_with_their_inbox<H: Harness>(world: World<H>) {
    world.commit(vec![register(on(1, "a")), register(on(1, "b"))]).await;
    world.done((1..=6).fold(Write::default(), |write, n| write.post(posted_to(1, 1 + n % 2, n)))).await;
    must_be!(world.expire(expire(4, 100)).await, (3, false));
    must_be!(world.pending(&on(1, "a")).await, [4, 6]);
    must_be!(world.pending(&on(1, "b")).await, [5]);
    must_be!(world.heads([1]).await, [6]);
}

/// Addressees are stored with entries and devices.
pub async fn addressed_entries_are_there_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![register(on(1, "a")), register(on(1, "b"))]).await;
    world.done(post(posted_to(1, 1, 1)).post(posted_to(1, 2, 2)).post(posted(1, 3))).await;
    world.commit(vec![forget(on(1, "b")), register(on(1, "b"))]).await;
    let before = world.snapshot().await;
    world.reopen().await;
    must_be!(world.snapshot().await, before);
    must_be!(world.pending(&on(1, "a")).await, [1, 3]);
    must_be!(world.pending(&on(1, "b")).await, [3]);
    must_be!(world.refused(post(posted_to(1, 2, 4))).await, Refusal::UnknownRegistration { which: 0 });
    world.done(post(posted_to(1, 3, 4))).await;
}
