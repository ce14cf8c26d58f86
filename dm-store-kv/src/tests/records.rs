//! Fences and gates in heads, and the rows of records.

use dm_conformance::build::{
    append, at, conversation, forget, kind, name, naming, on, open, publish, put, record, register, synced,
    tag, user, version,
};
use dm_core::store::{
    Ceiling, Change, Expect, Gate, GateChange, GateRefusal, InboxSeq, Outcome, Owner, Participants, Party,
    Prefix, RecordKey, Refusal, SenderSequence, Update, UserGateChange, Write,
};

use dm_conformance::outcome::{registered, sent};

use super::Store;
use super::memory::{Calls, Memory};
use crate::heads::Heads;

/// A send of user `n` in conversation `n`, which names version `number` of the peer's key.
fn naming_send(n: u64, id: u64, number: u32) -> Write {
    naming(append(n, n, id), number)
}

fn key(bytes: &str) -> RecordKey {
    RecordKey::new(Owner::User(user(1)), synced(), name(bytes))
}

fn refusal(outcomes: &[Outcome]) -> &Refusal {
    match outcomes {
        [Outcome::Refused(refusal)] => refusal,
        other => panic!("{other:?}"),
    }
}

fn close_gate(one: u64, other: u64, bits: u8) -> Write {
    let pair = Participants::new(user(one), user(other)).unwrap();
    Write::default().change(Change::Gate(GateChange { close: bits, ..GateChange::new(pair) }))
}

#[test]
fn a_send_that_names_fences_and_passes_gates_reads_no_row() {
    let mut store = Store::with_heads(100);
    let pair = Participants::new(user(1), user(11)).unwrap();
    let ceiling = Update::Set(Ceiling { messages: SenderSequence::new(9), bytes: 9_000 });
    let gate = GateChange { ceiling_a: ceiling, ceiling_b: ceiling, ..GateChange::new(pair) };
    let user_gate = UserGateChange { ceiling: Update::Set(InboxSeq::new(9)), ..UserGateChange::new(user(1)) };
    let fence = RecordKey::fence(Owner::Conversation(conversation(1)));
    let gates = Write::default().change(Change::Gate(gate)).change(Change::UserGate(user_gate));
    store.apply(vec![open(1, 1, 11), publish(1, 1, 1), publish(11, 2, 1), gates, put(record(fence, "e", 3))]);
    store.send(1, 1);
    store.memory.reset_calls();
    let send = Write::from(append(1, 1, 2))
        .expect(Expect::Fence { of: Party::Sender, tag: version(1).tag() })
        .expect(Expect::Fence { of: Party::Peer, tag: version(2).tag() })
        .expect(Expect::Fence { of: Party::Conversation, tag: tag(3) });
    assert!(matches!(store.apply(vec![send])[..], [Outcome::Done(_)]));
    assert_eq!(store.memory.calls(), Calls { gets: 0, walks: 0, inserts: 5 });
}

/// With memory for one user and one conversation, each head is dropped before it is used again.
#[test]
fn heads_that_were_dropped_keep_fences_gates_counts_and_proofs() {
    for has_notes in [true, false] {
        let mut store = Store::with_heads(1);
        if !has_notes {
            store.heads = Heads::new(Heads::BYTES);
        }
        store.apply(vec![open(1, 1, 11), open(2, 2, 12), publish(11, 3, 1), close_gate(2, 12, 5)]);
        for id in 1..=3 {
            store.send(1, id);
        }
        let proof = |store: &Store| {
            let tables = store.memory.tables();
            tables.floor_row(tables.user_ref(user(1)).unwrap().unwrap()).unwrap().proof
        };
        store.expire(2, 100);
        assert!(proof(&store).is_some());
        store.send(1, 4);
        store.apply(vec![open(3, 3, 13)]);
        assert!(proof(&store).is_some(), "the note of a dropped head keeps the proof");
        let unmet = store.apply(vec![naming_send(1, 5, 2)]);
        assert!(matches!(refusal(&unmet), Refusal::Unmet { which: 0, current: Some(_) }));
        let closed = store.apply(vec![append(2, 2, 6).into()]);
        assert_eq!(*refusal(&closed), Refusal::Gate(GateRefusal::Closed { bits: 5 }));
        let sent = sent(store.apply(vec![naming_send(1, 7, 3)]).remove(0));
        assert_eq!((sent.message.sequence.get(), sent.message.sender_sequence.get()), (5, 5));
    }
}

#[test]
fn the_gate_of_a_pair_moves_into_the_row_of_its_conversation() {
    let mut store = Store::with_heads(100);
    store.apply(vec![close_gate(1, 11, 1)]);
    let pairs = |store: &Store| Memory::rows(&store.memory.tables().pairs);
    assert!(pairs(&store)[0].1.len() > 4);
    assert!(matches!(refusal(&store.apply(vec![open(1, 1, 11)])), Refusal::Gate(_)));
    let pair = Participants::new(user(1), user(11)).unwrap();
    let ceiling_b = Update::Set(Ceiling { messages: SenderSequence::ZERO, bytes: 0 });
    let change = GateChange { open: 1, ceiling_b, ..GateChange::new(pair) };
    store.apply(vec![Write::default().change(Change::Gate(change)), open(1, 1, 11)]);
    assert_eq!(pairs(&store)[0].1.len(), 4);
    let row = store.memory.tables().conversation_id_row(conversation(1));
    assert_eq!(row.unwrap().unwrap().details.unwrap().gate, change.apply(Gate::default()));
    // A gate that lets everything through leaves no row without a conversation.
    let opened =
        GateChange { open: u8::MAX, ..GateChange::new(Participants::new(user(2), user(12)).unwrap()) };
    store.apply(vec![close_gate(2, 12, 4), Write::default().change(Change::Gate(opened))]);
    assert_eq!(pairs(&store).len(), 1);
}

/// Each record has one row in `revisions` and, if it is due, one in `due`, whatever happened to it.
#[test]
fn replaced_and_removed_records_leave_no_row_of_an_index() {
    let mut store = Store::with_heads(100);
    let due = |millis| Some(at(millis));
    let put_at = |bytes: &str, due, n| {
        let mut record = record(key(bytes), "v", n);
        record.due = due;
        put(record)
    };
    store.apply(vec![
        put_at("a", due(5), 1),
        put_at("a", due(9), 2),
        put_at("b", None, 3),
        put_at("c", due(1), 4),
    ]);
    let counts = |store: &Store| {
        let tables = store.memory.tables();
        [&tables.records, &tables.due, &tables.revisions].map(|table| Memory::rows(table).len())
    };
    assert_eq!(counts(&store), [3, 2, 3]);
    let prefix = |bytes| Prefix { owner: Owner::User(user(1)), kind: synced(), name: name(bytes) };
    let take = Change::TakeFirst { under: prefix(""), or: None };
    store.apply(vec![put_at("c", None, 5), Write { changes: vec![take], ..Write::default() }]);
    assert_eq!(counts(&store), [2, 0, 2]);
    store.apply(vec![Write::default().change(Change::Clear(prefix("b"))), put_at("c", due(7), 6)]);
    assert_eq!(counts(&store), [1, 1, 1]);
    store.apply(vec![Write::default().change(Change::Delete(key("c")))]);
    assert_eq!(counts(&store), [0; 3]);
}

/// Taking the first record begins where the last one was taken, and sees records that come before.
#[test]
fn records_are_taken_in_order_while_others_are_put() {
    let mut store = Store::with_heads(100);
    let key = |n: u64| RecordKey::new(Owner::Store, kind(), name(format!("{n:03}")));
    let under = Prefix { owner: Owner::Store, kind: kind(), name: name("") };
    let take = |store: &mut Store| -> Option<String> {
        let write = Write::default().change(Change::TakeFirst { under: under.clone(), or: None });
        let Some(Outcome::Done(done)) = store.apply(vec![write]).pop() else { panic!("refused") };
        let taken = done.taken.into_iter().next().flatten();
        taken.map(|record| String::from_utf8(record.key.name.as_bytes().to_vec()).unwrap())
    };
    assert_eq!(take(&mut store), None);
    store.apply([5, 7, 9].map(|n| put(record(key(n), "", n))).to_vec());
    assert_eq!(take(&mut store).as_deref(), Some("005"));
    store.apply(vec![put(record(key(3), "", 3)), put(record(key(6), "", 6))]);
    for expected in ["003", "006", "007", "009"] {
        assert_eq!(take(&mut store).as_deref(), Some(expected));
    }
    assert_eq!(take(&mut store), None);
    store.apply(vec![put(record(key(8), "", 8))]);
    assert_eq!(take(&mut store).as_deref(), Some("008"));
}

#[test]
fn a_newer_registration_follows_one_that_was_forgotten() {
    let mut store = Store::with_heads(100);
    let mut apply = |write: Write| match store.apply(vec![write]).pop() {
        Some(Outcome::Done(done)) => done,
        other => panic!("{other:?}"),
    };
    let number = |done| registered(&done).registration.get();
    assert_eq!(number(apply(register(on(1, "a")))), 1);
    assert_eq!(number(apply(register(on(1, "b")))), 2);
    assert_eq!(number(apply(register(on(1, "c")))), 3);
    for device in ["b", "c", "a"] {
        assert!(!apply(forget(on(1, device))).is_found);
    }
    assert!(apply(forget(on(1, "a"))).is_found);
    assert_eq!(number(apply(register(on(1, "a")))), 4);
    assert!(apply(register(on(1, "a"))).is_found);
}
