//! Tests of the state.

use dm_client::{Identity, NewMessage, OsEntropy, PeerKey};
use uuid::Uuid;

use super::*;

pub(crate) fn identity(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

pub(crate) fn conversation(number: u128, name: &str) -> LocalConversation {
    LocalConversation {
        id: ConversationId::from(Uuid::from_u128(number)),
        peer: identity(2).user_id(),
        peer_name: name.to_owned(),
        strongest_suite: None,
        active_at: Timestamp::from_millis(1_000),
        unread: 0,
        messages: Vec::new(),
        outbox: Vec::new(),
    }
}

pub(crate) fn entry(sequence: u64, mine: bool, text: &str) -> Entry {
    Entry {
        id: MessageId::from(Uuid::from_u128(u128::from(sequence))),
        client_id: Some(ClientMessageId::from(Uuid::from_u128(0xc0_0000 + u128::from(sequence)))),
        sequence: ServerSequence::new(sequence),
        mine,
        sent_at: Timestamp::from_millis(1_700_000_000_000 + sequence),
        text: Text::Plain(text.to_owned()),
    }
}

pub(crate) fn unsent(conversation: &LocalConversation, number: u128, text: &str) -> Unsent {
    let message = NewMessage::new(conversation.id, PeerKey::derived(conversation.peer), text.as_bytes());
    let id = ClientMessageId::from(Uuid::from_u128(number));
    let at = Timestamp::from_millis(1_700_000_100_000 + u64::try_from(number).unwrap());
    let sealed = OutgoingMessage::seal(&identity(1), &message, id, at, &mut OsEntropy).unwrap();
    Unsent { text: text.to_owned(), sealed, refused: None }
}

fn state() -> (State, ConversationId) {
    let conversation = conversation(1, "Ben");
    let id = conversation.id;
    (State { conversations: vec![conversation], ..State::default() }, id)
}

fn stored(sequence: u64) -> Stored {
    let sequence = ServerSequence::new(sequence);
    Stored { id: entry(sequence.get(), true, "").id, sequence, received_at: None, repeated: false }
}

#[test]
fn a_message_that_comes_twice_is_shown_once_and_counted_once() {
    let (mut state, id) = state();
    assert_eq!(state.add(id, entry(1, false, "hi"), false), Novelty::New);
    assert_eq!(state.add(id, entry(1, false, "hi"), false), Novelty::Known);
    assert_eq!((state.conversations[0].messages.len(), state.conversations[0].unread), (1, 1));
}

#[test]
fn only_messages_of_the_peer_that_were_not_seen_are_unread() {
    let (mut state, id) = state();
    state.add(id, entry(1, true, "mine"), false);
    state.add(id, entry(2, false, "seen"), true);
    assert_eq!(state.conversations[0].unread, 0);
}

#[test]
fn messages_are_in_the_servers_order_whatever_the_order_of_arrival() {
    let (mut state, id) = state();
    for sequence in [5, 2, 9, 1] {
        state.add(id, entry(sequence, false, ""), true);
    }
    let order: Vec<_> = state.conversations[0].messages.iter().map(|entry| entry.sequence.get()).collect();
    assert_eq!(order, [1, 2, 5, 9]);
}

#[test]
fn a_sent_message_leaves_the_outbox_with_the_answer_or_with_the_delivery() {
    let (mut state, id) = state();
    for number in [1, 2] {
        let unsent = unsent(&state.conversations[0], number, "hello");
        state.enqueue(unsent);
    }
    let ids: Vec<_> = state.waiting().iter().map(|sealed| sealed.id).collect();

    state.confirm(ids[0], &stored(1));
    for (sequence, client_id) in [(1, ids[0]), (2, ids[1])] {
        state.add(id, Entry { client_id: Some(client_id), ..entry(sequence, true, "hello") }, false);
    }
    state.confirm(ids[1], &stored(2));
    assert!(state.waiting().is_empty());
    assert_eq!(state.conversations[0].messages.len(), 2);
}

#[test]
fn a_refused_message_stays_in_the_outbox_and_is_not_sent_again() {
    let (mut state, _) = state();
    for number in [1, 2] {
        let unsent = unsent(&state.conversations[0], number, "hello");
        state.enqueue(unsent);
    }
    let first = state.waiting()[0].id;
    state.unsent_mut(first).unwrap().refused = Some("blocked".to_owned());
    assert_eq!(state.waiting().len(), 1);
    assert_eq!(state.conversations[0].outbox.len(), 2);
}

#[test]
fn older_messages_are_read_from_the_newest_hole_down() {
    let mut conversation = conversation(1, "Ben");
    assert_eq!(conversation.oldest_without_hole(), None);
    for sequence in [3, 4, 7, 8, 9] {
        conversation.insert(entry(sequence, false, ""));
    }
    assert_eq!(conversation.oldest_without_hole(), Some(ServerSequence::new(7)));
    for sequence in [6, 5, 2, 1] {
        conversation.insert(entry(sequence, false, ""));
    }
    assert_eq!(conversation.oldest_without_hole(), None);
}

#[test]
fn the_conversation_with_the_newest_message_comes_first() {
    let mut state =
        State { conversations: vec![conversation(1, "Ben"), conversation(2, "Cleo")], ..State::default() };
    let cleo = state.conversations[1].id;
    state.add(cleo, entry(1, false, "hi"), false);
    assert_eq!(state.conversations[0].peer_name, "Cleo");
}

#[test]
fn a_conversation_is_trimmed_and_the_removed_messages_can_be_read_again() {
    let mut conversation = conversation(1, "Ben");
    let many = u64::try_from(KEPT_MESSAGES).unwrap() + 50;
    for sequence in 1..=many {
        conversation.insert(entry(sequence, false, ""));
    }
    conversation.trim();
    assert_eq!(
        (conversation.messages.len(), conversation.oldest_without_hole()),
        (KEPT_MESSAGES, Some(ServerSequence::new(51)))
    );
}
