//! Databases of the version before records, which this version migrates.

use dm_conformance::OpenAt as _;
use dm_fixtures::Fixture;
use dm_store_redb::RedbStore;

use crate::common::harness::OpenRedb;

/// Opens a store at a path.
type OpenStore = fn(&std::path::Path) -> Result<RedbStore, dm_core::store::StoreError>;

/// Checks a fixture with the default configuration, and with the small one of the conformance suite.
async fn check(fixture: Fixture) {
    let open: [OpenStore; 2] = [|path| RedbStore::open(path), OpenRedb::open];
    for open in open {
        let folder = tempfile::tempdir().unwrap();
        fixture.unpack(folder.path());
        dm_fixtures::check(async || open(&folder.path().join("dm.redb"))).await;
    }
}

#[tokio::test]
async fn a_closed_file_is_migrated_with_everything_in_it() {
    check(Fixture::RedbClosed).await;
}

#[tokio::test]
async fn the_file_of_a_killed_process_is_migrated_with_everything_in_it() {
    check(Fixture::RedbKilled).await;
}
