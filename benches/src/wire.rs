//! A client's side of the protocol, bare: what goes over the wire and nothing that a client would keep.

use anyhow::{Context as _, ensure};
use dm_proto::prost::Message as _;
use dm_proto::{
    DmAck, DmHello, DmSend, DmServerFrame, Envelope, dm_client_frame, dm_server_frame::Frame,
    envelope::Payload,
};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::host::Member;
use crate::people::uuid_v7;

/// Entries acknowledged at a time.
pub(crate) const ACK_EVERY: u64 = 128;

pub(crate) type Socket = WebSocketStream<TcpStream>;
/// A connection that takes one request after another.
pub(crate) type Requests = SendRequest<Full<Bytes>>;

/// Connects for HTTP/1.
pub(crate) async fn connect(address: &str) -> anyhow::Result<Requests> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (requests, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(requests)
}

/// Asks for something and reads the whole answer. Returns its status and its length in bytes.
pub(crate) async fn get(requests: &mut Requests, token: &str, path: &str) -> anyhow::Result<(u16, usize)> {
    let request = hyper::Request::get(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::default())?;
    // The connection may still be at the end of the answer before.
    requests.ready().await?;
    let answer = requests.send_request(request).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes().len()))
}

/// Sends a message and reads the answer, which must be 201.
pub(crate) async fn post(requests: &mut Requests, member: &Member, payload: usize) -> anyhow::Result<()> {
    let body = format!(
        r#"{{"conversation_id":"{}","encrypted_payload":"{}","nonce":"{}","timestamp":1,"client_message_id":"{}"}}"#,
        member.conversation,
        data_encoding::BASE64.encode(&vec![7; payload]),
        data_encoding::BASE64.encode(&[7; 24]),
        uuid_v7()
    );
    let request = hyper::Request::post("/api/dm/messages")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", member.token))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    // The connection may still be at the end of the answer before.
    requests.ready().await?;
    let answer = requests.send_request(request).await?;
    ensure!(answer.status() == 201, "{}", answer.status());
    answer.into_body().collect().await?;
    Ok(())
}

/// A connection that has caught up and acknowledged.
pub(crate) async fn waiting(address: &str, member: &Member, device: &str) -> anyhow::Result<Socket> {
    let mut socket = hello(address, member, device).await?;
    loop {
        match hear(&mut socket).await?.1 {
            Frame::Delivery(delivery) if delivery.position % ACK_EVERY == 0 => {
                socket.send(Message::Binary(ack(delivery.position))).await?;
            }
            Frame::CaughtUp(caught_up) => {
                if caught_up.position > 0 {
                    socket.send(Message::Binary(ack(caught_up.position))).await?;
                }
                return Ok(socket);
            }
            _ => {}
        }
    }
}

/// A WebSocket whose hello was answered with a welcome.
pub(crate) async fn hello(address: &str, member: &Member, device: &str) -> anyhow::Result<Socket> {
    let mut request = format!("ws://{address}/api/dm/ws").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", member.token).parse()?);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    // What waits for a new device is not what is measured, except where it is.
    let start_now = device != "reader";
    let hello = DmHello { device: device.to_owned(), protocol: 1, start_now, ..DmHello::default() };
    let envelope = Envelope::client("hello", dm_client_frame::Frame::Hello(hello));
    socket.send(Message::Binary(envelope.encode_to_vec().into())).await?;
    match hear(&mut socket).await?.1 {
        Frame::Welcome(_) => Ok(socket),
        other => anyhow::bail!("no welcome but {other:?}"),
    }
}

/// The frame of a send.
pub(crate) fn send(n: u64, conversation: &str, payload: usize) -> Bytes {
    let send = DmSend {
        conversation_id: conversation.to_owned(),
        encrypted_payload: vec![7; payload].into(),
        nonce: vec![7; 24].into(),
        timestamp: n,
        client_message_id: uuid_v7().to_string(),
        ..DmSend::default()
    };
    Envelope::client(n.to_string(), dm_client_frame::Frame::Send(send)).encode_to_vec().into()
}

/// The frame of an acknowledgement.
pub(crate) fn ack(position: u64) -> Bytes {
    let ack = DmAck { up_to: position, message_ids: Vec::new() };
    Envelope::client("", dm_client_frame::Frame::Ack(ack)).encode_to_vec().into()
}

/// The next frame that only a server of this library says.
pub(crate) async fn hear(socket: &mut Socket) -> anyhow::Result<(String, Frame)> {
    loop {
        match socket.next().await.context("the host closed")?? {
            Message::Binary(frame) => {
                let envelope = Envelope::decode(frame)?;
                if let Some(Payload::DmServerFrame(DmServerFrame { frame: Some(frame) })) = envelope.payload {
                    return Ok((envelope.request_id, frame));
                }
            }
            Message::Close(why) => anyhow::bail!("the host closed: {why:?}"),
            _ => {}
        }
    }
}
