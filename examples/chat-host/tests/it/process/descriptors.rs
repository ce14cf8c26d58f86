//! A test of a host with few file descriptors.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use chat_host::accounts::Accounts;
use dm_core::{Timestamp, UserId};
use serde_json::{Value, json};

use crate::process::host::Host;

const ANA: &str = "5866666666666666666666666666666666666666666666666666666666666666";
const BO: &str = "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022";
const DESCRIPTORS: u64 = 256;
const IDLE: usize = 300;

/// A connection that is kept open for several requests.
struct Backend(BufReader<TcpStream>);

impl Backend {
    fn to(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    /// Sends a request, and returns the status and the body of the answer.
    fn ask(&mut self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "the connection was closed after {head:?}");
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), String::from_utf8(body).unwrap())
    }
}

/// The value of a metric of the clients' listener, or of the process.
fn value(metrics: &str, name: &str) -> u64 {
    let series = match name {
        name if name.starts_with("process_") => format!("{name} "),
        name => format!("{name}{{listener=\"clients\"}} "),
    };
    let value = metrics.lines().find_map(|line| line.strip_prefix(&series));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Makes tokens for users before the host starts.
fn tokens(host_folder: &std::path::Path, users: [&str; 2]) -> [String; 2] {
    let data = host_folder.join("chat-data");
    std::fs::create_dir(&data).unwrap();
    let accounts = Accounts::open(data.join("accounts.db")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = Timestamp::from_millis(now.try_into().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    users.map(|user| {
        let user: UserId = user.parse().unwrap();
        let challenge = accounts.challenge_key().issue(user, now).unwrap();
        runtime.block_on(accounts.sign_in(user, None, challenge, now)).unwrap().unwrap().token.reveal()
    })
}

#[test]
fn idle_connections_leave_the_descriptors_that_the_calls_of_a_user_need() {
    let folder = tempfile::tempdir().unwrap();
    let [ana, _bo] = tokens(folder.path(), [ANA, BO]);
    let mut command = Command::new("sh");
    let limited = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\"");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_chat-host")]);
    // The idle connections come from the same address, and take all that are allowed.
    let options =
        ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--connections-per-address", "0"];
    let mut host = Host::run_in(command, &options, folder);
    let address = host.address();
    let (mut user, mut watching) = (Backend::to(&address), Backend::to(&host.metrics_address()));
    let mut metric = |name: &str| value(&watching.ask("GET", "/metrics", "", "").1, name);
    let (status, opened) =
        user.ask("POST", "/api/dm/conversations", &ana, &json!({ "recipient_pubkey": BO }).to_string());
    assert_eq!(status, 201, "{opened}");
    let conversation = serde_json::from_str::<Value>(&opened).unwrap()["id"].as_str().unwrap().to_owned();

    let idle: Vec<_> = (0..IDLE).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let limit = metric("chat_connections_limit");
    assert!(limit < DESCRIPTORS, "{limit}");
    while metric("chat_connections") < limit {}
    // The figures are read every few seconds, not for each request.
    while metric("process_open_fds") < limit {}
    assert_eq!(metric("process_max_fds"), DESCRIPTORS);
    let open = metric("process_open_fds");
    assert!((limit..DESCRIPTORS).contains(&open), "{open} descriptors are open");

    let message = json!({
        "conversation_id": conversation, "encrypted_payload": "AAAA", "nonce": "A".repeat(32), "timestamp": 1,
    });
    for _ in 0..20 {
        let (status, answer) = user.ask("POST", "/api/dm/messages", &ana, &message.to_string());
        assert_eq!(status, 201, "{answer}");
        let history = format!("/api/dm/messages/{conversation}");
        for path in ["/api/dm/conversations", "/api/dm/offline", &history, "/api/dm/devices", "/healthz"] {
            let (status, answer) = user.ask("GET", path, &ana, "");
            assert_eq!(status, 200, "{path}: {answer}");
        }
    }
    // The host accepts no more connections than it has descriptors for, so no accept fails.
    assert!(!watching.ask("GET", "/metrics", "", "").1.contains("chat_accept_failures_total"));
    drop(idle);
}
