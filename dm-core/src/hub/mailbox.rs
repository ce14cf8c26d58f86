//! The mailbox in which hints wait for a session, and the count of its deliveries without an
//! acknowledgement.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::term::Term;
use crate::device::DeviceId;
use crate::disconnect::DisconnectReason;
use crate::ids::MessageId;
use crate::inbox::InboxEntry;
use crate::numbers::InboxSeq;
use crate::store::AckTarget;

/// Hints that wait for one session. Past this the store is read instead, so a slow reader costs no memory.
const HINTS: usize = 64;
/// Bytes of such hints. A single larger one is still kept.
const HINT_BYTES: usize = 64 * 1024;

/// The kind of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A device with a cursor: one at a time, with a window, its own entries left out.
    Device,
    /// Somebody who only watches what happens.
    Follower,
}

pub(crate) struct Mailbox {
    device: DeviceId,
    kind: Kind,
    /// Not of the service's clock, which may be set: it is compared with spans only.
    began: Instant,
    state: Mutex<State>,
    /// Rung when there is something to look at. Only the session waits for it.
    bell: Notify,
    /// Rung once, when the session ends, for whoever waits for that alone.
    over: Notify,
}

#[derive(Default)]
struct State {
    hints: VecDeque<Hint>,
    bytes: usize,
    /// Hints were dropped since the session last looked: it has to read the store.
    behind: bool,
    /// Set once the session has to end.
    ended: Option<Ended>,
    /// The session's rank among those of its device. Followers have none.
    term: Option<Term>,
    /// Whether the other nodes were told of that rank.
    told: bool,
    /// Objections to the session so far.
    objections: u8,
    /// Delivered and not acknowledged, oldest first.
    outstanding: VecDeque<(InboxSeq, Option<MessageId>)>,
}

impl State {
    /// What the store holds is read anyway, so no hint is worth keeping.
    fn fall_behind(&mut self) {
        self.hints = VecDeque::new();
        self.bytes = 0;
        self.behind = true;
    }
}

/// Why a session ends that did nothing wrong itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Another session of the device took over.
    Replaced,
    /// The host, or a forgotten device, ended it.
    Disconnected(DisconnectReason),
}

/// A hint that waits in a mailbox.
pub(crate) enum Hint {
    Entry(InboxEntry),
    /// An entry that came as its number only, and whether the session's own device caused it.
    Number {
        seq: InboxSeq,
        own: bool,
    },
}

/// The content of a mailbox, as its session finds it.
pub(crate) enum Found {
    Hint(Hint),
    /// Some are missing.
    Behind,
    Nothing,
}

impl Hint {
    fn cost(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.cost(),
            Self::Number { .. } => size_of::<Self>(),
        }
    }
}

impl Mailbox {
    pub(crate) fn new(device: DeviceId, kind: Kind, term: Option<Term>) -> Self {
        let state = Mutex::new(State { term, ..State::default() });
        Self { device, kind, began: Instant::now(), state, bell: Notify::new(), over: Notify::new() }
    }

    pub(crate) const fn device(&self) -> &DeviceId {
        &self.device
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Leaves an entry, or the fact that a hint was dropped.
    pub(crate) fn offer(&self, entry: &InboxEntry) {
        self.leave(|| Hint::Entry(entry.clone()), entry.cost());
    }

    /// Leaves a number, likewise.
    pub(crate) fn offer_number(&self, seq: InboxSeq, own: bool) {
        let hint = Hint::Number { seq, own };
        let cost = hint.cost();
        self.leave(|| hint, cost);
    }

    fn leave(&self, hint: impl FnOnce() -> Hint, cost: usize) {
        let mut state = self.lock();
        if !state.behind {
            let full = state.hints.len() == HINTS || state.bytes + cost > HINT_BYTES;
            if full && !state.hints.is_empty() {
                state.fall_behind();
                metrics::counter!("dm_session_fallbacks_total").increment(1);
            } else {
                state.bytes += cost;
                state.hints.push_back(hint());
            }
        }
        drop(state);
        self.bell.notify_one();
    }

    /// Has the session read the store.
    pub(crate) fn fall_behind(&self) {
        self.lock().fall_behind();
        self.bell.notify_one();
    }

    /// Ends the session. The first cause stays; answers whether this is it.
    pub(crate) fn end(&self, cause: Ended) -> bool {
        let mut state = self.lock();
        let first = state.ended.is_none();
        state.ended.get_or_insert(cause);
        drop(state);
        self.bell.notify_one();
        self.over.notify_waiters();
        first
    }

    /// The time since the session began, in whole milliseconds, as other nodes are told it.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Ends the session of a device that the store does not know any more.
    pub(crate) fn forgotten(&self) {
        self.end(Ended::Disconnected(DisconnectReason::DeviceForgotten));
    }

    /// The session's rank, if it has one.
    pub(crate) fn term(&self) -> Option<Term> {
        self.lock().term
    }

    /// The same, unless this or an earlier call gave it already.
    pub(crate) fn take_term(&self) -> Option<Term> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.told, true) { None } else { state.term }
    }

    /// Counts an objection to the session, this one included.
    pub(crate) fn count_objection(&self) -> u8 {
        let mut state = self.lock();
        state.objections = state.objections.saturating_add(1);
        state.objections
    }

    pub(crate) fn set_term(&self, term: Term) {
        let mut state = self.lock();
        (state.term, state.told) = (Some(term), false);
    }

    /// Why the session has to end, once it has to.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.lock().ended
    }

    /// Waits until the session has to end. Takes no ring from the session. Cancel safe.
    pub(crate) async fn over(&self) -> Ended {
        loop {
            // Rings from here on are heard, so that an end between the look and the wait is not
            // missed.
            let rung = self.over.notified();
            if let Some(cause) = self.ended() {
                return cause;
            }
            rung.await;
        }
    }

    /// Takes the oldest hint.
    pub(crate) fn take(&self) -> Found {
        let mut state = self.lock();
        if std::mem::take(&mut state.behind) {
            return Found::Behind;
        }
        match state.hints.pop_front() {
            Some(hint) => {
                state.bytes -= hint.cost();
                if state.hints.is_empty() {
                    // An idle session keeps no buffer.
                    state.hints = VecDeque::new();
                }
                Found::Hint(hint)
            }
            None => Found::Nothing,
        }
    }

    /// Waits for a hint, an acknowledgement or a take-over. Cancel safe.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    pub(crate) fn delivered(&self, seq: InboxSeq, message: Option<MessageId>) {
        self.lock().outstanding.push_back((seq, message));
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.lock().outstanding.len()
    }

    /// Takes what was acknowledged out of the window.
    pub(crate) fn acknowledged(&self, cursor: InboxSeq, target: Option<&AckTarget>) {
        let mut state = self.lock();
        state.outstanding.retain(|(seq, message)| {
            let named = match target {
                Some(AckTarget::Entries(seqs)) => seqs.contains(seq),
                Some(AckTarget::Messages(ids)) => message.is_some_and(|id| ids.contains(&id)),
                // The cursor is at what was named, or beyond it.
                Some(AckTarget::UpTo(_)) | None => false,
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
