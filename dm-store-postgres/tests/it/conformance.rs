//! The conformance suite, which tests each clause of the [`Store`](dm_core::store::Store) contract.
//! It also tests that two processes that write at the same time, as two nodes of a host do, lose
//! nothing.

use crate::common::harness::PostgresHarness;

dm_conformance::suite!(PostgresHarness);
dm_conformance::processes_suite!(PostgresHarness);
