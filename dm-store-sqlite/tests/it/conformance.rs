//! The store keeps the contract, clause by clause; what was answered survives a kill; and two
//! processes that have one file open and write at once lose nothing.

use crate::common::harness::File;

dm_conformance::suite!(File);
dm_conformance::crash_suite!(File);
dm_conformance::processes_suite!(File);
