//! The conformance suite: the store keeps each clause of the contract.

use crate::common::harness::File;

dm_conformance::suite!(File);
