//! Connections: how many there may be, how long they may dawdle, and how they end.
//!
//! `limits` says what they may take, `addresses` counts them for each address, `connection` is the
//! socket that closes when its peer reads nothing.

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
use connection::{Connection, Place};
pub use limits::{Limits, raise_descriptors};

/// How often it is said at most that an address has all its connections.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// Serves until `stop` resolves, then takes no more connections and waits for those there are,
/// bounded.
///
/// As `axum::serve`, with the limits that it leaves out. A request that is being answered when it
/// stops is answered; a WebSocket has to be ended by whoever serves it, and is waited for.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(usize::MAX)));
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
            let Ok(of_all) = Arc::clone(&places).acquire_owned().await else { return };
            let (stream, peer) = accepted(&listener).await;
            let Some(of_address) = addresses.take(peer.ip()) else {
                // Closed unanswered, like everything that has no room: an answer would be work for
                // the asking.
                metrics::counter!("chat_connections_refused_total", "listener" => limits.listener)
                    .increment(1);
                if warned.is_none_or(|at| at.elapsed() >= BETWEEN_WARNINGS) {
                    warned = Some(Instant::now());
                    tracing::warn!(
                        listener = limits.listener,
                        most = limits.connections_per_address,
                        "an address has all its connections; behind a proxy see --connections-per-address"
                    );
                }
                continue;
            };
            let place = Place::new(limits.listener, of_all, of_address);
            let io = TokioIo::new(Connection::new(stream, place, limits.write_stall));
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
    // The places tell when all sockets are closed; those that were upgraded left hyper long ago.
    if tokio::time::timeout(limits.drain, places.acquire_many(limits.connections)).await.is_err() {
        tracing::warn!("connections are left that did not end in time; they end with the process");
    }
}

/// The next connection, and from where. Out of file descriptors, say, it tries again in a while:
/// others will close.
async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A message is small and wants to go out now.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "the connection stays with Nagle's algorithm");
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
