//! Conversions between the wire format and the values of this crate. Every conversion from the wire
//! checks its input.
//!
//! - [`frames`]: the protobuf of the WebSocket. [`json`]: the JSON of the REST calls.
//! - [`fields`]: the checks that both need.

mod fields;
pub(crate) mod frames;
pub(crate) mod json;

pub(crate) use fields::Malformed;
