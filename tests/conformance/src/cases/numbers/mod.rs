//! Cases of clauses 7 to 9 about the numbers of senders, records and devices. The modules of the
//! clauses have them.

pub(super) mod dense;
pub(super) mod never_reused;
pub(super) mod visible_in_order;
