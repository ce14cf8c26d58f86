//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use dm_core::AckMode;

use crate::bus::BusArgs;
use crate::database::DatabaseArgs;
use crate::origin::Origin;
use crate::statement::Older;

/// A chat server with encrypted direct messages, for trying them and for copying from. Needs no option.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address that answers `GET /metrics`, and then no other does; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,
    /// An origin under which clients reach the host, such as `https://chat.example`; may be given
    /// several times. Clients sign the one they dialled. Without it: the address that the host
    /// listens on, and localhost with its port.
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Vec<Origin>,
    /// Accept sign-ins of older clients, which sign no origin: another host can pass such a sign-in
    /// on to this one.
    #[arg(long)]
    pub allow_auth_v1: bool,
    /// Connections from one address, an IPv6 network of 64 bits being one; 0 is no limit, as it
    /// must be behind a proxy. Without it: 1,024, and no more than a quarter of all connections
    /// that the limit of file descriptors allows.
    #[arg(long, value_name = "N")]
    pub connections_per_address: Option<u32>,
    /// The folder of the accounts and messages, made if it is missing. With PostgreSQL there is nothing in it.
    #[arg(long, value_name = "DIR", default_value = "chat-data")]
    pub data: PathBuf,
    /// Where messages are kept. The accounts are in the folder, or with the messages where several hosts share those.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = StoreKind::Sqlite)]
    pub store: StoreKind,
    /// The database of all hosts, as libpq takes it: `host=... user=... dbname=...` or `postgres://...`. What holds a
    /// password is better put into the environment.
    #[arg(long, value_name = "WHERE", env = "CHAT_HOST_POSTGRES", hide_env_values = true)]
    #[arg(default_value = "host=/run/postgresql dbname=chat")]
    pub postgres: String,
    #[allow(missing_docs, reason = "clap would show it; the options have their own")]
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[allow(missing_docs, reason = "likewise")]
    #[command(flatten)]
    pub bus: BusArgs,
    /// How long a connection is silent before the host looks for messages it was not told of, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub look_every: u64,
    /// What acknowledges a pending message: the client's word, or (lossy, as some old clients need it) a fetch.
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Acknowledge::Explicit)]
    pub ack_mode: Acknowledge,
}

/// Where messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// On SQLite, in dm.db in the folder.
    Sqlite,
    /// On redb, in dm.redb in the folder.
    Redb,
    /// On fjall, in the folder dm in the folder.
    Fjall,
    /// On PostgreSQL, with any number of hosts on one database.
    Postgres,
    /// In memory, gone when the host ends.
    Memory,
}

/// What acknowledges a pending message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Acknowledge {
    /// The client's word.
    Explicit,
    /// Fetching it.
    OnFetch,
}

impl Args {
    /// Whether sign-ins that name no origin are accepted.
    #[must_use]
    pub const fn older_statements(&self) -> Older {
        match self.allow_auth_v1 {
            true => Older::Accepted,
            false => Older::Refused,
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
    fn nothing_needs_to_be_said() {
        let args = Args::parse_from(["chat-host"]);
        assert_eq!(args.listen, SocketAddr::from(([127, 0, 0, 1], 8080)));
        assert_eq!((args.store, args.ack_mode), (StoreKind::Sqlite, Acknowledge::Explicit));
        assert_eq!(args.data, PathBuf::from("chat-data"));
        assert_eq!((args.origin.len(), args.older_statements()), (0, Older::Refused));
    }

    #[test]
    fn everything_can_be_said() {
        let said = ["chat-host", "--listen", "[::1]:0", "--store", "memory", "--ack-mode", "on-fetch"];
        let args = Args::parse_from(said);
        assert_eq!(args.listen, SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0)));
        assert_eq!((args.store, args.ack_mode), (StoreKind::Memory, Acknowledge::OnFetch));
        let said =
            ["chat-host", "--origin", "https://a.example", "--origin", "http://b:1", "--allow-auth-v1"];
        let args = Args::parse_from(said);
        assert_eq!((args.origin.len(), args.older_statements()), (2, Older::Accepted));
        for wrong in [["--listen", "nowhere"], ["--origin", "chat.example"]] {
            assert!(Args::try_parse_from(["chat-host"].into_iter().chain(wrong)).is_err());
        }
    }
}
