//! The connection to a test server: it delivers every entry once, and it ends when another attempt
//! cannot succeed.

use std::sync::Arc;
use std::time::Duration;

use dm_client::{
    Client, Connection, ConnectionConfig, ConnectionState, Content, Delivery, DeviceStart, End, Event,
    InboxSeq, Lost,
};
use dm_proto::dm_server_frame::Frame;
use dm_proto::prost::Message as _;
use dm_proto::{DmGap, DmGoingAway, DmProblem, Envelope, dm_client_frame as client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message as Ws;

use crate::transport::clock::TestClock;
use crate::transport::messages::{Counting, message_id};
use crate::transport::websocket::{Server, ServerSocket, hello};

/// The durations of the configuration. Each differs from the durations of all other waits, so that
/// a test can recognize the wait.
const PING: Duration = Duration::from_secs(31);
const TIMEOUT: Duration = Duration::from_secs(11);

struct Fixture {
    server: Server,
    clock: Arc<TestClock>,
    connection: Connection,
}

async fn fixture() -> Fixture {
    let server = Server::start().await;
    let clock = Arc::new(TestClock::default());
    let client = Client::builder(server.base())
        .token("t0ken")
        .device("laptop".parse().unwrap())
        .clock(Arc::clone(&clock) as Arc<_>)
        .entropy(Counting::default())
        .build()
        .unwrap();
    let config = ConnectionConfig { ping_interval: PING, timeout: TIMEOUT, ..ConnectionConfig::default() };
    Fixture { server, clock, connection: client.connect(config) }
}

impl Fixture {
    async fn delivery(&mut self) -> Delivery {
        match self.connection.next().await {
            Some(Event::Delivery(delivery)) => *delivery,
            other => panic!("{other:?}"),
        }
    }

    async fn caught_up(&mut self) -> u64 {
        match self.connection.next().await {
            Some(Event::CaughtUp { seq }) => seq.get(),
            other => panic!("{other:?}"),
        }
    }

    /// Acknowledges the deliveries up to the end of the backlog, and returns their numbers.
    async fn backlog(&mut self) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            match self.connection.next().await {
                Some(Event::Delivery(delivery)) => {
                    numbers.push(delivery.seq.get());
                    delivery.acknowledge();
                }
                Some(Event::CaughtUp { .. }) => return numbers,
                other => panic!("{other:?}"),
            }
        }
    }

    async fn wait_for_state(&self, wanted: impl Fn(&ConnectionState) -> bool) -> ConnectionState {
        self.connection.state().wait_for(wanted).await.unwrap().clone()
    }

    /// Waits until the connection is lost, ends the wait for the next attempt, and returns the
    /// reason.
    async fn lost(&self) -> Lost {
        let waiting = self.wait_for_state(|state| matches!(state, ConnectionState::Waiting { .. })).await;
        let ConnectionState::Waiting { retry_in, reason } = waiting else { panic!("{waiting:?}") };
        self.clock.end(|duration| duration == retry_in).await;
        reason
    }

    async fn end(mut self) -> End {
        while self.connection.next().await.is_some() {}
        match self.connection.state().borrow().clone() {
            ConnectionState::Ended(end) => end,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_handshake_names_the_device_and_the_token_is_not_in_the_address() {
    let fixture = fixture().await;
    let mut socket = fixture.server.accept().await;
    assert_eq!(socket.request, ("/api/dm/ws?device=laptop".to_owned(), "Bearer t0ken".to_owned()));
    let (_, frame) = socket.receive().await;
    let client::Frame::Hello(hello) = frame else { panic!("{frame:?}") };
    assert_eq!((hello.device.as_str(), hello.protocol, hello.start_now), ("laptop", 1, false));
}

#[tokio::test]
async fn a_new_device_can_start_at_the_newest_entry() {
    let server = Server::start().await;
    let client = Client::builder(server.base()).build().unwrap();
    let _connection =
        client.connect(ConnectionConfig { start: DeviceStart::Now, ..ConnectionConfig::default() });
    let mut socket = server.accept().await;
    let (_, frame) = socket.receive().await;
    assert!(matches!(frame, client::Frame::Hello(hello) if hello.start_now && hello.device.is_empty()));
}

#[tokio::test]
async fn a_dropped_connection_ends_at_once_and_sends_nothing_more() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.deliver(1, hello(1)).await;
    fixture.delivery().await.acknowledge();
    drop(fixture.connection);
    assert!(socket.next().await.is_none(), "only a closed connection sends its last acknowledgement");
}

#[tokio::test]
async fn the_backlog_is_delivered_then_caught_up_then_new_entries() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(4).await;
    socket.deliver(5, hello(1)).await;
    socket.deliver(8, hello(2)).await;
    socket.caught_up(8).await;
    socket.deliver(9, hello(3)).await;
    for (position, sequence) in [(5, 1), (8, 2)] {
        let delivery = fixture.delivery().await;
        let Content::Message(message) = &delivery.content else { panic!("{delivery:?}") };
        assert_eq!((delivery.seq.get(), message.id), (position, message_id(sequence)));
        delivery.acknowledge();
    }
    assert_eq!(fixture.caught_up().await, 8);
    socket.acknowledged_up_to(8).await;
    let delivery = fixture.delivery().await;
    assert_eq!(delivery.seq.get(), 9);
    delivery.acknowledge();
    socket.acknowledged_up_to(9).await;
    fixture
        .wait_for_state(|state| *state == ConnectionState::Online { acknowledged: InboxSeq::new(9) })
        .await;
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_handled() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    for position in 1..=3 {
        socket.deliver(position, hello(position)).await;
    }
    let (first, second, third) =
        (fixture.delivery().await, fixture.delivery().await, fixture.delivery().await);
    second.acknowledge();
    third.acknowledge();
    // An acknowledgement of 2 or 3 before this line would be the next frame of the client.
    first.acknowledge();
    assert_eq!(socket.acknowledged().await, 3);
}

#[tokio::test]
async fn a_dropped_delivery_stops_the_acknowledgement() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.deliver(1, hello(1)).await;
    socket.deliver(2, hello(2)).await;
    socket.deliver(3, hello(3)).await;
    fixture.delivery().await.acknowledge();
    drop(fixture.delivery().await);
    fixture.delivery().await.acknowledge();
    let Fixture { connection, .. } = fixture;
    let ((), ()) = tokio::join!(connection.close(), async {
        assert_eq!(socket.acknowledged().await, 1);
        assert!(matches!(socket.next().await, Some(Ws::Close(_))));
        assert!(socket.next().await.is_none());
    });
}

#[tokio::test]
async fn an_entry_delivered_before_the_connection_was_lost_is_not_delivered_again() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.deliver(1, hello(1)).await;
    socket.deliver(2, hello(2)).await;
    let (first, second) = (fixture.delivery().await, fixture.delivery().await);
    drop(socket);
    assert_eq!(fixture.lost().await, Lost::Network);

    // The server has received no acknowledgement, so it delivers the entries again.
    let mut socket = fixture.server.welcome(0).await;
    for position in 1..=3 {
        socket.deliver(position, hello(position)).await;
    }
    socket.caught_up(3).await;
    assert_eq!(fixture.backlog().await, [3]);
    first.acknowledge();
    second.acknowledge();
    socket.acknowledged_up_to(3).await;
}

#[tokio::test]
async fn a_delivery_handled_without_a_connection_is_acknowledged_on_the_next_one() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.deliver(1, hello(1)).await;
    let delivery = fixture.delivery().await;
    drop(socket);
    fixture.lost().await;
    delivery.acknowledge();
    let mut socket = fixture.server.welcome(0).await;
    assert_eq!(socket.acknowledged().await, 1);
}

#[tokio::test]
async fn repeated_and_reordered_entries_are_delivered_once() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(10).await;
    for position in [12, 12, 11, 10, 3, 14, 13, 12, 14] {
        socket.deliver(position, hello(position)).await;
    }
    socket.caught_up(14).await;
    assert_eq!(fixture.backlog().await, [12, 11, 14, 13]);
    socket.acknowledged_up_to(14).await;
}

#[tokio::test]
async fn a_message_with_two_entries_is_delivered_once_and_both_are_acknowledged() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.deliver(1, hello(1)).await;
    socket.deliver(2, hello(1)).await;
    socket.caught_up(2).await;
    assert_eq!(fixture.backlog().await, [1]);
    socket.acknowledged_up_to(2).await;
}

#[tokio::test]
async fn a_gap_is_delivered_and_acknowledged() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(4).await;
    socket.send("", Frame::Gap(DmGap { from: 5, to: 90, reason: 1 })).await;
    socket.deliver(91, hello(1)).await;
    let gap = fixture.delivery().await;
    assert_eq!((gap.seq.get(), &gap.content), (90, &Content::Gap { from: InboxSeq::new(5) }));
    gap.acknowledge();
    assert_eq!(socket.acknowledged().await, 90);
    assert_eq!(fixture.delivery().await.seq.get(), 91);
}

#[tokio::test]
async fn a_malformed_event_is_delivered_as_unknown_and_can_be_acknowledged() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.deliver_malformed(1).await;
    let delivery = fixture.delivery().await;
    assert_eq!(delivery.content, Content::Unknown);
    delivery.acknowledge();
    assert_eq!(socket.acknowledged().await, 1);
}

#[tokio::test]
async fn frames_of_the_host_are_ignored() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.raw(Ws::Text("{\"hello\":1}".into())).await;
    socket.raw(Ws::Binary(Envelope::default().encode_to_vec().into())).await;
    socket.deliver(1, hello(1)).await;
    assert_eq!(fixture.delivery().await.seq.get(), 1);
}

#[tokio::test]
async fn after_a_malformed_or_too_large_frame_the_client_connects_again() {
    let fixture = fixture().await;
    for frame in [vec![0xff; 9], vec![0; 300 * 1024]] {
        let mut socket = fixture.server.welcome(0).await;
        socket.raw(Ws::Binary(frame.into())).await;
        assert!(matches!(fixture.lost().await, Lost::Protocol(_)));
    }
    let _socket = fixture.server.welcome(0).await;
    fixture.wait_for_state(|state| matches!(state, ConnectionState::Online { .. })).await;
}

#[tokio::test]
async fn a_silent_server_is_pinged_and_then_disconnected() {
    let fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    fixture.wait_for_state(|state| matches!(state, ConnectionState::Online { .. })).await;
    fixture.clock.end(|wait| wait == PING).await;
    // The WebSocket library of this server would answer the ping at its next read, which does not
    // happen.
    assert!(matches!(socket.next().await, Some(Ws::Ping(_))));
    fixture.clock.end(|wait| wait == TIMEOUT).await;
    assert_eq!(fixture.lost().await, Lost::Timeout);
}

#[tokio::test]
async fn a_server_that_answers_pings_stays_connected_and_its_pings_are_answered() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    fixture.wait_for_state(|state| matches!(state, ConnectionState::Online { .. })).await;
    fixture.clock.end(|wait| wait == PING).await;
    assert!(matches!(socket.next().await, Some(Ws::Ping(_))));
    socket.raw(Ws::Pong(Vec::new().into())).await;
    socket.deliver(1, hello(1)).await;
    assert_eq!(fixture.delivery().await.seq.get(), 1);
    fixture.clock.end(|wait| wait == TIMEOUT).await;

    socket.raw(Ws::Ping(b"are you there".to_vec().into())).await;
    assert_eq!(socket.next().await, Some(Ws::Pong(b"are you there".to_vec().into())));
}

#[tokio::test]
async fn a_server_that_accepts_and_sends_nothing_is_disconnected() {
    let fixture = fixture().await;
    let stream = fixture.server.accept_stream().await;
    fixture.clock.end(|wait| wait == TIMEOUT).await;
    assert_eq!(fixture.lost().await, Lost::Timeout);
    drop(stream);
}

#[tokio::test]
async fn waits_between_attempts_grow_until_the_server_delivers_the_backlog() {
    let mut fixture = fixture().await;
    let mut waits = Vec::new();
    for _ in 0..3 {
        // The server sends a welcome and no backlog, so the waits grow.
        drop(fixture.server.welcome(0).await);
        let waiting = fixture.wait_for_state(|state| matches!(state, ConnectionState::Waiting { .. })).await;
        let ConnectionState::Waiting { retry_in, .. } = waiting else { panic!("{waiting:?}") };
        waits.push(retry_in.as_millis());
        fixture.lost().await;
    }
    assert!(
        waits[0] <= 500 && (500..=1000).contains(&waits[1]) && (1000..=2000).contains(&waits[2]),
        "{waits:?}"
    );

    let mut socket = fixture.server.welcome(0).await;
    socket.caught_up(0).await;
    fixture.caught_up().await;
    drop(socket);
    let waiting = fixture.wait_for_state(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    assert!(matches!(waiting, ConnectionState::Waiting { retry_in, .. } if retry_in.as_millis() <= 500));
}

#[tokio::test]
async fn the_wait_is_as_long_as_a_server_that_goes_away_names() {
    let fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    let going = DmGoingAway { reason: "restart".to_owned(), reconnect_after_ms: 60_000 };
    socket.send("", Frame::GoingAway(going)).await;
    let waiting = fixture.wait_for_state(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    let retry_in = Duration::from_secs(60);
    assert_eq!(waiting, ConnectionState::Waiting { retry_in, reason: Lost::GoingAway });
}

#[tokio::test]
async fn after_a_replaced_or_refused_connection_the_client_does_not_connect_again() {
    let cases = [
        (4009, "replaced"),
        (4001, "unauthorized"),
        (4002, "unauthorized"),
        (4003, "refused with 403"),
        (1008, "refused with 400"),
    ];
    for (code, expected) in cases {
        let fixture = fixture().await;
        fixture.server.welcome(0).await.close(code).await;
        let end = match fixture.end().await {
            End::Replaced => "replaced".to_owned(),
            End::Unauthorized => "unauthorized".to_owned(),
            End::Refused(problem) => format!("refused with {}", problem.status),
            end => format!("{end:?}"),
        };
        assert_eq!(end, expected, "{code}");
    }
}

#[tokio::test]
async fn the_reason_of_a_lost_connection_is_reported() {
    for (code, reason) in [
        (1001, Lost::GoingAway),
        (1012, Lost::GoingAway),
        (1013, Lost::GoingAway),
        (1000, Lost::Network),
        (1011, Lost::Network),
    ] {
        let fixture = fixture().await;
        fixture.server.welcome(0).await.close(code).await;
        assert_eq!(fixture.lost().await, reason, "{code}");
    }
    let fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    // A frame with a reserved opcode.
    socket.raw_bytes(&[0x83, 0]).await;
    assert_eq!(fixture.lost().await, Lost::Protocol("not WebSocket frames"));
}

#[tokio::test]
async fn a_hello_is_refused_temporarily_or_permanently() {
    let fixture = fixture().await;
    let mut socket = fixture.server.accept().await;
    let (request, _) = socket.receive().await;
    let going = DmGoingAway { reason: "restart".to_owned(), reconnect_after_ms: 1 };
    socket.send(&request, Frame::GoingAway(going)).await;
    assert_eq!(fixture.lost().await, Lost::GoingAway);

    let mut socket = fixture.server.accept().await;
    let (request, _) = socket.receive().await;
    socket.send(&request, Frame::Problem(DmProblem { status: 503, ..DmProblem::default() })).await;
    let Lost::Refused(problem) = fixture.lost().await else { panic!("not refused") };
    assert_eq!(problem.status, 503);

    let mut socket = fixture.server.accept().await;
    let (request, _) = socket.receive().await;
    socket.send(&request, Frame::Problem(DmProblem { status: 401, ..DmProblem::default() })).await;
    assert_eq!(fixture.end().await, End::Unauthorized);
}

#[tokio::test]
async fn a_problem_without_a_request_id_ends_the_connection() {
    let fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.send("", Frame::Problem(DmProblem { status: 401, ..DmProblem::default() })).await;
    assert_eq!(fixture.end().await, End::Unauthorized);
}

#[tokio::test]
async fn a_permanently_refused_handshake_ends_the_connection_and_a_temporarily_refused_one_does_not() {
    async fn answer(fixture: &Fixture, status: u16) {
        let mut stream = fixture.server.accept_stream().await;
        let _read = stream.read(&mut [0; 4096]).await.unwrap();
        let answer = format!("HTTP/1.1 {status} X\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let first = fixture().await;
    answer(&first, 503).await;
    let waiting = first.wait_for_state(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    assert!(matches!(waiting, ConnectionState::Waiting { retry_in, .. } if retry_in.as_secs() == 60));
    assert!(matches!(first.lost().await, Lost::Refused(problem) if problem.status == 503));
    answer(&first, 401).await;
    assert_eq!(first.end().await, End::Unauthorized);

    let second = fixture().await;
    answer(&second, 404).await;
    assert!(matches!(second.end().await, End::Refused(problem) if problem.status == 404));
}

#[tokio::test]
async fn a_permanently_refused_acknowledgement_ends_the_connection_and_a_temporarily_refused_one_is_repeated()
{
    async fn refuse(socket: &mut ServerSocket, status: u32, retry_after_ms: Option<u64>) {
        let (request, _) = socket.receive().await;
        let problem = DmProblem { status, retry_after_ms, ..DmProblem::default() };
        socket.send(&request, Frame::Problem(problem)).await;
    }
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.deliver(1, hello(1)).await;
    fixture.delivery().await.acknowledge();
    refuse(&mut socket, 503, Some(5_000)).await;
    let waiting = fixture.wait_for_state(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    assert!(matches!(waiting, ConnectionState::Waiting { retry_in, .. } if retry_in.as_millis() == 5_000));
    fixture.lost().await;

    let mut socket = fixture.server.welcome(0).await;
    refuse(&mut socket, 422, None).await;
    assert!(matches!(fixture.end().await, End::Refused(problem) if problem.status == 422));
}

#[tokio::test]
async fn a_problem_for_another_request_id_is_ignored() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.send("a host's own", Frame::Problem(DmProblem { status: 400, ..DmProblem::default() })).await;
    socket.deliver(1, hello(1)).await;
    assert_eq!(fixture.delivery().await.seq.get(), 1);
}

#[tokio::test]
async fn an_acknowledgement_waits_for_the_last_answer_and_covers_all_handled_deliveries() {
    let mut fixture = fixture().await;
    let mut socket = fixture.server.welcome(0).await;
    socket.deliver(1, hello(1)).await;
    fixture.delivery().await.acknowledge();
    let (request, frame) = socket.receive().await;
    assert!(matches!(frame, client::Frame::Ack(ack) if ack.up_to == 1));
    for position in 2..=20 {
        socket.deliver(position, hello(position)).await;
        fixture.delivery().await.acknowledge();
    }
    socket
        .send(&request, Frame::Acknowledged(dm_proto::DmAcknowledged { up_to: 1, ..Default::default() }))
        .await;
    assert_eq!(socket.acknowledged().await, 20);
}

#[tokio::test]
async fn a_slow_caller_loses_no_events() {
    let server = Server::start().await;
    let client = Client::builder(server.base()).build().unwrap();
    let mut connection = client.connect(ConnectionConfig { queue: 4, ..ConnectionConfig::default() });
    let mut socket = server.welcome(0).await;
    for position in 1..=50 {
        socket.deliver(position, hello(position)).await;
    }
    for expected in 1..=50 {
        let Some(Event::Delivery(delivery)) = connection.next().await else { panic!("no delivery") };
        assert_eq!(delivery.seq.get(), expected);
        delivery.acknowledge();
    }
    socket.acknowledged_up_to(50).await;
}

#[tokio::test]
async fn a_connection_can_be_closed_in_every_state() {
    // The connection is connecting.
    let first = fixture().await;
    let _stream = first.server.accept_stream().await;
    first.connection.close().await;
    // The connection waits for the next attempt.
    let second = fixture().await;
    drop(second.server.accept_stream().await);
    second.wait_for_state(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    second.connection.close().await;
    // The queue of events is full.
    let server = Server::start().await;
    let client = Client::builder(server.base()).build().unwrap();
    let connection = client.connect(ConnectionConfig { queue: 1, ..ConnectionConfig::default() });
    let mut socket = server.welcome(0).await;
    for position in 1..=9 {
        socket.deliver(position, hello(position)).await;
    }
    let ((), ()) = tokio::join!(connection.close(), async { while socket.next().await.is_some() {} });
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn nothing_is_sent_without_tls_to_an_https_address() {
    let server = Server::start().await;
    let client = Client::builder(server.base().replace("http", "https")).token("t0ken").build().unwrap();
    let connection = client.connect(ConnectionConfig::default());
    let mut stream = server.accept_stream().await;
    let mut first = [0; 3];
    stream.read_exact(&mut first).await.unwrap();
    // The client begins a TLS handshake and does not send a request with the token.
    assert_eq!(first[..2], [0x16, 0x03]);
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let mut state = connection.state();
    let waiting =
        state.wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap().clone();
    assert!(matches!(waiting, ConnectionState::Waiting { reason: Lost::Network, .. }), "{waiting:?}");
}
