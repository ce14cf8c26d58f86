//! [`NatsServers`] and [`NatsConfig`]: the configuration of the connection and of the notifier.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use dm_core::Invalid;

use crate::mac::HintKey;

/// The NATS servers and the connection to them. `Debug` shows no secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct NatsServers {
    /// Addresses of one cluster: `host`, `host:port`, `nats://host:port` or `tls://host:port`. The
    /// default port is 4222. An address with credentials is refused: credentials belong in
    /// [`auth`](Self::auth).
    pub addresses: Vec<String>,
    /// The credentials of this node. Default [`NatsAuth::NoCredentials`].
    pub auth: NatsAuth,
    /// The TLS configuration. If it is `Some`, TLS is required. Default `None`: the node does not
    /// ask for TLS, and cannot connect to servers that require it, because it trusts no
    /// certificate.
    pub tls: Option<NatsTls>,
    /// The name of this connection in the servers' monitoring. Default `dm`.
    pub name: String,
    /// The time limit for connecting to one address. Default 5 s.
    pub connect_timeout: Duration,
    /// The interval of pings on an idle connection. Default 10 s. A connection counts as lost after
    /// three intervals without an answer.
    pub ping_interval: Duration,
}

/// The credentials of a node for the servers. `Debug` shows no secret.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum NatsAuth {
    /// No credentials, for servers that ask for none.
    #[default]
    NoCredentials,
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
    /// The seed of an nkey, `SU…`. The server gets the public key and a signature.
    Nkey(String),
    #[cfg(feature = "nkeys")]
    /// A file with credentials: a JWT and a seed. It is read once, at the first connection.
    Credentials(PathBuf),
}

/// TLS to the servers. Files are PEM.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NatsTls {
    /// The file with the certificate authorities that are trusted. `None` trusts the authorities
    /// that the system trusts.
    pub authorities: Option<PathBuf>,
    /// The files with a client certificate and with its key, for servers that require one.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// The configuration of the notifier. The [terms](crate#terms) are those of the crate. Start from
/// the default and change fields. `Debug` shows no key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NatsConfig {
    /// The prefix of all subjects. Default `dm`: hints go to `dm.user.<id>`, and a node needs the
    /// right to publish and subscribe to `dm.>`.
    pub prefix: String,
    /// The maximum number of hints, and of replies to presence requests, that wait to be published.
    /// Default 4,096, which is the hints of several commits. Further frames are dropped and counted
    /// ([`NatsStats`](crate::NatsStats)).
    pub queue: usize,
    /// The maximum size of a hint with its entry, in bytes. Default 8 KiB, enough for text without
    /// thumbnails.
    ///
    /// A hint that would be larger has only the entry's number. The nodes that receive such a hint
    /// read the entry from the store. With the default [`queue`](Self::queue), waiting hints take
    /// at most 32 MiB.
    pub max_entry: usize,
    /// The time limit for other nodes' answers to a presence request. Default 500 ms.
    pub presence_timeout: Duration,
    /// The keys that all nodes share to authenticate frames, at most four. Default none.
    ///
    /// - A node makes tags with the first key, and accepts tags by any of the keys.
    /// - A key is changed in three steps, each on all nodes: add the new key behind the old one,
    ///   move it before the old one, remove the old one.
    /// - Without keys, hints have no entry, and every client that may publish on these subjects can
    ///   end sessions. The documentation of the crate has the details.
    pub keys: Vec<HintKey>,
    /// The time limit for other nodes' confirmations of an order to end sessions, and for their
    /// replies to a challenge. Default 1 s.
    pub confirm_timeout: Duration,
    /// The interval of heartbeats. Default 5 s. A node counts as gone after three intervals without
    /// a heartbeat.
    pub heartbeat: Duration,
}

impl NatsServers {
    /// Servers at `addresses`, with all other fields at their defaults.
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
    /// The maximum length of the prefix, in bytes. It limits the length of all subjects.
    const MAX_PREFIX: usize = 64;
    /// The maximum number of keys. A tag is verified by computing it with each key until one
    /// matches, so each key makes verification slower.
    const MAX_KEYS: usize = 4;

    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'))
        };
        if self.prefix.len() > Self::MAX_PREFIX || !self.prefix.split('.').all(word) {
            return Err(Invalid::new("prefix", "not dot-separated words of A-Z a-z 0-9 _ -"));
        }
        if self.queue == 0 || self.queue > 1 << 20 {
            return Err(Invalid::new("queue", "not from 1 to 1,048,576"));
        }
        // By default, servers accept messages of up to a mebibyte.
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
        // Credentials in an address are refused, but an address may be printed before this check.
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
            Self::NoCredentials => f.write_str("NoCredentials"),
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
    fn values_at_a_limit_are_accepted_and_values_beyond_it_are_refused() {
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
    fn an_invalid_value_is_refused_with_the_name_of_its_field() {
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
