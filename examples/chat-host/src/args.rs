//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use dm_core::AckMode;

use crate::bus::BusArgs;
use crate::database::DatabaseArgs;
use crate::origin::Origin;
use crate::statement::LegacyStatements;

/// A chat server with encrypted direct messages, as an example. No option is required.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Separate address for `GET /metrics`, which is then not served on the main address; port 0
    /// takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,
    /// An origin under which clients reach the host, such as `https://chat.example`; may be given
    /// several times. Clients sign the origin that they connect to. Without this option: the
    /// address that the host listens on, and localhost with the same port.
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Vec<Origin>,
    /// Accept sign-ins of older clients, which sign no origin: another host can forward such a
    /// sign-in to this one.
    #[arg(long)]
    pub allow_auth_v1: bool,
    /// Maximum number of connections from one address; an IPv6 network of 64 bits counts as one
    /// address. 0 is no limit and is required behind a proxy. Without this option: 1,024, and at
    /// most a quarter of all connections that the limit of file descriptors allows.
    #[arg(long, value_name = "N")]
    pub connections_per_address: Option<u32>,
    /// The folder of the accounts and messages, made if it is missing. With PostgreSQL it stays
    /// empty.
    #[arg(long, value_name = "DIR", default_value = "chat-data")]
    pub data: PathBuf,
    /// The message store. The accounts are in the folder, or with PostgreSQL in the same database.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = StoreKind::Sqlite)]
    pub store: StoreKind,
    /// The database of all hosts, as libpq takes it: `host=... user=... dbname=...` or
    /// `postgres://...`. Pass a password through the environment.
    #[arg(long, value_name = "WHERE", env = "CHAT_HOST_POSTGRES", hide_env_values = true)]
    #[arg(default_value = "host=/run/postgresql dbname=chat")]
    pub postgres: String,
    #[allow(missing_docs, reason = "clap would print it; the options have their own texts")]
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[allow(missing_docs, reason = "as above")]
    #[command(flatten)]
    pub bus: BusArgs,
    /// Seconds without an event after which the host polls the store for a connection.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub look_every: u64,
    /// The event that acknowledges a pending message: an explicit acknowledgement, or (lossy, for
    /// some old clients) a fetch.
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Acknowledge::Explicit)]
    pub ack_mode: Acknowledge,
}

/// The message store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// SQLite, in the file dm.db in the folder.
    Sqlite,
    /// redb, in the file dm.redb in the folder.
    Redb,
    /// fjall, in the folder dm in the folder.
    Fjall,
    /// PostgreSQL, with any number of hosts on one database.
    Postgres,
    /// In memory. The messages are lost when the host ends.
    Memory,
}

/// The event that acknowledges a pending message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Acknowledge {
    /// An explicit acknowledgement by the client.
    Explicit,
    /// A fetch of the message.
    OnFetch,
}

impl Args {
    /// Whether sign-ins that name no origin are accepted.
    #[must_use]
    pub const fn legacy_statements(&self) -> LegacyStatements {
        match self.allow_auth_v1 {
            true => LegacyStatements::Accepted,
            false => LegacyStatements::Refused,
        }
    }
}

impl StoreKind {
    /// The kind, as `GET /api/info` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Redb => "redb",
            Self::Fjall => "fjall",
            Self::Postgres => "postgres",
            Self::Memory => "memory",
        }
    }
}

impl From<Acknowledge> for AckMode {
    fn from(mode: Acknowledge) -> Self {
        match mode {
            Acknowledge::Explicit => Self::Explicit,
            Acknowledge::OnFetch => Self::OnFetch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_is_required() {
        let args = Args::parse_from(["chat-host"]);
        assert_eq!(args.listen, SocketAddr::from(([127, 0, 0, 1], 8080)));
        assert_eq!((args.store, args.ack_mode), (StoreKind::Sqlite, Acknowledge::Explicit));
        assert_eq!(args.data, PathBuf::from("chat-data"));
        assert_eq!((args.origin.len(), args.legacy_statements()), (0, LegacyStatements::Refused));
    }

    #[test]
    fn all_options_are_parsed() {
        let options = ["chat-host", "--listen", "[::1]:0", "--store", "memory", "--ack-mode", "on-fetch"];
        let args = Args::parse_from(options);
        assert_eq!(args.listen, SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0)));
        assert_eq!((args.store, args.ack_mode), (StoreKind::Memory, Acknowledge::OnFetch));
        let options =
            ["chat-host", "--origin", "https://a.example", "--origin", "http://b:1", "--allow-auth-v1"];
        let args = Args::parse_from(options);
        assert_eq!((args.origin.len(), args.legacy_statements()), (2, LegacyStatements::Accepted));
        for wrong in [["--listen", "nowhere"], ["--origin", "chat.example"]] {
            assert!(Args::try_parse_from(["chat-host"].into_iter().chain(wrong)).is_err());
        }
    }
}
