//! Choices: how the servers are reached, and how the notifier behaves.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use dm_core::Invalid;

use crate::mac::HintKey;

/// How the NATS servers are reached. `Debug` shows no secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct NatsServers {
    /// Addresses: `host`, `host:port`, `nats://host:port` or `tls://host:port`, of one cluster. The port is 4222 unless it
    /// is named. Credentials belong in [`auth`](Self::auth), and are refused here.
    pub addresses: Vec<String>,
    /// Who this node is. Default [`NatsAuth::Nobody`].
    pub auth: NatsAuth,
    /// TLS, which is then required. Default `None`: it is not asked for, and a server that asks for it is not trusted.
    pub tls: Option<NatsTls>,
    /// What the servers' monitoring calls this connection. Default `dm`.
    pub name: String,
    /// How long connecting to one address may take. Default 5 s.
    pub connect_timeout: Duration,
    /// How often a silent connection is tried. Default 10 s: one that is dead counts as lost after three of these.
    pub ping_interval: Duration,
}

/// Who a node is to the servers. `Debug` shows no secret.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum NatsAuth {
    /// Nobody: for servers that let everybody in.
    #[default]
    Nobody,
    /// A user with a password.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Token(String),
    #[cfg(feature = "nkeys")]
    /// An nkey's seed, `SU…`. The server learns the public key and a signature.
    Nkey(String),
    #[cfg(feature = "nkeys")]
    /// A file of credentials: a JWT and a seed. It is read once, when connecting the first time.
    Credentials(PathBuf),
}

/// TLS on the way to the servers. Files are PEM.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NatsTls {
    /// The authorities that vouch for the servers. `None` trusts those that the system trusts.
    pub authorities: Option<PathBuf>,
    /// A certificate and its key, for servers that ask for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// How the notifier behaves. Start from the default and change fields. `Debug` shows no key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NatsConfig {
    /// What all subjects begin with. Default `dm`: hints go to `dm.user.<id>`, and a node needs the right to publish and
    /// subscribe to `dm.>`.
    pub prefix: String,
    /// Hints that may wait to be published. Default 4,096: some commits' worth; further ones are dropped.
    pub queue: usize,
    /// Bytes of a hint with its entry. Default 8 KiB: text, without thumbnails; a larger one goes as its number, and the
    /// nodes concerned read the entry from the store. With [`queue`](Self::queue) it bounds what waits, to 32 MiB.
    pub max_entry: usize,
    /// How long other nodes may take to say that somebody is connected there. Default 500 ms.
    pub presence_timeout: Duration,
    /// Keys that all nodes share, by which they know each other's words: at most four. The first
    /// one is used for what this node says, all of them for what it hears, so that a key is changed
    /// in three steps of all nodes: the new one behind the old one, before it, without it. Default
    /// none: hints then carry no entry, and who may publish on these subjects can end sessions; see
    /// the front page.
    pub keys: Vec<HintKey>,
    /// How long other nodes may take to confirm that they ended sessions, and to say that they are
    /// there when they are asked. Default 1 s.
    pub confirm_timeout: Duration,
    /// How often a node says that it is there. Default 5 s: one that says nothing for three of
    /// these counts as gone.
    pub heartbeat: Duration,
}

impl NatsServers {
    /// Servers at some addresses, with everything else by default.
    pub fn new<A: Into<String>>(addresses: impl IntoIterator<Item = A>) -> Self {
        Self {
            addresses: addresses.into_iter().map(Into::into).collect(),
            auth: NatsAuth::default(),
            tls: None,
            name: "dm".to_owned(),
            connect_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(10),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        if self.addresses.is_empty() {
            return Err(Invalid::new("addresses", "none"));
        }
        if self.addresses.iter().any(|address| address.contains('@')) {
            return Err(Invalid::new("addresses", "credentials belong in auth"));
        }
        for (field, span) in
            [("connect_timeout", self.connect_timeout), ("ping_interval", self.ping_interval)]
        {
            if span < Duration::from_millis(1) {
                return Err(Invalid::new(field, "shorter than a millisecond"));
            }
        }
        Ok(())
    }
}

/// Servers at one address.
impl From<&str> for NatsServers {
    fn from(address: &str) -> Self {
        Self::new([address])
    }
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            prefix: "dm".to_owned(),
            queue: 4_096,
            max_entry: 8 * 1024,
            presence_timeout: Duration::from_millis(500),
            keys: Vec::new(),
            confirm_timeout: Duration::from_secs(1),
            heartbeat: Duration::from_secs(5),
        }
    }
}

impl NatsConfig {
    /// Longest prefix in bytes.
    const MAX_PREFIX: usize = 64;
    /// Each costs every frame that is not of the first one another computation.
    const MAX_KEYS: usize = 4;

    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'))
        };
        if self.prefix.len() > Self::MAX_PREFIX || !self.prefix.split('.').all(word) {
            return Err(Invalid::new("prefix", "not words of A-Z a-z 0-9 _ - with dots between"));
        }
        if self.queue == 0 || self.queue > 1 << 20 {
            return Err(Invalid::new("queue", "not from 1 to 1,048,576"));
        }
        // What servers take unless they are told otherwise is a mebibyte.
        if self.max_entry > 512 * 1024 {
            return Err(Invalid::new("max_entry", "more than 512 KiB"));
        }
        if self.keys.len() > Self::MAX_KEYS {
            return Err(Invalid::new("keys", "more than four"));
        }
        for (field, span) in [
            ("presence_timeout", self.presence_timeout),
            ("confirm_timeout", self.confirm_timeout),
            ("heartbeat", self.heartbeat),
        ] {
            if span < Duration::from_millis(1) {
                return Err(Invalid::new(field, "shorter than a millisecond"));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for NatsServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Credentials do not belong in an address, but before that is checked somebody may print them.
        let after_credentials = |address: &String| address.rsplit('@').next().map(str::to_owned);
        f.debug_struct("NatsServers")
            .field("addresses", &self.addresses.iter().filter_map(after_credentials).collect::<Vec<_>>())
            .field("auth", &self.auth)
            .field("tls", &self.tls)
            .field("name", &self.name)
            .field("connect_timeout", &self.connect_timeout)
            .field("ping_interval", &self.ping_interval)
            .finish()
    }
}

impl fmt::Debug for NatsAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("Nobody"),
            Self::Password { user, .. } => {
                f.debug_struct("Password").field("user", user).finish_non_exhaustive()
            }
            Self::Token(_) => f.write_str("Token(..)"),
            #[cfg(feature = "nkeys")]
            Self::Nkey(_) => f.write_str("Nkey(..)"),
            #[cfg(feature = "nkeys")]
            Self::Credentials(file) => f.debug_tuple("Credentials").field(file).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut servers = NatsServers::new(["nats://me:SECRET@10.0.0.1:4222"]);
        let secret = || "SECRET".to_owned();
        for auth in [
            NatsAuth::Password { user: "me".to_owned(), password: secret() },
            NatsAuth::Token(secret()),
            #[cfg(feature = "nkeys")]
            NatsAuth::Nkey(secret()),
        ] {
            servers.auth = auth;
            let shown = format!("{servers:?} {servers:#?}");
            assert!(shown.contains("10.0.0.1:4222") && !shown.contains("SECRET"), "{shown}");
        }
        let config = NatsConfig { keys: vec![HintKey::from_bytes([0xab; 32])], ..NatsConfig::default() };
        let shown = format!("{config:?} {config:#?}").to_lowercase();
        assert!(shown.contains("hintkey(..)") && !shown.contains("ab") && !shown.contains("171"), "{shown}");
    }

    #[test]
    fn what_is_at_a_limit_is_accepted_and_what_is_beyond_it_is_refused() {
        let valid = |change: fn(&mut NatsConfig)| {
            let mut config = NatsConfig::default();
            change(&mut config);
            config.validate().is_ok()
        };
        assert_eq!((NatsConfig::default().queue, NatsConfig::default().max_entry), (4_096, 8_192));
        assert!(valid(|config| config.prefix = "x".repeat(64)));
        assert!(!valid(|config| config.prefix = "x".repeat(65)));
        assert!(valid(|config| config.queue = 1_048_576));
        assert!(!valid(|config| config.queue = 1_048_577));
        assert!(valid(|config| config.max_entry = 524_288));
        assert!(!valid(|config| config.max_entry = 524_289));
        assert!(valid(|config| config.keys = vec![HintKey::from_bytes([7; 32]); 4]));
        assert!(valid(|config| config.heartbeat = Duration::from_millis(1)));
        assert!(!valid(|config| config.heartbeat = Duration::from_micros(999)));
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let refused = |change: fn(&mut NatsConfig)| {
            let mut config = NatsConfig::default();
            change(&mut config);
            config.validate().unwrap_err().field()
        };
        assert!(NatsConfig::default().validate().is_ok());
        for prefix in ["", ".", "a..b", "a.", "a b", "*", "a.>", "é"] {
            let config = NatsConfig { prefix: prefix.to_owned(), ..NatsConfig::default() };
            assert_eq!(config.validate().unwrap_err().field(), "prefix", "{prefix:?}");
        }
        assert_eq!(refused(|config| config.queue = 0), "queue");
        assert_eq!(refused(|config| config.max_entry = 1 << 20), "max_entry");
        assert_eq!(refused(|config| config.presence_timeout = Duration::ZERO), "presence_timeout");
        assert_eq!(refused(|config| config.confirm_timeout = Duration::ZERO), "confirm_timeout");
        assert_eq!(refused(|config| config.heartbeat = Duration::ZERO), "heartbeat");
        assert_eq!(refused(|config| config.keys = vec![HintKey::from_bytes([7; 32]); 5]), "keys");

        let servers = |address| NatsServers::from(address).validate().map_err(|invalid| invalid.field());
        assert_eq!(NatsServers::new([""; 0]).validate().unwrap_err().field(), "addresses");
        assert_eq!(servers("nats://me:secret@localhost"), Err("addresses"));
        assert_eq!(servers("localhost"), Ok(()));
    }
}
