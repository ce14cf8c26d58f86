//! TLS to the server, with the connector that the documentation names.

use std::sync::Arc;

use dm_core::store::{Store, StoreErrorKind};
use dm_store_postgres::{PostgresConfig, PostgresStore};
use dm_test_servers::postgres::Cluster;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::common::{conversation, open};

/// The certificate of a new authority, a server certificate for 127.0.0.1 that the authority
/// signed, and the server's key. The last two are PEM texts.
fn authority() -> (CertificateDer<'static>, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    (authority.der().clone(), certificate.pem(), key.serialize_pem())
}

/// A TLS connector that trusts one certificate authority.
fn connector_trusting(authority: CertificateDer<'static>) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

#[tokio::test]
async fn tls_accepts_the_servers_authority_and_no_other() {
    let (ours, certificate, key) = authority();
    let (other, ..) = authority();
    let server = Cluster::with_tls(&certificate, &key);
    let parameters = server.tls_parameters("postgres");
    let config = PostgresConfig::default();

    let without = PostgresStore::open(&parameters).await.unwrap_err();
    assert_eq!(without.kind(), StoreErrorKind::Unavailable, "{without:?}");
    let untrusted =
        PostgresStore::open_with(&parameters, connector_trusting(other), &config).await.unwrap_err();
    assert_eq!(untrusted.kind(), StoreErrorKind::Unavailable, "{untrusted:?}");
    let reached = "SELECT count(*) FROM pg_namespace WHERE nspname = 'dm'";
    assert_eq!(server.sql("postgres", reached), "0");

    let store = PostgresStore::open_with(&parameters, connector_trusting(ours), &config).await.unwrap();
    store.commit(vec![open(1, 1, 2)]).await.unwrap();
    assert!(store.conversation(conversation(1)).await.unwrap().is_some());
    let plain =
        "SELECT count(*) FILTER (WHERE NOT ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                 WHERE application_name = 'dm-store-postgres'";
    assert_eq!(server.sql("postgres", plain), "0|2", "one connection for the commit, one for the read");
}
