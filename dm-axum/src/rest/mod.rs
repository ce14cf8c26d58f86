//! The handlers of the REST calls and their JSON, one file per resource.

pub(crate) mod conversations;
pub(crate) mod devices;
pub(crate) mod keys;
pub(crate) mod messages;
pub(crate) mod offline;
pub(crate) mod ticket;

/// Maximum size in bytes of a body without its payload or its list of ids: enough for the other
/// values, the names of all fields, and the fields of later versions.
const BODY_OVERHEAD: usize = 4 * 1024;
