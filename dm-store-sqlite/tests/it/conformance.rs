//! The conformance suite: the store keeps each clause of the contract, an answered batch survives a
//! kill, and two processes that write to one file at the same time lose nothing.

use crate::common::harness::File;

dm_conformance::suite!(File);
dm_conformance::crash_suite!(File);
dm_conformance::processes_suite!(File);
