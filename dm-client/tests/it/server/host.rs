//! [`Host`]: a host with the real API. Its token for a user is the user id.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use dm_client::{
    Client, Connection, ConnectionConfig, Content, Conversation, Event, Identity, KeyTrust, Message,
    NewMessage, PeerKey, Stored,
};
use dm_core::{Config, DeviceId, MemoryStore, Principal, Service, UserId};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Host {
    pub(crate) service: Service,
    pub(crate) store: MemoryStore,
    address: SocketAddr,
    running: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let store = MemoryStore::new();
        let service = Service::builder(store.clone()).config(config).start().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut host = Self { service, store, address, running: Mutex::default() };
        let listener = TcpListener::bind(host.address).await.unwrap();
        host.address = listener.local_addr().unwrap();
        host.serve(listener);
        host
    }

    /// Stops the server and breaks every connection. The server keeps its data.
    pub(crate) async fn stop(&self) {
        let (stop, task) = self.running.lock().unwrap().take().unwrap();
        drop(stop);
        task.await.unwrap();
    }

    /// Starts the server again at the same address.
    pub(crate) async fn restart(&self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    pub(crate) fn client(&self, who: &Identity, device: &str) -> Client {
        Client::builder(format!("http://{}", self.address))
            .token(who.user_id().to_string())
            .device(device.parse().unwrap())
            .build()
            .unwrap()
    }

    /// A client without a token.
    pub(crate) fn anonymous(&self) -> Client {
        Client::builder(format!("http://{}", self.address)).build().unwrap()
    }

    fn serve(&self, listener: TcpListener) {
        let options = dm_axum::Options::default();
        let router: Router =
            dm_axum::router(self.service.clone(), options).layer(axum::middleware::from_fn(authenticate));
        let (stop, mut stopped) = oneshot::channel::<()>();
        // The server has its own runtime, because the shutdown of a runtime ends every connection.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = listener.into_std().unwrap();
        let task = tokio::spawn(async move {
            runtime.spawn(async move {
                axum::serve(TcpListener::from_std(listener).unwrap(), router).await.unwrap();
            });
            assert!((&mut stopped).await.is_err(), "the sender is dropped and sends nothing");
            // The shutdown waits until the listener is closed, so that `restart` can use the
            // address.
            let end = move || runtime.shutdown_timeout(std::time::Duration::from_secs(30));
            tokio::task::spawn_blocking(end).await.unwrap();
        });
        *self.running.lock().unwrap() = Some((stop, task));
    }
}

async fn authenticate(mut request: Request, next: Next) -> Response {
    if let Some(caller) = caller(&request) {
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

fn caller(request: &Request) -> Option<Principal> {
    let header = |name: &str| Some(request.headers().get(name)?.to_str().unwrap());
    let user: UserId = header("authorization")?.strip_prefix("Bearer ")?.parse().ok()?;
    let device = header("dm-device").or_else(|| {
        let query = request.uri().query()?;
        query.split('&').find_map(|pair| pair.strip_prefix("device="))
    });
    let device = device.map_or_else(DeviceId::default, |device| device.parse().unwrap());
    Some(Principal::new(user, device))
}

/// Two users with a conversation.
pub(crate) struct Pair {
    pub(crate) host: Host,
    pub(crate) ana: Arc<Identity>,
    pub(crate) ben: Arc<Identity>,
    pub(crate) conversation: Conversation,
}

impl Pair {
    pub(crate) async fn on(host: Host) -> Self {
        let [ana, ben] = [1, 2].map(|seed| Arc::new(Identity::from_seed(&[seed; 32])));
        host.client(&ben, "phone").publish_key(&ben.agreement_key()).await.unwrap();
        let client = host.client(&ana, "laptop");
        client.publish_key(&ana.agreement_key()).await.unwrap();
        let conversation = client.open_conversation(&ben.user_id()).await.unwrap();
        Self { host, ana, ben, conversation }
    }

    pub(crate) async fn start() -> Self {
        Self::on(Host::start().await).await
    }

    /// Sends a message from Ana's laptop to Ben.
    pub(crate) async fn send(&self, text: &str) -> Stored {
        let client = self.host.client(&self.ana, "laptop");
        let key = PeerKey::derived(self.ben.user_id());
        let message = NewMessage::new(self.conversation.id, key, text.as_bytes());
        client.send(&self.ana, &message, KeyTrust::Derived).await.unwrap()
    }

    /// Connects a device of Ben's.
    pub(crate) fn connect_ben(&self, device: &str) -> Connection {
        self.host.client(&self.ben, device).connect(ConnectionConfig::default())
    }
}

/// The next message and its receipt. Other deliveries are acknowledged and skipped.
pub(crate) async fn next_message(connection: &mut Connection) -> (Message, dm_client::Receipt) {
    loop {
        let Some(Event::Delivery(delivery)) = connection.next().await else { continue };
        match delivery.into_parts() {
            (Content::Message(message), receipt) => return (*message, receipt),
            (_, receipt) => receipt.acknowledge(),
        }
    }
}
