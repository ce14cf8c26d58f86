//! The REST calls, a room each, with the JSON they take and give.

pub(crate) mod conversations;
pub(crate) mod devices;
pub(crate) mod keys;
pub(crate) mod messages;
pub(crate) mod offline;
pub(crate) mod ticket;

/// Room in a body for everything but its one large field: ids, names of fields, additions of later versions.
const BODY_OVERHEAD: usize = 4 * 1024;
