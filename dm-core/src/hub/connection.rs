//! [`Connection`], the hub's side of a session. It has the hints that wait for the session, the
//! session's deliveries that are not acknowledged, its [term](super::term), and its end.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::term::Term;
use crate::device::DeviceId;
use crate::disconnect::DisconnectReason;
use crate::ids::MessageId;
use crate::inbox::InboxEntry;
use crate::numbers::{InboxSeq, Registration};
use crate::store::AckTarget;

/// Maximum number of hints that wait for one session. If a further hint arrives, all hints are
/// dropped and the session reads the store. So the memory for a slow client is bounded.
const MAX_HINTS: usize = 64;
/// Maximum number of bytes of the hints that wait for one session. A hint that is larger is kept if
/// no other hint waits.
const MAX_HINT_BYTES: usize = 64 * 1024;

/// The kind of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionKind {
    /// A session of a device, which has a cursor and a window. A device has one such session at a
    /// time, and is not shown its own entries.
    Device,
    /// A session from [`Service::follow`](crate::Service::follow), which has no window and is shown
    /// all new entries.
    Follower,
}

/// A connection in the hub. The session and the hub share it.
pub(crate) struct Connection {
    device: DeviceId,
    kind: ConnectionKind,
    /// The registration of the device, which is known only after the connection was added. A follower
    /// has none, so it gets no entry that is for a single device.
    registration: OnceLock<Registration>,
    /// The start of the session, by the machine's monotonic clock. The service's clock cannot
    /// measure the session's age, because it may be set to another time.
    started: Instant,
    state: Mutex<State>,
    /// Notified when the state has changed. Only the session waits for it.
    changed: Notify,
    /// Notified when the session has to end. Tasks that wait only for the end use this.
    end: Notify,
}

#[derive(Default)]
struct State {
    /// The hints that wait for the session, oldest first.
    hints: VecDeque<Hint>,
    /// The number of bytes of `hints`.
    hint_bytes: usize,
    /// Whether hints were dropped since the last call of `next_hint`. If so, the session has to
    /// read the store.
    is_behind: bool,
    /// The reason why the session has to end; `None` while it need not end.
    end_cause: Option<EndCause>,
    /// The rank of the session among those of its device; `None` for a session of
    /// [`Service::follow`](crate::Service::follow).
    term: Option<Term>,
    /// Whether `take_unannounced_term` has returned the term. Its caller sends the term to the
    /// other nodes.
    is_announced: bool,
    /// The number of times that another node answered a claim of this session with a higher term of
    /// the same device. If it exceeds `MAX_RAISES` in [`takeover`](super::takeover), the session
    /// ends.
    objections: u8,
    /// The deliveries that are not acknowledged, oldest first: the number of each entry, and the id
    /// of its message; `None` for a notice or a gap.
    outstanding: VecDeque<(InboxSeq, Option<MessageId>)>,
}

impl State {
    /// Drops all hints. The session then reads the store, which has their entries as well.
    fn fall_behind(&mut self) {
        self.hints = VecDeque::new();
        self.hint_bytes = 0;
        self.is_behind = true;
    }
}

/// The reason why the hub ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// A newer session of the device took over.
    Replaced,
    /// The host requested the end, or the device was forgotten.
    Requested(DisconnectReason),
}

/// A hint of a new entry.
pub(crate) enum Hint {
    /// A hint with the entry.
    Entry(InboxEntry),
    /// A hint with the entry's number only.
    Number {
        seq: InboxSeq,
        /// Whether the session's own device caused the entry.
        is_own: bool,
    },
}

/// The result of [`Connection::next_hint`].
pub(crate) enum NextHint {
    /// The oldest hint.
    Hint(Hint),
    /// Hints were dropped, so the session has to read the store.
    Behind,
    /// No hint waits.
    Empty,
}

impl Hint {
    /// The bytes that the hint counts in its session's queue.
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
        Self {
            device,
            kind,
            registration: OnceLock::new(),
            started: Instant::now(),
            state,
            changed: Notify::new(),
            end: Notify::new(),
        }
    }

    pub(crate) const fn device(&self) -> &DeviceId {
        &self.device
    }

    pub(crate) const fn kind(&self) -> ConnectionKind {
        self.kind
    }

    /// Sets the registration of the device. Later calls change nothing.
    pub(crate) fn set_registration(&self, registration: Registration) {
        let _ = self.registration.set(registration);
    }

    /// The registration of the device; `None` for a follower, and before it is known.
    pub(crate) fn registration(&self) -> Option<Registration> {
        self.registration.get().copied()
    }

    /// Adds a hint with an entry. If the queue has no room for the hint, all hints are dropped.
    pub(crate) fn push_entry(&self, entry: &InboxEntry) {
        self.push(|| Hint::Entry(entry.clone()), entry.cost());
    }

    /// Adds a hint with the number of an entry. If the queue has no room for the hint, all hints
    /// are dropped.
    pub(crate) fn push_number(&self, seq: InboxSeq, is_own: bool) {
        let hint = Hint::Number { seq, is_own };
        let cost = hint.cost();
        self.push(|| hint, cost);
    }

    /// Adds the hint that `hint` returns, which counts `cost` bytes. While the session is behind,
    /// hints are not kept, because the session will read their entries from the store.
    fn push(&self, hint: impl FnOnce() -> Hint, cost: usize) {
        let mut state = self.lock();
        if !state.is_behind {
            let is_full = state.hints.len() == MAX_HINTS || state.hint_bytes + cost > MAX_HINT_BYTES;
            if is_full && !state.hints.is_empty() {
                state.fall_behind();
                metrics::counter!("dm_session_fallbacks_total").increment(1);
            } else {
                state.hint_bytes += cost;
                state.hints.push_back(hint());
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Drops all hints and makes the session read the store.
    pub(crate) fn fall_behind(&self) {
        self.lock().fall_behind();
        self.changed.notify_one();
    }

    /// Ends the session. Returns false if an earlier call has ended it; the cause of that call
    /// stays.
    pub(crate) fn end(&self, cause: EndCause) -> bool {
        let mut state = self.lock();
        let is_first = state.end_cause.is_none();
        state.end_cause.get_or_insert(cause);
        drop(state);
        self.changed.notify_one();
        self.end.notify_waiters();
        is_first
    }

    /// The time since the session started, in whole milliseconds, because claims carry ages in
    /// milliseconds.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Ends the session because its device is not registered.
    pub(crate) fn end_as_forgotten(&self) {
        self.end(EndCause::Requested(DisconnectReason::DeviceForgotten));
    }

    /// The rank of the session among those of its device; `None` for a follower.
    pub(crate) fn term(&self) -> Option<Term> {
        self.lock().term
    }

    /// The term; `None` if an earlier call has returned this term.
    pub(crate) fn take_unannounced_term(&self) -> Option<Term> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.is_announced, true) { None } else { state.term }
    }

    /// Counts an objection of another node to this session (see [`takeover`](super::takeover)).
    /// Returns the number of objections, this one included.
    pub(crate) fn count_objection(&self) -> u8 {
        let mut state = self.lock();
        // A session ends after a few objections, so the number never reaches its maximum.
        state.objections = state.objections.saturating_add(1);
        state.objections
    }

    /// Sets a new term, which has to be announced to other nodes.
    pub(crate) fn set_term(&self, term: Term) {
        let mut state = self.lock();
        (state.term, state.is_announced) = (Some(term), false);
    }

    /// The reason why the session has to end; `None` while it need not end.
    pub(crate) fn end_cause(&self) -> Option<EndCause> {
        self.lock().end_cause
    }

    /// Waits until the session has to end. A task may wait here while another one waits in
    /// [`wait_for_change`](Self::wait_for_change). Cancel safe.
    pub(crate) async fn wait_for_end(&self) -> EndCause {
        loop {
            // This future is created before the check, so that it resolves if the session ends
            // between the check and the wait.
            let ended = self.end.notified();
            if let Some(cause) = self.end_cause() {
                return cause;
            }
            ended.await;
        }
    }

    /// Removes and returns the oldest hint. If hints were dropped since the last call, returns
    /// [`NextHint::Behind`] instead.
    pub(crate) fn next_hint(&self) -> NextHint {
        let mut state = self.lock();
        if std::mem::take(&mut state.is_behind) {
            return NextHint::Behind;
        }
        match state.hints.pop_front() {
            Some(hint) => {
                state.hint_bytes -= hint.cost();
                if state.hints.is_empty() {
                    // The buffer is freed, because most sessions are idle most of the time.
                    state.hints = VecDeque::new();
                }
                NextHint::Hint(hint)
            }
            None => NextHint::Empty,
        }
    }

    /// Waits for a hint, an acknowledgement or the end of the session. Cancel safe.
    pub(crate) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    /// Adds a delivery to the session's window: the number of the entry, and the id of its message;
    /// `None` for a notice or a gap.
    pub(crate) fn add_outstanding(&self, seq: InboxSeq, message: Option<MessageId>) {
        self.lock().outstanding.push_back((seq, message));
    }

    /// The number of deliveries in the window.
    pub(crate) fn outstanding_count(&self) -> usize {
        self.lock().outstanding.len()
    }

    /// Removes acknowledged deliveries from the window: all up to the cursor, and all that the
    /// target names.
    pub(crate) fn remove_acknowledged(&self, cursor: InboxSeq, target: Option<&AckTarget>) {
        let mut state = self.lock();
        state.outstanding.retain(|(seq, message)| {
            let named = match target {
                Some(AckTarget::Entries(seqs)) => seqs.contains(seq),
                Some(AckTarget::Messages(ids)) => message.is_some_and(|id| ids.contains(&id)),
                // `cursor` is at the named number or beyond it, and is compared below.
                Some(AckTarget::UpTo(_)) | None => false,
            };
            *seq > cursor && !named
        });
        if state.outstanding.is_empty() {
            // The buffer is freed, because most sessions are idle most of the time.
            state.outstanding = VecDeque::new();
        }
        drop(state);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, so even a poisoned state is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
