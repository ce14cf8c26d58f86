//! The connection: nothing lost, nothing twice, and an end where there must be one.

use std::{sync::Arc, time::Duration};

use dm_client::{
    Client, Connection, ConnectionConfig, ConnectionState, Content, Delivery, End, Event, Lost, Start,
};
use dm_proto::{
    DmGap, DmGoingAway, DmProblem, Envelope, dm_client_frame as client, dm_server_frame::Frame,
    prost::Message as _,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message as Ws;

use crate::transport::{
    people::{Counting, message_id},
    socket::{Peer, Server, hello},
    time::TestClock,
};

/// Told apart from every other wait.
const PING: Duration = Duration::from_secs(31);
const TIMEOUT: Duration = Duration::from_secs(11);

struct Scene {
    server: Server,
    clock: Arc<TestClock>,
    connection: Connection,
}

async fn scene() -> Scene {
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
    Scene { server, clock, connection: client.connect(config) }
}

impl Scene {
    async fn delivery(&mut self) -> Delivery {
        match self.connection.next().await {
            Some(Event::Delivery(delivery)) => *delivery,
            other => panic!("{other:?}"),
        }
    }

    async fn caught_up(&mut self) -> u64 {
        match self.connection.next().await {
            Some(Event::CaughtUp { position }) => position,
            other => panic!("{other:?}"),
        }
    }

    /// The positions of the deliveries up to the end of the backlog, each acknowledged.
    async fn backlog(&mut self) -> Vec<u64> {
        let mut positions = Vec::new();
        loop {
            match self.connection.next().await {
                Some(Event::Delivery(delivery)) => {
                    positions.push(delivery.position);
                    delivery.acknowledge();
                }
                Some(Event::CaughtUp { .. }) => return positions,
                other => panic!("{other:?}"),
            }
        }
    }

    async fn reaches(&self, wanted: impl Fn(&ConnectionState) -> bool) -> ConnectionState {
        self.connection.state().wait_for(wanted).await.unwrap().clone()
    }

    /// The connection was lost: lets the wait for the next attempt end.
    async fn wait_to_reconnect(&self) -> Lost {
        let waiting = self.reaches(|state| matches!(state, ConnectionState::Waiting { .. })).await;
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
async fn the_device_is_named_and_the_token_stays_out_of_the_address() {
    let scene = scene().await;
    let mut peer = scene.server.accept().await;
    assert_eq!(peer.asked, ("/api/dm/ws?device=laptop".to_owned(), "Bearer t0ken".to_owned()));
    let (_, frame) = peer.hear().await;
    let client::Frame::Hello(hello) = frame else { panic!("{frame:?}") };
    assert_eq!((hello.device.as_str(), hello.protocol, hello.start_now), ("laptop", 1, false));
}

#[tokio::test]
async fn a_new_device_may_start_now() {
    let server = Server::start().await;
    let client = Client::builder(server.base()).build().unwrap();
    let _connection = client.connect(ConnectionConfig { start: Start::Now, ..ConnectionConfig::default() });
    let mut peer = server.accept().await;
    let (_, frame) = peer.hear().await;
    assert!(matches!(frame, client::Frame::Hello(hello) if hello.start_now && hello.device.is_empty()));
}

#[tokio::test]
async fn a_connection_that_is_dropped_ends_at_once_and_says_nothing_more() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.deliver(1, hello(1)).await;
    scene.delivery().await.acknowledge();
    drop(scene.connection);
    assert!(peer.next().await.is_none(), "closing it would acknowledge");
}

#[tokio::test]
async fn the_backlog_comes_then_caught_up_then_what_happens() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(4).await;
    peer.deliver(5, hello(1)).await;
    peer.deliver(8, hello(2)).await;
    peer.caught_up(8).await;
    peer.deliver(9, hello(3)).await;
    for (position, sequence) in [(5, 1), (8, 2)] {
        let delivery = scene.delivery().await;
        let Content::Message(message) = &delivery.content else { panic!("{delivery:?}") };
        assert_eq!((delivery.position, message.id), (position, message_id(sequence)));
        delivery.acknowledge();
    }
    assert_eq!(scene.caught_up().await, 8);
    peer.acknowledged_up_to(8).await;
    let delivery = scene.delivery().await;
    assert_eq!(delivery.position, 9);
    delivery.acknowledge();
    peer.acknowledged_up_to(9).await;
    scene.reaches(|state| *state == ConnectionState::Online { acknowledged: 9 }).await;
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_handled() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    for position in 1..=3 {
        peer.deliver(position, hello(position)).await;
    }
    let (first, second, third) = (scene.delivery().await, scene.delivery().await, scene.delivery().await);
    second.acknowledge();
    third.acknowledge();
    // Whatever the client says next comes after the two.
    first.acknowledge();
    assert_eq!(peer.acknowledged().await, 3);
}

#[tokio::test]
async fn a_dropped_delivery_is_not_acknowledged_and_comes_again_on_the_next_start() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.deliver(1, hello(1)).await;
    peer.deliver(2, hello(2)).await;
    peer.deliver(3, hello(3)).await;
    scene.delivery().await.acknowledge();
    drop(scene.delivery().await);
    scene.delivery().await.acknowledge();
    let Scene { connection, .. } = scene;
    let ((), ()) = tokio::join!(connection.close(), async {
        assert_eq!(peer.acknowledged().await, 1);
        assert!(matches!(peer.next().await, Some(Ws::Close(_))));
        assert!(peer.next().await.is_none());
    });
}

#[tokio::test]
async fn what_was_delivered_before_the_line_broke_is_not_delivered_again() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.deliver(1, hello(1)).await;
    peer.deliver(2, hello(2)).await;
    let (first, second) = (scene.delivery().await, scene.delivery().await);
    drop(peer);
    assert_eq!(scene.wait_to_reconnect().await, Lost::Network);

    // The server knows of no acknowledgement and delivers everything again.
    let mut peer = scene.server.welcome(0).await;
    for position in 1..=3 {
        peer.deliver(position, hello(position)).await;
    }
    peer.caught_up(3).await;
    assert_eq!(scene.backlog().await, [3]);
    first.acknowledge();
    second.acknowledge();
    peer.acknowledged_up_to(3).await;
}

#[tokio::test]
async fn what_was_handled_while_the_line_was_broken_is_acknowledged_on_the_next_one() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.deliver(1, hello(1)).await;
    let delivery = scene.delivery().await;
    drop(peer);
    scene.wait_to_reconnect().await;
    delivery.acknowledge();
    let mut peer = scene.server.welcome(0).await;
    assert_eq!(peer.acknowledged().await, 1);
}

#[tokio::test]
async fn deliveries_that_are_repeated_or_mixed_up_come_once_each() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(10).await;
    for position in [12, 12, 11, 10, 3, 14, 13, 12, 14] {
        peer.deliver(position, hello(position)).await;
    }
    peer.caught_up(14).await;
    assert_eq!(scene.backlog().await, [12, 11, 14, 13]);
    peer.acknowledged_up_to(14).await;
}

#[tokio::test]
async fn a_message_at_two_positions_is_delivered_once_and_both_are_acknowledged() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.deliver(1, hello(1)).await;
    peer.deliver(2, hello(1)).await;
    peer.caught_up(2).await;
    assert_eq!(scene.backlog().await, [1]);
    peer.acknowledged_up_to(2).await;
}

#[tokio::test]
async fn a_gap_is_told_and_acknowledged_like_a_delivery() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(4).await;
    peer.say("", Frame::Gap(DmGap { from: 5, to: 90, reason: 1 })).await;
    peer.deliver(91, hello(1)).await;
    let gap = scene.delivery().await;
    assert_eq!((gap.position, &gap.content), (90, &Content::Gap { from: 5 }));
    gap.acknowledge();
    assert_eq!(peer.acknowledged().await, 90);
    assert_eq!(scene.delivery().await.position, 91);
}

#[tokio::test]
async fn an_event_that_makes_no_sense_has_its_position_and_can_be_acknowledged() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.deliver_nonsense(1).await;
    let delivery = scene.delivery().await;
    assert_eq!(delivery.content, Content::Unknown);
    delivery.acknowledge();
    assert_eq!(peer.acknowledged().await, 1);
}

#[tokio::test]
async fn a_hosts_own_frames_are_passed_over() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.raw(Ws::Text("{\"hello\":1}".into())).await;
    peer.raw(Ws::Binary(Envelope::default().encode_to_vec().into())).await;
    peer.deliver(1, hello(1)).await;
    assert_eq!(scene.delivery().await.position, 1);
}

#[tokio::test]
async fn frames_that_do_not_decode_or_are_too_large_end_the_connection_and_it_is_made_again() {
    let scene = scene().await;
    for frame in [vec![0xff; 9], vec![0; 300 * 1024]] {
        let mut peer = scene.server.welcome(0).await;
        peer.raw(Ws::Binary(frame.into())).await;
        assert!(matches!(scene.wait_to_reconnect().await, Lost::Protocol(_)));
    }
    let _peer = scene.server.welcome(0).await;
    scene.reaches(|state| matches!(state, ConnectionState::Online { .. })).await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_pinged_and_then_left() {
    let scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    scene.reaches(|state| matches!(state, ConnectionState::Online { .. })).await;
    scene.clock.end(|wait| wait == PING).await;
    // The ping is seen here, and answered by the library underneath when the next read is asked
    // for; none is.
    assert!(matches!(peer.next().await, Some(Ws::Ping(_))));
    scene.clock.end(|wait| wait == TIMEOUT).await;
    assert_eq!(scene.wait_to_reconnect().await, Lost::Timeout);
}

#[tokio::test]
async fn a_server_that_answers_pings_is_kept_and_its_pings_are_answered() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    scene.reaches(|state| matches!(state, ConnectionState::Online { .. })).await;
    scene.clock.end(|wait| wait == PING).await;
    assert!(matches!(peer.next().await, Some(Ws::Ping(_))));
    peer.raw(Ws::Pong(Vec::new().into())).await;
    peer.deliver(1, hello(1)).await;
    assert_eq!(scene.delivery().await.position, 1);
    scene.clock.end(|wait| wait == TIMEOUT).await;

    peer.raw(Ws::Ping(b"are you there".to_vec().into())).await;
    assert_eq!(peer.next().await, Some(Ws::Pong(b"are you there".to_vec().into())));
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_left() {
    let scene = scene().await;
    let stream = scene.server.accept_stream().await;
    scene.clock.end(|wait| wait == TIMEOUT).await;
    assert_eq!(scene.wait_to_reconnect().await, Lost::Timeout);
    drop(stream);
}

#[tokio::test]
async fn attempts_come_at_growing_distance_until_the_server_is_of_use() {
    let mut scene = scene().await;
    let mut waits = Vec::new();
    for _ in 0..3 {
        // Accepting and welcoming is not enough.
        drop(scene.server.welcome(0).await);
        let waiting = scene.reaches(|state| matches!(state, ConnectionState::Waiting { .. })).await;
        let ConnectionState::Waiting { retry_in, .. } = waiting else { panic!("{waiting:?}") };
        waits.push(retry_in.as_millis());
        scene.wait_to_reconnect().await;
    }
    assert!(
        waits[0] <= 500 && (500..=1000).contains(&waits[1]) && (1000..=2000).contains(&waits[2]),
        "{waits:?}"
    );

    let mut peer = scene.server.welcome(0).await;
    peer.caught_up(0).await;
    scene.caught_up().await;
    drop(peer);
    let waiting = scene.reaches(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    assert!(matches!(waiting, ConnectionState::Waiting { retry_in, .. } if retry_in.as_millis() <= 500));
}

#[tokio::test]
async fn a_server_that_goes_away_is_given_the_time_it_asks_for() {
    let scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    let going = DmGoingAway { reason: "restart".to_owned(), reconnect_after_ms: 60_000 };
    peer.say("", Frame::GoingAway(going)).await;
    let waiting = scene.reaches(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    let retry_in = Duration::from_secs(60);
    assert_eq!(waiting, ConnectionState::Waiting { retry_in, reason: Lost::GoingAway });
}

#[tokio::test]
async fn a_connection_that_was_replaced_or_refused_is_not_made_again() {
    let cases = [
        (4009, "replaced"),
        (4001, "unauthorized"),
        (4002, "unauthorized"),
        (4003, "refused with 403"),
        (1008, "refused with 400"),
    ];
    for (code, expected) in cases {
        let scene = scene().await;
        scene.server.welcome(0).await.close(code).await;
        let end = match scene.end().await {
            End::Replaced => "replaced".to_owned(),
            End::Unauthorized => "unauthorized".to_owned(),
            End::Refused(problem) => format!("refused with {}", problem.status),
            end => format!("{end:?}"),
        };
        assert_eq!(end, expected, "{code}");
    }
}

#[tokio::test]
async fn what_a_connection_was_lost_by_is_told() {
    for (code, reason) in [
        (1001, Lost::GoingAway),
        (1012, Lost::GoingAway),
        (1013, Lost::GoingAway),
        (1000, Lost::Network),
        (1011, Lost::Network),
    ] {
        let scene = scene().await;
        scene.server.welcome(0).await.close(code).await;
        assert_eq!(scene.wait_to_reconnect().await, reason, "{code}");
    }
    let scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    // A frame of a kind that is reserved.
    peer.raw_bytes(&[0x83, 0]).await;
    assert_eq!(scene.wait_to_reconnect().await, Lost::Protocol("not WebSocket frames"));
}

#[tokio::test]
async fn a_hello_is_put_off_or_refused_for_good() {
    let scene = scene().await;
    let mut peer = scene.server.accept().await;
    let (request, _) = peer.hear().await;
    let going = DmGoingAway { reason: "restart".to_owned(), reconnect_after_ms: 1 };
    peer.say(&request, Frame::GoingAway(going)).await;
    assert_eq!(scene.wait_to_reconnect().await, Lost::GoingAway);

    let mut peer = scene.server.accept().await;
    let (request, _) = peer.hear().await;
    peer.say(&request, Frame::Problem(DmProblem { status: 503, ..DmProblem::default() })).await;
    let Lost::Refused(problem) = scene.wait_to_reconnect().await else { panic!("not refused") };
    assert_eq!(problem.status, 503);

    let mut peer = scene.server.accept().await;
    let (request, _) = peer.hear().await;
    peer.say(&request, Frame::Problem(DmProblem { status: 401, ..DmProblem::default() })).await;
    assert_eq!(scene.end().await, End::Unauthorized);
}

#[tokio::test]
async fn a_problem_that_answers_no_request_ends_the_connection() {
    let scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.say("", Frame::Problem(DmProblem { status: 401, ..DmProblem::default() })).await;
    assert_eq!(scene.end().await, End::Unauthorized);
}

#[tokio::test]
async fn a_handshake_that_is_refused_ends_it_and_one_that_is_put_off_does_not() {
    async fn answer(scene: &Scene, status: u16) {
        let mut stream = scene.server.accept_stream().await;
        let _read = stream.read(&mut [0; 4096]).await.unwrap();
        let answer = format!("HTTP/1.1 {status} X\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let first = scene().await;
    answer(&first, 503).await;
    let waiting = first.reaches(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    assert!(matches!(waiting, ConnectionState::Waiting { retry_in, .. } if retry_in.as_secs() == 60));
    assert!(matches!(first.wait_to_reconnect().await, Lost::Refused(problem) if problem.status == 503));
    answer(&first, 401).await;
    assert_eq!(first.end().await, End::Unauthorized);

    let second = scene().await;
    answer(&second, 404).await;
    assert!(matches!(second.end().await, End::Refused(problem) if problem.status == 404));
}

#[tokio::test]
async fn a_refused_acknowledgement_ends_the_connection_and_one_put_off_is_sent_again() {
    async fn refuse(peer: &mut Peer, status: u32, retry_after_ms: Option<u64>) {
        let (request, _) = peer.hear().await;
        let problem = DmProblem { status, retry_after_ms, ..DmProblem::default() };
        peer.say(&request, Frame::Problem(problem)).await;
    }
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.deliver(1, hello(1)).await;
    scene.delivery().await.acknowledge();
    refuse(&mut peer, 503, Some(5_000)).await;
    let waiting = scene.reaches(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    assert!(matches!(waiting, ConnectionState::Waiting { retry_in, .. } if retry_in.as_millis() == 5_000));
    scene.wait_to_reconnect().await;

    let mut peer = scene.server.welcome(0).await;
    refuse(&mut peer, 422, None).await;
    assert!(matches!(scene.end().await, End::Refused(problem) if problem.status == 422));
}

#[tokio::test]
async fn a_problem_that_answers_something_else_changes_nothing() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.say("a host's own", Frame::Problem(DmProblem { status: 400, ..DmProblem::default() })).await;
    peer.deliver(1, hello(1)).await;
    assert_eq!(scene.delivery().await.position, 1);
}

#[tokio::test]
async fn acknowledgements_come_as_fast_as_they_are_answered_and_cover_what_happened_meanwhile() {
    let mut scene = scene().await;
    let mut peer = scene.server.welcome(0).await;
    peer.deliver(1, hello(1)).await;
    scene.delivery().await.acknowledge();
    let (request, frame) = peer.hear().await;
    assert!(matches!(frame, client::Frame::Ack(ack) if ack.up_to == 1));
    for position in 2..=20 {
        peer.deliver(position, hello(position)).await;
        scene.delivery().await.acknowledge();
    }
    peer.say(&request, Frame::Acknowledged(dm_proto::DmAcknowledged { up_to: 1, ..Default::default() }))
        .await;
    assert_eq!(peer.acknowledged().await, 20);
}

#[tokio::test]
async fn a_caller_that_takes_nothing_makes_reading_pause_and_misses_nothing() {
    let server = Server::start().await;
    let client = Client::builder(server.base()).build().unwrap();
    let mut connection = client.connect(ConnectionConfig { queue: 4, ..ConnectionConfig::default() });
    let mut peer = server.welcome(0).await;
    for position in 1..=50 {
        peer.deliver(position, hello(position)).await;
    }
    for expected in 1..=50 {
        let Some(Event::Delivery(delivery)) = connection.next().await else { panic!("no delivery") };
        assert_eq!(delivery.position, expected);
        delivery.acknowledge();
    }
    peer.acknowledged_up_to(50).await;
}

#[tokio::test]
async fn closing_ends_it_in_every_state() {
    // While connecting.
    let first = scene().await;
    let _stream = first.server.accept_stream().await;
    first.connection.close().await;
    // While waiting.
    let second = scene().await;
    drop(second.server.accept_stream().await);
    second.reaches(|state| matches!(state, ConnectionState::Waiting { .. })).await;
    second.connection.close().await;
    // While the caller's queue is full.
    let server = Server::start().await;
    let client = Client::builder(server.base()).build().unwrap();
    let connection = client.connect(ConnectionConfig { queue: 1, ..ConnectionConfig::default() });
    let mut peer = server.welcome(0).await;
    for position in 1..=9 {
        peer.deliver(position, hello(position)).await;
    }
    let ((), ()) = tokio::join!(connection.close(), async { while peer.next().await.is_some() {} });
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_nothing() {
    let server = Server::start().await;
    let client = Client::builder(server.base().replace("http", "https")).token("t0ken").build().unwrap();
    let connection = client.connect(ConnectionConfig::default());
    let mut stream = server.accept_stream().await;
    let mut first = [0; 3];
    stream.read_exact(&mut first).await.unwrap();
    // A handshake record of TLS, and not a request with a token in it.
    assert_eq!(first[..2], [0x16, 0x03]);
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let mut state = connection.state();
    let waiting =
        state.wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap().clone();
    assert!(matches!(waiting, ConnectionState::Waiting { reason: Lost::Network, .. }), "{waiting:?}");
}
