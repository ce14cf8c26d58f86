//! Runs jobs: work that a record with a due time stands for. Any node may run a job. How several
//! nodes share them is in [`claim`](super::claim).

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::claim::Next;
use super::handle::{Inner, Service};
use super::key_announcement;
use super::stage::Stage;
use crate::error::Error;
use crate::invalid::Invalid;
use crate::record::{Kind, Record};
use crate::store::{Scan, ScanQuery, StoreErrorKind};

/// The kinds of records that are jobs.
const KINDS: [Kind; 1] = [Kind::KEY_ANNOUNCEMENT];
/// The number of due jobs that one scan finds.
const JOBS_PER_SCAN: usize = 64;
/// The time between two searches for due jobs. A search finds jobs that failed, that another node
/// left when it ended, and that another node added and did not run.
const SEARCH_INTERVAL: Duration = Duration::from_secs(30);

impl Service {
    /// Runs every job that is due now, until it is done or fails. A job that fails is due again
    /// later, and the others are still run.
    ///
    /// # Errors
    /// The error of a store that cannot be read or that is full. No further job is run then.
    async fn run_due_jobs(&self) -> Result<(), Error> {
        for kind in KINDS {
            let until = self.now();
            let mut after = None;
            loop {
                let scan = Scan::Due { kind, until, after };
                let query = ScanQuery { scan, limit: JOBS_PER_SCAN, max_bytes: usize::MAX };
                let page = self.store().scan(query).await?;
                after = page.records.last().and_then(|job| Some((job.due?, job.key.clone())));
                for job in page.records {
                    match self.run_job(job).await {
                        Ok(()) => {}
                        // Another node goes on with the job, or this one after its next start.
                        Err(Error::ShuttingDown) => return Ok(()),
                        // A full store refuses the claims of the other jobs as well.
                        Err(Error::Unavailable(error)) if error.kind() == StoreErrorKind::Full => {
                            return Err(error.into());
                        }
                        Err(error) => {
                            tracing::warn!(
                                kind = kind.get(),
                                error = %error,
                                "a job failed and is tried again later"
                            );
                            metrics::counter!("dm_job_failures_total").increment(1);
                        }
                    }
                }
                if !page.has_more || after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Claims a job and runs it to its end.
    async fn run_job(&self, record: Record) -> Result<(), Error> {
        let Some(mut job) = self.claim(record).await? else { return Ok(()) };
        loop {
            let next = match job.key.kind {
                Kind::KEY_ANNOUNCEMENT => key_announcement::step(self, &mut job).await?,
                _ => return Err(Invalid::new("kind", "no job of this version").into()),
            };
            if matches!(next, Next::End) {
                return Ok(());
            }
        }
    }
}

/// Runs jobs when one is added, and at every search, until the service shuts down or is dropped.
/// This task holds no handle of the service while it waits, so it does not keep the service alive.
pub(super) async fn run(service: Weak<Inner>) {
    while let Some(inner) = service.upgrade() {
        let service = Service { inner };
        if let Err(error) = service.run_due_jobs().await {
            tracing::warn!(error = %error, "jobs cannot be run, which is tried again later");
        }
        let (clock, status) = (Arc::clone(&service.inner.clock), Arc::clone(service.inner.queue.status()));
        let mut stage = service.inner.lifecycle.subscribe();
        drop(service);
        tokio::select! {
            () = status.job_added.notified() => {}
            () = clock.sleep(SEARCH_INTERVAL) => {}
            // `wait_for` also returns, with an error, when the service was dropped.
            _ = stage.wait_for(|now| *now > Stage::Running) => return,
        }
    }
}
