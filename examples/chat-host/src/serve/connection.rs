//! A TCP connection that fails when its peer reads nothing.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use super::addresses::AddressPermit;

/// A TCP connection with its permit. The connection holds the permit until it is closed, also after
/// an upgrade to a WebSocket.
pub(super) struct Connection {
    stream: TcpStream,
    write_stall: Duration,
    /// The timer of a pending write.
    stalled: Option<Pin<Box<Sleep>>>,
    _permit: ConnectionPermit,
}

/// The permits for one connection: one of the total limit, and one of the limit of its address.
pub(super) struct ConnectionPermit {
    listener: &'static str,
    _total: OwnedSemaphorePermit,
    _address: AddressPermit,
}

impl ConnectionPermit {
    pub(super) fn new(listener: &'static str, total: OwnedSemaphorePermit, address: AddressPermit) -> Self {
        metrics::gauge!("chat_connections", "listener" => listener).increment(1);
        Self { listener, _total: total, _address: address }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        metrics::gauge!("chat_connections", "listener" => self.listener).decrement(1);
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream, permit: ConnectionPermit, write_stall: Duration) -> Self {
        Self { stream, write_stall, stalled: None, _permit: permit }
    }

    /// Returns the result of a write, or an error if writes have been pending for `write_stall`.
    /// The timer wakes the writing task, so no other task has to watch the connection.
    fn unless_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let write_stall = self.write_stall;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(write_stall)));
        ready!(timer.as_mut().poll(cx));
        metrics::counter!("chat_connections_stalled_total").increment(1);
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the peer reads nothing")))
    }
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
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.unless_stalled(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP socket has nothing to flush.
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
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
