//! Conversions between the wire format and values. Every conversion from the wire checks its input.
//!
//! - [`fields`]: the checks that both forms share.
//! - [`frames`]: the protobuf of the WebSocket. [`json`]: the JSON of the REST calls.

mod fields;
pub(crate) mod frames;
pub(crate) mod json;

pub(crate) use fields::Malformed;
