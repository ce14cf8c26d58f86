//! Waits for the end of the client's login session: it expires, or the host ends it.

use std::sync::Arc;
use std::time::Duration;

use dm_core::{DisconnectReason, Timestamp};
use futures_util::future::BoxFuture;

use super::close::Close;
use super::heartbeat::{Timer, timer};
use crate::SessionExpiry;
use crate::api::Api;
use crate::session::{LoginSession, SessionWatch};

/// The expiry and the watch of the client's login session. The host may give one, both or none.
pub(super) struct LoginMonitor {
    api: Arc<Api>,
    expiry: Option<Expiry>,
    watched: Option<Watched>,
}

struct Expiry {
    at: SessionExpiry,
    /// Expires at `at`, or earlier if the clock is set back.
    timer: Timer,
}

struct Watched {
    watch: SessionWatch,
    /// The call of [`LiveSession::ended`](crate::LiveSession::ended).
    ended: BoxFuture<'static, DisconnectReason>,
    /// The call of [`LiveSession::check`](crate::LiveSession::check) that has not returned yet.
    check: Option<BoxFuture<'static, Result<(), DisconnectReason>>>,
    /// The time at which the last check started.
    checked_at: Timestamp,
}

impl LoginMonitor {
    pub(super) fn new(api: &Arc<Api>, login: LoginSession) -> Self {
        let expiry = login.expiry.map(|at| Expiry { at, timer: timer_until(api, at) });
        let watched = login.watch.map(|watch| Watched {
            ended: ended(&watch),
            check: Some(check(&watch)),
            checked_at: api.service.clock().now(),
            watch,
        });
        Self { api: Arc::clone(api), expiry, watched }
    }

    /// Resolves when the login session has ended. Cancel safe.
    pub(super) async fn ended(&mut self) -> Close {
        loop {
            tokio::select! {
                biased;
                reason = ended_early(&mut self.watched) => return Close::from(reason),
                () = expired(&mut self.expiry) => {}
            }
            let Some(expiry) = &mut self.expiry else { continue };
            if self.api.service.clock().now() >= expiry.at.0 {
                return Close::Expired;
            }
            // The wall clock was set back, so the timer expired too early.
            expiry.timer = timer_until(&self.api, expiry.at);
        }
    }

    /// Starts another check of the login session, unless a check is running or the last one started
    /// less than [`Options::ping_interval`](crate::Options::ping_interval) ago. Called with each
    /// ping.
    pub(super) fn check_if_due(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        let now = self.api.service.clock().now();
        // A check is also due when the clock was set back.
        let due = now >= watched.checked_at.after(self.api.options.ping_interval) || now < watched.checked_at;
        if due && watched.check.is_none() {
            watched.check = Some(check(&watched.watch));
            watched.checked_at = now;
        }
    }
}

impl Watched {
    /// Resolves when the host reports the end of the login session, by itself or in answer to a
    /// check.
    async fn ended_early(&mut self) -> DisconnectReason {
        loop {
            tokio::select! {
                biased;
                reason = &mut self.ended => return reason,
                checked = check_result(&mut self.check) => {
                    self.check = None;
                    if let Err(reason) = checked {
                        return reason;
                    }
                }
            }
        }
    }
}

fn ended(SessionWatch(session): &SessionWatch) -> BoxFuture<'static, DisconnectReason> {
    let session = Arc::clone(session);
    Box::pin(async move { session.ended().await })
}

fn check(SessionWatch(session): &SessionWatch) -> BoxFuture<'static, Result<(), DisconnectReason>> {
    let session = Arc::clone(session);
    Box::pin(async move { session.check().await })
}

/// Resolves with the result of the check; never if there is none.
async fn check_result(
    check: &mut Option<BoxFuture<'static, Result<(), DisconnectReason>>>,
) -> Result<(), DisconnectReason> {
    match check {
        Some(check) => check.await,
        None => std::future::pending().await,
    }
}

/// Resolves when the host ends the login session; never if there is no watch.
async fn ended_early(watched: &mut Option<Watched>) -> DisconnectReason {
    match watched {
        Some(watched) => watched.ended_early().await,
        None => std::future::pending().await,
    }
}

/// Resolves when the timer expires; never if there is none.
async fn expired(expiry: &mut Option<Expiry>) {
    match expiry {
        Some(expiry) => (&mut expiry.timer).await,
        None => std::future::pending().await,
    }
}

/// A timer for the time until `at`.
fn timer_until(api: &Arc<Api>, SessionExpiry(at): SessionExpiry) -> Timer {
    let span = at.as_millis().saturating_sub(api.service.clock().now().as_millis());
    timer(api, Duration::from_millis(span))
}
