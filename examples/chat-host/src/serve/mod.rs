//! Serving connections: limits on their number and on slow peers, and the shutdown.
//!
//! - `limits`: the limits. `addresses`: the number of connections per address.
//! - `connection`: the TCP connection that fails when its peer reads nothing.

mod addresses;
mod connection;
mod limits;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use addresses::Addresses;
use connection::{Connection, ConnectionPermit};
pub use limits::{Limits, raise_descriptors};

/// Minimum time between two warnings that an address has reached its limit.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Serves `app` until `stop` resolves. Then it accepts no more connections, and waits for at most
/// [`Limits::drain`] until the open connections have ended.
///
/// This function is `axum::serve` with limits. A request that is being answered at the stop is
/// completed. The handler of a WebSocket must end it.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(usize::MAX)));
    metrics::gauge!("chat_connections_limit", "listener" => limits.listener)
        .set(f64::from(limits.connections));
    let stopping = watch::Sender::new(());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_read).max_buf_size(limits.header_bytes);
    let addresses = Addresses::new(limits.connections_per_address);
    let mut warned: Option<Instant> = None;
    tracing::info!(
        listener = limits.listener,
        connections = limits.connections,
        per_address = limits.connections_per_address,
        "serving"
    );

    let accept = async {
        loop {
            let Ok(total) = Arc::clone(&permits).acquire_owned().await else { return };
            let (stream, peer) = accept_next(&listener).await;
            let Some(address) = addresses.acquire(peer.ip()) else {
                // The connection is closed without an answer, so that a client over its limit
                // causes no work.
                metrics::counter!("chat_connections_refused_total", "listener" => limits.listener)
                    .increment(1);
                if warned.is_none_or(|at| at.elapsed() >= WARNING_INTERVAL) {
                    warned = Some(Instant::now());
                    tracing::warn!(
                        listener = limits.listener,
                        limit = limits.connections_per_address,
                        "an address has reached its limit of connections; behind a proxy, set --connections-per-address"
                    );
                }
                continue;
            };
            let permit = ConnectionPermit::new(limits.listener, total, address);
            let io = TokioIo::new(Connection::new(stream, permit, limits.write_stall));
            let connection = http.serve_connection(io, TowerToHyperService::new(app.clone())).with_upgrades();
            let mut stopping = stopping.subscribe();
            tokio::spawn(async move {
                let mut connection = pin!(connection);
                let ended = tokio::select! {
                    ended = &mut connection => ended,
                    _ = stopping.changed() => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = stop => {}
    }
    drop(listener);
    stopping.send_replace(());
    // All permits are free once all connections are closed, including the upgraded ones, which
    // hyper no longer tracks.
    if tokio::time::timeout(limits.drain, permits.acquire_many(limits.connections)).await.is_err() {
        tracing::warn!("some connections did not end in time; they end with the process");
    }
}

/// The next connection and its peer address. After an error, such as a lack of file descriptors,
/// the function waits 100 ms and tries again.
async fn accept_next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Messages are small and are sent without delay.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot turn off Nagle's algorithm");
                }
                return (stream, peer);
            }
            Err(error) => {
                metrics::counter!("chat_accept_failures_total").increment(1);
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
