//! Reads and writes one WebSocket, within limits of size and time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use dm_proto::{Envelope, prost::Message as _};
use futures_util::{FutureExt as _, SinkExt as _};
use tungstenite::Error as WsError;

use super::close::Close;
use crate::answers::TakenFrame;
use crate::api::Api;

/// Size of the read buffer in bytes. Every idle connection holds one. A larger frame gets its own
/// buffer. With a buffer four times as large, a client that sends many small frames at once is 2 %
/// faster.
const READ_BUFFER: usize = 1_024;
/// Size in bytes at which collected frames are written. Many small frames then do not become as
/// many small packets.
const WRITE_BUFFER: usize = 4_096;
/// Lower bound of [`write_buffer_limit`] in bytes. It is enough for one frame of the default
/// maximum size together with small frames.
const MIN_WRITE_BUFFER_LIMIT: usize = 1024 * 1024;
/// Maximum number of frames that are read and dropped while waiting for the client's closing frame.
const MAX_READS_BEFORE_CLOSE: usize = 1_000;

/// One WebSocket.
pub(super) struct Socket {
    api: Arc<Api>,
    inner: WebSocket,
    /// The answer that is being written, with its permits. After a failed write it is kept until
    /// the socket closes, because its bytes stay in memory until then.
    writing: Option<TakenFrame>,
}

/// A frame that the client sent.
pub(super) enum Received {
    /// The content of a binary frame.
    Frame(Bytes),
    Ping,
    /// The payload of a pong.
    Pong(Bytes),
}

/// Sets every limit of the WebSocket library. By default the library accepts messages of 64 MiB,
/// and its write buffer has no limit.
pub(super) fn with_limits(api: &Api, upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    let largest = api.options.max_message.max(api.service.config().max_payload);
    upgrade
        .max_message_size(api.options.max_message)
        .max_frame_size(api.options.max_message)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(write_buffer_limit(largest))
        .accept_unmasked_frames(false)
}

/// Maximum number of bytes that wait to be written, if the largest frame has `largest` bytes.
fn write_buffer_limit(largest: usize) -> usize {
    MIN_WRITE_BUFFER_LIMIT.max(largest.saturating_add(64 * 1024))
}

impl Socket {
    pub(super) const fn new(api: Arc<Api>, inner: WebSocket) -> Self {
        Self { api, inner, writing: None }
    }

    /// Reads the next frame. Cancel safe: a dropped call loses no bytes of a frame.
    pub(super) async fn read(&mut self) -> Result<Received, Close> {
        match self.inner.recv().await {
            Some(Ok(Message::Binary(frame))) => Ok(Received::Frame(frame)),
            Some(Ok(Message::Ping(_))) => Ok(Received::Ping),
            Some(Ok(Message::Pong(payload))) => Ok(Received::Pong(payload)),
            Some(Ok(Message::Text(_))) => Err(Close::Policy("a text frame")),
            Some(Ok(Message::Close(_))) | None => Err(Close::Gone),
            Some(Err(error)) => Err(read_failure(&error)),
        }
    }

    /// Writes frames. Fails if the client takes longer than
    /// [`Options::patience`](crate::Options::patience) to read them.
    pub(super) async fn write(&mut self, envelopes: Vec<Envelope>) -> Result<(), Close> {
        self.write_frames(envelopes.into_iter().map(|envelope| envelope.encode_to_vec().into())).await
    }

    /// Writes an answer in the same way, and then returns its permits to the budget.
    pub(super) async fn write_taken(&mut self, taken: TakenFrame) -> Result<(), Close> {
        let frame = taken.frame.clone();
        self.writing = Some(taken);
        self.write_frames(std::iter::once(frame)).await
    }

    async fn write_frames(&mut self, frames: impl Iterator<Item = Bytes>) -> Result<(), Close> {
        let (api, inner) = (&self.api, &mut self.inner);
        let io = async move {
            for frame in frames {
                inner.feed(Message::Binary(frame)).await.map_err(|_| Close::Gone)?;
            }
            inner.flush().await.map_err(|_| Close::Gone)
        };
        with_patience(api, io).await?;
        self.writing = None;
        Ok(())
    }

    pub(super) async fn ping(&mut self, payload: Bytes) -> Result<(), Close> {
        let (api, inner) = (&self.api, &mut self.inner);
        with_patience(api, async move { inner.send(Message::Ping(payload)).await.map_err(|_| Close::Gone) })
            .await
    }

    /// Sends the closing frame and waits for the client's closing frame. If the socket closed at
    /// once, unread bytes in the receive buffers would reset the connection, and the client might
    /// not read the reason.
    pub(super) async fn close(mut self, close: Close) {
        let (api, inner) = (&self.api, &mut self.inner);
        if let Close::Unresponsive(_) = close {
            // The client did not answer within `patience`. Another wait would only keep the memory
            // of the connection.
            let _sent = inner.send(Message::Close(Some(close_frame(close)))).now_or_never();
            return;
        }
        let handshake = async move {
            if close != Close::Gone && inner.send(Message::Close(Some(close_frame(close)))).await.is_err() {
                return Ok(());
            }
            for _ in 0..MAX_READS_BEFORE_CLOSE {
                if !matches!(inner.recv().await, Some(Ok(_))) {
                    break;
                }
            }
            Ok(())
        };
        // The socket is dropped in any case.
        let _result = with_patience(api, handshake).await;
    }
}

/// Runs work that waits for the client. Fails after
/// [`Options::patience`](crate::Options::patience).
async fn with_patience(api: &Api, io: impl Future<Output = Result<(), Close>>) -> Result<(), Close> {
    let mut io = pin!(io);
    // The socket mostly takes everything at once, and no timer is needed.
    if let Some(done) = io.as_mut().now_or_never() {
        return done;
    }
    tokio::select! {
        biased;
        done = io => done,
        () = api.service.clock().sleep(api.options.patience) => Err(Close::Unresponsive("too slow a reader")),
    }
}

fn close_frame(close: Close) -> CloseFrame {
    CloseFrame { code: close.code(), reason: close.reason().into() }
}

/// The reason to close after a read failed.
fn read_failure(error: &axum::Error) -> Close {
    match std::error::Error::source(error).and_then(|source| source.downcast_ref()) {
        Some(WsError::Capacity(_)) => Close::TooLarge,
        Some(WsError::Utf8(_)) => Close::Policy("a text frame"),
        Some(WsError::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
            Close::Gone
        }
        Some(WsError::Io(_) | WsError::ConnectionClosed | WsError::AlreadyClosed) => Close::Gone,
        // This also covers an error type of another version of the library than this crate uses.
        // An unknown error does not mean that the client is gone.
        _ => Close::Policy("not WebSocket frames"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: impl Into<axum::BoxError>) -> Close {
        read_failure(&axum::Error::new(error))
    }

    #[test]
    fn an_unknown_error_type_does_not_mean_that_the_client_is_gone() {
        assert_eq!(failure("an error of another version"), Close::Policy("not WebSocket frames"));
        assert_eq!(failure(WsError::ConnectionClosed), Close::Gone);
        assert_eq!(failure(WsError::Io(std::io::ErrorKind::ConnectionReset.into())), Close::Gone);
    }
}
