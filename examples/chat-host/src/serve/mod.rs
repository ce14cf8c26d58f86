//! Connections: how many there may be, how long they may dawdle, and how they end.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// What connections may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once, WebSockets included; further ones wait in the system's queue. Default 16,384.
    pub connections: u32,
    /// How long a client may take to send a request's headers, and to begin with the next one. Default 15 s.
    pub header_read: Duration,
    /// How long connections may take to end once the server stops. Default 5 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 16_384, header_read: Duration::from_secs(15), drain: Duration::from_secs(5) }
    }
}

impl Limits {
    /// For an address that only whoever watches the host reaches: 64 connections.
    #[must_use]
    pub fn for_metrics() -> Self {
        Self { connections: 64, ..Self::default() }
    }
}

/// Serves until `stop` resolves, then takes no more connections and waits for those there are, bounded.
///
/// As `axum::serve`, with the limits that it leaves out. A request that is being answered when it stops is answered;
/// a WebSocket has to be ended by whoever serves it, and is waited for.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(usize::MAX)));
    let stopping = watch::Sender::new(());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_read);

    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let stream = accepted(&listener).await;
            let io = TokioIo::new(Connection { stream, _place: place });
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

/// The next connection. Out of file descriptors, say, it tries again in a while: others will close.
async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // A message is small and wants to go out now.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "the connection stays with Nagle's algorithm");
                }
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A socket that holds its place among the connections until it is closed, also after an upgrade.
struct Connection {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
