//! Clause 3, aligned: outcome *i* answers write *i*.

use dm_core::store::{Answer, Event, Notice, Notification};

use crate::build::{
    ack_up_to, append, conversation, expire, forget, message, notice, on, open, open_from, post, publish,
    register, user, who,
};
use crate::outcome::{answer, opened, sent};
use crate::reads::{above, history_of};
use crate::{Harness, World};

/// A batch with one write of each kind.
pub async fn each_kind_of_write_answers_with_its_own_outcome<H: Harness>(world: World<H>) {
    let outcomes = world
        .commit(vec![
            open(1, 1, 2),
            publish(1, 1, 1),
            post(2, 1),
            append(1, 1, 1).into(),
            register(who(2)),
            ack_up_to(who(2), 2),
            expire(1, 10),
            forget(who(2)),
        ])
        .await;
    let answers: Vec<_> = outcomes.iter().filter_map(answer).collect();
    assert!(
        matches!(
            answers[..],
            [
                Answer::ConversationOpened(_),
                Answer::None,
                Answer::None,
                Answer::MessageAppended(_),
                Answer::DeviceRegistered(_),
                Answer::Acknowledged(_),
                Answer::Expired { entries: 0, .. },
                Answer::DeviceForgotten,
            ]
        ),
        "{outcomes:?}"
    );
}

/// Outcomes of one kind are told apart by their content, not by their variant.
pub async fn each_append_of_a_batch_is_answered_in_order<H: Harness>(world: World<H>) {
    world.commit((1..=4).map(|n| open(n, 0, n)).collect()).await;
    let ids: Vec<u64> = (1..=32).collect();
    let outcomes = world.commit(ids.iter().map(|id| append(1 + id % 4, 0, *id).into()).collect()).await;
    for (id, outcome) in ids.into_iter().zip(outcomes) {
        let appended = sent(outcome);
        must_be!(appended.message.id, message(id));
        must_be!(appended.message.conversation, conversation(1 + id % 4));
    }
}

/// A reader finds the message that the outcome contains.
pub async fn an_append_answers_with_the_message_as_stored<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let appended = world.append(append(1, 2, 1)).await;
    assert!(!appended.is_found);
    must_be!(appended.message, world.messages(history_of(1, 1, above(0), 1)).await.messages[0]);
    let entry = &world.inbox(&who(2)).await.entries[1];
    must_be!((appended.sender_seq, Some(&appended.message)), (entry.seq, entry.message()));
}

/// The outcome of an append names the two new entries, each with its user.
pub async fn an_append_names_the_entries_it_appended<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3)]).await;
    let write = dm_core::store::AppendMessage { sender: on(1, "phone"), ..append(1, 1, 1) };
    let appended = world.append(write).await.appended;
    must_be!(appended.len(), 2);
    these_are_in_their_inboxes(&world, &appended).await;
    must_be!(appended[0].entry.origin, Some(on(1, "phone").device));
    must_be!((appended[0].user, appended[1].user), (user(1), user(2)));
}

/// The outcome of an opening names the two notices. The opener's notice has their device as its
/// origin.
pub async fn an_opening_names_the_entries_it_appended<H: Harness>(world: World<H>) {
    let done = world.done(open_from(1, on(2, "desk"), 1, crate::build::at(9))).await;
    let (conversation, _) = opened(&done);
    must_be!(done.appended.len(), 2);
    these_are_in_their_inboxes(&world, &done.appended).await;
    for Notification { user: owner, entry } in done.appended {
        must_be!(entry.event, Event::Notice(Notice::ConversationOpened(conversation)));
        must_be!(entry.origin, (owner == user(2)).then(|| on(2, "desk").device));
    }
}

/// The outcome of a post names the notice in the inbox that it was appended to.
pub async fn a_post_names_the_entry_it_appended<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    let appended = world.done(post(2, 6)).await.appended;
    must_be!(appended.len(), 1);
    must_be!((appended[0].user, &appended[0].entry.event), (user(2), &Event::Notice(notice(6))));
    these_are_in_their_inboxes(&world, &appended).await;
}

async fn these_are_in_their_inboxes<H: Harness>(world: &World<H>, appended: &[Notification]) {
    for Notification { user, entry } in appended {
        let inbox = world.inbox(&(*user).into()).await;
        assert!(inbox.entries.contains(entry), "{entry:?} is not in the inbox of {user}: {inbox:?}");
    }
}
