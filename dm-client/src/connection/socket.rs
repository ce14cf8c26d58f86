//! [`Socket`]: one open WebSocket.

use std::time::Duration;

use dm_proto::prost::Message as _;
use dm_proto::{Envelope, close};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, RETRY_AFTER};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::disconnect::Disconnect;
use super::state::{End, Lost};
use crate::error::Problem;
use crate::http::Http;

/// Maximum total size of the frames that are not sent yet, in bytes. A write that exceeds it fails.
/// The frames of a client are small, so this does not happen while the server reads.
const WRITE_BUFFER: usize = 1024 * 1024;

/// One open WebSocket.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// A received WebSocket message.
pub(super) enum Incoming {
    /// A binary frame.
    Envelope(Box<Envelope>),
    /// Any other message. It shows that the server is alive and has no other effect.
    Other,
}

impl Socket {
    /// Connects to the server, and upgrades the connection to a WebSocket.
    pub(super) async fn open(http: &Http, max_frame: usize) -> Result<Self, Disconnect> {
        let mut url = http.url(&["api", "dm", "ws"]);
        if let Some(device) = http.device() {
            url.query_pairs_mut().append_pair("device", device.as_str());
        }
        // The URL standard allows the changes from `http` to `ws` and from `https` to `wss`, so
        // this never fails.
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        let _changed = url.set_scheme(scheme);
        let mut request = url.as_str().into_client_request().map_err(|_| Lost::Protocol("address"))?;
        if let Some(authorization) = http.authorization() {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(max_frame))
            .max_frame_size(Some(max_frame))
            .max_write_buffer_size(WRITE_BUFFER);
        match connect_async_with_config(request, Some(config), true).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(http_refusal(&response)),
            Err(error) => Err(loss_reason(&error).into()),
        }
    }

    /// Receives the next message.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses no message.
    pub(super) async fn receive(&mut self) -> Result<Incoming, Disconnect> {
        match self.0.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                let envelope =
                    Envelope::decode(bytes).map_err(|_| Lost::Protocol("a frame does not decode"))?;
                Ok(Incoming::Envelope(Box::new(envelope)))
            }
            Some(Ok(Message::Close(frame))) => Err(close_reason(frame.as_ref())),
            // Text messages belong to the host. The WebSocket library answers pings itself.
            Some(Ok(_)) => Ok(Incoming::Other),
            Some(Err(error)) => Err(loss_reason(&error).into()),
            None => Err(Lost::Network.into()),
        }
    }

    pub(super) async fn send(&mut self, envelope: &Envelope) -> Result<(), Disconnect> {
        self.write(Message::Binary(envelope.encode_to_vec().into())).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), Disconnect> {
        self.write(Message::Ping(tungstenite::Bytes::new())).await
    }

    /// Sends a close frame and waits for the server's close frame.
    pub(super) async fn close(&mut self) {
        if self.0.close(None).await.is_ok() {
            while let Some(Ok(message)) = self.0.next().await
                && !message.is_close()
            {}
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), Disconnect> {
        self.0.send(message).await.map_err(|error| loss_reason(&error).into())
    }
}

/// Returns whether another attempt follows after an HTTP answer that refuses the WebSocket.
fn http_refusal(response: &Response<Option<Vec<u8>>>) -> Disconnect {
    let mut problem = Problem::with_status(response.status().as_u16());
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    problem.retry_after = retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    Disconnect::from_problem(problem)
}

/// Returns whether another attempt follows after the server's close frame.
fn close_reason(frame: Option<&CloseFrame>) -> Disconnect {
    let Some(frame) = frame else { return Lost::Network.into() };
    let problem = |status, detail: &str| {
        let mut problem = Problem::with_status(status);
        problem.detail = detail.to_owned();
        problem
    };
    match u16::from(frame.code) {
        close::TOKEN_EXPIRED | close::TOKEN_INVALID => Disconnect::Ended(End::Unauthorized),
        close::REFUSED => Disconnect::Ended(End::Refused(problem(403, &frame.reason))),
        close::REPLACED => Disconnect::Ended(End::Replaced),
        close::POLICY => Disconnect::Ended(End::Refused(problem(400, &frame.reason))),
        close::GOING_AWAY | close::RESTART | close::TRY_AGAIN_LATER => Lost::GoingAway.into(),
        _ => Lost::Network.into(),
    }
}

/// Returns the reason for the loss of a WebSocket, from an error of the WebSocket library.
fn loss_reason(error: &Error) -> Lost {
    match error {
        Error::Capacity(_) => Lost::Protocol("a frame is too large"),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => Lost::Network,
        Error::Protocol(_) | Error::Utf8(_) => Lost::Protocol("not WebSocket frames"),
        _ => Lost::Network,
    }
}
