//! [`decode`] checks a client's frame and decodes it.

use dm_proto::prost::Message as _;
use dm_proto::prost::bytes::Bytes;
use dm_proto::prost::encoding::{WireType, decode_key, decode_varint};
use dm_proto::{Envelope, envelope::Payload, field};

use super::close::Close;

/// Maximum size of a request id in bytes. The server keeps a request id in memory while the request
/// is in progress, and repeats it in the answer. A UUID takes 36 bytes.
const MAX_REQUEST_ID: usize = 256;

/// Decodes a frame into its request id and payload. Returns `None` for a frame without a known
/// payload: the host's own frame, or one of a later version. Refuses a frame that only a server
/// sends.
///
/// Some payloads that only a server sends contain a list, and an empty element of two bytes on the
/// wire takes 256 bytes when decoded. Decoding a frame of 256 KiB could take 32 MiB. So the field
/// numbers of the envelope are read first, and such a frame is refused without decoding it.
pub(super) fn decode(frame: Bytes) -> Result<Option<(String, Payload)>, Close> {
    const UNDECODABLE: Close = Close::Policy("not an envelope");
    if !has_client_payload(&frame).ok_or(UNDECODABLE)?? {
        return Ok(None);
    }
    let envelope = Envelope::decode(frame).map_err(|_| UNDECODABLE)?;
    if envelope.request_id.len() > MAX_REQUEST_ID {
        return Err(Close::Policy("the request id is too long"));
    }
    Ok(envelope.payload.map(|payload| (envelope.request_id, payload)))
}

/// Returns whether a frame has a payload that clients send, or `None` if the frame is not a
/// sequence of protobuf fields. Refuses a payload that only a server sends.
fn has_client_payload(frame: &[u8]) -> Option<Result<bool, Close>> {
    let mut rest = frame;
    let mut found = false;
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        if field::FROM_CLIENTS.contains(&number) {
            found = true;
        } else if field::PAYLOADS.contains(&number) {
            return Some(Err(Close::Policy("only a server sends that")));
        }
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut rest).ok()?;
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut rest).ok()?).ok()?,
            // Groups are an obsolete form of nested messages, which no envelope contains. Skipping
            // a group would need recursion.
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        rest = rest.get(length..)?;
    }
    Some(Ok(found))
}

#[cfg(test)]
mod tests {
    use dm_proto::{DmConversationListRequest, DmMessageEvent, DmOfflineMessagesResponse};

    use super::*;

    const UNDECODABLE: Result<Option<(String, Payload)>, Close> = Err(Close::Policy("not an envelope"));

    fn list(request_id: &str) -> Vec<u8> {
        Envelope::new(request_id, Payload::DmConversationListRequest(DmConversationListRequest {}))
            .encode_to_vec()
    }

    fn decoded(frame: &[u8]) -> Result<Option<(String, Payload)>, Close> {
        decode(Bytes::copy_from_slice(frame))
    }

    #[test]
    fn a_clients_frame_is_decoded() {
        let (request_id, payload) = decoded(&list("r1")).unwrap().unwrap();
        assert_eq!(request_id, "r1");
        assert!(matches!(payload, Payload::DmConversationListRequest(_)));
    }

    #[test]
    fn a_hosts_frame_is_ignored() {
        // No field; field 20, length-delimited; field 1000, varint.
        for frame in [&[][..], &[0xa2, 0x01, 0x01, 0xff], &[0xc0, 0x3e, 0x05]] {
            assert_eq!(decoded(frame), Ok(None));
        }
    }

    #[test]
    fn server_payloads_are_refused_without_decoding_even_after_a_client_payload() {
        let event = Payload::DmMessageEvent(DmMessageEvent::default());
        let offline = Payload::DmOfflineMessagesResponse(DmOfflineMessagesResponse::default());
        for payload in [event, offline] {
            let frame = Envelope::new("r", payload).encode_to_vec();
            let refused = Err(Close::Policy("only a server sends that"));
            assert_eq!(decoded(&frame), refused);
            assert_eq!(decoded(&[list("r"), frame].concat()), refused);
        }
    }

    #[test]
    fn a_million_empty_elements_are_refused_without_decoding() {
        // Field 157, which contains one million empty elements of field 1.
        let mut frame = vec![0xea, 0x09, 0x80, 0x80, 0x80, 0x01];
        frame.extend([0x0a, 0x00].repeat(1024 * 1024));
        assert_eq!(decoded(&frame), Err(Close::Policy("only a server sends that")));
    }

    #[test]
    fn hostile_bytes_are_no_envelope() {
        let hostile: &[&[u8]] = &[
            &[0xff; 16],                                                         // a varint without end
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // a length beyond memory
            &[0x0a, 0x05, b'x'],                                                 // a length beyond the frame
            &[0x0b, 0x0c],                                                       // a group
            &[0x00, 0x00],                                                       // field 0
            &[0x0e],                                                             // wire type 6
            &[0xca, 0x09, 0x01],                                                 // 153 cut off
            &[0xc9, 0x09, 0, 0, 0, 0, 0, 0, 0, 0],                               // 153 as a fixed number
            &[0x0a, 0x01, 0xff, 0xda, 0x09, 0x00], // a request id that is not UTF-8
        ];
        for frame in hostile {
            assert_eq!(decoded(frame), UNDECODABLE, "{frame:02x?}");
        }
        // Field 159 with 100,000 nested groups.
        let mut frame = vec![0xfa, 0x09, 0xa0, 0x8d, 0x06];
        frame.extend([0x0b; 100_000]);
        assert_eq!(decoded(&frame), UNDECODABLE);
    }

    #[test]
    fn a_request_id_of_more_than_256_bytes_is_refused() {
        assert!(decoded(&list(&"x".repeat(256))).is_ok());
        assert!(decoded(&list(&"x".repeat(257))).is_err());
    }
}
