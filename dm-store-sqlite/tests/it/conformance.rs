//! The conformance suite, which tests each clause of the [`Store`](dm_core::store::Store) contract.
//! It also tests that an answered batch survives a kill of the process, and that two processes that
//! write to one file at the same time lose nothing.

use crate::common::harness::File;

dm_conformance::suite!(File);
dm_conformance::crash_suite!(File);
dm_conformance::processes_suite!(File);
