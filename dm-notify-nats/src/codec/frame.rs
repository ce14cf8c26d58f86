//! [`Frame`] and [`Writer`]: decode and encode the first fields, which all frames have.

use dm_core::DeviceId;
use dm_core::notify::NodeId;

use super::fields::{Fields, NO_DEVICE};
use super::stamp::{Stamp, Undecodable};
use crate::mac::TAG_LEN;

/// The version of the frame format. Frames of other versions are refused.
pub(super) const VERSION: u8 = 4;

/// Encodes the frames of a node, whose id is in every frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer(pub(crate) NodeId);

/// A decoded frame: the sending node, and the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame<S> {
    pub(crate) from: NodeId,
    pub(crate) content: S,
}

impl Writer {
    /// The first fields of a frame, with capacity for `room` more bytes and the tag.
    pub(super) fn start(self, kind: u8, room: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(10 + room + TAG_LEN);
        out.extend([VERSION, kind]);
        out.extend(self.0.as_bytes());
        out
    }

    /// The first fields of a frame with a stamp, with capacity for `room` more bytes and the tag.
    pub(super) fn start_stamped(self, kind: u8, stamp: Stamp, room: usize) -> Vec<u8> {
        let mut out = self.start(kind, 16 + room);
        out.extend(stamp.at.as_millis().to_be_bytes());
        out.extend(stamp.number.to_be_bytes());
        out
    }
}

impl<S> Frame<S> {
    /// Decodes a frame. `content` decodes the fields after the first ones, by the frame's kind and
    /// sender. Fails if bytes remain.
    pub(super) fn read<'a>(
        bytes: &'a [u8],
        content: impl FnOnce(u8, NodeId, &mut Fields<'a>) -> Result<S, Undecodable>,
    ) -> Result<Self, Undecodable> {
        let mut fields = Fields(bytes);
        let [version, kind] = fields.take()?;
        if version != VERSION {
            return Err(Undecodable);
        }
        let from = fields.node()?;
        let content = content(kind, from, &mut fields)?;
        fields.end()?;
        Ok(Self { from, content })
    }
}

/// Encodes a device, or no device.
pub(super) fn put_device(out: &mut Vec<u8>, device: Option<&DeviceId>) {
    match device {
        None => out.push(NO_DEVICE),
        Some(device) if device.is_default() => out.push(0),
        Some(device) => {
            // A device's name has at most 64 bytes, so the conversion cannot fail.
            out.push(u8::try_from(device.as_str().len()).unwrap_or(NO_DEVICE));
            out.extend(device.as_str().as_bytes());
        }
    }
}
