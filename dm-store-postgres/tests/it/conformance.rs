//! The conformance suite: the store keeps the contract, clause by clause, and two processes that
//! write at once, as two nodes of a host do, lose nothing.

use crate::common::harness::PostgresHarness;

dm_conformance::suite!(PostgresHarness);
dm_conformance::processes_suite!(PostgresHarness);
