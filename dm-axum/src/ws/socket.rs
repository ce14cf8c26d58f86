//! [`Socket`]: reads and writes one WebSocket, within limits of size and time.

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

/// Size of the read buffer in bytes. Every connection holds such a buffer, also an idle one, so it
/// is small. A larger frame gets its own buffer. A buffer of 4 KiB would make a client that sends
/// many small frames at once only 2 % faster.
const READ_BUFFER: usize = 1_024;
/// Number of bytes at which the frames in the write buffer are written to the TCP connection. Many
/// small frames then share a packet.
const WRITE_BUFFER: usize = 4_096;
/// Minimum of [`write_buffer_limit`] in bytes. It is enough for one frame of the default maximum
/// size (256 KiB) and many small frames.
const MIN_WRITE_BUFFER_LIMIT: usize = 1024 * 1024;
/// Maximum number of frames that are read and dropped while the server waits for the client's
/// closing frame. It limits the work for a client that sends frames without end.
const MAX_READS_BEFORE_CLOSE: usize = 1_000;

/// One WebSocket. Each write and the close are limited to
/// [`Options::patience`](crate::Options::patience).
pub(super) struct Socket {
    api: Arc<Api>,
    inner: WebSocket,
    /// The page that is being written, with its permits of the budget. After a failed write it
    /// stays here until the socket is dropped, because its bytes are in the write buffer until
    /// then.
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

/// Sets every limit of the WebSocket library. Without these settings, the library would accept
/// messages of 64 MiB, and its write buffer would have no limit.
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

/// Maximum number of bytes in the write buffer. The buffer must have space for the largest frame,
/// of `largest` bytes, and for 64 KiB of other frames.
fn write_buffer_limit(largest: usize) -> usize {
    MIN_WRITE_BUFFER_LIMIT.max(largest.saturating_add(64 * 1024))
}

impl Socket {
    pub(super) const fn new(api: Arc<Api>, inner: WebSocket) -> Self {
        Self { api, inner, writing: None }
    }

    /// Reads the next frame. Fails if the connection has to end. Cancel safe: if the future is
    /// dropped, the next call continues with the same frame.
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

    /// As [`write`](Self::write), for a page. Then returns the page's permits to the budget.
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

    /// Sends the closing frame, and waits for the client's closing frame. Without the wait, unread
    /// bytes in the receive buffers would make the system reset the TCP connection, and the client
    /// might not get the closing frame.
    pub(super) async fn close(mut self, close: Close) {
        let (api, inner) = (&self.api, &mut self.inner);
        if let Close::Unresponsive(_) = close {
            // The client did not answer within `patience`. Another wait would only hold the memory
            // of the connection for longer.
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
        // The result does not matter, because the socket is dropped now.
        let _result = with_patience(api, handshake).await;
    }
}

/// Runs work that waits for the client. Fails after
/// [`Options::patience`](crate::Options::patience).
async fn with_patience(api: &Api, io: impl Future<Output = Result<(), Close>>) -> Result<(), Close> {
    let mut io = pin!(io);
    // The socket usually takes all bytes at once. Then no timer is made.
    if let Some(done) = io.as_mut().now_or_never() {
        return done;
    }
    tokio::select! {
        biased;
        done = io => done,
        () = api.service.clock().sleep(api.options.patience) => Err(Close::Unresponsive("the client reads too slowly")),
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
        // axum may use another version of the WebSocket library than this crate. Its error type is
        // then unknown here. An unknown error does not mean that the client is gone.
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
