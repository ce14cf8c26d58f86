//! Hostile bytes over a WebSocket. Each input ends its connection with a close code, stores nothing
//! and affects no other connection.

use dm_proto::prost::Message as _;
use dm_proto::{DmHello, DmPing, Envelope, dm_client_frame, envelope::Payload};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::socket::{Socket, until};
use crate::world::{SECOND, World};

/// The default of `Options::max_message`.
const LIMIT: usize = 256 * 1024;

/// A world with a conversation of users 1 and 2 and a device of user 1, and the world's stored
/// state.
async fn world() -> (World, String) {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    world.send(1, &conversation, "a").await;
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    socket.receive_delivery().await;
    let before = world.stored().await;
    (world, before)
}

/// Checks that a connection ends with this code and reason, that the stored state is the same as
/// before, and that another connection is served. `input` names the input in a failure.
async fn assert_closed(world: &World, before: &str, mut socket: Socket, expected: (u16, &str), input: &str) {
    let (code, reason) = socket.receive_close().await;
    assert_eq!((code, &*reason), expected, "{input}");
    until(async || world.hub.connections() == 0).await;
    assert_eq!(world.stored().await, before, "{input}");
    assert_eq!(Socket::open(world, 2).await.list("alive").await.conversations.len(), 1, "{input}");
    until(async || world.hub.connections() == 0).await;
}

/// A length-delimited field.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    dm_proto::prost::encoding::encode_varint(u64::from(number) << 3 | 2, &mut bytes);
    dm_proto::prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    [bytes, content.to_vec()].concat()
}

/// A client's WebSocket frame on the wire: the first byte, a length of eight bytes with the bit for
/// the mask, a mask of zeros, and the payload.
fn masked(first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    [&[first, 0xff][..], &length.to_be_bytes(), &[0; 4], payload].concat()
}

#[tokio::test]
async fn bytes_that_are_no_envelope_close_with_1008() {
    let (world, before) = world().await;
    let groups = |depth| [0x0b].repeat(depth);
    // Unknown field 1000: groups within groups.
    let nested = |depth| [[0xc3, 0x3e].repeat(depth), [0xc4, 0x3e].repeat(depth)].concat();
    let nests = (0..101).fold(Vec::new(), |inner, _| field(159, &inner));
    let frames = [
        ("garbage", vec![0xde, 0xad, 0xbe, 0xef]),
        ("a varint of ten bytes and more", vec![0xff; 11]),
        ("a length beyond memory", [&[0x0a][..], &[0xff; 9], &[0x01]].concat()),
        ("a length beyond the frame", vec![0x0a, 0x05, b'x']),
        ("a wrong wire type", vec![0xf8, 0x09, 0x01]),
        ("a wire type that is none", vec![0x0f]),
        ("field 0", vec![0x00, 0x00]),
        ("a request id that is no text", [field(1, &[0xff]), field(155, &[])].concat()),
        ("a group", nested(1)),
        ("101 groups", nested(101)),
        ("100,000 groups", groups(100_000)),
        ("101 groups in a client's frame", field(159, &nested(101))),
        ("100,000 groups in a client's frame", field(159, &groups(100_000))),
        ("100,000 groups in a hello", field(159, &field(1, &groups(100_000)))),
        ("a hello that is a number", field(159, &[0x08, 0x01])),
        ("frames within frames", field(159, &field(1, &field(1, &nests[..])))),
    ];
    for (input, frame) in frames {
        let mut socket = Socket::open(&world, 1).await;
        socket.write(frame).await;
        assert_closed(&world, &before, socket, (1008, "not an envelope"), input).await;
    }
}

#[tokio::test]
async fn a_payload_that_only_a_server_sends_closes_with_1008() {
    let (world, before) = world().await;
    let list = Envelope::new("r", Payload::DmConversationListRequest(Default::default())).encode_to_vec();
    let empties = [0x0a, 0x00].repeat(LIMIT / 2 - 16);
    let mut frames: Vec<Vec<u8>> = [150, 151, 152, 154, 156, 157, 158].map(|n| field(n, &[])).into();
    frames.extend([154, 156, 157].map(|n| field(n, &empties)));
    frames.push([list, field(150, &[])].concat());
    for (n, frame) in frames.into_iter().enumerate() {
        // Without a hello, and after one.
        let mut socket = if n % 2 == 0 {
            Socket::open(&world, 1).await
        } else {
            Socket::hello(&world, 1, "phone").await.0
        };
        socket.write(frame).await;
        assert_closed(&world, &before, socket, (1008, "only a server sends that"), &n.to_string()).await;
    }
}

#[tokio::test]
async fn a_hundred_thousand_empty_capabilities_are_ignored() {
    let (world, before) = world().await;
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    let capabilities = vec![String::new(); 100_000];
    let hello = DmHello { device: "phone".into(), protocol: 1, capabilities, start_now: false };
    let mut other = Socket::open(&world, 1).await;
    other.send_envelope(&Envelope::client("h", dm_client_frame::Frame::Hello(hello))).await;
    assert_eq!(socket.receive_close().await.0, 4009);
    assert_eq!(other.receive_server().await.0, "h");
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn a_text_frame_closes_with_1008() {
    let (world, before) = world().await;
    for text in ["", "{}", "hello"] {
        let mut socket = Socket::open(&world, 1).await;
        socket.0.send(Message::Text(text.into())).await.unwrap();
        assert_closed(&world, &before, socket, (1008, "a text frame"), text).await;
    }
    let mut socket = Socket::open(&world, 1).await;
    socket.write_raw(&masked(0x81, 2, &[0xc3, 0x28])).await;
    assert_closed(&world, &before, socket, (1008, "a text frame"), "not UTF-8").await;
}

#[tokio::test]
async fn a_message_may_have_256_kib_and_no_more() {
    let (world, before) = world().await;
    // A field of the host, which fills the frame with zeros, and a request.
    let filled = |len: usize| {
        let list = Envelope::new("l", Payload::DmConversationListRequest(Default::default())).encode_to_vec();
        [field(20, &vec![0; len - list.len() - 5]), list].concat()
    };
    let largest = filled(LIMIT);
    assert_eq!(largest.len(), LIMIT);
    let mut socket = Socket::open(&world, 1).await;
    socket.write(largest).await;
    assert_eq!(socket.receive().await.request_id, "l");
    let _gone = socket.0.send(Message::Binary(filled(LIMIT + 1).into())).await;
    assert_closed(&world, &before, socket, (1009, "too large"), "one over").await;
}

#[tokio::test]
async fn a_frame_with_a_large_length_closes_with_1009_whether_it_arrives_or_not() {
    let (world, before) = world().await;
    for length in [LIMIT as u64 + 1, 16 << 20, i64::MAX as u64, u64::MAX] {
        let mut socket = Socket::open(&world, 1).await;
        socket.write_raw(&masked(0x82, length, &[])).await;
        assert_closed(&world, &before, socket, (1009, "too large"), &length.to_string()).await;
    }
    let mut socket = Socket::open(&world, 1).await;
    let mib = vec![0; 1 << 20];
    socket.write_raw(&masked(0x82, 16 << 20, &[])).await;
    for _ in 0..16 {
        socket.write_raw(&mib).await;
    }
    assert_closed(&world, &before, socket, (1009, "too large"), "16 MiB").await;
}

#[tokio::test]
async fn fragments_without_end_close_with_1009() {
    let (world, before) = world().await;
    let mut socket = Socket::open(&world, 1).await;
    let part = Bytes::from(vec![0; 32 * 1024]);
    for n in 0..=8 {
        let kind = if n == 0 { Data::Binary } else { Data::Continue };
        let fragment = Frame::message(part.clone(), OpCode::Data(kind), false);
        socket.0.send(Message::Frame(fragment)).await.unwrap();
    }
    assert_closed(&world, &before, socket, (1009, "too large"), "nine parts of 32 KiB").await;
}

#[tokio::test]
async fn a_connection_that_sends_empty_fragments_and_answers_no_ping_is_closed() {
    let (world, before) = world().await;
    let mut socket = Socket::open(&world, 1).await;
    let fragment = |kind| Message::Frame(Frame::message(Bytes::new(), OpCode::Data(kind), false));
    socket.0.send(fragment(Data::Binary)).await.unwrap();
    for _ in 0..10_000 {
        socket.0.feed(fragment(Data::Continue)).await.unwrap();
    }
    socket.0.flush().await.unwrap();
    world.clock.advance(30 * SECOND);
    socket.receive_ping(false).await;
    for _ in 0..10_000 {
        socket.write_raw(&masked(0x00, 0, &[])).await;
    }
    world.clock.advance(10 * SECOND);
    assert_closed(&world, &before, socket, (1012, "a ping was not answered"), "").await;
}

#[tokio::test]
async fn a_message_in_fragments_with_a_ping_between_is_one_message() {
    let world = World::new().await;
    let mut socket = Socket::open(&world, 1).await;
    let list = Envelope::new("l", Payload::DmConversationListRequest(Default::default())).encode_to_vec();
    let (head, tail) = list.split_at(3);
    let part = |bytes, kind, last| {
        Message::Frame(Frame::message(Bytes::copy_from_slice(bytes), OpCode::Data(kind), last))
    };
    socket.0.send(part(head, Data::Binary, false)).await.unwrap();
    socket.0.send(Message::Ping(Bytes::new())).await.unwrap();
    socket.0.send(part(tail, Data::Continue, true)).await.unwrap();
    assert_eq!(socket.receive().await.request_id, "l");
}

#[tokio::test]
async fn bytes_that_are_no_client_frames_close_with_1008() {
    let (world, before) = world().await;
    let list = Envelope::new("l", Payload::DmConversationListRequest(Default::default())).encode_to_vec();
    let unmasked = [&[0x82, u8::try_from(list.len()).unwrap()][..], &list].concat();
    let table = [
        ("unmasked", unmasked),
        ("reserved bits", masked(0xf2, 0, &[])),
        ("a reserved kind", masked(0x83, 0, &[])),
        ("a reserved control", masked(0x8b, 0, &[])),
        ("a long ping", masked(0x89, 126, &[0; 126])),
        ("a ping in fragments", masked(0x09, 0, &[])),
        ("a continuation of nothing", masked(0x80, 0, &[])),
        ("a message within another", [masked(0x02, 0, &[]), masked(0x82, 0, &[])].concat()),
        ("a request over plain HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    for (input, bytes) in table {
        let mut socket = Socket::open(&world, 1).await;
        socket.write_raw(&bytes).await;
        assert_closed(&world, &before, socket, (1008, "not WebSocket frames"), input).await;
    }
}

#[tokio::test]
async fn a_request_id_beyond_256_bytes_closes_with_1008() {
    let (world, before) = world().await;
    let ping = |id: String| Envelope::client(id, dm_client_frame::Frame::Ping(DmPing { nonce: 1 }));
    let (mut socket, _) = Socket::hello(&world, 1, "phone").await;
    while socket.receive_server().await.0.is_empty() {
        socket.send_envelope(&ping("\u{202e}'\"\0".repeat(36))).await;
    }
    socket.send_envelope(&ping("x".repeat(257))).await;
    assert_closed(&world, &before, socket, (1008, "the request id is too long"), "").await;
}
