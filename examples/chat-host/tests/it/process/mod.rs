//! Tests of the program: its output, its end and its limits.

#[cfg(unix)]
mod descriptors;
mod host;
mod metrics;

#[cfg(unix)]
use std::process::Command;

use host::Host;

#[test]
fn the_host_prints_its_address_and_the_next_steps() {
    let mut host = Host::start(&["--listen", "127.0.0.1:0"]);
    let address = host.address();
    host.child.kill().unwrap();
    let (_, hint, _) = host.end();
    for command in
        ["chat -- --name ana --server", "chat -- --name bo --server", "chat -- replay README.md --server"]
    {
        assert!(hint.contains(&format!("cargo run --release -p {command} http://{address}\n")), "{hint}");
    }
}

#[cfg(unix)]
#[test]
fn the_host_ends_with_success_on_a_signal() {
    for signal in ["INT", "TERM"] {
        for store in ["sqlite", "memory"] {
            let mut host = Host::start(&["--listen", "127.0.0.1:0", "--store", store]);
            host.address();
            let pid = host.child.id().to_string();
            assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
            let (ended_well, _, log) = host.end();
            assert!(ended_well, "{signal}: {log}");
            assert!(log.contains("stopped"), "{log}");
        }
    }
}

#[cfg(unix)]
#[test]
fn the_folder_is_accessible_to_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mut host = Host::start(&["--listen", "127.0.0.1:0"]);
    host.address();
    let data = host.folder.path().join("chat-data");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in ["accounts.db", "dm.db"] {
        assert_eq!(mode(&data.join(file)), 0o600);
    }
}

#[test]
fn listening_on_every_address_needs_an_origin() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let mut host = Host::start(&["--listen", address]);
        assert!(!host.child.wait().unwrap().success());
        assert!(!host.folder.path().join("chat-data").exists());
        let (_, out, log) = host.end();
        assert!(out.is_empty());
        assert!(log.contains("--origin https://"), "{log}");
    }
    let mut named = Host::start(&["--listen", "0.0.0.0:0", "--origin", "https://chat.example"]);
    assert!(named.address().starts_with("0.0.0.0:"));
    named.child.kill().unwrap();
    let (_, hint, _) = named.end();
    assert!(hint.contains("--server https://chat.example\n"), "{hint}");
}

#[test]
fn a_taken_port_is_a_clear_error_and_no_folder_is_made() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut host = Host::start(&["--listen", &address]);
    assert!(!host.child.wait().unwrap().success());
    assert!(!host.folder.path().join("chat-data").exists());
    let (_, out, log) = host.end();
    assert!(out.is_empty());
    assert!(log.contains(&format!("{address} is taken by another program")), "{log}");
}

#[test]
fn a_folder_that_cannot_be_made_is_a_clear_error() {
    let host = Host::start(&[
        "--listen",
        "127.0.0.1:0",
        "--data",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml/data"),
    ]);
    let (ended_well, _, log) = host.end();
    assert!(!ended_well);
    assert!(log.contains("cannot make the folder") && log.contains("--data"), "{log}");
}
