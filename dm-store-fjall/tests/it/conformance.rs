//! The conformance suite: the store keeps each clause of the contract.

use crate::common::harness::Folder;

dm_conformance::suite!(Folder);
