//! The store keeps the contract, clause by clause.

use crate::common::harness::Folder;

dm_conformance::suite!(Folder);
