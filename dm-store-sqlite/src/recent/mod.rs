//! The newest rows of inboxes and conversations, which are in small trees.

pub(crate) mod activity;
pub(crate) mod merge;
pub(crate) mod newest;
pub(crate) mod read;
pub(crate) mod runs;
