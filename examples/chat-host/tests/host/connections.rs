//! Connections that dawdle, and how the host ends.

use std::time::Duration;

use chat_host::serve::Limits;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{Person, close_code, start, start_with};

#[tokio::test]
async fn a_client_that_does_not_finish_its_headers_is_let_go() {
    let limits = Limits { header_read: Duration::from_millis(50), ..Limits::default() };
    let host = start_with(limits, tempfile::tempdir().unwrap()).await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"GET /api/info HTTP/1.1\r\nhost: a\r\nx-slow: ").await.unwrap();
    let mut answer = Vec::new();
    // Ends only because the host closes the connection.
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn with_all_places_taken_a_client_waits_until_one_leaves() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let host = start_with(limits, tempfile::tempdir().unwrap()).await;
    let mut first = TcpStream::connect(host.address).await.unwrap();
    let mut second = TcpStream::connect(host.address).await.unwrap();
    let request = b"GET /api/info HTTP/1.1\r\nhost: a\r\n\r\n";
    second.write_all(request).await.unwrap();
    // Time enough to serve the second, too: it sent its request before all of these.
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
async fn stopping_closes_websockets_with_come_again_and_then_ends() {
    let host = start().await;
    let token = host.token(&Person::new(1), None).await;
    let url = format!("ws://{}/api/dm/ws?token={token}", host.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    host.stop.send(()).unwrap();
    assert_eq!(close_code(&mut socket).await, 1012);
    while socket.next().await.is_some() {}
    host.server.await.unwrap();
    assert!(TcpStream::connect(host.address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn a_websocket_that_does_not_leave_is_waited_for_no_longer_than_the_bound() {
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let host = start_with(limits, tempfile::tempdir().unwrap()).await;
    let token = host.token(&Person::new(1), None).await;
    let url = format!("ws://{}/api/dm/ws?token={token}", host.address);
    // Never read from, so the close is never answered.
    let (_socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    host.stop.send(()).unwrap();
    host.server.await.unwrap();
}
