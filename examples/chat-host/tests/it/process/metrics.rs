//! Tests of metrics: a bounded number of series, and a separate address.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::process::host::Host;

/// Sends requests on one connection, and returns all answers until it is closed.
fn answered(address: &str, requests: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    answers
}

/// The status and the body of a GET request.
fn got(address: &str, path: &str) -> (String, String) {
    let answer = answered(address, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

/// The values of a label in all series.
fn values<'a>(metrics: &'a str, label: &str) -> Vec<&'a str> {
    let before = format!("{label}=\"");
    let series = metrics.lines().filter(|line| !line.starts_with('#'));
    series.filter_map(|line| line.split_once(&before)?.1.split('"').next()).collect()
}

#[test]
fn unknown_methods_and_paths_do_not_become_labels() {
    let mut host = Host::start(&["--listen", "127.0.0.1:0", "--store", "memory"]);
    let address = host.address();
    let request = |method: &str, path: &str, close: bool| {
        let connection = if close { "close" } else { "keep-alive" };
        format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\ncontent-length: 0\r\n\r\n"
        )
    };
    for round in 0..6 {
        let mut requests = String::new();
        for n in 0..100 {
            let method = format!("MADE-UP-{round}-{n}-{}", "X".repeat(200));
            requests += &request(&method, "/api/dm/conversations", false);
            requests += &request(&method, &format!("/api/dm/made-up-{round}-{n}"), false);
            requests += &request("GET", &format!("/api/dm/messages/made-up-{round}-{n}?made-up={n}"), false);
        }
        write!(requests, "{}", request("GET", "/api/info", true)).unwrap();
        let answers = answered(&address, &requests);
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 301);
    }

    let (status, metrics) = got(&address, "/metrics");
    assert_eq!(status, "200");
    let calls = metrics.lines().find(|line| line.contains("\"other\"") && line.starts_with("dm_calls_total"));
    assert!(calls.unwrap().ends_with(" 600"), "{calls:?}");
    assert!(!metrics.to_lowercase().contains("made-up"), "{metrics}");
    for method in values(&metrics, "method") {
        assert!(["GET", "POST", "DELETE", "other"].contains(&method), "{method}");
    }
    for route in values(&metrics, "route") {
        assert!(route.starts_with("/api/dm/"), "{route}");
    }
    assert!(metrics.len() < 64 * 1024, "{} bytes", metrics.len());
}

#[test]
fn with_a_separate_address_metrics_are_on_no_other() {
    let options = ["--listen", "127.0.0.1:0", "--store", "memory", "--metrics-listen", "127.0.0.1:0"];
    let mut host = Host::start(&options);
    let address = host.address();
    let metrics = host.metrics_address();
    assert_eq!(got(&address, "/metrics").0, "404");
    assert_eq!(got(&metrics, "/metrics").0, "200");
    // Other calls are not served on it.
    assert_eq!(got(&metrics, "/api/info").0, "404");
    assert_eq!(got(&address, "/healthz").0, "200");
}
