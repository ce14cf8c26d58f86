//! Two processes of which one moves fences and gates between the sends of the other.

use dm_core::store::{Outcome, Party, Refusal, Store, Write};

use super::other::Other;
use super::verdict::Verdict;
use crate::build::{append, open};
use crate::crash::CrashHarness;
use crate::records::{fence, fenced, gate_bits, only, put, user_gate};

/// The number of rounds. In each, the child closes what the parent opened, and the other way round.
const ROUNDS: u64 = 20;

pub(super) async fn trial<H: CrashHarness>(test: &str) -> Result<Verdict, String> {
    let harness = H::fresh().await;
    let store = harness.open().await.map_err(|error| format!("the store does not open: {error:?}"))?;
    is_done(&store, open(1, 1, 2)).await?;
    let Some(mut other) = Other::start(&harness, test)? else { return Ok(Verdict::OneProcess) };
    for n in 1..=ROUNDS {
        let id = n * 100;
        // The parent has just used the old fence and the open gates.
        is_done(&store, only(put(fence(2), "parent", 2 * n))).await?;
        is_done(&store, send(id, 2 * n)).await?;
        other.checks(&format!("move {n}"))?;
        let unmet = |refusal: &Refusal| matches!(refusal, Refusal::Unmet { which: 0, current: Some(_) });
        is_refused(&store, send(id + 1, 2 * n), unmet).await?;
        is_done(&store, send(id + 2, 2 * n + 1)).await?;
        other.checks(&format!("close {n}"))?;
        let closed = |refusal: &Refusal| matches!(refusal, Refusal::Gate(_));
        is_refused(&store, send(id + 3, 2 * n + 1), closed).await?;
        is_done(&store, if n.is_multiple_of(2) { gate_bits(1, 2, 0, 1) } else { user_gate(2, false) })
            .await?;
        other.checks(&format!("pass {n}"))?;
    }
    Ok(Verdict::Kept)
}

/// The child's part, by the words of its orders; `None` for another order.
pub(super) async fn follow(store: &impl Store, what: &str, n: u64) -> Option<Result<(), String>> {
    let id = n * 100 + 50;
    Some(match what {
        "move" => all([
            is_done(store, send(id, 2 * n)).await,
            is_done(store, only(put(fence(2), "child", 2 * n + 1))).await,
            is_refused(store, send(id + 1, 2 * n), |refusal| matches!(refusal, Refusal::Unmet { .. })).await,
        ]),
        "close" => all([
            is_done(store, send(id + 2, 2 * n + 1)).await,
            is_done(store, if n.is_multiple_of(2) { gate_bits(1, 2, 1, 0) } else { user_gate(2, true) })
                .await,
            is_refused(store, send(id + 3, 2 * n + 1), |refusal| matches!(refusal, Refusal::Gate(_))).await,
        ]),
        "pass" => is_done(store, send(id + 4, 2 * n + 1)).await,
        _ => return None,
    })
}

fn all(results: [Result<(), String>; 3]) -> Result<(), String> {
    results.into_iter().collect()
}

/// A send of user 1 to user 2 that names the fence of user 2.
fn send(id: u64, tag: u64) -> Write {
    Write::from(append(1, 1, id)).expect(fenced(Party::Peer, tag))
}

async fn is_done(store: &impl Store, write: Write) -> Result<(), String> {
    match outcome(store, &write).await? {
        Outcome::Done(_) => Ok(()),
        Outcome::Refused(refusal) => Err(format!("{write:?} is refused: {refusal:?}")),
    }
}

async fn is_refused(
    store: &impl Store,
    write: Write,
    is_expected: impl Fn(&Refusal) -> bool,
) -> Result<(), String> {
    match outcome(store, &write).await? {
        Outcome::Refused(refusal) if is_expected(&refusal) => Ok(()),
        outcome => Err(format!("{write:?} is answered {outcome:?}, although the other process changed it")),
    }
}

async fn outcome(store: &impl Store, write: &Write) -> Result<Outcome, String> {
    let outcomes = store.commit(vec![write.clone()]).await;
    let outcomes = outcomes.map_err(|error| format!("{write:?} cannot be committed: {error:?}"))?;
    outcomes.into_iter().next().ok_or_else(|| format!("{write:?} is not answered"))
}
