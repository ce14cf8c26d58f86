//! A check of a store after a commit that failed. A store that keeps the newest numbers, fences or
//! gates in memory has to forget what the batch changed in them. The suite cannot make a commit
//! fail; a store's own tests can, and call this check.

use dm_core::store::{Change, Outcome, Owner, Party, RecordKey, Refusal, Store, Write};

use crate::build::{append, conversation, on, open, register};
use crate::outcome::{done, registered, sent};
use crate::records::{
    fence, fenced, gate_bits, numbers, only, put, revision_of, scan_since, shared, size, user_gate,
};

/// Prepares a conversation of users 8 and 9. Then, twice, calls `fail` with a batch that changes
/// fences, gates, records, devices and messages, and checks that later writes see nothing of it.
/// `fail` commits the batch, with further writes of its own or with an error of the engine, so that
/// the commit fails after the writes of the batch were applied.
///
/// # Panics
/// Panics if the store remembers a change of a failed batch, or if another commit fails.
pub async fn nothing_is_remembered(store: &impl Store, fail: impl AsyncFn(Vec<Write>)) {
    let of_conversation = RecordKey::fence(Owner::Conversation(conversation(900)));
    let one = async |write| store.commit(vec![write]).await.expect("a commit that must not fail").remove(0);
    for write in [
        open(900, 8, 9),
        only(put(fence(9), "v", 1)),
        only(put(of_conversation.clone(), "v", 1)),
        only(put(shared(8, "a"), "v", 1)),
        register(on(8, "first")),
        append(900, 8, 90_000).into(),
    ] {
        let _ = done(one(write).await);
    }
    let send = |id, of, n| Write::from(append(900, 8, id)).expect(fenced(of, n));
    for round in 1..=2 {
        fail(vec![
            only(put(fence(9), "failed", 2)),
            only(put(fence(8), "failed", 2)),
            only(Change::Delete(of_conversation.clone())),
            append(900, 8, 91_000).into(),
            only(put(shared(8, "failed"), "v", 2)),
            only(Change::Delete(shared(8, "a"))),
            register(on(8, "failed")),
            gate_bits(8, 9, 1, 0),
            user_gate(9, true),
        ])
        .await;
        let first = sent(one(send(90_000 + 10 * round, Party::Peer, 1)).await).message;
        must_be!((first.sequence.get(), first.sender_sequence.get()), (2 * round, 2 * round));
        let _ = sent(one(send(90_001 + 10 * round, Party::Conversation, 1)).await);
        for of in [Party::Peer, Party::Sender] {
            let outcome = one(send(91_001, of, 2)).await;
            assert!(
                matches!(outcome, Outcome::Refused(Refusal::Unmet { .. })),
                "a send names the fence of a failed commit: {outcome:?}"
            );
        }
        let state = store.conversation(conversation(900)).await.expect("a read").expect("a conversation");
        must_be!((state.head.get(), state.counts.total()), (2 * round + 1, 2 * round + 1));
        let page = store.scan(scan_since(8, 0, 100)).await.expect("a read");
        must_be!((numbers(page.revisions), page.records.len()), ((round, 0), size(round)));
        let put = done(one(only(put(shared(8, round.to_string()), "v", 3))).await);
        must_be!(revision_of(&put.revisions, 8), Some(round + 1));
        let device = done(one(register(on(8, &format!("d{round}")))).await);
        must_be!(registered(&device).registration.get(), round + 1);
    }
}
