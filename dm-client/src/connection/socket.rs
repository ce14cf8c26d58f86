//! The WebSocket under a connection.

use std::time::Duration;

use dm_proto::{Envelope, prost::Message as _};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        self, Error, Message,
        client::IntoClientRequest,
        http::{
            Response,
            header::{AUTHORIZATION, RETRY_AFTER},
        },
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    over::Over,
    state::{End, Lost},
};
use crate::{error::Problem, http::Http};

/// Bytes of unsent frames at which writing fails; a client's frames are small.
const WRITE_BUFFER: usize = 1024 * 1024;

/// One open WebSocket.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came in.
pub(super) enum Heard {
    /// A frame about direct messages, or about something unknown.
    Envelope(Box<Envelope>),
    /// A sign of life.
    Life,
}

impl Socket {
    pub(super) async fn open(http: &Http, max_frame: usize) -> Result<Self, Over> {
        let mut url = http.url(&["api", "dm", "ws"]);
        if let Some(device) = http.device() {
            url.query_pairs_mut().append_pair("device", device.as_str());
        }
        // Both pairs are of special schemes, between which a change is always allowed.
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
            Err(Error::Http(response)) => Err(refused(&response)),
            Err(error) => Err(lost(&error).into()),
        }
    }

    /// The next frame.
    ///
    /// Cancel safe: a frame is taken as a whole or not at all.
    pub(super) async fn hear(&mut self) -> Result<Heard, Over> {
        match self.0.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                let envelope =
                    Envelope::decode(bytes).map_err(|_| Lost::Protocol("a frame does not decode"))?;
                Ok(Heard::Envelope(Box::new(envelope)))
            }
            Some(Ok(Message::Close(frame))) => Err(closed_by(frame.as_ref())),
            // Text is a host's own affair; pings were answered below.
            Some(Ok(_)) => Ok(Heard::Life),
            Some(Err(error)) => Err(lost(&error).into()),
            None => Err(Lost::Network.into()),
        }
    }

    pub(super) async fn say(&mut self, envelope: &Envelope) -> Result<(), Over> {
        self.write(Message::Binary(envelope.encode_to_vec().into())).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), Over> {
        self.write(Message::Ping(tungstenite::Bytes::new())).await
    }

    /// Says goodbye and waits until the server has heard.
    pub(super) async fn close(&mut self) {
        if self.0.close(None).await.is_ok() {
            while let Some(Ok(message)) = self.0.next().await
                && !message.is_close()
            {}
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), Over> {
        self.0.send(message).await.map_err(|error| lost(&error).into())
    }
}

/// What a handshake that was answered otherwise means.
fn refused(response: &Response<Option<Vec<u8>>>) -> Over {
    let mut problem = Problem::of_status(response.status().as_u16());
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    problem.retry_after = retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    Over::from_problem(problem)
}

fn closed_by(frame: Option<&CloseFrame>) -> Over {
    let Some(frame) = frame else { return Lost::Network.into() };
    let problem = |status, detail: &str| {
        let mut problem = Problem::of_status(status);
        problem.detail = detail.to_owned();
        problem
    };
    match u16::from(frame.code) {
        4001 | 4002 => Over::Ended(End::Unauthorized),
        4003 => Over::Ended(End::Refused(problem(403, &frame.reason))),
        4009 => Over::Ended(End::Replaced),
        1008 => Over::Ended(End::Refused(problem(400, &frame.reason))),
        _ if matches!(frame.code, CloseCode::Away | CloseCode::Restart | CloseCode::Again) => {
            Lost::GoingAway.into()
        }
        _ => Lost::Network.into(),
    }
}

fn lost(error: &Error) -> Lost {
    match error {
        Error::Capacity(_) => Lost::Protocol("a frame is too large"),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => Lost::Network,
        Error::Protocol(_) | Error::Utf8(_) => Lost::Protocol("not WebSocket frames"),
        _ => Lost::Network,
    }
}
