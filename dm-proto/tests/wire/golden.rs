//! Every message encodes to the bytes in `tests/golden/` and decodes from these bytes, so that the
//! wire format cannot change unnoticed.

use std::collections::BTreeMap;
use std::fmt::Debug;

use dm_proto::prost::Message;
use dm_proto::{
    Envelope, dm_client_frame as client, dm_gap, dm_server_frame as server, envelope::Payload, *,
};

use crate::samples::*;

#[test]
fn messages_and_payloads_150_to_157_have_their_golden_bytes() {
    let mut golden = Golden::parse(include_str!("../golden/messages.txt"));
    golden.check("dm_conversation", &conversation());
    let preview = DmConversation {
        id: CONVERSATION.into(),
        last_message_preview: "…".into(),
        ..DmConversation::default()
    };
    golden.check("dm_conversation_with_a_preview", &preview);
    golden.check("encrypted_dm_message", &message());
    golden.check("encrypted_dm_message_with_additions", &message_with_additions());
    golden.check("dm_public_key", &public_key());
    golden.check("dm_public_key_with_additions", &public_key_with_additions());

    let event = DmMessageEvent { message: Some(message_without_ephemeral_key()) };
    golden.check("150_dm_message_event", &Envelope::new("", Payload::DmMessageEvent(event)));
    let event = DmConversationCreatedEvent { conversation: Some(new_conversation()) };
    golden.check(
        "151_dm_conversation_created_event",
        &Envelope::new("", Payload::DmConversationCreatedEvent(event)),
    );
    golden.check("152_dm_key_rotated_event", &Envelope::new("", Payload::DmKeyRotatedEvent(key_rotated())));
    golden.check(
        "152_dm_key_rotated_event_with_additions",
        &Envelope::new("", Payload::DmKeyRotatedEvent(key_rotated_with_additions())),
    );
    let request = DmHistoryRequest { conversation_id: CONVERSATION.into(), before_sequence: 301, limit: 50 };
    golden.check("153_dm_history_request", &Envelope::new("r1", Payload::DmHistoryRequest(request)));
    let response =
        DmHistoryResponse { messages: vec![message_without_ephemeral_key(), message()], has_more: true };
    golden.check("154_dm_history_response", &Envelope::new("r1", Payload::DmHistoryResponse(response)));
    golden.check(
        "155_dm_conversation_list_request",
        &Envelope::new("r2", Payload::DmConversationListRequest(DmConversationListRequest {})),
    );
    let response = DmConversationListResponse { conversations: vec![conversation(), new_conversation()] };
    golden.check(
        "156_dm_conversation_list_response",
        &Envelope::new("r2", Payload::DmConversationListResponse(response)),
    );
    let response = DmOfflineMessagesResponse { messages: vec![message()] };
    golden.check(
        "157_dm_offline_messages_response",
        &Envelope::new("r3", Payload::DmOfflineMessagesResponse(response)),
    );
    golden.assert_all_checked();
}

#[test]
fn server_frames_have_their_golden_bytes() {
    let mut golden = Golden::parse(include_str!("../golden/frames.txt")).only("158_");
    let mut check = |name, request_id, frame| golden.check(name, &Envelope::server(request_id, frame));

    let welcome = DmWelcome { device: "laptop".into(), cursor: 41, window: 256, max_payload: 65_536 };
    check("158_welcome", "r1", server::Frame::Welcome(welcome));
    let event = dm_delivery::Event::Message(DmMessageEvent { message: Some(message_with_additions()) });
    check("158_delivery_message", "", delivery(42, NOW + 7, Some(event)));
    let opened = DmConversationCreatedEvent { conversation: Some(new_conversation()) };
    let event = dm_delivery::Event::ConversationCreated(opened);
    check("158_delivery_conversation_created", "", delivery(43, NOW, Some(event)));
    let event = dm_delivery::Event::KeyRotated(key_rotated_with_additions());
    check("158_delivery_key_rotated", "", delivery(44, NOW, Some(event)));
    check("158_delivery_of_an_unknown_event", "", delivery(45, NOW, None));
    check("158_caught_up", "", server::Frame::CaughtUp(DmCaughtUp { position: 45 }));
    let gap = DmGap { from: 1, to: 40, reason: dm_gap::Reason::Expired.into() };
    check("158_gap", "", server::Frame::Gap(gap));
    let sent = DmSent {
        id: MESSAGE.into(),
        conversation_id: CONVERSATION.into(),
        server_sequence: 300,
        received_at: NOW + 7,
        repeated: true,
        position: 46,
        client_message_id: CLIENT_MESSAGE.into(),
    };
    check("158_sent", "r2", server::Frame::Sent(sent));
    let acknowledged = DmAcknowledged { up_to: 45, acknowledged: 3, unknown: 1 };
    check("158_acknowledged", "r3", server::Frame::Acknowledged(acknowledged));
    let problem = DmProblem {
        r#type: "about:blank".into(),
        title: "Stale key".into(),
        status: 409,
        detail: "version 1 was replaced".into(),
        field: "recipient_key_version".into(),
        retry_after_ms: Some(0),
        current_key: Some(public_key_with_additions()),
    };
    check("158_problem", "r4", server::Frame::Problem(problem));
    let going_away = DmGoingAway { reason: "shutting down".into(), reconnect_after_ms: 1_500 };
    check("158_going_away", "", server::Frame::GoingAway(going_away));
    check("158_pong", "r5", server::Frame::Pong(DmPong { nonce: u64::MAX }));
    golden.assert_all_checked();
}

#[test]
fn client_frames_have_their_golden_bytes() {
    let mut golden = Golden::parse(include_str!("../golden/frames.txt")).only("159_");
    let mut check = |name, request_id, frame| golden.check(name, &Envelope::client(request_id, frame));

    let hello = DmHello {
        device: "laptop".into(),
        protocol: 1,
        capabilities: vec!["gaps".into(), "zip".into()],
        start_now: true,
    };
    check("159_hello", "r1", client::Frame::Hello(hello));
    let send = DmSend {
        conversation_id: CONVERSATION.into(),
        encrypted_payload: payload(),
        nonce: nonce(),
        ephemeral_pubkey: ephemeral_key(),
        timestamp: NOW,
        client_message_id: CLIENT_MESSAGE.into(),
        recipient_key_version: 2,
        suite: 1,
    };
    check("159_send", "r2", client::Frame::Send(send));
    check("159_ack_up_to", "r3", client::Frame::Ack(DmAck { up_to: 45, message_ids: vec![] }));
    let by_ids = DmAck { up_to: 0, message_ids: vec![MESSAGE.into(), CLIENT_MESSAGE.into()] };
    check("159_ack_by_ids", "r3", client::Frame::Ack(by_ids));
    check("159_ping", "r5", client::Frame::Ping(DmPing { nonce: u64::MAX }));
    golden.assert_all_checked();
}

fn delivery(position: u64, at: u64, event: Option<dm_delivery::Event>) -> server::Frame {
    server::Frame::Delivery(DmDelivery { position, at, event })
}

/// The expected bytes of a file in `tests/golden/`, by name. An entry is removed when it is
/// checked.
struct Golden(BTreeMap<String, Vec<u8>>);

impl Golden {
    fn parse(text: &str) -> Self {
        let mut vectors = BTreeMap::new();
        let mut current: Option<&mut Vec<u8>> = None;
        for line in text.lines() {
            let line = line.split('#').next().unwrap().trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                assert!(!vectors.contains_key(name), "there are two entries {name}");
                current = Some(vectors.entry(name.to_owned()).or_default());
                continue;
            }
            for byte in line.split_whitespace() {
                let vector = current.as_mut().expect("bytes come after a [name]");
                vector.push(u8::from_str_radix(byte, 16).expect("two hexadecimal digits"));
            }
        }
        Self(vectors)
    }

    fn only(mut self, prefix: &str) -> Self {
        self.0.retain(|name, _| name.starts_with(prefix));
        self
    }

    fn check<M: Message + Default + PartialEq + Debug>(&mut self, name: &str, message: &M) {
        let bytes = self.0.remove(name).unwrap_or_else(|| panic!("no entry {name} in tests/golden"));
        assert_eq!(hex(&message.encode_to_vec()), hex(&bytes), "encoding {name}");
        assert!(M::decode(bytes.as_slice()).unwrap() == *message, "decoding {name}");
    }

    fn assert_all_checked(&self) {
        assert!(self.0.is_empty(), "entries without a check: {:?}", self.0.keys());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
