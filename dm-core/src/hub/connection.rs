//! The connection in which hints wait for a session, and the count of its deliveries without an
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
pub(crate) enum ConnectionKind {
    /// A device with a cursor: one at a time, with a window, its own entries left out.
    Device,
    /// Somebody who only watches what happens.
    Follower,
}

pub(crate) struct Connection {
    device: DeviceId,
    kind: ConnectionKind,
    /// Not of the service's clock, which may be set: it is compared with spans only.
    started: Instant,
    state: Mutex<State>,
    /// Rung when there is something to look at. Only the session waits for it.
    changed: Notify,
    /// Rung once, when the session ends, for whoever waits for that alone.
    end: Notify,
}

#[derive(Default)]
struct State {
    hints: VecDeque<Hint>,
    bytes: usize,
    /// Hints were dropped since the session last looked: it has to read the store.
    behind: bool,
    /// Set once the session has to end.
    end_cause: Option<EndCause>,
    /// The session's rank among those of its device. Followers have none.
    term: Option<Term>,
    /// Whether the other nodes were announced of that rank.
    announced: bool,
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
pub(crate) enum EndCause {
    /// Another session of the device took over.
    Replaced,
    /// The host, or a forgotten device, ended it.
    Disconnected(DisconnectReason),
}

/// A hint that waits in a connection.
pub(crate) enum Hint {
    Entry(InboxEntry),
    /// An entry that came as its number only, and whether the session's own device caused it.
    Number {
        seq: InboxSeq,
        own: bool,
    },
}

/// The content of a connection, as its session finds it.
pub(crate) enum NextHint {
    Hint(Hint),
    /// Some are missing.
    Behind,
    Empty,
}

impl Hint {
    fn cost(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.cost(),
            Self::Number { .. } => size_of::<Self>(),
        }
    }
}

impl Connection {
    pub(crate) fn new(device: DeviceId, kind: ConnectionKind, term: Option<Term>) -> Self {
        let state = Mutex::new(State { term, ..State::default() });
        Self { device, kind, started: Instant::now(), state, changed: Notify::new(), end: Notify::new() }
    }

    pub(crate) const fn device(&self) -> &DeviceId {
        &self.device
    }

    pub(crate) const fn kind(&self) -> ConnectionKind {
        self.kind
    }

    /// Leaves an entry, or the fact that a hint was dropped.
    pub(crate) fn push_entry(&self, entry: &InboxEntry) {
        self.push(|| Hint::Entry(entry.clone()), entry.cost());
    }

    /// Leaves a number, likewise.
    pub(crate) fn push_number(&self, seq: InboxSeq, own: bool) {
        let hint = Hint::Number { seq, own };
        let cost = hint.cost();
        self.push(|| hint, cost);
    }

    fn push(&self, hint: impl FnOnce() -> Hint, cost: usize) {
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
        self.changed.notify_one();
    }

    /// Has the session read the store.
    pub(crate) fn fall_behind(&self) {
        self.lock().fall_behind();
        self.changed.notify_one();
    }

    /// Ends the session. The first cause stays; answers whether this is it.
    pub(crate) fn end(&self, cause: EndCause) -> bool {
        let mut state = self.lock();
        let first = state.end_cause.is_none();
        state.end_cause.get_or_insert(cause);
        drop(state);
        self.changed.notify_one();
        self.end.notify_waiters();
        first
    }

    /// The time since the session started, in whole milliseconds, as other nodes are announced it.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Ends the session of a device that the store does not know any more.
    pub(crate) fn end_as_forgotten(&self) {
        self.end(EndCause::Disconnected(DisconnectReason::DeviceForgotten));
    }

    /// The session's rank, if it has one.
    pub(crate) fn term(&self) -> Option<Term> {
        self.lock().term
    }

    /// The same, unless this or an earlier call gave it already.
    pub(crate) fn take_unannounced_term(&self) -> Option<Term> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.announced, true) { None } else { state.term }
    }

    /// Counts an objection to the session, this one included.
    pub(crate) fn count_objection(&self) -> u8 {
        let mut state = self.lock();
        state.objections = state.objections.saturating_add(1);
        state.objections
    }

    pub(crate) fn set_term(&self, term: Term) {
        let mut state = self.lock();
        (state.term, state.announced) = (Some(term), false);
    }

    /// Why the session has to end, once it has to.
    pub(crate) fn end_cause(&self) -> Option<EndCause> {
        self.lock().end_cause
    }

    /// Waits until the session has to end. Takes no ring from the session. Cancel safe.
    pub(crate) async fn wait_for_end(&self) -> EndCause {
        loop {
            // Rings from here on are heard, so that an end between the look and the wait is not
            // missed.
            let ended = self.end.notified();
            if let Some(cause) = self.end_cause() {
                return cause;
            }
            ended.await;
        }
    }

    /// Takes the oldest hint.
    pub(crate) fn next_hint(&self) -> NextHint {
        let mut state = self.lock();
        if std::mem::take(&mut state.behind) {
            return NextHint::Behind;
        }
        match state.hints.pop_front() {
            Some(hint) => {
                state.bytes -= hint.cost();
                if state.hints.is_empty() {
                    // An idle session keeps no buffer.
                    state.hints = VecDeque::new();
                }
                NextHint::Hint(hint)
            }
            None => NextHint::Empty,
        }
    }

    /// Waits for a hint, an acknowledgement or a take-over. Cancel safe.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn add_outstanding(&self, seq: InboxSeq, message: Option<MessageId>) {
        self.lock().outstanding.push_back((seq, message));
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.lock().outstanding.len()
    }

    /// Takes what was acknowledged out of the window.
    pub(crate) fn remove_acknowledged(&self, cursor: InboxSeq, target: Option<&AckTarget>) {
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
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the state is locked; a poisoned one is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
