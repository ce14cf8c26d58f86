//! The shared state of the host's handlers.

use std::sync::Arc;

use dm_core::{Service, Timestamp};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::accounts::{Accounts, AccountsHealth};
use crate::logins::Logins;
use crate::statement::Statements;

/// The host's own parts, and the direct-message service. Clones share the same data.
#[derive(Clone, Debug)]
pub struct Host {
    /// The direct-message service.
    pub dm: Service,
    /// The accounts. They are also the service's directory.
    pub accounts: Accounts,
    /// Whether the accounts are available, for the health check.
    pub accounts_health: AccountsHealth,
    /// The statements that a sign-in may sign.
    pub statements: Arc<Statements>,
    /// The logins whose WebSockets are open, to close these WebSockets at a sign-out.
    pub logins: Logins,
    /// The recorder that renders the metrics.
    pub metrics: PrometheusHandle,
    /// The kind of store, as `GET /api/info` names it.
    pub store: &'static str,
}

impl Host {
    /// The time of the service's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.dm.clock().now()
    }
}
