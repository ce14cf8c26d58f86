//! Acknowledged entries are not pending, and all others are.

use std::collections::{BTreeMap, BTreeSet};

use dm_core::store::{AckTarget, Action, Answer, Event, InboxSeq, Principal};

use super::facts::Facts;
use crate::histories::{Call, DeviceView, Finding, Reply, UserView};

/// The calls about one device, and their answers.
#[derive(Default)]
struct Asked<'a> {
    /// Entries whose acknowledgement was answered, and those whose acknowledgement may have been
    /// done.
    acked: BTreeSet<InboxSeq>,
    maybe: BTreeSet<InboxSeq>,
    /// The cumulative acknowledgements, answered and possibly done.
    up_to: InboxSeq,
    maybe_up_to: InboxSeq,
    /// The cursors in the answers.
    cursors: Vec<(&'a Call, InboxSeq)>,
    registered: bool,
    forgotten: bool,
    /// The answered registrations (`true`), and the calls that may have forgotten it (`false`).
    last: Vec<(&'a Call, bool)>,
}

pub(super) fn check(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let asked = devices(facts);
    for (user, view) in &facts.snapshot.users {
        for DeviceView { state, .. } in &view.devices {
            let (user, device) = (*user, state.device.clone());
            if !asked.get(&Principal::new(user, device.clone())).is_some_and(|asked| asked.registered) {
                findings.push(Finding::WrongDevice { user, device });
            }
        }
    }
    for (who, asked) in asked {
        let Some(view) = facts.snapshot.users.get(&who.user) else { continue };
        let device = view.devices.iter().find(|device| device.state.device == who.device);
        there(&who, &asked, device.is_some(), findings);
        // Acknowledgements before the device was forgotten do not count.
        if !asked.forgotten
            && let Some(device) = device
        {
            cursors(&who, &asked, device, findings);
            pending(&who, &asked, view, device, findings);
        }
    }
}

fn devices<'a>(facts: &Facts<'a>) -> BTreeMap<Principal, Asked<'a>> {
    let mut devices: BTreeMap<Principal, Asked<'a>> = BTreeMap::new();
    for (call, write) in facts.writes() {
        let unknown = matches!(call.reply, Reply::Unknown);
        match &write.action {
            Action::Acknowledge(ack) if unknown => {
                let asked = devices.entry(ack.who.clone()).or_default();
                match &ack.target {
                    AckTarget::UpTo(seq) => asked.maybe_up_to = asked.maybe_up_to.max(*seq),
                    AckTarget::Entries(seqs) => asked.maybe.extend(seqs),
                    AckTarget::Messages(ids) => {
                        let view = facts.snapshot.users.get(&ack.who.user);
                        let entries = view.into_iter().flat_map(|view| &view.entries);
                        let named = entries.filter(|e| e.message().is_some_and(|m| ids.contains(&m.id)));
                        asked.maybe.extend(named.map(|entry| entry.seq));
                    }
                }
            }
            Action::RegisterDevice(register) => {
                devices.entry(register.who.clone()).or_default().registered = true;
            }
            Action::ForgetDevice(forget) => {
                let asked = devices.entry(forget.who.clone()).or_default();
                asked.forgotten = true;
                asked.last.push((call, false));
            }
            _ => {}
        }
    }
    for (call, write, done) in facts.done() {
        match (&write.action, &done.answer) {
            (Action::Acknowledge(ack), Answer::Acknowledged(done)) => {
                let asked = devices.entry(ack.who.clone()).or_default();
                asked.cursors.push((call, done.cursor));
                match &ack.target {
                    AckTarget::UpTo(seq) => asked.up_to = asked.up_to.max(*seq),
                    AckTarget::Entries(seqs) => asked.acked.extend(seqs),
                    AckTarget::Messages(ids) => {
                        let view = facts.snapshot.users.get(&ack.who.user);
                        let entries = view.into_iter().flat_map(|view| &view.entries);
                        let named = entries.filter(|e| e.message().is_some_and(|m| ids.contains(&m.id)));
                        asked.acked.extend(named.map(|entry| entry.seq));
                    }
                }
            }
            (Action::RegisterDevice(register), Answer::DeviceRegistered(done)) => {
                let asked = devices.entry(register.who.clone()).or_default();
                asked.cursors.push((call, done.cursor));
                asked.last.push((call, true));
            }
            _ => {}
        }
    }
    devices
}

/// A device exists if it was registered and not forgotten since.
fn there(who: &Principal, asked: &Asked<'_>, there: bool, findings: &mut Vec<Finding>) {
    let registered_last = asked
        .last
        .iter()
        .any(|(call, new)| *new && asked.last.iter().all(|(other, new)| *new || other.before(call)));
    if registered_last && !there {
        findings.push(Finding::WrongDevice { user: who.user, device: who.device.clone() });
    }
}

fn cursors(who: &Principal, asked: &Asked<'_>, device: &DeviceView, findings: &mut Vec<Finding>) {
    let mut by_answer: Vec<_> = asked.cursors.iter().collect();
    by_answer.sort_by_key(|(call, _)| call.answered);
    let back = asked.cursors.iter().any(|(call, cursor)| {
        by_answer.iter().take_while(|(earlier, _)| earlier.before(call)).any(|(_, earlier)| earlier > cursor)
    });
    if back || asked.cursors.iter().any(|(_, cursor)| *cursor > device.state.cursor) {
        findings.push(Finding::CursorWentBack { user: who.user, device: who.device.clone() });
    }
}

fn pending(
    who: &Principal,
    asked: &Asked<'_>,
    view: &UserView,
    device: &DeviceView,
    findings: &mut Vec<Finding>,
) {
    // A device that was registered late starts at the floor of that time.
    let start = asked.cursors.iter().map(|(_, cursor)| *cursor).min().unwrap_or_default();
    for entry in &view.entries {
        let seq = entry.seq;
        let shown = device.pending.contains(&seq);
        let acked = seq <= asked.up_to || asked.acked.contains(&seq);
        let maybe = acked || seq <= asked.maybe_up_to || asked.maybe.contains(&seq);
        let own = entry.origin.as_ref() == Some(&who.device);
        // An acknowledgement of a later message covers a notice.
        let message = matches!(entry.event, Event::Message(_));
        let (user, name) = (who.user, who.device.clone());
        if shown && (acked || own) {
            findings.push(Finding::StillPending { user, device: name, seq });
        } else if !shown && !maybe && !own && message && seq > start.min(device.state.cursor) {
            findings.push(Finding::NotPending { user, device: name, seq });
        }
    }
    let depth = device.depth.messages + device.depth.notices;
    if depth != device.pending.len() as u64 {
        let seq = device.state.cursor;
        findings.push(Finding::NotPending { user: who.user, device: who.device.clone(), seq });
    }
}
