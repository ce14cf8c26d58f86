//! Databases of the version before records, which this version migrates.

use dm_conformance::OpenAt as _;
use dm_fixtures::Fixture;
use dm_store_fjall::FjallStore;

use crate::common::harness::OpenFjall;

/// Opens a store at a path.
type OpenStore = fn(&std::path::Path) -> Result<FjallStore, dm_core::store::StoreError>;

/// Checks a fixture with the default configuration, and with the small one of the conformance suite.
async fn check(fixture: Fixture) {
    let open: [OpenStore; 2] = [|path| FjallStore::open(path), OpenFjall::open];
    for open in open {
        let folder = tempfile::tempdir().unwrap();
        fixture.unpack(folder.path());
        dm_fixtures::check(async || open(&folder.path().join("dm"))).await;
    }
}

#[tokio::test]
async fn a_closed_folder_is_migrated_with_everything_in_it() {
    check(Fixture::FjallClosed).await;
}

#[tokio::test]
async fn the_folder_of_a_killed_process_is_migrated_with_everything_in_it() {
    check(Fixture::FjallKilled).await;
}
