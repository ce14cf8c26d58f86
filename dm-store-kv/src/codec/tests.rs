//! Rows are decoded to the encoded values, and rows that the library does not write are refused.

use bytes::Bytes;
use dm_core::store::{
    Ciphertext, ClientMessageId, ConversationId, DeviceId, InboxSeq, KeyBinding, KeyRecord, KeyVersion,
    Message, MessageId, Participants, ServerSequence, Suite, Timestamp, UserId, X25519Key,
};

use super::*;
use crate::failure::Failure;

#[test]
fn keys_sort_as_their_numbers_do() {
    assert!(log_key(1, u64::MAX) < log_key(2, 0));
    assert!(log_key(255, 255) < log_key(255, 256));
    assert!(mark_key(1, 2, u64::MAX) < mark_key(1, 3, 0));
    assert!(oldest_key(Timestamp::from_millis(255), 9) < oldest_key(Timestamp::from_millis(256), 1));
}

#[test]
fn an_entry_of_any_origin_is_encoded_and_decoded() {
    let long: DeviceId = "x".repeat(64).parse().unwrap();
    for origin in [None, Some(DeviceId::default()), Some("a".parse().unwrap()), Some(long)] {
        let at = Timestamp::from_millis(u64::MAX);
        let bytes = EntryRow::encode(at, origin.as_ref(), Content::Message(7));
        let row = EntryRow::decode(Fields::new(&bytes)).unwrap();
        assert_eq!((row.at, row.origin), (at, origin));
        assert!(matches!(row.content, Content::Message(7)));
        for len in 0..bytes.len() {
            assert!(EntryRow::decode(Fields::new(&bytes[..len])).is_err());
        }
        assert!(EntryRow::decode(Fields::new(&[bytes.as_slice(), &[0]].concat())).is_err());
    }
}

#[test]
fn decoding_a_truncated_message_fails() {
    let message = message(true, true, true);
    let bytes = header().encode(&message);
    assert_eq!(decode(&bytes).unwrap().1, message);
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn a_message_with_any_of_its_optional_fields_is_encoded_and_decoded() {
    for flags in 0..8 {
        let message = message(flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        let (found, back) = decode(&header().encode(&message)).unwrap();
        assert_eq!(back, message);
        let fields = |header: MessageHeader| {
            let MessageHeader { conversation, sender, recipient, sequence, sender_seq, recipient_seq } =
                header;
            (conversation, sender, recipient, sequence, sender_seq, recipient_seq)
        };
        assert_eq!(fields(found), fields(header()));
    }
}

#[test]
fn decoding_a_message_with_unknown_flags_fails() {
    let mut bytes = header().encode(&message(false, false, false));
    // The offset of the flags: behind three refs, three numbers, an id and two times.
    let offset = 3 * 4 + 3 * 8 + 16 + 2 * 8;
    assert_eq!(bytes[offset], 0);
    bytes[offset] = 8;
    assert!(matches!(decode(&bytes), Err(Failure::Damaged("a message has unknown flags"))));
}

#[test]
fn decoding_a_row_of_a_wrong_length_fails() {
    let id = ConversationId::from_bytes([1; 16]);
    let time = Timestamp::from_millis(2);
    let record = KeyRecord {
        user: UserId::from_stored([3; 32]),
        key: X25519Key::from_stored([4; 32]),
        version: KeyVersion::FIRST,
        published_at: time,
        binding: KeyBinding::Unproven,
    };
    assert_decodes_in_its_length_only(&ConversationRow { id, a: 1, b: 2, opened_at: time }.encode(), |row| {
        ConversationRow::decode(row).is_ok()
    });
    assert_decodes_in_its_length_only(&SequenceRow { message: 1, at: time }.encode(), |row| {
        SequenceRow::decode(row).is_ok()
    });
    let announcement = Announcement { user: 1, after: 2, until: 3 };
    assert_decodes_in_its_length_only(&announcement.encode(), |row| Announcement::decode(row).is_ok());
    assert_decodes_in_its_length_only(&key_value(&record), |row| key_record(record.user, 1, row).is_ok());
}

#[test]
fn rows_decode_with_and_without_a_note_and_in_no_other_length() {
    let details = ConversationDetails {
        refs: [1, 2],
        participants: Participants::new(UserId::from_stored([3; 32]), UserId::from_stored([4; 32])).unwrap(),
        note: Some(Note { epoch: 5, number: 7 }),
    };
    let named = ConversationIdRow { conversation_ref: 6, details: Some(details) }.encode();
    let lengths = |row: &[u8], reads: &dyn Fn(Fields<'_>) -> bool| -> Vec<usize> {
        let longer = [row, &[0]].concat();
        (0..=longer.len()).filter(|len| reads(Fields::new(&longer[..*len]))).collect()
    };
    assert_eq!(lengths(&named, &|row| ConversationIdRow::decode(row).is_ok()), [4, 76, 88]);
    let back = ConversationIdRow::decode(Fields::new(&named)).unwrap();
    assert_eq!(back.encode(), named);

    let floor = FloorRow { floor: InboxSeq::new(7), note: Some(Note { epoch: 8, number: 9 }) };
    assert_eq!(lengths(&floor.encode(), &|row| FloorRow::decode(row).is_ok()), [8, 20]);
    assert_eq!(FloorRow::decode(Fields::new(&floor.encode())).unwrap(), floor);
}

#[test]
fn decoding_equal_or_misordered_participants_fails() {
    for [a, b] in [[3, 3], [4, 3]] {
        let row = [[0; 12].as_slice(), &[a; 32], &[b; 32]].concat();
        assert!(matches!(ConversationIdRow::decode(Fields::new(&row)), Err(Failure::Damaged(_))));
    }
}

/// Asserts that a row is decoded, and that it is refused if bytes are missing or added.
fn assert_decodes_in_its_length_only(row: &[u8], reads: impl Fn(Fields<'_>) -> bool) {
    assert!(reads(Fields::new(row)));
    for len in 0..row.len() {
        assert!(!reads(Fields::new(&row[..len])), "{len} of {} bytes", row.len());
    }
    assert!(!reads(Fields::new(&[row, &[0]].concat())), "a byte more");
}

fn decode(bytes: &[u8]) -> Result<(MessageHeader, Message), Failure> {
    let mut fields = Fields::new(bytes);
    let header = MessageHeader::decode(&mut fields)?;
    let message = message(false, false, false);
    Ok((header, header.message(message.conversation, message.sender, fields)?))
}

/// A header in which each field has another value.
fn header() -> MessageHeader {
    MessageHeader {
        conversation: 1,
        sender: 2,
        recipient: 3,
        sequence: ServerSequence::new(4),
        sender_seq: InboxSeq::new(5),
        recipient_seq: InboxSeq::new(6),
    }
}

fn message(client_id: bool, suite: bool, ephemeral: bool) -> Message {
    let (suite, ephemeral) = (suite.then_some(Suite(u32::MAX)), ephemeral.then_some([9; 32].as_slice()));
    Message {
        id: MessageId::from_bytes([1; 16]),
        conversation: ConversationId::from_bytes([2; 16]),
        sequence: header().sequence,
        sender: UserId::from_stored([4; 32]),
        client_id: client_id.then(|| ClientMessageId::from_bytes([5; 16])),
        sent_at: Timestamp::from_millis(6),
        received_at: Timestamp::from_millis(7),
        ciphertext: Ciphertext::new(Bytes::from_static(b"x"), &[8; 24], ephemeral, suite).unwrap(),
    }
}

#[test]
fn decoding_a_log_key_of_a_wrong_length_fails() {
    assert_eq!(owner_and_number(&log_key(7, 8)).unwrap(), (7, 8));
    for len in 0..12 {
        assert!(owner_and_number(&log_key(7, 8)[..len]).is_err(), "{len}");
    }
    assert!(owner_and_number(&[0; 13]).is_err());
}
