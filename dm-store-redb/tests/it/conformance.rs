//! The store keeps the contract, clause by clause.

use crate::common::harness::File;

dm_conformance::suite!(File);
