//! A host that writes to its own table in the store's SQLite file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rusqlite::Connection;

use crate::options::Options;
use crate::subject::Kind;

/// A thread that writes until it is stopped.
pub(crate) struct HostWriter {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<rusqlite::Result<u64>>,
    began: Instant,
}

impl HostWriter {
    /// Starts to write, if the options say so.
    pub(crate) fn start(options: &Options, folder: &Path) -> anyhow::Result<Option<Self>> {
        if options.host_writes == 0 {
            return Ok(None);
        }
        ensure!(options.store == Kind::Sqlite, "a host has tables in the store's file on SQLite only");
        let connection = Connection::open(folder.join("dm.db"))?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.execute_batch("CREATE TABLE host (x)")?;
        let (stop, pause) = (Arc::new(AtomicBool::new(false)), Duration::from_secs(1) / options.host_writes);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut writes = 0;
            while !stopped.load(Ordering::Relaxed) {
                connection.execute("INSERT INTO host VALUES (1)", [])?;
                writes += 1;
                std::thread::sleep(pause);
            }
            Ok(writes)
        });
        Ok(Some(Self { stop, thread, began: Instant::now() }))
    }

    /// Stops, and returns the number of writes per second.
    pub(crate) fn stop(self) -> anyhow::Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        let writes = self.thread.join().expect("the host's thread ended well")?;
        Ok(writes as f64 / self.began.elapsed().as_secs_f64())
    }
}
