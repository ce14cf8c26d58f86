//! [`connect`]: makes the connection to the servers, and keeps its last error.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::rustls::crypto::ring;
use async_nats::rustls::pki_types::pem::PemObject as _;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::rustls::{self, ClientConfig, RootCertStore};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use dm_core::Invalid;
use tokio::sync::Notify;

use crate::config::{NatsAuth, NatsServers, NatsTls};
use crate::error::NatsError;

/// The maximum number of commands, such as to publish a frame, that wait in the client for the
/// connection. More frames wait in the publish queue.
const CLIENT_CAPACITY: usize = 512;
/// The maximum number of messages that wait in one subscription. A message is handled at once, so
/// messages wait only while the runtime is busy.
const SUBSCRIPTION_CAPACITY: usize = 256;

/// Receives the events of the connection, and keeps its last error.
#[derive(Debug, Default)]
pub(crate) struct ConnectionEvents {
    /// Notified each time the servers are reached.
    pub(crate) connected: Notify,
    /// The last error since the servers were last reached. Nothing panics while this is locked, so
    /// the text is complete even if the lock is poisoned.
    last_error: Mutex<Option<String>>,
}

impl ConnectionEvents {
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs and keeps an error of the connection, without the subjects in its text.
    fn record_error(&self, error: &str) {
        // The text from the first quotation mark on has a subject, which holds a user's id.
        let error = error.split('"').next().unwrap_or_default().trim_end();
        let error = error.strip_prefix("nats: ").unwrap_or(error);
        // Every attempt to connect reports the error again, and later reports have less detail. So
        // an error is not new if the known error begins with its text.
        if !self.last_error().is_some_and(|known| known.starts_with(error)) {
            tracing::warn!(error, "error of the connection to NATS");
            self.set_last_error(Some(error.to_owned()));
        }
    }

    /// Handles an event of the client.
    fn handle(&self, event: &Event) {
        match event {
            Event::Connected => {
                tracing::info!("connected to NATS");
                self.set_last_error(None);
                self.connected.notify_one();
            }
            Event::Disconnected => tracing::warn!("the connection to NATS is lost"),
            Event::SlowConsumer(_) => {
                metrics::counter!("dm_nats_slow_consumers_total").increment(1);
            }
            Event::ServerError(error) => self.record_error(&error.to_string()),
            Event::ClientError(error) => self.record_error(&error.to_string()),
            Event::LameDuckMode | Event::Draining | Event::Closed => {}
        }
    }

    fn set_last_error(&self, error: Option<String>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// Connects to the servers. After a transient error, the client continues to try in the background.
///
/// # Errors
/// Permanent errors: see [`NatsError`].
pub(crate) async fn connect(
    servers: &NatsServers,
    prefix: &str,
    events: &Arc<ConnectionEvents>,
) -> Result<Client, NatsError> {
    servers.validate()?;
    let addresses = addresses(servers)?;
    let options = options(servers, prefix, events).await?;
    match options.clone().connect(&addresses).await {
        Ok(client) => return Ok(client),
        Err(error) => {
            let error = permanent_or_transient(error)?;
            events.record_error(&error.to_string());
        }
    }
    let client = options.retry_on_initial_connect().connect(&addresses).await;
    // With this option `connect` returns at once. It cannot fail, because the addresses are valid.
    client.map_err(NatsError::Refused)
}

/// Parses the addresses of the servers.
fn addresses(servers: &NatsServers) -> Result<Vec<ServerAddr>, Invalid> {
    let parse = |address: &String| {
        let parsed: Option<ServerAddr> = address.parse().ok();
        parsed
            .filter(|address| !address.host().is_empty() && matches!(address.scheme(), "nats" | "tls"))
            .ok_or(Invalid::new("addresses", "not the address of a NATS server"))
    };
    servers.addresses.iter().map(parse).collect()
}

async fn options(
    servers: &NatsServers,
    prefix: &str,
    events: &Arc<ConnectionEvents>,
) -> Result<ConnectOptions, NatsError> {
    let tls = servers.tls.clone();
    // Reading the files blocks.
    let tls_config = tokio::task::spawn_blocking(move || tls_config(tls.as_ref()));
    let tls_config =
        tls_config.await.map_err(|error| NatsError::Tls(error.into()))?.map_err(NatsError::Tls)?;
    let events = Arc::clone(events);
    let options = ConnectOptions::new()
        .name(&servers.name)
        .custom_inbox_prefix(format!("{prefix}.inbox"))
        .connection_timeout(servers.connect_timeout)
        .ping_interval(servers.ping_interval)
        .client_capacity(CLIENT_CAPACITY)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .require_tls(servers.tls.is_some())
        .tls_client_config(tls_config)
        .event_callback(move |event| {
            events.handle(&event);
            std::future::ready(())
        });
    Ok(match &servers.auth {
        NatsAuth::NoCredentials => options,
        NatsAuth::Password { user, password } => options.user_and_password(user.clone(), password.clone()),
        NatsAuth::Token(token) => options.token(token.clone()),
        #[cfg(feature = "nkeys")]
        NatsAuth::Nkey(seed) => options.nkey(seed.clone()),
        #[cfg(feature = "nkeys")]
        NatsAuth::Credentials(file) => {
            options.credentials_file(file).await.map_err(NatsError::Credentials)?
        }
    })
}

/// The client's TLS configuration. It names the crypto provider, because a program with two
/// providers has no default one, and asking for the default would panic.
fn tls_config(tls: Option<&NatsTls>) -> Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    match tls {
        None => {}
        Some(NatsTls { authorities: Some(file), .. }) => {
            for certificate in certificates(file)? {
                roots.add(certificate)?;
            }
        }
        Some(NatsTls { authorities: None, .. }) => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(match tls.and_then(|tls| tls.certificate.as_ref()) {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_file(key)?;
            config.with_client_auth_cert(certificates(certificate)?, key)?
        }
    })
}

fn certificates(
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, Box<dyn std::error::Error + Send + Sync>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err("the file holds no certificate".into()) } else { Ok(certificates) }
}

/// Returns a permanent error as `Err`, and a transient error as `Ok`.
fn permanent_or_transient(error: ConnectError) -> Result<ConnectError, NatsError> {
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            Err(NatsError::Refused(error))
        }
        ConnectErrorKind::Tls => Err(NatsError::Tls(error.into())),
        ConnectErrorKind::Io if is_tls_error(&error) => Err(NatsError::Tls(error.into())),
        _ => Ok(error),
    }
}

/// Whether an error that is reported as a network error comes from TLS.
fn is_tls_error(error: &ConnectError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<rustls::Error>())
}
