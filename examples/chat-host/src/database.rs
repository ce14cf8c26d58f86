//! TLS for the connections to PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use dm_core::store::StoreError;
use dm_store_postgres::{PostgresConfig, PostgresStore};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The options of the connections to the database.
#[derive(Clone, Debug, Default, Args)]
pub struct DatabaseArgs {
    /// The certificate authorities of the PostgreSQL server, a PEM file; those of the system are
    /// often in /etc/ssl/certs/ca-certificates.crt. Needs `sslmode=require` in --postgres, so that
    /// no connection is made without TLS.
    #[arg(long, value_name = "FILE", env = "CHAT_HOST_POSTGRES_CA")]
    pub postgres_ca: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The TLS connector; `None` for connections without TLS.
    ///
    /// # Errors
    /// If the file cannot be used, or the option and the parameters contradict each other.
    pub fn tls(&self, parameters: &str) -> Result<Option<MakeRustlsConnect>> {
        // Invalid parameters are reported by the code that connects. The parser's error may contain
        // the password, so it is not reported here.
        let mode = parameters.parse().map(|parsed: tokio_postgres::Config| parsed.get_ssl_mode());
        match (&self.postgres_ca, mode) {
            (Some(file), Ok(SslMode::Require)) => connector(file)
                .with_context(|| format!("no certificate authorities in {}", file.display()))
                .map(Some),
            (Some(_), Ok(_)) => bail!("--postgres-ca needs sslmode=require in --postgres"),
            (None, Ok(SslMode::Require)) => {
                bail!("sslmode=require needs --postgres-ca, the certificate authorities of the server")
            }
            _ => Ok(None),
        }
    }
}

/// Opens the store; over TLS if there is a connector.
///
/// # Errors
/// The errors of [`PostgresStore::open_with`].
pub async fn open_store(
    parameters: &str,
    tls: Option<MakeRustlsConnect>,
    config: &PostgresConfig,
) -> Result<PostgresStore, StoreError> {
    match tls {
        Some(tls) => PostgresStore::open_with(parameters, tls, config).await,
        None => PostgresStore::open_with(parameters, tokio_postgres::NoTls, config).await,
    }
}

fn connector(file: &Path) -> Result<MakeRustlsConnect> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        bail!("the file has no certificate");
    }
    // The provider is explicit, because a program with two providers has no default one.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_and_required_tls_go_together() {
        let with = |ca: Option<&str>| DatabaseArgs { postgres_ca: ca.map(PathBuf::from) };
        let said = |ca, parameters| match with(ca).tls(parameters) {
            Ok(tls) => format!("{}", tls.is_some()),
            Err(error) => format!("{error:#}"),
        };
        assert_eq!(said(None, "host=db dbname=chat"), "false");
        assert!(said(None, "host=db sslmode=require").contains("needs --postgres-ca"));
        assert!(said(Some("ca.pem"), "host=db password=SECRET").contains("needs sslmode=require"));
        assert!(said(Some("/no/such.pem"), "host=db sslmode=require").contains("/no/such.pem"));
        assert_eq!(said(Some("ca.pem"), "host"), "false", "for the store to refuse");
    }
}
