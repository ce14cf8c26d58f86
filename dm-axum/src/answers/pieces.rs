//! [`Pieces`]: the JSON of an answer in pieces, which the connection takes and frees one after the
//! other.

use std::collections::VecDeque;
use std::io;

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::problem::{Kind, Problem};

/// Maximum size of a piece in bytes. A connection holds one or a few pieces at a time. The pieces
/// that it has not taken can be dropped.
const PIECE_BYTES: usize = 32 * 1024;

/// The body of an answer in pieces, and an optional header.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// The pieces before the last one, in order.
    full: VecDeque<Bytes>,
    /// The piece that is being written.
    last: Vec<u8>,
    /// Total size in bytes.
    len: usize,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Pieces {
    /// Encodes a value as JSON. Pieces are used because one buffer for the whole value would copy
    /// its bytes each time it grows.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, Problem> {
        let mut pieces = Self::default();
        serde_json::to_writer(&mut pieces, value)
            // The serialization of strings and numbers never fails.
            .map_err(|_| Problem::new(Kind::Unavailable, "the answer could not be built"))?;
        Ok(pieces)
    }

    /// Adds a header, if there is a value for it.
    pub(crate) fn with_header(mut self, name: HeaderName, value: Option<HeaderValue>) -> Self {
        self.header = value.map(|value| (name, value));
        self
    }

    /// The size of the body in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The pieces in order, and the header.
    pub(super) fn into_parts(mut self) -> (VecDeque<Bytes>, Option<(HeaderName, HeaderValue)>) {
        self.full.push_back(self.last.into());
        (self.full, self.header)
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.last.len() >= PIECE_BYTES {
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(PIECE_BYTES));
            self.full.push_back(full.into());
        }
        let (taken, _) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.last.len()));
        self.last.extend_from_slice(taken);
        self.len += taken.len();
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each piece that a client reads extends the time for which its answer is kept by one second.
    /// With small pieces, a slow client could keep an answer for long.
    #[test]
    fn a_megabyte_has_few_pieces() {
        let (parts, _) = Pieces::json(&"x".repeat(1 << 20)).unwrap().into_parts();
        assert!(parts.len() <= 33, "{} pieces", parts.len());
    }

    #[test]
    fn pieces_contain_every_byte_once_and_none_exceeds_the_limit() {
        for len in [0, 1, PIECE_BYTES - 3, PIECE_BYTES - 2, PIECE_BYTES - 1, 3 * PIECE_BYTES + 7] {
            let text = "x".repeat(len);
            let pieces = Pieces::json(&text).unwrap();
            assert_eq!(pieces.len(), len + 2);
            let (parts, _) = pieces.into_parts();
            assert!(parts.iter().all(|part| part.len() <= PIECE_BYTES));
            assert_eq!(parts.len(), (len + 2).div_ceil(PIECE_BYTES));
            assert_eq!(parts.into_iter().flatten().collect::<Vec<u8>>(), format!("\"{text}\"").into_bytes());
        }
    }
}
