//! The attacks, each with its file, and the memory that each may cost the host.

mod answers;
mod challenges;
mod connections;
mod devices;
mod methods;
mod own_sends;
mod sockets;

use super::attackers::Attackers;
use super::memory::Bound;
use super::table::Remarks;
use crate::host::Host;

/// An attack, and the bound on memory that must hold meanwhile.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// The number of concurrent connections.
    pub(super) connections: usize,
    /// The limit of file descriptors of the host, if the attack depends on it.
    pub(super) descriptors: Option<u32>,
    /// The number of messages of 32 KiB that are pending for the attacker.
    pub(super) received: usize,
    /// The number of small messages that the attacker has sent.
    pub(super) sent: usize,
    /// The memory that the host may need for the attack.
    pub(super) costs: Bound,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    UnreadSockets,
    UnreadAnswers,
    MadeUpMethods,
    IdleConnections,
    HalfSentHeaders,
    OwnSends,
    Devices,
    Challenges,
}

/// An attack that needs no messages.
const PLAIN: Attack = Attack {
    name: "",
    connections: 4,
    descriptors: None,
    received: 0,
    sent: 0,
    costs: Bound::of_connections(4),
    kind: Kind::Challenges,
};

/// All attacks, the heaviest first.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "history asked for, WebSockets unread",
        connections: 32,
        received: 40,
        costs: sockets::COSTS,
        kind: Kind::UnreadSockets,
        ..PLAIN
    },
    Attack {
        name: "100 answers of 8 MiB, unread",
        connections: 100,
        received: 256,
        costs: answers::COSTS,
        kind: Kind::UnreadAnswers,
        ..PLAIN
    },
    Attack { name: "made-up methods without a token", kind: Kind::MadeUpMethods, ..PLAIN },
    Attack {
        name: "300 idle connections, 256 descriptors",
        connections: 300,
        descriptors: Some(256),
        costs: Bound::of_connections(300),
        kind: Kind::IdleConnections,
        ..PLAIN
    },
    Attack {
        name: "900 connections with half-sent headers",
        connections: 900,
        costs: Bound::of_connections(900),
        kind: Kind::HalfSentHeaders,
        ..PLAIN
    },
    Attack {
        name: "20,000 own sends, fetched again",
        sent: 20_000,
        costs: own_sends::COSTS,
        kind: Kind::OwnSends,
        ..PLAIN
    },
    Attack { name: "device upon device", kind: Kind::Devices, ..PLAIN },
    Attack { name: "challenges without end", kind: Kind::Challenges, ..PLAIN },
];

impl Kind {
    /// One round of the attack on the connection with a number.
    pub(super) async fn round(self, attackers: &Attackers, n: usize) -> anyhow::Result<()> {
        match self {
            Self::UnreadSockets => sockets::ask_and_read_nothing(attackers, n).await,
            Self::UnreadAnswers => answers::ask_and_read_nothing(attackers).await,
            Self::MadeUpMethods => methods::ask(attackers, n).await,
            Self::IdleConnections => connections::say_nothing(attackers).await,
            Self::HalfSentHeaders => connections::say_half(attackers).await,
            Self::OwnSends => own_sends::fetch(attackers).await,
            Self::Devices => devices::register(attackers, n).await,
            Self::Challenges => challenges::ask(attackers, n).await,
        }
    }

    /// Checks, after the attack, the state that it left.
    pub(super) async fn left(self, host: &Host, attackers: &Attackers) -> anyhow::Result<Remarks> {
        match self {
            Self::MadeUpMethods => methods::left(host).await,
            Self::Devices => devices::left(attackers).await,
            _ => Ok(Remarks::default()),
        }
    }
}
