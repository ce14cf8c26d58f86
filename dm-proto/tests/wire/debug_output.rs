//! `Debug` shows no payload, key, nonce, preview or whole public key of a user, also inside other
//! messages.

use dm_proto::prost::bytes::Bytes;
use dm_proto::{dm_client_frame, dm_server_frame, envelope::Payload, *};

const CANARY: &str = "canary-in-the-payload";
const IDENTITY: &str = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e";

fn canary() -> Bytes {
    Bytes::from_static(CANARY.as_bytes())
}

fn message() -> EncryptedDmMessage {
    EncryptedDmMessage {
        id: "m1".into(),
        sender_pubkey: IDENTITY.into(),
        encrypted_payload: canary(),
        nonce: canary(),
        ephemeral_pubkey: canary(),
        ..EncryptedDmMessage::default()
    }
}

fn conversation() -> DmConversation {
    DmConversation {
        id: "c1".into(),
        participant_a_pubkey: IDENTITY.into(),
        participant_b_pubkey: IDENTITY.into(),
        last_message_preview: CANARY.into(),
        ..DmConversation::default()
    }
}

fn rotated() -> DmKeyRotatedEvent {
    DmKeyRotatedEvent {
        user_pubkey: IDENTITY.into(),
        new_x25519_pubkey: canary(),
        ..DmKeyRotatedEvent::default()
    }
}

fn delivery(event: dm_delivery::Event) -> Envelope {
    let delivery = DmDelivery { position: 1, at: 2, event: Some(event) };
    Envelope::server("", dm_server_frame::Frame::Delivery(delivery))
}

/// Envelopes with every payload that can have secret fields.
fn envelopes() -> Vec<Envelope> {
    let message_event = DmMessageEvent { message: Some(message()) };
    let created = DmConversationCreatedEvent { conversation: Some(conversation()) };
    let history = DmHistoryResponse { messages: vec![message()], has_more: false };
    let conversations = DmConversationListResponse { conversations: vec![conversation()] };
    let offline = DmOfflineMessagesResponse { messages: vec![message()] };
    let key =
        DmPublicKey { ed25519_pubkey: IDENTITY.into(), x25519_pubkey: canary(), ..DmPublicKey::default() };
    let problem = DmProblem { status: 409, current_key: Some(key), ..DmProblem::default() };
    let send = DmSend {
        encrypted_payload: canary(),
        nonce: canary(),
        ephemeral_pubkey: canary(),
        ..DmSend::default()
    };
    vec![
        Envelope::new("", Payload::DmMessageEvent(message_event.clone())),
        Envelope::new("", Payload::DmConversationCreatedEvent(created.clone())),
        Envelope::new("", Payload::DmKeyRotatedEvent(rotated())),
        Envelope::new("", Payload::DmHistoryResponse(history)),
        Envelope::new("", Payload::DmConversationListResponse(conversations)),
        Envelope::new("", Payload::DmOfflineMessagesResponse(offline)),
        delivery(dm_delivery::Event::Message(message_event)),
        delivery(dm_delivery::Event::ConversationCreated(created)),
        delivery(dm_delivery::Event::KeyRotated(rotated())),
        Envelope::server("", dm_server_frame::Frame::Problem(problem)),
        Envelope::client("", dm_client_frame::Frame::Send(send)),
    ]
}

#[test]
fn no_secret_is_shown_in_any_payload() {
    let bytes_as_list = format!("{:?}", CANARY.as_bytes());
    let bytes_in_list = bytes_as_list.trim_matches(['[', ']']);
    for envelope in envelopes() {
        for shown in [format!("{envelope:?}"), format!("{envelope:#?}")] {
            let joined = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(!joined.contains(CANARY), "{shown}");
            assert!(!joined.contains(bytes_in_list), "{shown}");
            assert!(!joined.contains(IDENTITY), "{shown}");
            assert!(joined.contains("[21 bytes]"), "{shown}");
        }
    }
}

#[test]
fn ids_and_the_beginning_of_identities_are_shown() {
    let shown = format!("{:?}", DmMessageEvent { message: Some(message()) });
    assert!(shown.contains(r#"id: "m1""#), "{shown}");
    assert!(shown.contains(r#"sender_pubkey: "5ca1ab1e"…"#), "{shown}");
    assert!(shown.contains("encrypted_payload: [21 bytes]"), "{shown}");
}

#[test]
fn an_invalid_identity_is_cut_between_characters() {
    let odd = DmKeyRotatedEvent {
        user_pubkey: "ééééééééé\u{202e}\0".into(), ..DmKeyRotatedEvent::default()
    };
    assert!(format!("{odd:?}").contains(r#"user_pubkey: "éééééééé"…"#), "{odd:?}");
    let short = DmKeyRotatedEvent { user_pubkey: "a\0".into(), ..DmKeyRotatedEvent::default() };
    assert!(format!("{short:?}").contains(r#"user_pubkey: "a\0""#), "{short:?}");
}
