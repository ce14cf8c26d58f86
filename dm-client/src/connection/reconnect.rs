//! Connecting, and connecting again.

use std::time::Duration;

use super::{
    driver::{Driver, closed},
    link::Link,
    over::Over,
    state::{ConnectionState, End},
};

/// The longest pause that a server which goes away is granted.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Driver {
    pub(super) async fn run(mut self) {
        let end = self.connect_until_over().await;
        tracing::debug!(%end, "connection over");
        self.state.send_replace(ConnectionState::Ended(end));
    }

    async fn connect_until_over(&mut self) -> End {
        let mut failures = 0;
        loop {
            self.state.send_replace(ConnectionState::Connecting);
            let mut link = Link::new(self);
            let over = Box::pin(link.run()).await;
            if link.was_of_use() {
                failures = 0;
            }
            let (reason, not_before) = match over {
                Over::Ended(end) => return end,
                Over::Lost { reason, not_before } => (reason, not_before.unwrap_or_default()),
            };
            failures += 1;
            let wait = self.config.retry.wait(failures, &mut *self.entropy.lock());
            let retry_in = wait.max(not_before.min(LONGEST_PAUSE));
            tracing::debug!(%reason, ?retry_in, "connection lost");
            self.state.send_replace(ConnectionState::Waiting { retry_in, reason });
            tokio::select! {
                () = self.clock.sleep(retry_in) => {}
                () = closed(&mut self.closing) => return End::Closed,
            }
        }
    }
}
