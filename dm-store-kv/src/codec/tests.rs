//! Rows are decoded to the encoded values, and rows that the library does not write are refused.

use std::sync::Arc;

use bytes::Bytes;
use dm_core::store::{
    Ceiling, Ciphertext, ClientMessageId, ConversationId, Counts, CursorProof, DeviceId, Event, Gate,
    InboxEntry, InboxSeq, Message, MessageId, Notice, OtherNotice, Participants, Registration,
    SenderSequence, ServerSequence, Side, Suite, Tag, Timestamp, UserGate, UserId,
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
fn an_entry_of_any_origin_and_addressee_is_encoded_and_decoded() {
    let long: DeviceId = "x".repeat(64).parse().unwrap();
    let notice = || Event::Notice(Notice::Other(OtherNotice::new(vec![200]).unwrap()));
    let message = || Event::Message(Arc::new(message(false, false, false)));
    for origin in [None, Some(DeviceId::default()), Some("a".parse().unwrap()), Some(long)] {
        for (event, addressee) in
            [(message(), None), (notice(), None), (notice(), Some(Registration::new(5)))]
        {
            let (seq, at, is_message) =
                (InboxSeq::ZERO, Timestamp::from_millis(u64::MAX), matches!(event, Event::Message(_)));
            let entry = InboxEntry { seq, at, origin: origin.clone(), addressee, event };
            let bytes = EntryRow::encode(&entry, 7);
            let row = EntryRow::decode(Fields::new(&bytes)).unwrap();
            assert_eq!((row.at, &row.origin, row.addressee), (at, &origin, addressee));
            assert_eq!(matches!(row.content, Content::Message(7)), is_message);
            for len in 0..bytes.len() {
                assert!(EntryRow::decode(Fields::new(&bytes[..len])).is_err());
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert_eq!(EntryRow::decode(Fields::new(&longer)).is_err(), is_message);
        }
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
        let mut message = message(flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        message.sender_sequence = SenderSequence::new([0, 1, 127, 128, u64::MAX][flags % 5]);
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
    bytes[offset] = 16;
    assert!(matches!(decode(&bytes), Err(Failure::Damaged("a message has unknown flags"))));
}

#[test]
fn decoding_a_row_of_a_wrong_length_fails() {
    let id = ConversationId::from_bytes([1; 16]);
    let time = Timestamp::from_millis(2);
    assert_decodes_in_its_length_only(&ConversationRow { id, a: 1, b: 2, opened_at: time }.encode(), |row| {
        ConversationRow::decode(row).is_ok()
    });
    for row in [PairRow::Conversation(7), PairRow::Gate(gate())] {
        assert_eq!(PairRow::decode(Fields::new(&row.encode())).unwrap(), row);
        assert_decodes_in_its_length_only(&row.encode(), |row| PairRow::decode(row).is_ok());
    }
}

#[test]
fn rows_decode_with_and_without_their_optional_fields_and_in_no_other_length() {
    let lengths = |row: &[u8], reads: &dyn Fn(Fields<'_>) -> bool| -> Vec<usize> {
        let longer = [row, &[0]].concat();
        (0..=longer.len()).filter(|len| reads(Fields::new(&longer[..*len]))).collect()
    };
    let conversation_lengths =
        |row: &[u8]| lengths(row, &|row: Fields<'_>| ConversationIdRow::decode(row).is_ok());
    let note = ConversationNote { note: Note { epoch: 5, number: 7 }, counts: Counts::default() };
    let details = ConversationDetails {
        refs: [1, 2],
        participants: Participants::new(UserId::from_stored([3; 32]), UserId::from_stored([4; 32])).unwrap(),
        note: Some(note),
        fence: None,
        gate: Gate::default(),
    };
    let row = |details| ConversationIdRow { conversation_ref: 6, details: Some(details) }.encode();
    assert_eq!(conversation_lengths(&row(details)), [4, 76, 88]);
    let (fence, counts) = (Some(Tag::from_bytes([8; 16])), Counts::default().after_message(Side::A, 300));
    let full = ConversationDetails {
        note: Some(ConversationNote { counts, ..note }),
        fence,
        gate: gate(),
        ..details
    };
    // The flags, the fence, the gate of 34 bytes, and counts of 7 bytes.
    assert_eq!(conversation_lengths(&row(full)), [4, 76, 88, 146]);
    for details in [full, ConversationDetails { note: None, ..full }, details] {
        let back = ConversationIdRow::decode(Fields::new(&row(details))).unwrap();
        assert_eq!(back.encode(), row(details));
        let back = back.details.unwrap();
        assert_eq!((back.note, back.fence, back.gate), (details.note, details.fence, details.gate));
    }

    let floor_lengths = |row: &[u8]| lengths(row, &|row: Fields<'_>| FloorRow::decode(row).is_ok());
    let floor =
        FloorRow { floor: InboxSeq::new(7), note: Some(Note { epoch: 8, number: 9 }), ..FloorRow::default() };
    assert_eq!(floor_lengths(&floor.encode()), [8, 20]);
    let proof = Some(CursorProof::from_stored(0));
    let closed = UserGate { is_closed: true, ceiling: Some(InboxSeq::new(u64::MAX)) };
    let full = FloorRow { proof, fence, gate: closed, ..floor };
    assert_eq!(floor_lengths(&full.encode()), [8, 20, 53]);
    for row in [floor, full, FloorRow { note: None, ..full }, FloorRow { proof, ..FloorRow::default() }] {
        assert_eq!(FloorRow::decode(Fields::new(&row.encode())).unwrap(), row);
    }

    let sequence = SequenceRow { message: 1, at: Timestamp::from_millis(2), counts };
    assert_eq!(lengths(&sequence.encode(), &|row| SequenceRow::decode(row).is_ok()), [16, 23]);
    for row in [sequence, SequenceRow { counts: Counts::default(), ..sequence }] {
        assert_eq!(SequenceRow::decode(Fields::new(&row.encode())).unwrap(), row);
    }
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

/// A gate with closing bits and both ceilings.
fn gate() -> Gate {
    let ceiling = |messages| Some(Ceiling { messages: SenderSequence::new(messages), bytes: 9 });
    Gate { closed: 3, ceiling_a: ceiling(1), ceiling_b: ceiling(2) }
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
        sender_sequence: SenderSequence::ZERO,
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
