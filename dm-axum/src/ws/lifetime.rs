//! For how long the session behind a connection holds.

use std::sync::Arc;
use std::time::Duration;

use dm_core::{DisconnectReason, Timestamp};
use futures_util::future::BoxFuture;

use super::close::Close;
use super::heartbeat::{Timer, timer};
use crate::SessionExpiry;
use crate::api::Api;
use crate::session::{SessionWatch, Terms};

/// What can end a connection's session: its time, and the host's word.
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
    /// The check that the host is at.
    check: Option<BoxFuture<'static, Result<(), DisconnectReason>>>,
    /// When the last check began.
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
            // The wall clock was set back meanwhile.
            expiry.timer = until(&self.api, expiry.at);
        }
    }

    /// A ping is sent: the host is asked again, unless it was lately or has not answered yet.
    pub(super) fn beat(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        let now = self.api.service.clock().now();
        // A clock that was set back makes it due as well.
        let due = now >= watched.checked_at.after(self.api.options.ping_interval) || now < watched.checked_at;
        if due && watched.check.is_none() {
            watched.check = Some(check(&watched.watch));
            watched.checked_at = now;
        }
    }
}

impl Watched {
    /// Resolves when the host says that the session is over, by itself or when it is asked.
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
