//! The host's memory, compared with its documented bound.

use crate::host::Host;
use crate::subject::Kind;

use super::table::Remarks;

const MEBIBYTE: u64 = 1 << 20;

/// The memory that something may cost the host, and the reason.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) mebibytes: u64,
    /// The options that determine it.
    pub(super) why: &'static str,
}

/// The host's memory before an attack.
pub(super) struct Before {
    mebibytes: u64,
}

impl Bound {
    /// Connections without a complete request.
    pub(super) const fn of_connections(count: u64) -> Self {
        Self {
            mebibytes: (count * 40).div_ceil(1024),
            why: "40 KiB for each connection (serve::Limits::header_bytes to read and to write, and its task)",
        }
    }

    /// Pages of files that a store keeps in memory anyway, and which reads fill.
    pub(super) const fn of_store(store: Kind) -> Self {
        let (mebibytes, why) = match store {
            Kind::Sqlite => {
                (48, "pages of the file (SqliteConfig::cache_bytes, and an eighth of it for each reader)")
            }
            Kind::Redb => (64, "pages of the file (RedbConfig::cache_bytes)"),
            Kind::Fjall => {
                (128, "blocks of the files (FjallConfig::cache_bytes) and tables not yet written to them")
            }
            _ => (16, "what the bystanders write and the allocator keeps"),
        };
        Self { mebibytes, why }
    }
}

impl Before {
    pub(super) fn of(host: &Host) -> anyhow::Result<Self> {
        Ok(Self { mebibytes: host.most_resident()?.div_ceil(MEBIBYTE) })
    }

    /// Compares the bound with the most memory that the host had since.
    pub(super) fn compare(&self, host: &Host, costs: Bound, store: Kind) -> anyhow::Result<Remarks> {
        let (before, most) = (self.mebibytes, host.most_resident()?.div_ceil(MEBIBYTE));
        let caches = Bound::of_store(store);
        let bound = before + costs.mebibytes + caches.mebibytes;
        let mut remarks = Remarks::default();
        remarks.says(format!(
            "memory: {before} MiB before, {most} MiB at most; bound {bound} MiB, which is these {before} and"
        ));
        for part in [costs, caches] {
            remarks.says(format!("  {} MiB: {}", part.mebibytes, part.why));
        }
        remarks.must(most <= bound, "memory is over its bound");
        Ok(remarks)
    }
}
