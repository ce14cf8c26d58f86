//! [`LoginMonitor`] waits for the end of the client's login: the login expires, or the host ends
//! it.

use std::sync::Arc;
use std::time::Duration;

use dm_core::{DisconnectReason, Timestamp};
use futures_util::future::BoxFuture;

use super::close::Close;
use super::heartbeat::{Timer, timer};
use crate::api::Api;
use crate::login::{LoginExpiry, LoginExtensions, LoginWatch};

/// The expiry and the watch of the client's login. The host may give one, both or none.
pub(super) struct LoginMonitor {
    api: Arc<Api>,
    expiry: Option<Expiry>,
    watched: Option<WatchState>,
}

struct Expiry {
    at: LoginExpiry,
    /// Resolves at `at`, or earlier if the wall clock is set back while the timer runs.
    timer: Timer,
}

/// The host's watch of the login, and its running calls.
struct WatchState {
    watch: LoginWatch,
    /// The running call of [`Login::ended`](crate::Login::ended).
    ended: BoxFuture<'static, DisconnectReason>,
    /// The running call of [`Login::check`](crate::Login::check); `None` after it has returned
    /// `Ok`.
    check: Option<BoxFuture<'static, Result<(), DisconnectReason>>>,
    /// The time at which the last check started.
    checked_at: Timestamp,
}

impl LoginMonitor {
    pub(super) fn new(api: &Arc<Api>, login: LoginExtensions) -> Self {
        let expiry = login.expiry.map(|at| Expiry { at, timer: timer_until(api, at) });
        let watched = login.watch.map(|watch| WatchState {
            ended: ended(&watch),
            check: Some(check(&watch)),
            checked_at: api.service.clock().now(),
            watch,
        });
        Self { api: Arc::clone(api), expiry, watched }
    }

    /// Resolves when the login has ended, with the reason to close. Cancel safe.
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
            // The wall clock was set back while the timer ran, so the timer resolved too early.
            expiry.timer = timer_until(&self.api, expiry.at);
        }
    }

    /// Starts another check of the login, unless a check is running or the last check started less
    /// than [`Options::ping_interval`](crate::Options::ping_interval) ago. The connection calls
    /// this method at each ping. Pings can follow each other faster than that interval, and a check
    /// may cost the host a look-up in a database.
    pub(super) fn check_if_due(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        let now = self.api.service.clock().now();
        // After the wall clock was set back, the time of the last check may be in the future. A
        // check is then due at once.
        let due = now >= watched.checked_at.after(self.api.options.ping_interval) || now < watched.checked_at;
        if due && watched.check.is_none() {
            watched.check = Some(check(&watched.watch));
            watched.checked_at = now;
        }
    }
}

impl WatchState {
    /// Resolves when the host ends the login: when `ended` resolves, or when a check returns an
    /// error.
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

fn ended(LoginWatch(login): &LoginWatch) -> BoxFuture<'static, DisconnectReason> {
    let login = Arc::clone(login);
    Box::pin(async move { login.ended().await })
}

fn check(LoginWatch(login): &LoginWatch) -> BoxFuture<'static, Result<(), DisconnectReason>> {
    let login = Arc::clone(login);
    Box::pin(async move { login.check().await })
}

/// Resolves with the result of the running check. Never resolves if no check runs.
async fn check_result(
    check: &mut Option<BoxFuture<'static, Result<(), DisconnectReason>>>,
) -> Result<(), DisconnectReason> {
    match check {
        Some(check) => check.await,
        None => std::future::pending().await,
    }
}

/// Resolves when the host ends the login. Never resolves if the host gave no watch.
async fn ended_early(watched: &mut Option<WatchState>) -> DisconnectReason {
    match watched {
        Some(watched) => watched.ended_early().await,
        None => std::future::pending().await,
    }
}

/// Resolves when the timer of the expiry does. Never resolves if the login has no expiry.
async fn expired(expiry: &mut Option<Expiry>) {
    match expiry {
        Some(expiry) => (&mut expiry.timer).await,
        None => std::future::pending().await,
    }
}

/// A timer that resolves at `at`, unless the wall clock is set while the timer runs.
fn timer_until(api: &Arc<Api>, LoginExpiry(at): LoginExpiry) -> Timer {
    let span = at.as_millis().saturating_sub(api.service.clock().now().as_millis());
    timer(api, Duration::from_millis(span))
}
