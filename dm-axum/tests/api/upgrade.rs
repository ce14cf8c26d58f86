//! Opening a WebSocket: principals, tickets, origins, devices and limits.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::socket::Socket;
use crate::world::{SECOND, START, World, answer, kind, user};

async fn ticket(world: &World, n: u64) -> String {
    world.post(n, "ws-ticket", &json!({})).await.1["ticket"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_ticket_opens_one_socket_for_its_holder() {
    let world = World::new().await;
    let conversation = world.open(1, 2).await;
    let query = format!("?ticket={}", ticket(&world, 1).await);
    let mut socket = Socket::try_open(&world, &query, &[]).await.unwrap();
    assert_eq!(socket.list("l").await.conversations[0].id, conversation);
    assert_eq!(Socket::try_open(&world, &query, &[]).await.err(), Some(401), "used");

    let query = format!("?ticket={}", ticket(&world, 1).await);
    world.clock.advance(30 * SECOND);
    assert_eq!(Socket::try_open(&world, &query, &[]).await.err(), Some(401), "expired");
    for query in ["", "?ticket=", "?ticket=x", "?token=x"] {
        assert_eq!(Socket::try_open(&world, query, &[]).await.err(), Some(401), "{query}");
    }
}

#[tokio::test]
async fn a_ticket_used_twice_at_once_works_once() {
    let world = World::new().await;
    let query = format!("?ticket={}", ticket(&world, 1).await);
    let (one, other) =
        tokio::join!(Socket::try_open(&world, &query, &[]), Socket::try_open(&world, &query, &[]));
    assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1);
}

#[tokio::test]
async fn a_request_that_is_no_upgrade_uses_up_no_ticket() {
    let world = World::new().await;
    let (status, problem) = world.get(1, "ws").await;
    assert_eq!((status, kind(&problem)), (426, "not-an-upgrade"));
    let query = format!("?ticket={}", ticket(&world, 1).await);
    let response = world.anonymous(Method::GET, &format!("ws{query}")).send().await.unwrap();
    assert_eq!(answer(response).await.0, 426);
    assert!(Socket::try_open(&world, &query, &[]).await.is_ok());
}

#[tokio::test]
async fn a_ticket_has_the_expiry_of_the_login_that_requested_it() {
    let world = World::new().await;
    let request = world.call(1, Method::POST, "ws-ticket").header("x-expiry", START + 5_000);
    let (_, body) = answer(request.send().await.unwrap()).await;
    let query = format!("?ticket={}", body["ticket"].as_str().unwrap());
    let mut socket = Socket::try_open(&world, &query, &[]).await.unwrap();
    socket.list("l").await;
    world.clock.advance(5 * SECOND);
    assert_eq!(socket.receive_close().await.0, 4001);
}

#[tokio::test]
async fn a_socket_closes_when_its_login_expires_and_not_earlier() {
    let world = World::new().await;
    let (who, expiry) = (user(1).to_string(), (START + 5_000).to_string());
    let headers = [("x-user", &*who), ("x-expiry", &*expiry)];
    let mut socket = Socket::try_open(&world, "", &headers).await.unwrap();
    socket.list("l").await;
    world.clock.advance(4 * SECOND);
    // The wall clock is set back, so the timer resolves before the login expires.
    world.clock.set(dm_core::Timestamp::from_millis(START));
    world.clock.advance(SECOND);
    socket.list("still here").await;
    world.clock.advance(4 * SECOND);
    assert_eq!(socket.receive_close().await, (4001, "the session has ended".to_owned()));
}

#[tokio::test]
async fn a_foreign_origin_is_refused_before_the_upgrade() {
    let world = World::new().await;
    let who = user(1).to_string();
    let own = format!("http://{}", world.address);
    let open =
        async |origin: &str| Socket::try_open(&world, "", &[("x-user", &who), ("origin", origin)]).await;
    assert!(open(&own).await.is_ok());
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        assert_eq!(open(origin).await.err(), Some(403), "{origin}");
    }
    let request = world.call(1, Method::GET, "ws").header("origin", "https://evil.example");
    assert_eq!(kind(&answer(request.send().await.unwrap()).await.1), "foreign-origin");
}

#[tokio::test]
async fn a_query_names_the_device_only_if_the_host_does_not() {
    let world = World::new().await;
    let who = user(1).to_string();
    let open = async |device: &str, query: &str| {
        Socket::try_open(&world, query, &[("x-user", &who), ("x-device", device)]).await.err()
    };
    assert_eq!(open("default", "?device=phone").await, None);
    assert_eq!(open("phone", "?device=phone").await, None);
    assert_eq!(open("phone", "?device=laptop").await, Some(403));
    assert_eq!(open("default", "?device=a%20b").await, Some(400));
    assert_eq!(open("default", "?device=").await, Some(400));
}

#[tokio::test]
async fn a_closed_socket_does_not_count_for_its_user() {
    let world = World::with_options(|options| {
        options.sockets_per_user = 1;
        options.socket_interval = Duration::ZERO;
    })
    .await;
    let first = Socket::open(&world, 1).await;
    let who = user(1).to_string();
    assert_eq!(Socket::try_open(&world, "", &[("x-user", &who)]).await.err(), Some(429));
    Socket::open(&world, 2).await;
    first.close().await;
    crate::socket::until(async || Socket::try_open(&world, "", &[("x-user", &who)]).await.is_ok()).await;
}

#[tokio::test]
async fn a_user_who_opens_sockets_too_fast_is_told_when_to_retry() {
    let world = World::with_options(|options| options.sockets_per_user = 2).await;
    let open = async || {
        let request = world.call(1, Method::GET, "ws").header("connection", "upgrade");
        let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
        request.header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==").send().await.unwrap()
    };
    drop(open().await);
    drop(open().await);
    // While the server has not closed both, the refusal says that too many are open.
    crate::socket::until(async || {
        let response = open().await;
        assert_eq!(response.status(), 429);
        let after = response.headers()["retry-after"].clone();
        let (_, problem) = answer(response).await;
        assert_eq!(kind(&problem), "too-many-sockets");
        after == "1" && problem["detail"] == "a user may open 2 at once"
    })
    .await;
    Socket::open(&world, 2).await;
    world.clock.advance(SECOND / 2);
    assert_eq!(open().await.status(), 101);
}
