//! [`StoreStatus`], the condition of a store, as the store reports it.

/// The condition of a store, for [`Service::health`](crate::Service::health) and its metrics. The
/// default is a store without problems: open, with enough free space, every commit synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Whether the store takes work.
    pub availability: Availability,
    /// Whether the disk has enough free space for writes.
    pub room: Room,
    /// The failures that a commit survives.
    pub durability: Durability,
}

/// Whether a store takes work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Availability {
    /// The store takes work.
    #[default]
    Open,
    /// The store is being reopened after an unknown outcome. Until it is open again it refuses all
    /// work as [`Unavailable`](crate::store::StoreErrorKind::Unavailable).
    Reopening,
    /// The store refuses all work until the process opens it again.
    Closed,
}

/// Whether the disk of a store has enough free space for writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Room {
    /// Free space is above the store's reserve.
    #[default]
    Enough,
    /// Free space is below the store's reserve. The store refuses writes that take space as
    /// [`NoRoom`](crate::store::Refusal::NoRoom), and the service's calls fail as
    /// [`Full`](crate::store::StoreErrorKind::Full). Reads are answered.
    Low,
}

/// The failures that a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// A commit survives a power cut.
    #[default]
    Synced,
    /// A commit survives a power cut, but a failover to a replica may lose the newest commits.
    AsynchronousReplica,
    /// A commit survives the end of the process but not a power cut: the engine is configured not
    /// to sync.
    NotSynced,
}

impl Availability {
    /// The name in lower case, for probes and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Reopening => "reopening",
            Self::Closed => "closed",
        }
    }
}

impl Room {
    /// The name in lower case, for probes and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Low => "low",
        }
    }
}

impl Durability {
    /// The name in lower case with underscores, for probes and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::AsynchronousReplica => "asynchronous_replica",
            Self::NotSynced => "not_synced",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probes and dashboards of hosts compare with these names.
    #[test]
    fn the_names_of_conditions_do_not_change() {
        let availabilities = [Availability::Open, Availability::Reopening, Availability::Closed];
        assert_eq!(availabilities.map(Availability::name), ["open", "reopening", "closed"]);
        assert_eq!([Room::Enough, Room::Low].map(Room::name), ["enough", "low"]);
        let durabilities = [Durability::Synced, Durability::AsynchronousReplica, Durability::NotSynced];
        assert_eq!(durabilities.map(Durability::name), ["synced", "asynchronous_replica", "not_synced"]);
    }
}
