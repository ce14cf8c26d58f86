//! Concurrent commits.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use dm_core::store::{Outcome, Store, Write};
use tokio::sync::{Barrier, Semaphore};
use tokio::task::JoinHandle;

use crate::Harness;
use crate::world::{Line, World};

impl<H: Harness> World<H> {
    /// Commits each batch from its own task. No task begins before all of them have started.
    #[track_caller]
    pub fn at_once(
        &self,
        batches: impl IntoIterator<Item = Vec<Write>>,
    ) -> impl Future<Output = Vec<Vec<Outcome>>> {
        let (line, batches) = (Location::caller(), batches.into_iter().collect::<Vec<_>>());
        async move {
            let start = Start::Together(Arc::new(Barrier::new(batches.len())));
            let store = self.store();
            let start = |batch| commit_all(Arc::clone(&store), line, vec![batch], start.clone());
            joined(line, batches.into_iter().map(start).collect()).await.into_iter().flatten().collect()
        }
    }

    /// Commits through several handles at the same time, each its batches in order. The *n*-th
    /// batches of all handles begin together.
    #[track_caller]
    pub fn in_step(
        &self,
        tasks: impl IntoIterator<Item = (Arc<H::Store>, Vec<Vec<Write>>)>,
    ) -> impl Future<Output = Vec<Vec<Vec<Outcome>>>> {
        let (line, tasks) = (Location::caller(), tasks.into_iter().collect::<Vec<_>>());
        async move {
            let start = Start::Together(Arc::new(Barrier::new(tasks.len())));
            let start = |(store, batches)| commit_all(store, line, batches, start.clone());
            joined(line, tasks.into_iter().map(start).collect()).await
        }
    }

    /// Commits from several tasks, each its batches in order. Meanwhile calls `look`, at least as
    /// often as a task commits, and once afterwards.
    #[track_caller]
    pub fn during(
        &self,
        tasks: impl IntoIterator<Item = Vec<Vec<Write>>>,
        mut look: impl AsyncFnMut(),
    ) -> impl Future<Output = ()> {
        let (line, tasks) = (Location::caller(), tasks.into_iter().collect::<Vec<_>>());
        async move {
            let pace = Arc::new(Semaphore::new(0));
            let store = self.store();
            let start =
                |batches| commit_all(Arc::clone(&store), line, batches, Start::Paced(Arc::clone(&pace)));
            let tasks: Vec<_> = tasks.into_iter().map(start).collect();
            while tasks.iter().any(|task| !task.is_finished()) {
                // A fast store must not finish its commits before the reader has looked.
                if pace.available_permits() == 0 {
                    pace.add_permits(tasks.len());
                }
                look().await;
                tokio::task::yield_now().await;
            }
            joined(line, tasks).await;
            look().await;
        }
    }
}

/// The condition that each commit of a task waits for.
#[derive(Clone)]
enum Start {
    /// The other tasks have come to it, too.
    Together(Arc<Barrier>),
    /// The concurrent reader has looked again.
    Paced(Arc<Semaphore>),
}

impl Start {
    async fn wait(&self) {
        match self {
            Self::Together(barrier) => _ = barrier.wait().await,
            Self::Paced(pace) => pace.acquire().await.expect("it is never closed").forget(),
        }
    }
}

fn commit_all(
    store: Arc<impl Store>,
    line: Line,
    batches: Vec<Vec<Write>>,
    start: Start,
) -> JoinHandle<Vec<Vec<Outcome>>> {
    tokio::spawn(async move {
        let mut outcomes = Vec::new();
        for batch in batches {
            start.wait().await;
            let answer = store.commit(batch.clone()).await;
            outcomes.push(answer.unwrap_or_else(|error| {
                panic!("{line}: {batch:?}\ncannot be committed at the same time as others: {error:?}")
            }));
        }
        outcomes
    })
}

async fn joined<T>(line: Line, tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap_or_else(|_| panic!("{line}: a task failed to commit")));
    }
    all
}
