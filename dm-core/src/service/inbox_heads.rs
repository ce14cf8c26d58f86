//! [`InboxHeads`], which reads the heads of inboxes, the numbers of their newest entries. One read
//! of the store answers all sessions that ask at about the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::reads::Reads;
use crate::numbers::InboxSeq;
use crate::user::UserId;

/// Maximum number of users in one read, so that a read stays short.
const MAX_USERS_PER_READ: usize = 256;

/// The sessions that wait for the head of an inbox, and whether a task reads the heads for them. At
/// most one task does. Clones share the sessions and the task.
#[derive(Clone, Default)]
pub(super) struct InboxHeads(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: Vec<Waiter>,
    /// Whether a task reads for the sessions that wait.
    is_reading: bool,
}

/// A session that waits for the head of its user's inbox.
struct Waiter {
    user: UserId,
    answer: oneshot::Sender<InboxSeq>,
}

impl State {
    /// Removes the sessions that no longer wait.
    fn remove_closed(&mut self) {
        self.waiting.retain(|waiter| !waiter.answer.is_closed());
    }
}

impl InboxHeads {
    /// Asks for the head of a user's inbox. If the store fails, the receiver gets an error, because
    /// its sender is dropped.
    pub(super) fn ask(&self, reads: &Reads, user: UserId) -> oneshot::Receiver<InboxSeq> {
        let (answer, receiver) = oneshot::channel();
        if self.add(Waiter { user, answer }) {
            let reader = HeadReader { heads: self.clone(), reads: reads.clone(), is_done: false };
            reads.runtime.spawn(reader.run());
        }
        receiver
    }

    /// Adds a session that waits. Returns whether the caller has to start a task.
    fn add(&self, waiter: Waiter) -> bool {
        let mut state = self.lock();
        if state.waiting.len() == state.waiting.capacity() {
            // While a read hangs, any number of sessions may start and end. Sessions that have
            // ended are removed here, so that the list does not grow.
            state.remove_closed();
        }
        state.waiting.push(waiter);
        !std::mem::replace(&mut state.is_reading, true)
    }

    /// Removes and returns the sessions whose heads the task reads next. `None` if no session
    /// waits; then the task has to end.
    fn next_waiters(&self) -> Option<Vec<Waiter>> {
        let mut state = self.lock();
        state.remove_closed();
        if state.waiting.is_empty() {
            *state = State::default();
            return None;
        }
        let count = state.waiting.len().min(MAX_USERS_PER_READ);
        Some(state.waiting.drain(..count).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, so even a poisoned state is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that reads heads until no session waits.
struct HeadReader {
    heads: InboxHeads,
    reads: Reads,
    is_done: bool,
}

impl HeadReader {
    async fn run(mut self) {
        // The timers of many sessions end together. This lets these sessions ask before the first
        // read, so that they share it.
        tokio::task::yield_now().await;
        while let Some(waiters) = self.heads.next_waiters() {
            let (users, answers): (Vec<_>, Vec<_>) =
                waiters.into_iter().map(|waiter| (waiter.user, waiter.answer)).unzip();
            if let Ok(heads) = self.reads.inbox_heads(users).await {
                for (answer, head) in answers.into_iter().zip(heads) {
                    // An error means that the session no longer waits.
                    let _ = answer.send(head);
                }
            }
        }
        self.is_done = true;
    }
}

impl Drop for HeadReader {
    /// If the runtime ends the task early, the sessions that wait get no answer. The next session
    /// that asks starts another task.
    fn drop(&mut self) {
        if !self.is_done {
            let waiting = std::mem::take(&mut *self.heads.lock());
            drop(waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::in_flight::InFlight;
    use crate::store::MemoryStore;
    use crate::time::SystemClock;

    #[test]
    fn sessions_that_end_while_a_read_hangs_are_removed_from_the_list() {
        let (heads, user) = (InboxHeads::default(), UserId::from_stored([1; 32]));
        let ask = || {
            let (answer, receiver) = oneshot::channel();
            (heads.add(Waiter { user, answer }), receiver)
        };
        let (starts, _stays) = ask();
        assert!(starts);
        for _ in 0..10_000 {
            assert!(!ask().0, "a task reads already");
        }
        assert!(heads.lock().waiting.len() < 10);
        assert_eq!(heads.next_waiters().unwrap().len(), 1, "the session that still waits");
        assert!(heads.next_waiters().is_none());
        assert!(ask().0, "another task has to be started");
    }

    #[test]
    fn sessions_get_an_error_when_the_runtime_ends_the_task_that_reads() {
        let (heads, user) = (InboxHeads::default(), UserId::from_stored([1; 32]));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let reads = Reads {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(SystemClock),
            runtime: runtime.handle().clone(),
            in_flight: InFlight::default(),
        };
        // The task is spawned and dropped with the runtime before it reads.
        let receiver = heads.ask(&reads, user);
        drop(runtime);
        assert!(receiver.blocking_recv().is_err());
        assert!(!heads.lock().is_reading, "the next session that asks starts another task");
    }
}
