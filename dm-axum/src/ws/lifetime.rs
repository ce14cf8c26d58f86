//! The end of the client's session with the host: it expires, or the host ends it.

use std::sync::Arc;
use std::time::Duration;

use dm_core::{DisconnectReason, Timestamp};
use futures_util::future::BoxFuture;

use super::close::Close;
use super::heartbeat::{Timer, timer};
use crate::SessionExpiry;
use crate::api::Api;
use crate::session::{SessionWatch, Terms};

/// The client's session with the host: its expiry and its watch, if the host gave any.
pub(super) struct Lifetime {
    api: Arc<Api>,
    expiry: Option<Expiry>,
    watched: Option<Watched>,
}

struct Expiry {
    at: SessionExpiry,
    timer: Timer,
}

struct Watched {
    watch: SessionWatch,
    ended: BoxFuture<'static, DisconnectReason>,
    /// The check that the host has not answered yet.
    check: Option<BoxFuture<'static, Result<(), DisconnectReason>>>,
    /// The time at which the last check began.
    checked_at: Timestamp,
}

impl Lifetime {
    pub(super) fn new(api: &Arc<Api>, terms: Terms) -> Self {
        let expiry = terms.expiry.map(|at| Expiry { at, timer: until(api, at) });
        let watched = terms.watch.map(|watch| Watched {
            ended: ended(&watch),
            check: Some(check(&watch)),
            checked_at: api.service.clock().now(),
            watch,
        });
        Self { api: Arc::clone(api), expiry, watched }
    }

    /// Resolves when the session is over. Cancel safe.
    pub(super) async fn over(&mut self) -> Close {
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
            // The wall clock was set back.
            expiry.timer = until(&self.api, expiry.at);
        }
    }

    /// Asks the host again with a ping, at most once per
    /// [`Options::ping_interval`](crate::Options::ping_interval) and not before it has answered.
    pub(super) fn beat(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        let now = self.api.service.clock().now();
        // A clock that was set back makes a check due as well.
        let due = now >= watched.checked_at.after(self.api.options.ping_interval) || now < watched.checked_at;
        if due && watched.check.is_none() {
            watched.check = Some(check(&watched.watch));
            watched.checked_at = now;
        }
    }
}

impl Watched {
    /// Resolves when the host says that the session is over, by itself or in answer to a check.
    async fn over(&mut self) -> DisconnectReason {
        loop {
            tokio::select! {
                biased;
                reason = &mut self.ended => return reason,
                checked = answer(&mut self.check) => {
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

async fn answer(
    check: &mut Option<BoxFuture<'static, Result<(), DisconnectReason>>>,
) -> Result<(), DisconnectReason> {
    match check {
        Some(check) => check.await,
        None => std::future::pending().await,
    }
}

async fn ended_early(watched: &mut Option<Watched>) -> DisconnectReason {
    match watched {
        Some(watched) => watched.over().await,
        None => std::future::pending().await,
    }
}

async fn expired(expiry: &mut Option<Expiry>) {
    match expiry {
        Some(expiry) => (&mut expiry.timer).await,
        None => std::future::pending().await,
    }
}

fn until(api: &Arc<Api>, SessionExpiry(at): SessionExpiry) -> Timer {
    let left = at.as_millis().saturating_sub(api.service.clock().now().as_millis());
    timer(api, Duration::from_millis(left))
}
