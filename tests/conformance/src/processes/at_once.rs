//! Two processes that write at the same time.

use std::collections::BTreeMap;

use dm_core::store::{
    Answer, AppendMessage, Expect, HistoryQuery, HistoryRange, InboxQuery, InboxSeq, Outcome, OwnEntries,
    Owner, RecordKey, Revision, Scan, ScanQuery, ServerSequence, Store, Write,
};

use super::other::Other;
use super::verdict::Verdict;
use crate::build::{
    append, append_as, conversation, kind, message, name, open, put, record, synced, user, who,
};
use crate::crash::CrashHarness;
use crate::paging;

/// The number of rounds. In each, both processes commit a batch.
const ROUNDS: u64 = 40;

/// The process that writes.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Parent,
    Child,
}

impl Side {
    /// The *n*-th number of this side. The two sides have no number in common.
    const fn number(self, n: u64) -> u64 {
        match self {
            Self::Parent => 2 * n,
            Self::Child => 2 * n + 1,
        }
    }
}

pub(super) async fn trial<H: CrashHarness>(test: &str) -> Result<Verdict, String> {
    let harness = H::fresh().await;
    let store = harness.open().await.map_err(|error| format!("the store does not open: {error:?}"))?;
    let opened = store.commit(vec![open(1, 1, 2)]).await;
    opened.map_err(|error| format!("the first batch cannot be committed: {error:?}"))?;
    let Some(mut other) = Other::start(&harness, test)? else { return Ok(Verdict::OneProcess) };
    let mut numbers = BTreeMap::new();
    for n in 1..=ROUNDS {
        // The child gets its order before the parent begins, so that both commit at the same time.
        other.tell(&format!("round {n}"));
        let ours = round(&store, Side::Parent, n).await?;
        let theirs = other.answer()?;
        fits(n, &ours, &theirs, &mut numbers)?;
    }
    dense(&store).await.map_err(|what| format!("read by the parent: {what}"))?;
    other.checks("look")?;
    Ok(Verdict::Kept)
}

/// One process's part of a round. Returns its answers as words.
pub(super) async fn round(store: &impl Store, side: Side, n: u64) -> Result<String, String> {
    let number = side.number(n);
    let same = AppendMessage { id: message(100_000 + number), ..append_as(1, 1, n, n) };
    let claim = RecordKey::new(Owner::Store, kind(), name(n.to_be_bytes()));
    let claimed = put(record(claim.clone(), "claimed", number)).expect(Expect::Absent(claim));
    let own = RecordKey::new(Owner::User(user(5)), synced(), name(number.to_be_bytes()));
    let batch: Vec<Write> = vec![
        append(1, 1 + number % 2, number).into(),
        same.into(),
        open(1_000 + number, 5, 10 + n),
        claimed,
        put(record(own, "own", number)),
    ];
    let outcomes =
        store.commit(batch).await.map_err(|error| format!("round {n} cannot be committed: {error:?}"))?;
    let [Outcome::Done(own), Outcome::Done(shared), Outcome::Done(opened), claimed, Outcome::Done(changed)] =
        outcomes.as_slice()
    else {
        return Err(format!("round {n} is answered {outcomes:?}"));
    };
    let claimed = match claimed {
        Outcome::Done(done) => !done.is_found,
        Outcome::Refused(_) => false,
    };
    let revision = changed.revisions.first().map_or(0, |(_, revision)| revision.get());
    match (&own.answer, &shared.answer, &opened.answer) {
        (
            Answer::MessageAppended(own),
            Answer::MessageAppended(same),
            Answer::ConversationOpened(conversation),
        ) => Ok(format!(
            "{} {} {} {} {} {} {claimed} revision{revision}",
            own.message.sequence,
            same.message.id,
            same.message.sequence,
            !shared.is_found,
            conversation.id,
            !opened.is_found,
        )),
        answers => Err(format!("round {n} is answered {answers:?}")),
    }
}

/// Checks the answers of one round against each other and against earlier ones.
fn fits(n: u64, ours: &str, theirs: &str, numbers: &mut BTreeMap<String, u64>) -> Result<(), String> {
    let words = |answer: &str| answer.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (ours, theirs) = (words(ours), words(theirs));
    let wrong = |what| {
        Err(format!("in round {n}, {what}: the parent's answers are {ours:?}, the child's {theirs:?}"))
    };
    let (
        [our_number, our_same @ .., our_opening, our_created, our_claim, our_revision],
        [their_number, their_same @ .., their_opening, their_created, their_claim, their_revision],
    ) = (ours.as_slice(), theirs.as_slice())
    else {
        return wrong("an answer is missing or of another kind");
    };
    let ([our_id, our_place, our_first], [their_id, their_place, their_first]) = (our_same, their_same)
    else {
        return wrong("an answer is missing or of another kind");
    };
    if [our_number, their_number, our_place, our_revision, their_revision]
        .into_iter()
        .any(|number| numbers.insert(number.clone(), n).is_some())
    {
        return wrong("a number is given twice");
    }
    if (our_id, our_place) != (their_id, their_place) || our_first == their_first {
        return wrong("one send became two messages");
    }
    if our_opening != their_opening || our_created == their_created {
        return wrong("one pair has two conversations");
    }
    if our_claim == their_claim {
        return wrong("not exactly one of two puts of an absent record is done");
    }
    Ok(())
}

/// Checks that the stored numbers have no hole and no duplicate after all rounds.
pub(super) async fn dense(store: &impl Store) -> Result<(), String> {
    let (own, limit, max_bytes) = (OwnEntries::Include, 10_000, usize::MAX);
    for (n, entries) in [(1, 1 + 3 * ROUNDS), (2, 1 + 3 * ROUNDS), (5, ROUNDS)] {
        let query = InboxQuery { who: who(n), after: InboxSeq::ZERO, own, limit, max_bytes };
        let page = paging::to_the_head(store, query).await?;
        let found: Vec<u64> = page.entries.iter().map(|entry| entry.seq.get()).collect();
        if found != (1..=entries).collect::<Vec<_>>() {
            return Err(format!("the inbox of user {n} has {found:?}, expected 1 to {entries}"));
        }
    }
    let scan = Scan::Since { user: user(5), revision: Revision::ZERO };
    let page = store.scan(ScanQuery { scan, limit, max_bytes }).await;
    let page = page.map_err(|error| format!("records cannot be read: {error:?}"))?;
    let found: Vec<u64> = page.records.iter().map(|record| record.revision.get()).collect();
    if found != (1..=2 * ROUNDS).collect::<Vec<_>>() {
        return Err(format!("the synced records have the revisions {found:?}, expected 1 to {}", 2 * ROUNDS));
    }
    let range = HistoryRange::After(ServerSequence::ZERO);
    let query = HistoryQuery { reader: user(1), conversation: conversation(1), range, limit, max_bytes };
    let page = store.history(query).await.map_err(|error| format!("history cannot be read: {error:?}"))?;
    let messages = page.unwrap_or_default().messages;
    let found: Vec<u64> = messages.iter().map(|message| message.sequence.get()).collect();
    let ids: std::collections::BTreeSet<_> = messages.iter().map(|message| message.id).collect();
    if found != (1..=3 * ROUNDS).collect::<Vec<_>>() || ids.len() != messages.len() {
        return Err(format!("of {} messages {} are there, as {found:?}", 3 * ROUNDS, ids.len()));
    }
    Ok(())
}
