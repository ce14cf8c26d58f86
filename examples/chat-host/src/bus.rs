//! The connection to NATS, through which hosts notify each other of new messages: servers, sign-in,
//! TLS, and the authentication of hints. Secrets are in files, never on the command line.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use dm_core::Hub;
use dm_notify_nats::{HintKey, NatsAuth, NatsConfig, NatsNotifier, NatsServers, NatsTls};

/// The options of the connection to NATS.
#[derive(Clone, Debug, Default, Args)]
pub struct BusArgs {
    /// NATS servers through which hosts notify each other of new messages: `nats://10.0.0.5:4222`,
    /// or several, separated by commas; `tls://` requires TLS. Without them, a host finds messages
    /// from other hosts by polling.
    #[arg(long, value_name = "WHERE", env = "CHAT_HOST_NATS", value_delimiter = ',')]
    pub nats: Vec<String>,
    /// The user name of the host at NATS, with --nats-password-file.
    #[arg(long, value_name = "NAME", env = "CHAT_HOST_NATS_USER", requires = "nats_password_file")]
    pub nats_user: Option<String>,
    /// The file with the password of that user.
    #[arg(long, value_name = "FILE", env = "CHAT_HOST_NATS_PASSWORD_FILE", requires = "nats_user")]
    pub nats_password_file: Option<PathBuf>,
    /// The file with NATS credentials, a JWT and a seed, instead of a user and a password.
    #[arg(long, value_name = "FILE", env = "CHAT_HOST_NATS_CREDS", conflicts_with = "nats_user")]
    pub nats_creds: Option<PathBuf>,
    /// The file with the seed of an nkey, `SU...`, instead of a user and a password.
    #[arg(long, value_name = "FILE", env = "CHAT_HOST_NATS_NKEY_FILE")]
    #[arg(conflicts_with_all = ["nats_user", "nats_creds"])]
    pub nats_nkey_file: Option<PathBuf>,
    /// The certificate authorities of the NATS servers, a PEM file; TLS is then required. `tls://`
    /// without this option trusts the authorities of the system.
    #[arg(long, value_name = "FILE", env = "CHAT_HOST_NATS_CA")]
    pub nats_ca: Option<PathBuf>,
    /// The file with the key that authenticates hints between hosts, from `openssl rand -hex 32`,
    /// or with several keys, one per line; the host uses the first for its own hints. Without it,
    /// hints carry no messages, and everybody who reaches the NATS servers can end sessions.
    #[arg(long, value_name = "FILE", env = "CHAT_HOST_HINT_KEY_FILE")]
    pub hint_key_file: Option<PathBuf>,
}

impl BusArgs {
    /// Connects to the NATS servers; `None` if no server is configured.
    ///
    /// # Errors
    /// If a file cannot be used, or [`NatsNotifier::connect_with`] fails.
    pub async fn connect(&self, hub: &Hub) -> Result<Option<NatsNotifier>> {
        if self.nats.is_empty() {
            return Ok(None);
        }
        let (servers, config) = (self.servers()?, self.config()?);
        if config.keys.is_empty() {
            tracing::warn!("no --hint-key-file: hints from other hosts are not authenticated");
        }
        let notifier = NatsNotifier::connect_with(hub, &servers, &config).await;
        Ok(Some(notifier.context("the NATS servers of --nats cannot be used")?))
    }

    fn servers(&self) -> Result<NatsServers> {
        let mut servers = NatsServers::new(self.nats.clone());
        servers.name = "chat-host".to_owned();
        servers.auth = self.auth()?;
        if self.nats_ca.is_some() || self.nats.iter().any(|address| address.starts_with("tls://")) {
            let mut tls = NatsTls::default();
            tls.authorities.clone_from(&self.nats_ca);
            servers.tls = Some(tls);
        }
        Ok(servers)
    }

    fn auth(&self) -> Result<NatsAuth> {
        Ok(match self {
            Self { nats_user: Some(user), nats_password_file: Some(file), .. } => {
                NatsAuth::Password { user: user.clone(), password: secret(file)? }
            }
            Self { nats_creds: Some(file), .. } => NatsAuth::Credentials(file.clone()),
            Self { nats_nkey_file: Some(file), .. } => NatsAuth::Nkey(secret(file)?),
            _ => NatsAuth::NoCredentials,
        })
    }

    fn config(&self) -> Result<NatsConfig> {
        let mut config = NatsConfig::default();
        if let Some(file) = &self.hint_key_file {
            let keys: Result<Vec<HintKey>, _> = secret(file)?.lines().map(str::parse).collect();
            config.keys = keys.with_context(|| format!("no key in {}", file.display()))?;
            // An empty file, such as one that is not written yet, must not turn authentication off.
            ensure!(!config.keys.is_empty(), "no key in {}", file.display());
        }
        Ok(config)
    }
}

/// The text of a file, without the line ends at the end of the file.
fn secret(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Parser, error::ErrorKind};

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        bus: BusArgs,
    }

    fn parse(args: &[&str]) -> Result<BusArgs, ErrorKind> {
        let args = ["host", "--nats", "10.0.0.5"].iter().chain(args);
        Only::try_parse_from(args).map(|only| only.bus).map_err(|error| error.kind())
    }

    #[test]
    fn incomplete_or_several_kinds_of_credentials_are_refused() {
        let refused = |args: &[&str]| parse(args).unwrap_err();
        assert_eq!(refused(&["--nats-user", "me"]), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused(&["--nats-password-file", "f"]), ErrorKind::MissingRequiredArgument);
        let user = ["--nats-user", "me", "--nats-password-file", "f"];
        let (creds, nkey) = (["--nats-creds", "c"], ["--nats-nkey-file", "n"]);
        for both in [[&user[..], &creds].concat(), [&user[..], &nkey].concat(), [creds, nkey].concat()] {
            assert_eq!(refused(&both), ErrorKind::ArgumentConflict, "{both:?}");
        }
        assert!(matches!(parse(&creds).unwrap().auth().unwrap(), NatsAuth::Credentials(_)));
        assert!(matches!(parse(&[]).unwrap().auth().unwrap(), NatsAuth::NoCredentials));
    }

    #[test]
    fn secrets_are_read_from_files_and_errors_name_only_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let password = write("password", "with space \n");
        let bus = parse(&["--nats-user", "me", "--nats-password-file", &password]).unwrap();
        let NatsAuth::Password { user, password } = bus.auth().unwrap() else { panic!("a password") };
        assert_eq!((&*user, &*password), ("me", "with space "));

        let keys = write("keys", &format!("{}\n{}\n", "ab".repeat(32), "cd".repeat(32)));
        let bus = parse(&["--hint-key-file", &keys]).unwrap();
        let [first, second] = &bus.config().unwrap().keys[..] else { panic!("two keys") };
        assert_eq!((first, second), (&HintKey::from_bytes([0xab; 32]), &HintKey::from_bytes([0xcd; 32])));

        let wrong = write("wrong", "SECRET");
        let error = parse(&["--hint-key-file", &wrong]).unwrap().config().unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("wrong") && !said.contains("SECRET"), "{said}");
        let missing = parse(&["--nats-nkey-file", "/no/such/file"]).unwrap();
        assert!(format!("{:#}", missing.auth().unwrap_err()).contains("/no/such/file"));
    }

    #[test]
    fn an_authority_or_the_tls_scheme_requires_tls() {
        let tls = |args: &[&str]| parse(args).unwrap().servers().unwrap().tls;
        assert!(tls(&[]).is_none());
        assert!(tls(&["--nats", "tls://10.0.0.6"]).is_some_and(|tls| tls.authorities.is_none()));
        assert_eq!(tls(&["--nats-ca", "ca.pem"]).unwrap().authorities, Some(PathBuf::from("ca.pem")));
    }
}
