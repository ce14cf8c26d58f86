//! Clause 20, gates: a message or a new conversation passes those of the pair and of both users.

use std::sync::Arc;

use dm_core::store::{
    Ceiling, Change, Event, GateChange, GateRefusal, InboxSeq, Outcome, Refusal, SenderSequence, Store as _,
    Update, UserGateChange, Write,
};

use crate::build::{append, ciphertext, open, post, user, who};
use crate::outcome::done;
use crate::records::{gate, gate_bits, only, plain, posted, put, said, user_gate};
use crate::{Harness, World};

const fn closed(bits: u8) -> Refusal {
    Refusal::Gate(GateRefusal::Closed { bits })
}

fn closed_user(n: u64) -> Refusal {
    Refusal::Gate(GateRefusal::UserClosed { user: user(n) })
}

fn above_inbox(n: u64) -> Refusal {
    Refusal::Gate(GateRefusal::UserCeiling { user: user(n) })
}

const CEILING: Refusal = Refusal::Gate(GateRefusal::Ceiling);

/// A ceiling of a user in the conversation with another one; `None` removes it.
fn ceiling(n: u64, other: u64, ceiling: Option<(u64, u64)>) -> Write {
    let update = ceiling.map_or(Update::Remove, |(messages, bytes)| {
        Update::Set(Ceiling { messages: SenderSequence::new(messages), bytes })
    });
    let change = gate(n, other);
    only(Change::Gate(if change.pair.a() == user(n) {
        GateChange { ceiling_a: update, ..change }
    } else {
        GateChange { ceiling_b: update, ..change }
    }))
}

/// A ceiling of the *n*-th user's inbox; `None` removes it.
fn inbox_ceiling(n: u64, ceiling: Option<u64>) -> Write {
    let ceiling = ceiling.map_or(Update::Remove, |seq| Update::Set(InboxSeq::new(seq)));
    only(Change::UserGate(UserGateChange { ceiling, ..UserGateChange::new(user(n)) }))
}

/// Each of the eight bits, for both directions and for openings.
pub async fn each_bit_closes_a_pair_for_both_sides<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for bit in 0..8 {
        world.commit(vec![gate_bits(1, 2, 1 << bit, 0), gate_bits(4, 3, 1 << bit, 0)]).await;
        for from in [1, 2] {
            must_be!(world.refused(append(1, from, 1).into()).await, closed(1 << bit));
        }
        must_be!(world.refused(open(2, 3, 4)).await, closed(1 << bit));
        world.commit(vec![gate_bits(2, 1, 0, 1 << bit), gate_bits(3, 4, 0, 1 << bit)]).await;
        world.append(append(1, 1, 100 + bit)).await;
        world.append(append(1, 2, 200 + bit)).await;
    }
    world.done(open(2, 3, 4)).await;
}

/// A gate stays closed until all of its bits are cleared; the refusal has those that are set.
pub async fn bits_are_set_and_cleared_one_by_one<H: Harness>(world: World<H>) {
    world.done(open(1, 1, 2)).await;
    for (close, open, bits) in
        [(0b101, 0, 0b101), (0b10, 0, 0b111), (0, 0b1, 0b110), (0b1000, 0b1110, 0b1000), (0, 0b111, 0b1000)]
    {
        world.done(gate_bits(1, 2, close, open)).await;
        must_be!(world.refused(append(1, 2, 1).into()).await, closed(bits));
    }
    world.done(gate_bits(1, 2, 0, 0xff)).await;
    world.append(append(1, 2, 1)).await;
}

/// Other conversations of the two users stay open.
pub async fn a_closed_gate_is_that_of_one_pair<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3), open(3, 3, 2), gate_bits(1, 2, 1, 0)]).await;
    for (id, (n, from)) in (1..).zip([(2, 1), (2, 3), (3, 2), (3, 3)]) {
        world.append(append(n, from, id)).await;
    }
    world.refused(append(1, 1, 9).into()).await;
    world.done(open(4, 1, 4)).await;
}

/// The gate is closed and has ceilings when the conversation is opened later.
pub async fn a_gate_holds_that_was_set_before_the_conversation<H: Harness>(world: World<H>) {
    world
        .commit(vec![
            gate_bits(1, 2, 0b11, 0),
            ceiling(1, 2, Some((1, 1_000))),
            ceiling(2, 1, Some((2, 1_000))),
        ])
        .await;
    must_be!(world.refused(open(1, 1, 2)).await, closed(0b11));
    must_be!(world.refused(open(1, 2, 1)).await, closed(0b11));
    must_be!(world.heads([1, 2]).await, [0, 0]);
    world.commit(vec![gate_bits(1, 2, 0, 0b11), open(1, 1, 2)]).await;
    world.append(append(1, 1, 1)).await;
    must_be!(world.refused(append(1, 1, 2).into()).await, CEILING);
    world.append(append(1, 2, 3)).await;
    world.append(append(1, 2, 4)).await;
    must_be!(world.refused(append(1, 2, 5).into()).await, CEILING);
}

/// The highest number is reached and not passed, by each side on its own.
pub async fn a_ceiling_limits_the_messages_of_its_side<H: Harness>(world: World<H>) {
    for (n, one, other) in [(1, 1, 2), (2, 4, 3)] {
        world.commit(vec![open(n, one, other), ceiling(one, other, Some((2, u64::MAX)))]).await;
        for id in 1..=2 {
            world.append(append(n, one, n * 100 + id)).await;
        }
        must_be!(world.refused(append(n, one, 3).into()).await, CEILING);
        for id in 3..=6 {
            world.append(append(n, other, n * 100 + id)).await;
        }
        must_be!(world.refused(append(n, one, 7).into()).await, CEILING);
        world.done(ceiling(one, other, Some((3, u64::MAX)))).await;
        world.append(append(n, one, n * 100 + 8)).await;
        must_be!(world.refused(append(n, one, 9).into()).await, CEILING);
        world.done(ceiling(one, other, None)).await;
        world.append(append(n, one, n * 100 + 10)).await;
    }
}

/// The bytes of all messages of a side together, as the counts have them.
pub async fn a_ceiling_limits_the_bytes_of_its_side<H: Harness>(world: World<H>) {
    for (n, one, other) in [(1, 1, 2), (2, 4, 3)] {
        let sized = |from, id: u64, len: usize| dm_core::store::AppendMessage {
            ciphertext: ciphertext(vec![1; len]),
            ..append(n, from, n * 100 + id)
        };
        let len = |len: usize| ciphertext(vec![1; len]).len() as u64;
        world.commit(vec![open(n, one, other), ceiling(one, other, Some((1_000, len(10) + len(20))))]).await;
        world.append(sized(one, 1, 10)).await;
        must_be!(world.refused(sized(one, 2, 21).into()).await, CEILING);
        world.append(sized(other, 3, 500)).await;
        world.append(sized(one, 4, 20)).await;
        must_be!(world.refused(sized(one, 5, 1).into()).await, CEILING);
        world.done(ceiling(one, other, Some((1_000, len(10) + len(20) + len(1))))).await;
        world.append(sized(one, 6, 1)).await;
    }
}

/// A ceiling below what was sent already, and one of zero.
pub async fn a_ceiling_may_be_below_what_was_sent<H: Harness>(world: World<H>) {
    world
        .commit((0..4).map(|id| if id == 0 { open(1, 1, 2) } else { append(1, 1, id).into() }).collect())
        .await;
    for (messages, bytes) in [(1, u64::MAX), (0, u64::MAX), (100, 1), (100, 0)] {
        world.done(ceiling(1, 2, Some((messages, bytes)))).await;
        must_be!(world.refused(append(1, 1, 9).into()).await, CEILING);
    }
    world.done(ceiling(2, 1, Some((0, u64::MAX)))).await;
    must_be!(world.refused(append(1, 2, 9).into()).await, CEILING);
    world.commit(vec![ceiling(1, 2, Some((4, u64::MAX))), append(1, 1, 10).into()]).await;
}

/// Messages to and from the user, and openings by both sides.
pub async fn a_closed_user_neither_sends_nor_receives<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3), open(3, 2, 3), user_gate(2, true)]).await;
    for (n, from) in [(1, 1), (1, 2), (3, 2), (3, 3)] {
        must_be!(world.refused(append(n, from, 1).into()).await, closed_user(2), "{n} from {from}");
    }
    for opening in [open(4, 2, 4), open(4, 4, 2)] {
        must_be!(world.refused(opening).await, closed_user(2));
    }
    world.append(append(2, 1, 2)).await;
    world.done(user_gate(2, false)).await;
    world.append(append(1, 1, 3)).await;
    world.append(append(3, 2, 4)).await;
    world.done(open(4, 4, 2)).await;
}

/// The gate of a user who has nothing else yet.
pub async fn a_user_is_closed_before_the_first_entry<H: Harness>(world: World<H>) {
    world.done(user_gate(2, true)).await;
    must_be!(world.refused(open(1, 1, 2)).await, closed_user(2));
    world.done(user_gate(2, false)).await;
    world.done(open(1, 1, 2)).await;
}

/// The highest number of an entry about a message, in the inboxes of sender and recipient.
pub async fn a_ceiling_of_an_inbox_limits_messages<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3), inbox_ceiling(2, Some(3))]).await;
    world.append(append(1, 1, 1)).await;
    world.append(append(1, 2, 2)).await;
    for from in [1, 2] {
        must_be!(world.refused(append(1, from, 3).into()).await, above_inbox(2));
    }
    world.append(append(2, 3, 4)).await;
    world.done(inbox_ceiling(2, Some(4))).await;
    world.append(append(1, 1, 5)).await;
    must_be!(world.refused(append(1, 1, 6).into()).await, above_inbox(2));
    world.done(inbox_ceiling(2, None)).await;
    world.append(append(1, 1, 7)).await;
}

/// Notices are appended above the ceiling, and to the inbox of a closed user.
pub async fn gates_do_not_limit_notices<H: Harness>(world: World<H>) {
    world
        .commit(vec![open(1, 1, 2), gate_bits(1, 2, 1, 0), user_gate(2, true), inbox_ceiling(2, Some(1))])
        .await;
    for n in 1..=3 {
        world.done(post(2, n)).await;
    }
    must_be!(world.heads([2]).await, [4]);
    world.commit(vec![user_gate(2, false), open(2, 3, 2)]).await;
    must_be!(world.heads([2]).await, [5]);
    must_be!(world.refused(append(2, 3, 1).into()).await, above_inbox(2));
}

/// Closing and opening keep the ceilings, and the other way round.
pub async fn a_change_keeps_the_other_parts_of_a_gate<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), ceiling(1, 2, Some((1, 1_000))), inbox_ceiling(2, Some(4))]).await;
    world.commit(vec![gate_bits(1, 2, 1, 0), user_gate(2, true)]).await;
    world.done(ceiling(2, 1, Some((1, 1_000)))).await;
    must_be!(world.refused(append(1, 1, 1).into()).await, closed(1));
    world.done(gate_bits(1, 2, 0, 1)).await;
    must_be!(world.refused(append(1, 1, 1).into()).await, closed_user(2));
    world.done(user_gate(2, false)).await;
    world.append(append(1, 1, 1)).await;
    world.append(append(1, 2, 2)).await;
    for from in [1, 2] {
        must_be!(world.refused(append(1, from, 3).into()).await, CEILING);
    }
    world.commit(vec![ceiling(1, 2, None), append(1, 1, 4).into()]).await;
    must_be!(world.refused(append(1, 1, 5).into()).await, above_inbox(2));
}

/// A send sees the gates that earlier writes of its batch changed, and not that of its own write.
pub async fn gates_change_within_a_batch<H: Harness>(world: World<H>) {
    let outcomes = world
        .commit(vec![
            open(1, 1, 2),
            Write::from(append(1, 1, 1)).change(Change::Gate(GateChange { close: 1, ..gate(1, 2) })),
            append(1, 1, 2).into(),
            gate_bits(1, 2, 0, 1),
            append(1, 1, 3).into(),
            user_gate(1, true),
            append(1, 2, 4).into(),
            user_gate(1, false),
            ceiling(1, 2, Some((3, u64::MAX))),
            append(1, 1, 5).into(),
            append(1, 1, 6).into(),
            inbox_ceiling(2, Some(4)),
            append(1, 2, 7).into(),
        ])
        .await;
    let refused: Vec<_> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Refused(_))).collect();
    let expected = [2, 6, 10, 12];
    must_be!(refused.iter().zip(0..).filter(|(is, _)| **is).map(|(_, n)| n).collect::<Vec<_>>(), expected);
}

/// A refused send changes neither records nor inboxes.
pub async fn a_send_that_a_gate_refuses_changes_nothing<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), gate_bits(1, 2, 4, 0)]).await;
    let before = world.snapshot().await;
    let write = Write::from(append(1, 1, 1)).change(put(plain(1, "a"), "v", 1)).post(posted(2, 1));
    must_be!(world.refused(write).await, closed(4));
    must_be!(world.snapshot().await, before);
}

/// Gates and ceilings are stored.
pub async fn gates_hold_after_reopening<H: Harness>(mut world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3), open(3, 1, 4), open(4, 1, 5)]).await;
    world.commit(vec![gate_bits(1, 2, 0x80, 0), gate_bits(6, 7, 1, 0), ceiling(1, 3, Some((0, 0)))]).await;
    world.commit(vec![user_gate(4, true), inbox_ceiling(5, Some(1))]).await;
    world.reopen().await;
    must_be!(world.refused(append(1, 1, 1).into()).await, closed(0x80));
    must_be!(world.refused(open(9, 7, 6)).await, closed(1));
    must_be!(world.refused(append(2, 1, 1).into()).await, CEILING);
    must_be!(world.refused(append(3, 1, 1).into()).await, closed_user(4));
    must_be!(world.refused(append(4, 1, 1).into()).await, above_inbox(5));
}

/// Between the sends of one handle another one closes and opens the gates.
pub async fn a_gate_closed_by_another_handle_holds_for_the_next_send<H: Harness>(world: World<H>) {
    let Some(second) = world.second_handle().await.map(Arc::new) else { return };
    world.done(open(1, 1, 2)).await;
    for n in 1..=4 {
        let changes = [
            (gate_bits(1, 2, 1, 0), gate_bits(1, 2, 0, 1), closed(1)),
            (user_gate(2, true), user_gate(2, false), closed_user(2)),
            (ceiling(1, 2, Some((1, 1))), ceiling(1, 2, None), CEILING),
            (inbox_ceiling(1, Some(1)), inbox_ceiling(1, None), above_inbox(1)),
        ];
        for (id, (close, open, refusal)) in (0..).zip(changes) {
            world.append(append(1, 1, n * 10 + id)).await;
            _ = done(second.commit(vec![close]).await.unwrap().remove(0));
            must_be!(world.refused(append(1, 1, 9).into()).await, refusal);
            _ = done(second.commit(vec![open]).await.unwrap().remove(0));
        }
    }
}

/// Tasks send while one closes the gate, with a post to the recipient: no message is behind it.
pub async fn no_message_is_stored_after_its_gate_was_closed<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 3, 4)]).await;
    let closes = [gate_bits(1, 2, 1, 0).post(posted(2, 1)), user_gate(4, true).post(posted(4, 1))];
    let sends = (1..=20).map(|id| vec![append(1, 1, id).into(), append(2, 3, 100 + id).into()]);
    world
        .at_once(
            sends
                .take(10)
                .chain([closes.to_vec()])
                .chain((1..=20).map(|id| vec![append(2, 4, 200 + id).into(), append(1, 2, 300 + id).into()])),
        )
        .await;
    world.commit(vec![append(1, 1, 900).into(), append(2, 4, 901).into()]).await;
    for n in [2, 4] {
        let entries = world.inbox(&who(n)).await.entries;
        let is_close = |event: &Event| matches!(event, Event::Notice(notice) if said(notice) == Some(1));
        let at = entries.iter().position(|entry| is_close(&entry.event)).expect("the post is in the inbox");
        must_be!(entries.len(), at + 1, "the entries of user {n} up to the one at which the gate closed");
    }
}
