//! A minimal client: it speaks the protocol and keeps no state.

use std::net::Ipv4Addr;

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
use hyper::http::request::Builder;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::host::Member;
use crate::people::uuid_v7;

/// The number of entries of one acknowledgement.
pub(crate) const ACK_EVERY: u64 = 128;

pub(crate) type Socket = WebSocketStream<TcpStream>;
/// A connection that makes one request after another.
pub(crate) type Requests = SendRequest<Full<Bytes>>;
pub(crate) type Request = hyper::Request<Full<Bytes>>;

/// Connects from an address of this machine, which may be another one than that of other clients.
pub(crate) async fn dial(address: &str, from: Ipv4Addr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(address.parse().context("the host's address is not one")?).await?)
}

/// Connects for HTTP/1.
pub(crate) async fn connect(address: &str) -> anyhow::Result<Requests> {
    requests(TcpStream::connect(address).await?).await
}

/// HTTP/1 on a connection.
pub(crate) async fn requests(stream: TcpStream) -> anyhow::Result<Requests> {
    stream.set_nodelay(true)?;
    let (requests, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(requests)
}

/// A request of a user, without a body.
pub(crate) fn request(method: &str, path: &str, token: &str) -> Builder {
    hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {token}"))
}

/// The request that sends a message.
pub(crate) fn message(member: &Member, payload: usize) -> anyhow::Result<Request> {
    let body = format!(
        r#"{{"conversation_id":"{}","encrypted_payload":"{}","nonce":"{}","timestamp":1,"client_message_id":"{}"}}"#,
        member.conversation,
        data_encoding::BASE64.encode(&vec![7; payload]),
        data_encoding::BASE64.encode(&[7; 24]),
        uuid_v7()
    );
    json("/api/dm/messages", &member.token, body)
}

/// A request with a body of JSON.
pub(crate) fn json(path: &str, token: &str, body: String) -> anyhow::Result<Request> {
    let request = request("POST", path, token).header("content-type", "application/json");
    Ok(request.body(Full::new(Bytes::from(body)))?)
}

/// Makes a request and reads the whole answer: its status and its body.
pub(crate) async fn ask(requests: &mut Requests, request: Request) -> anyhow::Result<(u16, Bytes)> {
    // The connection may still be reading the end of the last answer.
    requests.ready().await?;
    let answer = requests.send_request(request).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}

/// Makes a GET request and reads the whole answer. Returns its status and its length in bytes.
pub(crate) async fn get(requests: &mut Requests, token: &str, path: &str) -> anyhow::Result<(u16, usize)> {
    let (status, body) = ask(requests, request("GET", path, token).body(Full::default())?).await?;
    Ok((status, body.len()))
}

/// Sends a message and reads the answer, which must be 201.
pub(crate) async fn post(requests: &mut Requests, member: &Member, payload: usize) -> anyhow::Result<()> {
    let (status, _) = ask(requests, message(member, payload)?).await?;
    ensure!(status == 201, "{status}");
    Ok(())
}

/// A WebSocket that has caught up and acknowledged.
pub(crate) async fn waiting(address: &str, member: &Member, device: &str) -> anyhow::Result<Socket> {
    let mut socket = hello(address, member, device).await?;
    loop {
        match next_frame(&mut socket).await?.1 {
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

/// A WebSocket after hello and welcome.
pub(crate) async fn hello(address: &str, member: &Member, device: &str) -> anyhow::Result<Socket> {
    greet(TcpStream::connect(address).await?, member, device).await
}

/// The same, on a connection.
pub(crate) async fn greet(stream: TcpStream, member: &Member, device: &str) -> anyhow::Result<Socket> {
    let mut socket = upgrade(stream, member).await?;
    // Pending entries of a new device are measured only with the device `reader`.
    let start_now = device != "reader";
    let hello = DmHello { device: device.to_owned(), protocol: 1, start_now, ..DmHello::default() };
    let envelope = Envelope::client("hello", dm_client_frame::Frame::Hello(hello));
    socket.send(Message::Binary(envelope.encode_to_vec().into())).await?;
    match next_frame(&mut socket).await?.1 {
        Frame::Welcome(_) => Ok(socket),
        other => anyhow::bail!("no welcome but {other:?}"),
    }
}

/// Sends so many messages over a WebSocket, and waits until all are answered.
pub(crate) async fn send_many(
    address: &str,
    member: &Member,
    count: usize,
    payload: usize,
) -> anyhow::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut socket = hello(address, member, "writer").await?;
    let conversation = member.conversation.to_string();
    let (mut asked, mut answered) = (0, 0);
    while answered < count {
        while asked < count && asked - answered < 32 {
            asked += 1;
            socket.feed(Message::Binary(send(asked as u64, &conversation, payload))).await?;
        }
        socket.flush().await?;
        if let Frame::Sent(_) = next_frame(&mut socket).await?.1 {
            answered += 1;
        }
    }
    Ok(())
}

/// A WebSocket on a connection, before any frame.
pub(crate) async fn upgrade(stream: TcpStream, member: &Member) -> anyhow::Result<Socket> {
    let mut request = "ws://localhost/api/dm/ws".into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", member.token).parse()?);
    stream.set_nodelay(true)?;
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

/// The frame that sends a message.
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

/// The frame that acknowledges up to a position.
pub(crate) fn ack(position: u64) -> Bytes {
    let ack = DmAck { up_to: position, message_ids: Vec::new() };
    Envelope::client("", dm_client_frame::Frame::Ack(ack)).encode_to_vec().into()
}

/// The next frame of this library's own dialect.
pub(crate) async fn next_frame(socket: &mut Socket) -> anyhow::Result<(String, Frame)> {
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
