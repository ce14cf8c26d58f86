//! Frames are decoded to what was encoded, and other bytes are refused.

use std::time::Duration;

use bytes::Bytes;
use dm_core::notify::{EndSessions, NodeId, SessionClaim, SessionId, Term};
use dm_core::{
    Ciphertext, ClientMessageId, Conversation, ConversationId, DeviceId, DisconnectReason, Event, InboxEntry,
    InboxSeq, KeyBinding, KeyRecord, KeyVersion, Message, MessageId, Notice, OtherNotice, Participants,
    Registration, SenderSequence, ServerSequence, Suite, Timestamp, UserId, X25519Key,
};
use proptest::prelude::*;

use super::frame::VERSION;
use super::*;

const STAMP: Stamp = Stamp { at: Timestamp::from_millis(5), number: u64::MAX };
const NONCE: Nonce = Nonce([3; 16]);
const WRITER: Writer = Writer(NodeId::from_bytes([7; 8]));
const LIMIT: usize = 8 * 1024;

fn user() -> UserId {
    "5866666666666666666666666666666666666666666666666666666666666666".parse().unwrap()
}

fn peer() -> UserId {
    "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022".parse().unwrap()
}

fn message(payload: usize, optional: bool) -> Event {
    let ephemeral = [9; 32];
    let ciphertext = Ciphertext::new(
        vec![1; payload].into(),
        &[8; 24],
        optional.then_some(&ephemeral[..]),
        optional.then_some(Suite(u32::MAX)),
    );
    Event::Message(
        Message {
            id: MessageId::from_bytes([1; 16]),
            conversation: ConversationId::from_bytes([2; 16]),
            sequence: ServerSequence::new(3),
            sender: peer(),
            sender_sequence: SenderSequence::new(u64::MAX),
            client_id: optional.then_some(ClientMessageId::from_bytes([5; 16])),
            sent_at: Timestamp::from_millis(u64::MAX),
            received_at: Timestamp::from_millis(7),
            ciphertext: ciphertext.unwrap(),
        }
        .into(),
    )
}

fn entry(event: Event, origin: Option<DeviceId>) -> InboxEntry {
    InboxEntry { seq: InboxSeq::new(u64::MAX), at: Timestamp::from_millis(4), origin, addressee: None, event }
}

fn other_notice(len: usize) -> Event {
    Event::Notice(Notice::Other(OtherNotice::new(vec![OtherNotice::FIRST_CUSTOM; len]).unwrap()))
}

fn entries() -> Vec<InboxEntry> {
    let opened = Conversation {
        id: ConversationId::from_bytes([9; 16]),
        participants: Participants::new(user(), peer()).unwrap(),
        opened_at: Timestamp::from_millis(5),
    };
    let changed = KeyRecord {
        user: peer(),
        key: X25519Key::from_stored([9; 32]),
        version: KeyVersion::FIRST,
        published_at: Timestamp::from_millis(6),
        binding: KeyBinding::Unproven,
    };
    vec![
        entry(message(1, true), Some("x".repeat(64).parse().unwrap())),
        entry(message(600, false), Some(DeviceId::default())),
        entry(Event::Notice(Notice::ConversationOpened(opened)), None),
        entry(Event::Notice(Notice::PeerKeyChanged(changed)), Some("phone".parse().unwrap())),
        InboxEntry { addressee: Some(Registration::new(3)), ..entry(other_notice(1), None) },
        InboxEntry { addressee: Some(Registration::new(u64::MAX)), ..entry(message(1, false), None) },
    ]
}

fn decode(bytes: &[u8]) -> Result<Frame<UserContent>, Undecodable> {
    Frame::decode_user(&Bytes::copy_from_slice(bytes), user())
}

#[test]
fn encoded_frames_on_the_subject_of_a_user_are_decoded() {
    for entry in entries() {
        let frame = decode(&WRITER.hint(&entry, LIMIT)).unwrap();
        assert_eq!(frame, Frame { from: WRITER.0, content: UserContent::Entry(entry.clone()) });
        let number = UserContent::Number { seq: entry.seq, origin: entry.origin.clone() };
        assert_eq!(decode(&WRITER.hint(&entry, 0)).unwrap(), Frame { from: WRITER.0, content: number });
    }
    assert_eq!(decode(&WRITER.probe(STAMP)).unwrap().content, UserContent::Probe(STAMP));
    assert_eq!(decode(&WRITER.presence_request(NONCE)).unwrap().content, UserContent::PresenceRequest(NONCE));
}

#[test]
fn the_default_device_takes_no_bytes() {
    let [_, default, _, phone, ..] = &entries()[..] else { panic!("four entries") };
    assert_eq!(WRITER.hint(default, 0).len() + "phone".len(), WRITER.hint(phone, 0).len());
}

#[test]
fn a_hint_of_exactly_the_size_limit_has_its_entry() {
    let entry = entry(message(600, true), None);
    let whole = WRITER.hint(&entry, LIMIT);
    assert_eq!(WRITER.hint(&entry, whole.len()), whole);
    let number = WRITER.hint(&entry, whole.len() - 1);
    assert!(matches!(decode(&number).unwrap().content, UserContent::Number { .. }) && number.len() < 100);
}

#[test]
fn notices_of_up_to_512_bytes_are_decoded_and_longer_ones_refused() {
    let longest = entry(other_notice(Notice::MAX_LEN), None);
    let bytes = WRITER.hint(&longest, LIMIT);
    assert_eq!(decode(&bytes).unwrap().content, UserContent::Entry(longest));
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(decode(&longer), Err(Undecodable));
}

#[test]
fn truncated_and_lengthened_frames_are_refused() {
    // A notice of an unknown kind may have any length, so its frame has no end of its own.
    let has_end = |entry: &InboxEntry| !matches!(entry.event, Event::Notice(Notice::Other(_)));
    for entry in entries().into_iter().filter(has_end) {
        for bytes in [
            WRITER.hint(&entry, LIMIT),
            WRITER.hint(&entry, 0),
            WRITER.probe(STAMP),
            WRITER.presence_request(NONCE),
        ] {
            // A frame that ends in a payload is still valid without its last bytes, unless the
            // payload becomes empty.
            let payload = match decode(&bytes).unwrap().content {
                UserContent::Entry(entry) => entry.message().map_or(0, |m| m.ciphertext.payload().len()),
                _ => 0,
            };
            for len in 0..=bytes.len() - payload.max(1) {
                assert_eq!(decode(&bytes[..len]), Err(Undecodable), "{len} of {bytes:?}");
            }
            if payload == 0 {
                assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(Undecodable));
            }
        }
    }
}

#[test]
fn frames_with_an_invalid_version_kind_sender_or_notice_are_refused() {
    let [message, _, opened, ..] = &entries()[..] else { panic!("three entries") };
    let change = |entry: &InboxEntry, at: usize| {
        let mut bytes = WRITER.hint(entry, LIMIT).to_vec();
        bytes[at] ^= 0x40;
        decode(&bytes)
    };
    assert_eq!(change(message, 0), Err(Undecodable), "the version");
    assert_eq!(change(message, 1), Err(Undecodable), "the kind");
    let sender =
        WRITER.hint(message, LIMIT).windows(32).position(|bytes| bytes == peer().as_bytes()).unwrap();
    let mut bytes = WRITER.hint(message, LIMIT).to_vec();
    bytes[sender..sender + 32].copy_from_slice(&[0; 32]);
    assert_eq!(decode(&bytes), Err(Undecodable), "a sender of small order");
    assert_ne!(peer().as_bytes()[0], 2);
    // A notice on the subject of a user who is not a participant of the conversation.
    let participant = "5866666666666666666666666666666666666666666666666666666666666666";
    let bytes = Bytes::from(WRITER.hint(opened, LIMIT));
    assert!(Frame::decode_user(&bytes, participant.parse().unwrap()).is_ok(), "the user is a participant");
    let stranger = UserId::from_stored([3; 32]);
    assert_eq!(Frame::decode_user(&bytes, stranger), Err(Undecodable));
}

proptest! {
    #[test]
    fn decoding_random_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..16_u8) {
        let _ = decode(&bytes);
        let mut bytes_of_kind = vec![VERSION, kind];
        bytes_of_kind.extend(bytes);
        let _ = decode(&bytes_of_kind);
        let _ = Frame::decode_node(&bytes_of_kind);
    }
}

fn claims(count: u64) -> Vec<SessionClaim> {
    let term = |number| Term {
        at: Timestamp::from_millis(u64::MAX - number),
        session: SessionId { node: WRITER.0, number },
    };
    let device = |n| if n == 0 { DeviceId::default() } else { format!("device-{n}").parse().unwrap() };
    (0..count)
        .map(|n| SessionClaim {
            user: user(),
            device: device(n),
            term: term(n),
            age: Duration::from_millis(u64::MAX - n),
        })
        .collect()
}

#[test]
fn encoded_claims_and_objections_are_decoded() {
    let stamp = STAMP;
    for count in [0, 1, MAX_CLAIMS as u64] {
        let claims = claims(count);
        let content = decode(&WRITER.claims(stamp, &claims)).unwrap().content;
        assert_eq!(content, UserContent::Claims { stamp, claims });
    }
    assert_eq!(decode(&WRITER.claims(stamp, &claims(MAX_CLAIMS as u64 + 1))), Err(Undecodable));
    let objection = Objection {
        stamp,
        device: "phone".parse().unwrap(),
        session: SessionId { node: NodeId::from_bytes([9; 8]), number: 3 },
        objecting_term: claims(1)[0].term,
    };
    let bytes = WRITER.objection(&objection);
    assert_eq!(decode(&bytes).unwrap(), Frame { from: WRITER.0, content: UserContent::Objection(objection) });
    for len in 0..bytes.len() {
        assert_eq!(decode(&bytes[..len]), Err(Undecodable), "{len}");
    }
}

#[test]
fn encoded_frames_for_all_nodes_are_decoded() {
    let stamp = STAMP;
    let order = |device: Option<&str>, reason| EndSessions {
        user: user(),
        device: device.map(|device| device.parse().unwrap()),
        reason,
    };
    let orders = [
        order(None, DisconnectReason::Refused),
        order(Some("phone"), DisconnectReason::DeviceForgotten),
        order(Some("x"), DisconnectReason::SignedOut),
    ];
    let mut frames = vec![
        (WRITER.heartbeat(stamp, true), NodeContent::Heartbeat { stamp, requests_heartbeats: true }),
        (WRITER.heartbeat(stamp, false), NodeContent::Heartbeat { stamp, requests_heartbeats: false }),
        (WRITER.leaving(stamp), NodeContent::Leaving(stamp)),
        (WRITER.user_connected(), NodeContent::UserConnected),
        (WRITER.confirmation(7), NodeContent::Confirmation { sessions: 7 }),
        (WRITER.challenge(WRITER.0, NONCE), NodeContent::Challenge { node: WRITER.0, nonce: NONCE }),
    ];
    frames.extend(orders.map(|order| {
        (WRITER.order(stamp, NONCE, &order), NodeContent::Order { stamp, nonce: NONCE, order })
    }));
    for (bytes, content) in frames {
        assert_eq!(Frame::decode_node(&bytes), Ok(Frame { from: WRITER.0, content }));
        assert_eq!(Frame::decode_node(&[&bytes[..], &[0]].concat()), Err(Undecodable));
        assert_eq!(decode(&bytes), Err(Undecodable), "not on a user's subject");
        for len in 0..bytes.len() {
            assert_eq!(Frame::decode_node(&bytes[..len]), Err(Undecodable), "{len}");
        }
    }
}
