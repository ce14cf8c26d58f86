//! Tests with clients that request long answers and do not read them.

mod building;
mod dropping;
mod limits;
mod world;
