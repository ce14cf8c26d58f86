//! The background task, [`Driver::run`]: one attempt to connect after the other.

use std::time::Duration;

use super::attempt::Attempt;
use super::disconnect::Disconnect;
use super::driver::{Driver, wait_for_close};
use super::state::{ConnectionState, End};

/// Maximum wait before the next attempt that a server can ask for. A longer wait is reduced to this
/// one, so that a wrong number cannot disconnect a client for days.
const MAX_REQUESTED_WAIT: Duration = Duration::from_secs(300);

impl Driver {
    /// Runs the connection, and sets the final state when it has ended.
    pub(super) async fn run(mut self) {
        let end = self.connect_until_end().await;
        tracing::debug!(%end, "connection ended");
        self.state.send_replace(ConnectionState::Ended(end));
    }

    /// Runs attempts until one of them, or the caller, ends the connection.
    async fn connect_until_end(&mut self) -> End {
        let mut failures = 0;
        loop {
            self.state.send_replace(ConnectionState::Connecting);
            let mut attempt = Attempt::new(self);
            let disconnect = Box::pin(attempt.run()).await;
            if attempt.was_served() {
                failures = 0;
            }
            let (reason, not_before) = match disconnect {
                Disconnect::Ended(end) => return end,
                Disconnect::Lost { reason, not_before } => (reason, not_before.unwrap_or_default()),
            };
            failures += 1;
            let wait = self.config.retry.delay_after(failures, &mut *self.entropy.lock());
            let retry_in = wait.max(not_before.min(MAX_REQUESTED_WAIT));
            tracing::debug!(%reason, ?retry_in, "connection lost");
            self.state.send_replace(ConnectionState::Waiting { retry_in, reason });
            tokio::select! {
                () = self.clock.sleep(retry_in) => {}
                () = wait_for_close(&mut self.closing) => return End::Closed,
            }
        }
    }
}
