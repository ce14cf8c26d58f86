//! Tests of the program with servers that require authentication and TLS.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use dm_test_servers::{nats, postgres};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// A certificate authority, and its certificate for 127.0.0.1 with the key, as PEM.
struct Authority {
    ca: String,
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        Self { ca: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A folder with the files for the options of a host.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// A host process. It is killed when this value is dropped.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(folder: &Path, options: &[&str]) -> Host {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-host"));
    command.current_dir(folder).args(["--listen", "127.0.0.1:0"]).args(options);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Host(command.spawn().unwrap())
}

/// Starts a host, and waits until it listens.
fn start(folder: &Path, options: &[&str]) -> Host {
    let mut host = spawn(folder, options);
    let mut line = String::new();
    BufReader::new(host.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if !line.starts_with("listening on ") {
        let mut said = String::new();
        host.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        panic!("it does not start: {said}");
    }
    host
}

/// Starts a host that must fail, and returns its standard error.
fn refused(folder: &Path, options: &[&str]) -> String {
    let mut host = spawn(folder, options);
    let mut said = String::new();
    host.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!host.0.wait().unwrap().success(), "it started: {said}");
    said
}

#[test]
fn a_host_signs_in_at_nats_with_a_password_over_tls() {
    let ours = Authority::new();
    let server = nats::Server::configured(
        r#"tls { cert_file: server.pem, key_file: server.key }
           authorization { users: [ { user: host, password: "right",
           permissions: { publish: ["dm.>"], subscribe: ["dm.>"] } } ] }"#,
        &[("server.pem", &*ours.certificate), ("server.key", &*ours.key)],
    );
    let files = Files::new();
    let folder = files.0.path();
    let (ca, other) = (files.write("ca.pem", &ours.ca), files.write("other.pem", &Authority::new().ca));
    let (right, wrong) = (files.write("right", "right\n"), files.write("wrong", "PASSCANARY\n"));
    let key = files.write("hint.key", &"ab".repeat(32));
    let address = server.address();
    let with = |password, ca| {
        let mut options = vec!["--store", "memory", "--nats", &*address, "--hint-key-file", &*key];
        options.extend(["--nats-user", "host", "--nats-password-file", password, "--nats-ca", ca]);
        options
    };
    let said = refused(folder, &with(&wrong, &ca));
    assert!(said.contains("refused the credentials") && !said.contains("PASSCANARY"), "{said}");
    assert!(refused(folder, &with(&right, &other)).contains("no TLS with the NATS server"));

    let _host = start(folder, &with(&right, &ca));
    let connection = server.monitor("/connz?auth=true");
    assert!(connection.contains(r#""authorized_user": "host""#), "{connection}");
    assert!(connection.contains(r#""tls_version": "1."#) && connection.contains("chat-host"), "{connection}");
}

#[test]
fn a_host_signs_in_at_nats_with_an_nkey() {
    let nkey = nkeys::KeyPair::new_user();
    let lines = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", nkey.public_key());
    let server = nats::Server::configured(&lines, &[]);
    let files = Files::new();
    let seed = files.write("host.nk", &nkey.seed().unwrap());
    let wrong = files.write("wrong.nk", &nkeys::KeyPair::new_user().seed().unwrap());
    let address = server.address();
    let with = |seed| ["--store", "memory", "--nats", &*address, "--nats-nkey-file", seed];
    assert!(refused(files.0.path(), &with(&wrong)).contains("refused the credentials"));
    let _host = start(files.0.path(), &with(&seed));
    assert!(server.monitor("/connz?auth=true").contains(&nkey.public_key()));
}

#[test]
fn a_host_connects_to_postgresql_over_tls_only() {
    let ours = Authority::new();
    let server = postgres::Cluster::with_tls(&ours.certificate, &ours.key);
    let files = Files::new();
    let folder = files.0.path();
    let (ca, other) = (files.write("ca.pem", &ours.ca), files.write("other.pem", &Authority::new().ca));
    let parameters = server.tls_parameters("postgres");
    let with = |parameters, ca| ["--store", "postgres", "--postgres", parameters, "--postgres-ca", ca];
    assert!(refused(folder, &with(&parameters, &other)).contains("the PostgreSQL database cannot be used"));
    let plain = parameters.replace("sslmode=require", "sslmode=prefer");
    assert_ne!(plain, parameters);
    assert!(refused(folder, &with(&plain, &ca)).contains("needs sslmode=require"));

    let _host = start(folder, &with(&parameters, &ca));
    let connections =
        "SELECT count(*) FILTER (WHERE NOT ssl), count(DISTINCT application_name) FROM pg_stat_ssl
         JOIN pg_stat_activity USING (pid) WHERE application_name IN ('chat-host', 'dm-store-postgres')";
    assert_eq!(server.sql("postgres", connections), "0|2");
}
