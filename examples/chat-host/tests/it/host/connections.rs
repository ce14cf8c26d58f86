//! Tests of slow connections, limits and shutdown.

use std::time::Duration;

use chat_host::serve::Limits;
use dm_core::{Ciphertext, SendMessage, UserId};
use futures_util::StreamExt;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::host::running::{NOW, Person, Running, close_code, start, start_with};

#[tokio::test]
async fn a_client_that_does_not_finish_its_headers_is_disconnected() {
    let limits = Limits { header_read: Duration::from_millis(50), ..Limits::default() };
    let host = start_with(limits, tempfile::tempdir().unwrap()).await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"GET /api/info HTTP/1.1\r\nhost: a\r\nx-slow: ").await.unwrap();
    let mut answer = Vec::new();
    // The read ends only because the host closes the connection.
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn at_the_limit_of_connections_a_client_waits_until_another_disconnects() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let host = start_with(limits, tempfile::tempdir().unwrap()).await;
    let mut first = TcpStream::connect(host.address).await.unwrap();
    let mut second = TcpStream::connect(host.address).await.unwrap();
    let request = b"GET /api/info HTTP/1.1\r\nhost: a\r\n\r\n";
    second.write_all(request).await.unwrap();
    // The second client sent its request before all of these, so there was time to serve it.
    for _ in 0..10 {
        first.write_all(request).await.unwrap();
        assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
    }
    let waiting = second.try_read(&mut [0; 4096]).unwrap_err();
    assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);

    drop(first);
    let mut answer = [0; 15];
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_stop_closes_websockets_with_try_again_and_then_ends() {
    let host = start().await;
    let token = host.token(&Person::new(1), None).await;
    let url = format!("ws://{}/api/dm/ws?token={token}", host.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    host.stop.send(()).unwrap();
    assert_eq!(close_code(&mut socket).await, 1012);
    while socket.next().await.is_some() {}
    host.server.await.unwrap();
    assert!(TcpStream::connect(host.address).await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn a_websocket_that_does_not_close_delays_the_stop_by_at_most_the_limit() {
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let host = start_with(limits, tempfile::tempdir().unwrap()).await;
    let token = host.token(&Person::new(1), None).await;
    let url = format!("ws://{}/api/dm/ws?token={token}", host.address);
    // The client never reads, so it does not answer the close frame.
    let (_socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    host.stop.send(()).unwrap();
    host.server.await.unwrap();
}

/// Sends messages of 4 MiB from Ana to Bo.
async fn backlog(host: &Running, ana: &Person, bo: &Person) {
    let user = |who: &Person| who.hex().parse::<UserId>().unwrap();
    let dm = &host.host.dm;
    let opened = dm.open_conversation(&user(ana).into(), user(bo)).await.unwrap();
    for _ in 0..64 {
        let payload = Ciphertext::new(vec![7; 64 * 1024].into(), &[0; 24], None, None).unwrap();
        dm.send(&user(ana).into(), SendMessage::new(opened.conversation.id, payload, NOW)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_read_nothing_are_closed_and_release_their_budget() {
    let limits = Limits { write_stall: Duration::from_millis(50), ..Limits::default() };
    let host = start_with(limits, tempfile::tempdir().unwrap()).await;
    let (ana, bo) = (Person::new(1), Person::new(2));
    let (ana_token, bo_token) = (host.token(&ana, None).await, host.token(&bo, None).await);
    backlog(&host, &ana, &bo).await;

    let mut silent = Vec::new();
    // These answers exceed the budget of one user many times.
    for _ in 0..24 {
        let socket = TcpSocket::new_v4().unwrap();
        // The buffer is as small as the system allows, so that the answer does not fit into the
        // buffers.
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(host.address).await.unwrap();
        let request =
            format!("GET /api/dm/offline HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {bo_token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    // Another user is served meanwhile.
    assert_eq!(host.get("/api/dm/conversations", &ana_token).await.status(), StatusCode::OK);
    // The manual clock stands still, so this request is admitted only after the budget of the
    // others is released. If this test is delayed for as long as a write stall, its own connection
    // is closed, and it tries again.
    let whole = loop {
        let answer = host.get("/api/dm/offline", &bo_token).await;
        assert_eq!(answer.status(), StatusCode::OK);
        if let Ok(text) = answer.text().await {
            break text;
        }
    };
    assert_eq!(whole.matches("encrypted_payload").count(), 64);
    let mut cut = 0;
    for mut stream in silent {
        // A closed connection has the bytes that were under way and no more. A request that was
        // admitted only now is read to its end.
        let mut answer = Vec::new();
        let _closed = stream.read_to_end(&mut answer).await;
        cut += usize::from(answer.len() < 5 << 20);
    }
    assert!(cut > 0, "no budget was released before its answer was read");
}

#[tokio::test]
async fn an_address_at_its_limit_is_refused_until_a_connection_closes() {
    let limits = Limits { connections_per_address: 2, ..Limits::default() };
    let host = start_with(limits, tempfile::tempdir().unwrap()).await;
    let request = b"GET /api/info HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut served = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        served.push(stream);
    }
    let mut third = TcpStream::connect(host.address).await.unwrap();
    let _refused = third.write_all(request).await;
    assert_eq!(third.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed unanswered");
    served.pop();
    // The server refuses connections until it has noticed the close.
    loop {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        let _refused = stream.write_all(request).await;
        if stream.read(&mut [0; 4096]).await.unwrap_or(0) > 0 {
            break;
        }
    }
}

#[tokio::test]
async fn headers_are_limited_to_sixteen_kibibytes() {
    let host = start().await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let mut sent = b"GET /api/info HTTP/1.1\r\nhost: a\r\n".to_vec();
    while sent.len() < 17 * 1024 {
        sent.extend(format!("x-{}: {}\r\n", sent.len(), "y".repeat(1_000)).into_bytes());
    }
    // The headers have no empty line at their end.
    stream.write_all(&sent).await.unwrap();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
}
