//! [`OwnTask`], a future that runs in a task of its own, so that it ends even if its caller stops
//! polling it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

use crate::directory::DirectoryError;
use crate::error::Error;
use crate::store::{StoreError, StoreErrorKind};

/// A future that is moved into a task of its own if it is not ready at the first poll. The task
/// runs even if the caller stops polling. So the future does not hold a permit, a lock or a
/// connection while nobody polls it. Dropping this aborts the task.
///
/// The first poll happens in the caller's task. So a future that is ready at once costs no task,
/// and futures that wait for the same thing wait in the order of their first polls.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct OwnTask<T, E> {
    runtime: Handle,
    state: State<T, E>,
}

enum State<T, E> {
    /// The future was not polled yet.
    New(Work<T, E>),
    /// The future runs in this task.
    Running(JoinHandle<Result<T, E>>),
    /// The result was returned. A further poll never resolves.
    Done,
}

type Work<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl<T, E> OwnTask<T, E> {
    /// A future that gets its task on `runtime`.
    pub(super) fn new(runtime: &Handle, work: impl Future<Output = Result<T, E>> + Send + 'static) -> Self {
        Self { runtime: runtime.clone(), state: State::New(Box::pin(work)) }
    }
}

impl<T, E> Future for OwnTask<T, E>
where
    T: Send + 'static,
    E: From<TaskFailure> + Send + 'static,
{
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut task = match std::mem::replace(&mut self.state, State::Done) {
            // A panic is caught here as it is in a task, so that the caller gets the same error
            // whichever poll panics. The future is dropped without another poll.
            State::New(mut work) => match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                Ok(Poll::Ready(done)) => return Poll::Ready(done),
                // The new task polls the future at once, which replaces the waker of this poll.
                Ok(Poll::Pending) => self.runtime.spawn(work),
                Err(_) => return Poll::Ready(Err(TaskFailure::Panicked.into())),
            },
            State::Running(task) => task,
            State::Done => return Poll::Pending,
        };
        match Pin::new(&mut task).poll(cx) {
            Poll::Ready(Ok(done)) => Poll::Ready(done),
            Poll::Ready(Err(error)) => Poll::Ready(Err(TaskFailure::from(&error).into())),
            Poll::Pending => {
                self.state = State::Running(task);
                Poll::Pending
            }
        }
    }
}

impl<T, E> Drop for OwnTask<T, E> {
    fn drop(&mut self) {
        if let State::Running(task) = &self.state {
            task.abort();
        }
    }
}

/// The reason why a task ended without an answer. The text of a panic may hold data of the host, so
/// it stays out of every error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskFailure {
    Panicked,
    RuntimeEnded,
}

const RUNTIME_ENDED: &str = "the runtime is shutting down";

impl From<&JoinError> for TaskFailure {
    fn from(error: &JoinError) -> Self {
        if error.is_panic() { Self::Panicked } else { Self::RuntimeEnded }
    }
}

/// For reads of the store.
impl From<TaskFailure> for StoreError {
    fn from(failure: TaskFailure) -> Self {
        match failure {
            TaskFailure::Panicked => Self::new(StoreErrorKind::Engine, "the store panicked"),
            TaskFailure::RuntimeEnded => Self::new(StoreErrorKind::Unavailable, RUNTIME_ENDED),
        }
    }
}

/// For calls of the user directory.
impl From<TaskFailure> for DirectoryError {
    fn from(failure: TaskFailure) -> Self {
        Self::new(match failure {
            TaskFailure::Panicked => "the user directory panicked",
            TaskFailure::RuntimeEnded => RUNTIME_ENDED,
        })
    }
}

/// For writes that wait for room in the queue, which call no code of a host.
impl From<TaskFailure> for Error {
    fn from(failure: TaskFailure) -> Self {
        StoreError::from(failure).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use tokio::sync::{Notify, Semaphore};

    type Task<T> = OwnTask<T, StoreError>;

    #[tokio::test]
    async fn a_future_that_is_ready_at_the_first_poll_starts_no_task() {
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        let work: Task<_> = OwnTask::new(&Handle::current(), async { Ok(tokio::task::try_id()) });
        assert_eq!((work.await.unwrap(), tasks()), (None, before));
    }

    #[tokio::test]
    async fn a_future_runs_while_its_caller_does_not_poll_it() {
        let (started, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (go, tell) = (Arc::clone(&started), Arc::clone(&done));
        let mut work: Task<u8> = OwnTask::new(&Handle::current(), async move {
            go.notified().await;
            tell.notify_one();
            Ok(7)
        });
        assert!(poll_once(&mut work).await.is_none());
        started.notify_one();
        done.notified().await;
        assert_eq!(work.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_dropped_future_releases_its_permit() {
        let permits = Arc::new(Semaphore::new(1));
        let held = Arc::clone(&permits);
        let mut work: Task<()> = OwnTask::new(&Handle::current(), async move {
            let _permit = held.acquire().await;
            std::future::pending().await
        });
        assert!(poll_once(&mut work).await.is_none());
        assert_eq!(permits.available_permits(), 0);
        drop(work);
        assert!(permits.acquire().await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_at_any_poll_is_an_error_without_the_panics_text() {
        for polls_before in [0, 1] {
            let work: Task<()> = OwnTask::new(&Handle::current(), async move {
                for _ in 0..polls_before {
                    tokio::task::yield_now().await;
                }
                panic!("a secret")
            });
            let error = work.await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Engine);
            assert!(!format!("{error:?}").contains("secret"));
        }
    }

    /// The output of a future if it is ready at the next poll.
    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}
