//! The REST calls, a file for each resource, with their JSON.

pub(crate) mod conversations;
pub(crate) mod devices;
pub(crate) mod keys;
pub(crate) mod messages;
pub(crate) mod offline;
pub(crate) mod ticket;

/// Bytes that a body may have beside its large field, for ids, names of fields and additions of
/// later versions.
const BODY_OVERHEAD: usize = 4 * 1024;
