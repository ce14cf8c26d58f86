//! Defects of the proofs of expired entries.

use std::collections::HashMap;
use std::sync::Mutex;

use dm_core::store::{Action, CursorProof, InboxPage, InboxQuery, InboxSeq, Outcome, UserId, Write};

use super::defect::{Defect, defects};

defects! {
    "expiry": "the proof of the newest expired entry is not kept" => NoProof,
    "expiry": "the proof is that of the oldest expired entry" => OldestProof,
    "expiry": "without expired entries the proof is zero" => ZeroProof,
    "expiry": "the proof of a message is that of its entry in the other inbox" => OtherProof,
}

#[derive(Default)]
struct NoProof;

impl Defect for NoProof {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        page.floor_proof = None;
    }
}

#[derive(Default)]
struct ZeroProof;

impl Defect for ZeroProof {
    fn inbox_page(&self, _query: &InboxQuery, page: &mut InboxPage) {
        page.floor_proof.get_or_insert(CursorProof::from_stored(0));
    }
}

/// The proof of each user's first entry.
#[derive(Default)]
struct OldestProof(Mutex<HashMap<UserId, CursorProof>>);

impl Defect for OldestProof {
    fn outcome(&self, _write: &Write, outcome: &mut Outcome) {
        if let Outcome::Done(done) = outcome {
            let mut proofs = self.0.lock().unwrap();
            for hint in done.appended.iter().filter(|hint| hint.entry.seq == InboxSeq::new(1)) {
                proofs.insert(hint.user, hint.entry.proof(hint.user));
            }
        }
    }

    fn inbox_page(&self, query: &InboxQuery, page: &mut InboxPage) {
        let oldest = self.0.lock().unwrap().get(&query.who.user).copied();
        page.floor_proof = page.floor_proof.and(oldest);
    }
}

/// The proofs of messages in the other inbox, by user and number.
#[derive(Default)]
struct OtherProof(Mutex<HashMap<(UserId, InboxSeq), CursorProof>>);

impl Defect for OtherProof {
    fn outcome(&self, write: &Write, outcome: &mut Outcome) {
        if let (Action::AppendMessage(_), Outcome::Done(done)) = (&write.action, outcome)
            && let [one, other, ..] = done.appended.as_slice()
        {
            self.0.lock().unwrap().insert((other.user, other.entry.seq), one.entry.proof(one.user));
        }
    }

    fn inbox_page(&self, query: &InboxQuery, page: &mut InboxPage) {
        let proofs = self.0.lock().unwrap();
        if let Some(proof) = proofs.get(&(query.who.user, page.floor)) {
            page.floor_proof = Some(*proof);
        }
    }
}
