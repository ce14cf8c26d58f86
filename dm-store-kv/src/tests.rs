//! Tests on an engine in memory that counts its calls: writing notes of newest numbers, and look-ups
//! with notes. The submodules have the other tests.

mod memory;
mod migration;
mod records;

use dm_conformance::build::{append, conversation, expire, open, user};
use dm_conformance::outcome::sent;
use dm_core::store::{Outcome, Write};

use crate::codec::FloorRow;
use crate::heads::Heads;
use crate::write::apply;
use memory::{Calls, Memory, Table};

/// The tables and the heads of a store.
struct Store {
    memory: Memory,
    heads: Heads,
}

impl Store {
    /// A store with room for `heads` users and `heads` conversations in memory.
    fn with_heads(heads: usize) -> Self {
        let heads = Heads::new(heads * Heads::BYTES).with_notes();
        Self { memory: Memory::default(), heads }
    }

    fn apply(&mut self, batch: Vec<Write>) -> Vec<Outcome> {
        apply(&mut self.memory.tables(), &mut self.heads, batch).unwrap()
    }

    /// Sends a message to conversation `n`, from user `n`. Returns its sequence number, and its
    /// numbers in the sender's and the recipient's inboxes.
    fn send(&mut self, n: u64, id: u64) -> [u64; 3] {
        let sent = sent(self.apply(vec![append(n, n, id).into()]).remove(0));
        let [one, other] = [0, 1].map(|which: usize| sent.appended[which].entry.seq.get());
        [sent.message.sequence.get(), one, other]
    }

    fn expire(&mut self, before: u64, limit: usize) {
        self.apply(vec![expire(before, limit)]);
    }

    /// Drops the heads without writing notes, as a kill of the process does.
    fn kill(&mut self) {
        self.heads.clear();
    }

    /// Notes the heads and drops them, as closing the store does.
    fn close(&mut self) {
        self.heads.note_all(&mut self.memory.tables()).unwrap();
        self.heads.clear();
    }

    /// The floor of user `n`, and the user's noted number.
    fn floor(&self, n: u64) -> (u64, Option<u64>) {
        let tables = self.memory.tables();
        let FloorRow { floor, note, .. } =
            tables.floor_row(tables.user_ref(user(n)).unwrap().unwrap()).unwrap();
        (floor.get(), note.map(|note| note.number))
    }

    /// The noted number of conversation `n`.
    fn noted(&self, n: u64) -> Option<u64> {
        let row = self.memory.tables().conversation_id_row(conversation(n)).unwrap().unwrap();
        row.details.unwrap().note.map(|note| note.note.number)
    }
}

/// A store with conversation 1 of users 1 and 11, which has `messages` messages, and then
/// conversation 2 of users 2 and 12, which has none.
fn two_conversations(heads: usize, messages: u64) -> Store {
    let mut store = Store::with_heads(heads);
    store.apply(vec![open(1, 1, 11)]);
    for id in 1..=messages {
        assert_eq!(store.send(1, id), [id, id + 1, id + 1]);
    }
    store.apply(vec![open(2, 2, 12)]);
    store
}

#[test]
fn a_note_is_written_when_a_user_or_conversation_is_dropped() {
    // Users 1 and 11 were dropped for 2 and 12. Conversation 1 was not dropped.
    let mut store = two_conversations(2, 3);
    assert_eq!([1, 11].map(|n| store.floor(n)), [(0, Some(4)); 2]);
    assert_eq!(store.noted(1), Some(0), "the note from the opening");
    store.apply(vec![open(3, 3, 13)]);
    assert_eq!(store.noted(1), Some(3));
}

#[test]
fn no_second_note_is_written_of_an_unchanged_number() {
    let mut store = two_conversations(2, 3);
    store.close();
    store.close();
    store.heads = Heads::new(Heads::BYTES).with_notes();
    store.memory.reset_calls();
    // Each look-up drops a head that was only read.
    for n in [2, 1, 2, 1] {
        let batch = vec![append(n, 99, 100).into()];
        assert!(matches!(store.apply(batch)[0], Outcome::Refused(_)));
    }
    assert_eq!(store.memory.calls().inserts, 1, "only the row of the epoch");
}

#[test]
fn a_noted_number_is_found_by_one_look_up_without_a_walk() {
    let mut store = two_conversations(100, 3);
    store.close();
    store.memory.reset_calls();
    assert_eq!(store.send(1, 4), [4, 5, 5]);
    // Three gets: the conversation's id and two floors. The first batch after opening also gets the
    // epoch's row, and walks to the number of the message's row.
    assert_eq!(store.memory.calls(), Calls { gets: 4, walks: 1, inserts: 6 });
}

#[test]
fn the_note_of_a_dropped_number_is_valid_without_another_look_up() {
    let mut store = two_conversations(2, 3);
    store.apply(vec![open(3, 3, 13)]);
    store.memory.reset_calls();
    assert_eq!(store.send(1, 4), [4, 5, 5]);
    // Two users with new numbers are dropped and noted. Conversation 2 is dropped without a new
    // note, because it did not change.
    assert_eq!(store.memory.calls(), Calls { gets: 3, walks: 0, inserts: 7 });
    assert_eq!(store.send(1, 5), [5, 6, 6]);
}

#[test]
fn no_number_is_given_twice_when_a_user_is_dropped_during_a_send() {
    // The heads have one user, and a message has two.
    let mut store = Store::with_heads(1);
    store.apply(vec![open(1, 1, 11), open(2, 2, 12)]);
    for id in 1..=5 {
        for n in [1, 2] {
            assert_eq!(store.send(n, 10 * n + id), [id, id + 1, id + 1]);
        }
    }
}

#[test]
fn a_note_of_a_lost_epoch_is_used_as_a_lower_bound() {
    for since in 0..10 {
        let mut store = two_conversations(100, 3);
        store.close();
        for id in 4..4 + since {
            store.send(1, id);
        }
        store.apply(vec![open(3, 3, 13)]);
        store.kill();
        assert_eq!(store.noted(1), Some(3));
        store.memory.reset_calls();
        assert_eq!(store.send(1, 100), [4 + since, 5 + since, 5 + since], "{since} messages after the note");
        let Calls { gets, walks, .. } = store.memory.calls();
        assert!(gets <= 10 && walks <= 4, "{gets} gets and {walks} walks, {since} messages after the note");
        if since < 2 {
            assert_eq!(walks, 1, "only for the number of the message's row, {since} messages after the note");
        }
    }
}

#[test]
fn a_note_of_a_lost_epoch_stays_invalid_after_later_epochs_are_closed() {
    let mut store = two_conversations(100, 3);
    store.close();
    store.send(1, 4);
    store.kill();
    for _ in 0..3 {
        // Conversation 1 is not looked up, so its notes stay outdated.
        store.send(2, 100);
        store.close();
    }
    assert_eq!(store.noted(1), Some(3));
    assert_eq!(store.send(1, 5), [5, 6, 6]);
    // Closing the store has written a new, valid note.
    store.close();
    store.memory.reset_calls();
    assert_eq!(store.send(1, 6), [6, 7, 7]);
    assert_eq!(store.memory.calls().gets, 4);
}

#[test]
fn an_epoch_is_lost_after_a_failed_batch() {
    let mut store = two_conversations(100, 3);
    store.close();
    store.send(1, 4);
    // An engine clears the heads after a failed batch. Another batch and a clean close follow.
    store.heads.clear();
    store.send(2, 100);
    store.close();
    assert_eq!(store.send(1, 5), [5, 6, 6]);
}

#[test]
fn the_floor_is_used_if_the_note_is_below_it() {
    let mut store = two_conversations(100, 3);
    store.close();
    store.send(1, 4);
    store.kill();
    // Entries 1 to 5 are expired, and the note says 4.
    store.expire(100, 100);
    assert_eq!(store.floor(1), (5, Some(4)));
    store.memory.reset_calls();
    assert_eq!(store.send(1, 5)[1..], [6, 6]);
    let walks = store.memory.calls().walks;
    assert!(walks <= 1, "no walk over an inbox: {walks}");
}

#[test]
fn after_all_entries_expired_numbers_continue_and_the_next_entry_can_expire() {
    for noted in [false, true] {
        let mut store = two_conversations(100, 3);
        if noted {
            store.close();
        }
        store.expire(100, 100);
        store.close();
        assert_eq!(store.send(1, 4), [4, 5, 5]);
        // The inbox has an entry again, so expiry must find it.
        store.kill();
        store.expire(100, 100);
        assert_eq!(store.floor(1).0, 5);
    }
}

#[test]
fn expiry_keeps_the_note() {
    let mut store = two_conversations(100, 3);
    store.close();
    // The notice and the first message of users 1 and 11 expire. These users are not in memory.
    store.expire(2, 100);
    assert_eq!([1, 11].map(|n| store.floor(n)), [(2, Some(4)); 2]);
    // The number in memory is newer.
    store.send(1, 4);
    store.expire(3, 100);
    assert_eq!([1, 11].map(|n| store.floor(n)), [(3, Some(5)); 2]);
}

#[test]
fn rows_of_an_older_version_are_read_and_get_a_note() {
    let mut store = two_conversations(100, 3);
    store.expire(2, 100);
    store.kill();
    store.memory.cut(Table::ConversationIds, 4);
    store.memory.cut(Table::Floors, 8);
    let tables = store.memory.tables();
    assert!(tables.conversation_id_row(conversation(1)).unwrap().unwrap().details.is_none());
    assert_eq!(store.send(1, 4), [4, 5, 5]);
    store.close();
    assert_eq!((store.noted(1), store.floor(1)), (Some(4), (2, Some(5))));
}

#[test]
fn without_notes_no_note_is_written() {
    let mut store = Store::with_heads(1);
    store.heads = Heads::new(Heads::BYTES);
    store.apply(vec![open(1, 1, 11)]);
    assert_eq!(store.send(1, 1), [1, 2, 2]);
    store.apply(vec![open(2, 2, 12)]);
    store.expire(2, 100);
    assert_eq!(store.noted(1), None);
    assert_eq!(store.floor(1), (2, None));
    assert_eq!(store.send(1, 2), [2, 3, 3]);
}
