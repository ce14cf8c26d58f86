//! Logins that the host ends before they expire.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use dm_axum::{Login, LoginWatch};
use dm_core::{DisconnectReason, Timestamp};
use reqwest::Method;
use tokio::sync::watch;

use crate::socket::Socket;
use crate::world::{LOGINS, SECOND, START, World, answer, user};

/// A login. A test sets when it ends and what its checks return.
#[derive(Debug, Default)]
struct TestLogin {
    ended: watch::Sender<bool>,
    answer: Mutex<CheckAnswer>,
    checks: Mutex<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
enum CheckAnswer {
    #[default]
    Valid,
    Ended(DisconnectReason),
    /// The check never returns.
    Pending,
}

impl TestLogin {
    /// Creates a login that a request can name in the header `x-login`.
    fn named(name: &str) -> Arc<Self> {
        let login = Arc::new(Self::default());
        let watch: Arc<dyn Login> = Arc::clone(&login) as _;
        LOGINS.lock().unwrap().insert(name.to_owned(), LoginWatch(watch));
        login
    }

    fn set_answer(&self, answer: CheckAnswer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn checks(&self) -> u32 {
        *self.checks.lock().unwrap()
    }
}

#[async_trait]
impl Login for TestLogin {
    async fn check(&self) -> Result<(), DisconnectReason> {
        *self.checks.lock().unwrap() += 1;
        let answer = *self.answer.lock().unwrap();
        match answer {
            CheckAnswer::Valid => Ok(()),
            CheckAnswer::Ended(reason) => Err(reason),
            CheckAnswer::Pending => std::future::pending().await,
        }
    }

    async fn ended(&self) -> DisconnectReason {
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
        DisconnectReason::SignedOut
    }
}

async fn open(world: &World, name: &str) -> Socket {
    let headers = [("x-user", &*user(1).to_string()), ("x-login", name)];
    let mut socket = Socket::try_open(world, "", &headers).await.unwrap();
    socket.list("opened").await;
    socket
}

#[tokio::test]
async fn a_login_that_ends_early_closes_only_its_own_sockets() {
    let world = World::new().await;
    let (login, _another) = (TestLogin::named("early"), TestLogin::named("early, another"));
    let (mut first, mut second) = (open(&world, "early").await, open(&world, "early").await);
    let mut other = open(&world, "early, another").await;
    login.ended.send_replace(true);
    for socket in [&mut first, &mut second] {
        assert_eq!(socket.receive_close().await, (4001, "the session has ended".to_owned()));
    }
    other.list("still here").await;
}

#[tokio::test]
async fn the_login_is_checked_when_a_socket_opens_and_at_its_pings() {
    let world = World::new().await;
    for (name, reason, code) in [
        ("asked, out", DisconnectReason::SignedOut, 4001),
        ("asked, banned", DisconnectReason::Refused, 4003),
    ] {
        let login = TestLogin::named(name);
        let mut socket = open(&world, name).await;
        assert_eq!(login.checks(), 1);
        world.clock.advance(30 * SECOND);
        socket.receive_ping(true).await;
        socket.list("holds").await;
        assert_eq!(login.checks(), 2);
        login.set_answer(CheckAnswer::Ended(reason));
        world.clock.advance(30 * SECOND);
        assert_eq!(socket.receive_close().await.0, code);
        assert_eq!(login.checks(), 3);
    }
}

#[tokio::test]
async fn the_login_is_checked_once_per_interval_with_more_frequent_pings() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let login = TestLogin::named("pinged often");
    let mut socket = open(&world, "pinged often").await;
    let delivered_and_pinged = async |socket: &mut Socket| {
        world.send(2, &conversation, "x").await;
        socket.receive().await;
        world.clock.advance(SECOND);
        socket.receive_ping(true).await;
        socket.list("holds").await;
    };
    for _ in 0..3 {
        delivered_and_pinged(&mut socket).await;
    }
    assert_eq!(login.checks(), 1);
    // The clock is set back to a time before the last check.
    world.clock.set(Timestamp::from_millis(START - 60_000));
    delivered_and_pinged(&mut socket).await;
    assert_eq!(login.checks(), 2);
}

#[tokio::test]
async fn a_check_that_does_not_return_is_not_repeated_and_delays_nothing() {
    let world = World::new().await;
    let login = TestLogin::named("mute");
    login.set_answer(CheckAnswer::Pending);
    let mut socket = open(&world, "mute").await;
    for round in ["first", "second"] {
        world.clock.advance(30 * SECOND);
        socket.receive_ping(true).await;
        socket.list(round).await;
    }
    assert_eq!(login.checks(), 1);
    login.ended.send_replace(true);
    assert_eq!(socket.receive_close().await.0, 4001);
}

#[tokio::test]
async fn a_socket_with_a_ticket_closes_when_the_login_of_the_ticket_ends() {
    let world = World::new().await;
    let login = TestLogin::named("ticket");
    let request = world.call(1, Method::POST, "ws-ticket").header("x-login", "ticket");
    let (_, body) = answer(request.send().await.unwrap()).await;
    login.set_answer(CheckAnswer::Ended(DisconnectReason::SignedOut));
    let query = format!("?ticket={}", body["ticket"].as_str().unwrap());
    let mut socket = Socket::try_open(&world, &query, &[]).await.unwrap();
    assert_eq!(socket.receive_close().await.0, 4001);
}
