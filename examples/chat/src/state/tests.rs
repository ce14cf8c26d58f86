//! What the state makes of what happens.

use dm_client::{Identity, NewMessage, OsEntropy, PeerKey};
use uuid::Uuid;

use super::*;

pub(crate) fn identity(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

pub(crate) fn thread(number: u128, name: &str) -> Thread {
    Thread {
        id: ConversationId::new(Uuid::from_u128(number)),
        peer: identity(2).public_key(),
        peer_name: name.to_owned(),
        heard_in: None,
        active_at: 1_000,
        unread: 0,
        messages: Vec::new(),
        outbox: Vec::new(),
    }
}

pub(crate) fn entry(sequence: u64, mine: bool, text: &str) -> Entry {
    Entry {
        id: MessageId::new(Uuid::from_u128(u128::from(sequence))),
        client_id: Some(ClientMessageId::new(Uuid::from_u128(0xc0_0000 + u128::from(sequence)))),
        sequence,
        mine,
        sent_at: 1_700_000_000_000 + sequence,
        text: Text::Plain(text.to_owned()),
    }
}

pub(crate) fn unsent(thread: &Thread, number: u128, text: &str) -> Unsent {
    let message = NewMessage::new(thread.id, PeerKey::derived(thread.peer), text.as_bytes());
    let id = ClientMessageId::new(Uuid::from_u128(number));
    let at = 1_700_000_100_000 + u64::try_from(number).unwrap();
    let sealed = OutgoingMessage::seal(&identity(1), &message, id, at, &mut OsEntropy).unwrap();
    Unsent { text: text.to_owned(), sealed, refused: None }
}

fn state() -> (State, ConversationId) {
    let thread = thread(1, "Ben");
    let id = thread.id;
    (State { threads: vec![thread], ..State::default() }, id)
}

fn stored(sequence: u64) -> Stored {
    Stored { id: entry(sequence, true, "").id, sequence, received_at: None, repeated: false }
}

#[test]
fn a_message_that_comes_twice_is_shown_once_and_counted_once() {
    let (mut state, id) = state();
    assert_eq!(state.arrived(id, entry(1, false, "hi"), false), Novelty::New);
    assert_eq!(state.arrived(id, entry(1, false, "hi"), false), Novelty::Known);
    assert_eq!((state.threads[0].messages.len(), state.threads[0].unread), (1, 1));
}

#[test]
fn only_what_others_wrote_and_nobody_saw_is_unread() {
    let (mut state, id) = state();
    state.arrived(id, entry(1, true, "mine"), false);
    state.arrived(id, entry(2, false, "seen"), true);
    assert_eq!(state.threads[0].unread, 0);
}

#[test]
fn messages_stand_in_the_servers_order_however_they_come() {
    let (mut state, id) = state();
    for sequence in [5, 2, 9, 1] {
        state.arrived(id, entry(sequence, false, ""), true);
    }
    let order: Vec<_> = state.threads[0].messages.iter().map(|entry| entry.sequence).collect();
    assert_eq!(order, [1, 2, 5, 9]);
}

#[test]
fn a_sent_message_leaves_the_outbox_by_whichever_word_comes_first() {
    let (mut state, id) = state();
    for number in [1, 2] {
        let unsent = unsent(&state.threads[0], number, "hello");
        state.queued(unsent);
    }
    let ids: Vec<_> = state.waiting().iter().map(|sealed| sealed.id).collect();

    state.stored(ids[0], &stored(1));
    for (sequence, client_id) in [(1, ids[0]), (2, ids[1])] {
        state.arrived(id, Entry { client_id: Some(client_id), ..entry(sequence, true, "hello") }, false);
    }
    state.stored(ids[1], &stored(2));
    assert!(state.waiting().is_empty());
    assert_eq!(state.threads[0].messages.len(), 2);
}

#[test]
fn what_was_refused_waits_for_its_writer() {
    let (mut state, _) = state();
    for number in [1, 2] {
        let unsent = unsent(&state.threads[0], number, "hello");
        state.queued(unsent);
    }
    let first = state.waiting()[0].id;
    state.unsent_mut(first).unwrap().refused = Some("blocked".to_owned());
    assert_eq!(state.waiting().len(), 1);
    assert_eq!(state.threads[0].outbox.len(), 2);
}

#[test]
fn older_messages_are_read_from_below_the_first_hole() {
    let mut thread = thread(1, "Ben");
    assert_eq!(thread.oldest_without_hole(), None);
    for sequence in [3, 4, 7, 8, 9] {
        thread.insert(entry(sequence, false, ""));
    }
    assert_eq!(thread.oldest_without_hole(), Some(7));
    for sequence in [6, 5, 2, 1] {
        thread.insert(entry(sequence, false, ""));
    }
    assert_eq!(thread.oldest_without_hole(), None);
}

#[test]
fn the_conversation_with_the_newest_message_comes_first() {
    let mut state = State { threads: vec![thread(1, "Ben"), thread(2, "Cleo")], ..State::default() };
    let cleo = state.threads[1].id;
    state.arrived(cleo, entry(1, false, "hi"), false);
    assert_eq!(state.threads[0].peer_name, "Cleo");
}

#[test]
fn a_conversation_is_kept_within_bounds_and_what_is_left_out_can_be_read_again() {
    let mut thread = thread(1, "Ben");
    let many = u64::try_from(KEPT).unwrap() + 50;
    for sequence in 1..=many {
        thread.insert(entry(sequence, false, ""));
    }
    thread.trim();
    assert_eq!((thread.messages.len(), thread.oldest_without_hole()), (KEPT, Some(51)));
}
