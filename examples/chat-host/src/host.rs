//! What the host's handlers share.

use std::sync::Arc;

use dm_core::{Service, Timestamp};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::accounts::{Accounts, Answering};
use crate::sessions::Sessions;
use crate::statement::Statements;

/// The host's own parts and the direct-message service beside them. Clones share them.
#[derive(Clone, Debug)]
pub struct Host {
    /// The direct-message service.
    pub dm: Service,
    /// The accounts; also the service's directory.
    pub accounts: Accounts,
    /// Whether they answer, for the health check.
    pub answering: Answering,
    /// What a sign-in may sign.
    pub statements: Arc<Statements>,
    /// The tokens that WebSockets rest on.
    pub sessions: Sessions,
    /// What renders the metrics.
    pub metrics: PrometheusHandle,
    /// What `GET /api/info` calls the store.
    pub store: &'static str,
}

impl Host {
    /// The time, by the service's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.dm.clock().now()
    }
}
