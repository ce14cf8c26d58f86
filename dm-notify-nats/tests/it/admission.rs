//! Accepted credentials and certificates, and the errors of refused ones.

use std::error::Error as _;

use dm_core::{MemoryStore, Service};
use dm_notify_nats::{NatsAuth, NatsError, NatsNotifier, NatsServers, NatsTls};
use dm_test_servers::nats::Server;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::common::{self, Node, config, servers, subscriptions, text, wait_until, who};

async fn connect_with(servers: &NatsServers) -> Result<NatsNotifier, NatsError> {
    NatsNotifier::connect_with(&Service::builder(MemoryStore::new()).hub(), servers, &config()).await
}

fn password(password: &str) -> NatsAuth {
    NatsAuth::Password { user: "node".to_owned(), password: password.to_owned() }
}

/// Asserts that a message is delivered from one node to another.
async fn assert_delivers(server: &Server, servers: &NatsServers) {
    let store = MemoryStore::new();
    let here = Node::configured(&store, servers, &config()).await;
    let there = Node::configured(&store, servers, &config()).await;
    let chat = here.open(1, 2).await;
    let mut bo = there.connect(&who(2)).await;
    wait_until("the recipient's node is subscribed", || subscriptions(server) == 1).await;
    here.send(&who(1), chat, "hello").await;
    assert_eq!(text(&mut bo).await, "hello");
    there.received(1).await;
}

#[tokio::test]
async fn a_password_is_accepted_and_a_wrong_one_is_refused_and_not_printed() {
    // The user has exactly the rights that the documentation names.
    let server = Server::configured(
        r#"authorization { users: [ { user: node, password: "right",
           permissions: { publish: ["dm.>"], subscribe: ["dm.>"] } } ] }"#,
        &[],
    );
    let mut servers = servers(&server);
    assert!(matches!(connect_with(&servers).await, Err(NatsError::Refused(_))), "no credentials");
    servers.auth = password("wrong-secret");
    let error = connect_with(&servers).await.unwrap_err();
    assert!(matches!(error, NatsError::Refused(_)));
    assert_eq!(error.to_string(), "the NATS server refused the credentials");
    assert!(error.source().unwrap().to_string().contains("authorization violation"));
    assert!(!format!("{error:?}").contains("wrong-secret"));
    servers.auth = password("right");
    assert_delivers(&server, &servers).await;
    let node = Node::configured(&MemoryStore::new(), &servers, &config()).await;
    assert_eq!(node.nats.presence(common::user(9)).await, dm_notify_nats::Presence::Nowhere);
}

#[tokio::test]
async fn a_token_is_accepted() {
    let server = Server::configured(r#"authorization { token: "right" }"#, &[]);
    let mut servers = servers(&server);
    servers.auth = NatsAuth::Token("wrong".to_owned());
    assert!(matches!(connect_with(&servers).await, Err(NatsError::Refused(_))));
    servers.auth = NatsAuth::Token("right".to_owned());
    assert_delivers(&server, &servers).await;
}

#[tokio::test]
async fn an_nkey_is_accepted() {
    let (right, wrong) = (nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user());
    let lines = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", right.public_key());
    let server = Server::configured(&lines, &[]);
    let mut servers = servers(&server);
    for seed in ["no seed".to_owned(), wrong.seed().unwrap()] {
        servers.auth = NatsAuth::Nkey(seed);
        assert!(matches!(connect_with(&servers).await, Err(NatsError::Refused(_))));
    }
    servers.auth = NatsAuth::Nkey(right.seed().unwrap());
    assert_delivers(&server, &servers).await;
}

#[tokio::test]
async fn an_unreadable_credentials_file_is_a_credentials_error() {
    let server = Server::start();
    let mut servers = servers(&server);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.creds");
    servers.auth = NatsAuth::Credentials(file.clone());
    assert!(matches!(connect_with(&servers).await, Err(NatsError::Credentials(_))), "no file");
    std::fs::write(&file, "nothing of the kind").unwrap();
    assert!(matches!(connect_with(&servers).await, Err(NatsError::Credentials(_))), "no credentials");
}

#[tokio::test]
async fn health_reports_credentials_that_are_revoked_later() {
    let mut server = Server::configured(r#"authorization { token: "first" }"#, &[]);
    let mut servers = servers(&server);
    servers.auth = NatsAuth::Token("first".to_owned());
    let node = Node::configured(&MemoryStore::new(), &servers, &config()).await;
    server.configure(r#"authorization { token: "second" }"#);
    let says = || node.nats.health().last_error.unwrap_or_default();
    wait_until("the node reports the error", || says().contains("authorization violation")).await;
    assert!(!node.nats.health().connected);
    server.configure(r#"authorization { token: "first" }"#);
    node.connected().await;
}

/// A certificate authority, and a certificate for 127.0.0.1 that it signed, with its key, as PEM.
fn authority() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    (authority.pem(), certificate.pem(), key.serialize_pem())
}

fn tls(authorities: &std::path::Path) -> Option<NatsTls> {
    let mut tls = NatsTls::default();
    tls.authorities = Some(authorities.to_owned());
    Some(tls)
}

#[tokio::test]
async fn tls_works_with_the_configured_authority_and_no_other() {
    let (ca, certificate, key) = authority();
    let files = [("ca.pem", &*ca), ("server.pem", &*certificate), ("server.key", &*key)];
    let lines = "tls { cert_file: server.pem, key_file: server.key, ca_file: ca.pem, verify: true }";
    let server = Server::configured(lines, &files);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (ca, other) = (write("ca.pem", &ca), write("other.pem", &authority().0));
    let own = (write("node.pem", &certificate), write("node.key", &key));

    let mut servers = servers(&server);
    let refused = |result: Result<NatsNotifier, NatsError>| matches!(result, Err(NatsError::Tls(_)));
    assert!(
        refused(connect_with(&servers).await),
        "a server that requires TLS is refused without a TLS configuration"
    );
    servers.tls = tls(&other);
    assert!(refused(connect_with(&servers).await), "another authority");
    servers.tls = Some(NatsTls::default());
    assert!(refused(connect_with(&servers).await), "the system's authorities");
    servers.tls = tls(&folder.path().join("missing.pem"));
    assert!(refused(connect_with(&servers).await), "no such file");
    servers.tls = tls(&own.1);
    assert!(refused(connect_with(&servers).await), "a file without a certificate");
    servers.tls = tls(&ca);
    if let Some(tls) = &mut servers.tls {
        tls.certificate = Some(own);
    }
    assert_delivers(&server, &servers).await;
}

#[tokio::test]
async fn with_tls_configured_no_connection_is_made_without_tls() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority().0).unwrap();
    let mut servers = servers(&server);
    servers.auth = password("SECRET");
    servers.tls = tls(&ca);
    match connect_with(&servers).await {
        Err(error) => assert!(matches!(error, NatsError::Tls(_)), "{error:?}"),
        Ok(nats) => assert!(!nats.health().connected),
    }
}

#[tokio::test]
async fn an_invalid_address_is_refused() {
    for address in ["", "ftp://host", "nats://", "ws://host", "nats://user:secret@host", "a b"] {
        let Err(NatsError::Invalid(invalid)) = connect_with(&NatsServers::from(address)).await else {
            panic!("{address:?} is accepted");
        };
        assert_eq!(invalid.field(), "addresses");
    }
}
