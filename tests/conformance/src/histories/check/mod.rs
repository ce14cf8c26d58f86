//! The checker: it compares a history with a snapshot.

mod conversations;
mod devices;
mod facts;
mod fences;
mod messages;
mod numbers;
mod reads;

use super::{Finding, History, Snapshot};
use facts::Facts;

/// All contradictions between a history and a snapshot. Every call of the history must have ended
/// before the snapshot was taken, and nothing else may have written to the store.
#[must_use]
pub fn check(history: &History, snapshot: &Snapshot) -> Vec<Finding> {
    let facts = Facts::new(history, snapshot);
    let mut findings = Vec::new();
    numbers::check(&facts, &mut findings);
    messages::check(&facts, &mut findings);
    conversations::check(&facts, &mut findings);
    devices::check(&facts, &mut findings);
    fences::check(&facts, &mut findings);
    reads::check(&facts, &mut findings);
    findings
}
