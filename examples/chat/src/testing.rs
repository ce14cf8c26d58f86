//! A real host on loopback, for the tests.

use std::sync::Arc;

use chat_host::accounts::{Accounts, AccountsHealth};
use chat_host::host::Host;
use chat_host::logins::Logins;
use chat_host::origin::Origins;
use chat_host::router;
use chat_host::statement::{LegacyStatements, Statements};
use dm_client::{Identity, OsEntropy, Timeouts, sign_in};
use dm_core::{MemoryStore, Service};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A host that stores messages in memory. It ends when this value is dropped.
pub(crate) struct TestHost {
    pub(crate) url: String,
    task: JoinHandle<()>,
    _accounts: tempfile::TempDir,
}

impl TestHost {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub(crate) async fn at(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(folder.path().join("accounts.db")).unwrap();
        let service = Service::builder(MemoryStore::new()).directory(accounts.clone());
        let dm = service.start().unwrap();
        let direct_messages = dm_axum::router(dm.clone(), dm_axum::Options::default());
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let origins = Origins::known(vec![], address).unwrap();
        let statements = Arc::new(Statements { origins, legacy: LegacyStatements::Refused });
        let logins = Logins::default();
        let accounts_health = AccountsHealth::monitor(accounts.clone());
        let host = Host { dm, accounts, accounts_health, statements, logins, metrics, store: "memory" };
        let app = router::router(host, direct_messages);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, task, _accounts: folder }
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn sign_in_works_at_an_ipv4_mapped_ipv6_address() {
    let host = TestHost::at("[::ffff:127.0.0.1]:0").await;
    let port = host.url.rsplit(':').next().unwrap().to_owned();
    for base in [host.url.clone(), format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}")] {
        let identity = Identity::generate(&mut OsEntropy).unwrap();
        sign_in::sign_in(&base, &identity, Some("ana"), None, Timeouts::default()).await.unwrap();
    }
}
