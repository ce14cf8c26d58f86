//! Where hints wait for a session, and the count of what it has delivered without an acknowledgement.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::{AckTarget, DeviceId, InboxEntry, InboxSeq, MessageId};

/// Hints that wait for one session. Past this the store is read instead, so a slow reader costs no memory.
const HINTS: usize = 64;
/// Bytes of such hints. A single larger one is still kept.
const HINT_BYTES: usize = 64 * 1024;

/// What a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A device with a cursor: one at a time, with a window, its own entries left out.
    Device,
    /// Somebody who only watches what happens.
    Follower,
}

pub(super) struct Mailbox {
    device: DeviceId,
    kind: Kind,
    state: Mutex<State>,
    /// Rung when there is something to look at. Only the session waits for it.
    bell: Notify,
}

#[derive(Default)]
struct State {
    hints: VecDeque<InboxEntry>,
    bytes: usize,
    /// Hints were dropped since the session last looked: it has to read the store.
    behind: bool,
    /// Another session of the device took over.
    replaced: bool,
    /// Delivered and not acknowledged, oldest first.
    outstanding: VecDeque<(InboxSeq, Option<MessageId>)>,
}

/// What a session finds in its mailbox.
pub(super) enum Hint {
    Entry(InboxEntry),
    /// Some are missing.
    Behind,
    Nothing,
}

impl Mailbox {
    pub(super) fn new(device: DeviceId, kind: Kind) -> Self {
        Self { device, kind, state: Mutex::default(), bell: Notify::new() }
    }

    pub(super) const fn device(&self) -> &DeviceId {
        &self.device
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Leaves a hint, or the fact that one was dropped.
    pub(super) fn offer(&self, entry: &InboxEntry) {
        let mut state = self.lock();
        if !state.behind {
            let cost = entry.cost();
            let full = state.hints.len() == HINTS || state.bytes + cost > HINT_BYTES;
            if full && !state.hints.is_empty() {
                state.hints = VecDeque::new();
                state.bytes = 0;
                state.behind = true;
                metrics::counter!("dm_session_fallbacks_total").increment(1);
            } else {
                state.bytes += cost;
                state.hints.push_back(entry.clone());
            }
        }
        drop(state);
        self.bell.notify_one();
    }

    pub(super) fn replace(&self) {
        self.lock().replaced = true;
        self.bell.notify_one();
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.lock().replaced
    }

    /// Takes the oldest hint.
    pub(super) fn take(&self) -> Hint {
        let mut state = self.lock();
        if std::mem::take(&mut state.behind) {
            return Hint::Behind;
        }
        match state.hints.pop_front() {
            Some(entry) => {
                state.bytes -= entry.cost();
                if state.hints.is_empty() {
                    // An idle session keeps no buffer.
                    state.hints = VecDeque::new();
                }
                Hint::Entry(entry)
            }
            None => Hint::Nothing,
        }
    }

    /// Waits for a hint, an acknowledgement or a take-over. Cancel safe.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    pub(super) fn delivered(&self, seq: InboxSeq, message: Option<MessageId>) {
        self.lock().outstanding.push_back((seq, message));
    }

    pub(super) fn outstanding(&self) -> usize {
        self.lock().outstanding.len()
    }

    /// Takes what was acknowledged out of the window.
    pub(super) fn acknowledged(&self, cursor: InboxSeq, target: Option<&AckTarget>) {
        let mut state = self.lock();
        state.outstanding.retain(|(seq, message)| {
            let named = match target {
                Some(AckTarget::Entries(seqs)) => seqs.contains(seq),
                Some(AckTarget::Messages(ids)) => message.is_some_and(|id| ids.contains(&id)),
                Some(AckTarget::UpTo(up_to)) => seq <= up_to,
                None => false,
            };
            *seq > cursor && !named
        });
        if state.outstanding.is_empty() {
            state.outstanding = VecDeque::new();
        }
        drop(state);
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the state is locked; a poisoned one is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
