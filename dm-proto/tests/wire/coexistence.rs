//! A reader skips fields that it does not know: payloads of a host, payloads of this crate that a
//! host reads, and fields of later versions.

use dm_proto::prost::{self, Message, bytes::Bytes};
use dm_proto::{DmServerFrame, EncryptedDmMessage, Envelope, dm_server_frame, envelope::Payload};

use crate::samples::*;

/// A host's envelope, with the same `request_id` and the host's own payloads.
#[derive(Clone, PartialEq, prost::Message)]
struct HostEnvelope {
    #[prost(string, tag = "1")]
    request_id: String,
    #[prost(oneof = "host_payload::HostPayload", tags = "10, 42, 160")]
    payload: Option<host_payload::HostPayload>,
}

mod host_payload {
    use dm_proto::prost;

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(crate) enum HostPayload {
        #[prost(string, tag = "10")]
        Text(String),
        #[prost(uint64, tag = "42")]
        Number(u64),
        #[prost(message, tag = "160")]
        Nested(super::HostMessage),
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct HostMessage {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(fixed64, tag = "2")]
    fixed: u64,
    #[prost(float, tag = "3")]
    float: f32,
}

/// [`EncryptedDmMessage`] as it was before fields 15 to 17 were added.
#[derive(Clone, PartialEq, prost::Message)]
struct FirstEncryptedDmMessage {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    conversation_id: String,
    #[prost(string, tag = "3")]
    sender_pubkey: String,
    #[prost(bytes = "bytes", tag = "4")]
    encrypted_payload: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    nonce: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    ephemeral_pubkey: Bytes,
    #[prost(uint64, tag = "7")]
    timestamp: u64,
    #[prost(uint64, tag = "8")]
    server_sequence: u64,
    #[prost(string, tag = "9")]
    sender_display_name: String,
}

#[test]
fn a_hosts_frames_decode_without_payload_and_keep_the_request_id() {
    use host_payload::HostPayload::{Nested, Number, Text};
    let nested = HostMessage { text: "hello".into(), fixed: 7, float: 0.5 };
    for payload in [Text("hello".into()), Number(u64::MAX), Nested(nested)] {
        let frame = HostEnvelope { request_id: "h1".into(), payload: Some(payload) }.encode_to_vec();
        let seen = Envelope::decode(frame.as_slice()).unwrap();
        assert_eq!(seen, Envelope { request_id: "h1".into(), payload: None });
    }
}

#[test]
fn our_frames_decode_at_a_host_without_payload_and_keep_the_request_id() {
    let event = dm_proto::DmMessageEvent { message: Some(message_with_additions()) };
    let pong = dm_server_frame::Frame::Pong(dm_proto::DmPong { nonce: 1 });
    for ours in [Envelope::new("r1", Payload::DmMessageEvent(event)), Envelope::server("r1", pong)] {
        let seen = HostEnvelope::decode(ours.encode_to_vec().as_slice()).unwrap();
        assert_eq!(seen, HostEnvelope { request_id: "r1".into(), payload: None });
    }
}

#[test]
fn a_reader_from_before_the_additions_reads_all_other_fields() {
    let sent = message_with_additions();
    let seen = FirstEncryptedDmMessage::decode(sent.encode_to_vec().as_slice()).unwrap();
    let back = EncryptedDmMessage::decode(seen.encode_to_vec().as_slice()).unwrap();
    assert!(back == message());
}

#[test]
fn a_frame_of_a_later_version_decodes_as_a_frame_without_content() {
    // Field 10 of the server frame, which is reserved for the read position. It contains `08 05`.
    let later = [0x52, 0x02, 0x08, 0x05];
    assert_eq!(DmServerFrame::decode(later.as_slice()).unwrap(), DmServerFrame { frame: None });
}

#[test]
fn an_event_of_a_later_version_keeps_its_position() {
    // Position 9, and an unknown field 31 of two bytes.
    let later = [0x08, 0x09, 0xfa, 0x01, 0x02, 0x08, 0x05];
    let delivery = dm_proto::DmDelivery::decode(later.as_slice()).unwrap();
    assert_eq!((delivery.position, delivery.event), (9, None));
}

#[test]
fn a_gap_reason_of_a_later_version_is_unspecified() {
    let gap = dm_proto::DmGap::decode([0x08, 0x01, 0x10, 0x02, 0x18, 0x63].as_slice()).unwrap();
    assert_eq!((gap.from, gap.to), (1, 2));
    assert_eq!(gap.reason(), dm_proto::dm_gap::Reason::Unspecified);
}
