//! What a store says of its own condition.

/// The condition of a store, for [`Service::health`](crate::Service::health) and its metrics. The
/// default is that of a store about which there is nothing to say: open, with room, syncing what it
/// commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Whether it takes work.
    pub availability: Availability,
    /// Whether there is room for writes.
    pub room: Room,
    /// What a commit survives.
    pub durability: Durability,
}

/// Whether a store takes work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Availability {
    /// It does.
    #[default]
    Open,
    /// It is being reopened after an unknown outcome, and refuses work as
    /// [`Unavailable`](crate::store::StoreErrorKind::Unavailable) meanwhile.
    Reopening,
    /// It refuses all work until the process opens it again.
    Closed,
}

/// Whether a store has room for writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Room {
    /// It has.
    #[default]
    Enough,
    /// Free space is below the store's reserve: writes that take room are refused as
    /// [`NoRoom`](crate::store::Refusal::NoRoom), by the service as [`Full`](crate::store::StoreErrorKind::Full);
    /// reads go on.
    Low,
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// A power cut.
    #[default]
    Synced,
    /// A power cut, but a failover to a replica may lose the newest commits.
    AsynchronousReplica,
    /// The end of the process only: the engine was told not to sync.
    NotSynced,
}

impl Availability {
    /// In lower case, for probes and metrics.
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
    /// In lower case, for probes and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Low => "low",
        }
    }
}

impl Durability {
    /// In lower case with underscores, for probes and metrics.
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

    /// Probes and dashboards of hosts compare with these.
    #[test]
    fn the_names_of_conditions_stay_as_they_are() {
        let availabilities = [Availability::Open, Availability::Reopening, Availability::Closed];
        assert_eq!(availabilities.map(Availability::name), ["open", "reopening", "closed"]);
        assert_eq!([Room::Enough, Room::Low].map(Room::name), ["enough", "low"]);
        let durabilities = [Durability::Synced, Durability::AsynchronousReplica, Durability::NotSynced];
        assert_eq!(durabilities.map(Durability::name), ["synced", "asynchronous_replica", "not_synced"]);
    }
}
