//! Decoding hostile bytes returns an error and never panics.
//!
//! A *group* is an obsolete form of a nested message, with a start key and an end key. No message
//! of this protocol has groups.

use dm_proto::prost::Message;
use dm_proto::{
    DmAck, DmConversation, DmHistoryResponse, DmSend, EncryptedDmMessage, Envelope, envelope::Payload,
};

/// The start key of an unknown group, field 2000.
const GROUP_START: [u8; 2] = [0x83, 0x7d];
/// The end key of that group.
const GROUP_END: [u8; 2] = [0x84, 0x7d];

fn assert_refused(bytes: &[u8]) {
    assert!(Envelope::decode(bytes).is_err());
}

#[test]
fn groups_nested_too_deep_are_refused() {
    for depth in [101, 100_000] {
        assert_refused(&[GROUP_START.repeat(depth), GROUP_END.repeat(depth)].concat());
        assert_refused(&GROUP_START.repeat(depth));
    }
}

#[test]
fn a_shallow_unknown_group_is_skipped() {
    let frame = [&GROUP_START, b"\x08\x01".as_slice(), &GROUP_END, b"\x0a\x01r"].concat();
    let envelope = Envelope::decode(frame.as_slice()).unwrap();
    assert_eq!(envelope, Envelope { request_id: "r".into(), payload: None });
}

#[test]
fn groups_without_their_own_end_are_refused() {
    assert_refused(&GROUP_START);
    assert_refused(&GROUP_END);
    assert_refused(&[GROUP_START, [0x8c, 0x7d]].concat());
}

#[test]
fn messages_nested_in_an_unknown_field_are_skipped_at_any_depth() {
    let mut inner = Vec::new();
    for _ in 0..1_000 {
        let mut outer = vec![0x82, 0x7d];
        let length = u32::try_from(inner.len()).unwrap();
        outer.extend(varint(length.into()));
        outer.extend(inner);
        inner = outer;
    }
    assert_eq!(Envelope::decode(inner.as_slice()).unwrap(), Envelope::default());
}

#[test]
fn varints_without_an_end_or_beyond_64_bits_are_refused() {
    assert_refused(&[0xff; 10]);
    assert_refused(&[0x80; 11]);
    // The last of these ten bytes overflows 64 bits. The bytes are decoded as a number, as a length
    // and as a field key.
    let overflow = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    assert!(DmAck::decode([[0x08].as_slice(), &overflow].concat().as_slice()).is_err());
    assert_refused(&[[0x0a].as_slice(), &overflow].concat());
    assert_refused(&overflow);
}

#[test]
fn a_ten_byte_varint_can_be_the_largest_number() {
    let largest = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(DmAck::decode(largest.as_slice()).unwrap().up_to, u64::MAX);
}

#[test]
fn lengths_beyond_the_buffer_are_refused() {
    for length in [2, 127, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
        let claim = varint(length);
        assert_refused(&[b"\x0a", claim.as_slice(), b"r"].concat());
        // Payload 159, an unknown field, and the bytes of a message.
        assert_refused(&[b"\xfa\x09", claim.as_slice(), b"r"].concat());
        assert_refused(&[b"\x82\x7d", claim.as_slice(), b"r"].concat());
        assert!(DmSend::decode([b"\x12", claim.as_slice(), b"r"].concat().as_slice()).is_err());
    }
}

#[test]
fn a_nested_length_beyond_its_message_is_refused() {
    // Payload 150 has four bytes. It contains a message of two bytes, whose id has a length of
    // three.
    assert_refused(&[0xb2, 0x09, 0x04, 0x0a, 0x02, 0x0a, 0x03, b'a', b'b', b'c']);
}

#[test]
fn wrong_wire_types_are_refused() {
    assert_refused(&[0x08, 0x01]); // request_id as a number
    assert_refused(&[0x09, 0, 0, 0, 0, 0, 0, 0, 0]); // as fixed64
    assert_refused(&[0x0d, 0, 0, 0, 0]); // as fixed32
    assert_refused(&[0xf8, 0x09, 0x01]); // payload 159 as a number
    assert_refused(&[0xfb, 0x09, 0xfc, 0x09]); // payload 159 as a group
    assert_refused(&[0x0e]); // wire types that do not exist
    assert_refused(&[0x0f]);
    assert_refused(&[0x02, 0x00]); // field 0
    assert!(DmAck::decode([0x0a, 0x01, 0x05].as_slice()).is_err()); // a number as bytes
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    assert_refused(b"\x0a\x02\xc3\x28");
    assert!(DmAck::decode(b"\x12\x01\xff".as_slice()).is_err());
}

#[test]
fn a_frame_that_is_cut_off_is_refused_or_has_no_payload() {
    let event = dm_proto::DmMessageEvent { message: Some(crate::samples::message_with_additions()) };
    let whole = Envelope::new("r1", Payload::DmMessageEvent(event));
    let frame = whole.encode_to_vec();
    for end in 0..frame.len() {
        if let Ok(cut) = Envelope::decode(&frame[..end]) {
            assert!(cut != whole, "cut at {end}");
            assert!(cut.payload.is_none(), "cut at {end}");
        }
    }
}

#[test]
fn an_empty_element_takes_no_more_memory_than_the_crate_documentation_says() {
    for size in [size_of::<EncryptedDmMessage>(), size_of::<DmConversation>(), size_of::<String>()] {
        assert!(size <= 256, "{size} bytes for two on the wire");
    }
    let elements = b"\x0a\x00".repeat(1_000_000);
    let response = DmHistoryResponse::decode(elements.as_slice()).unwrap();
    assert_eq!(response.messages.len(), 1_000_000);
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}
