//! Encoding and decoding returns the same message, and decoding any bytes never panics.
//!
//! The generators (strategies) of messages are boxed. Otherwise all of them together would exceed
//! the stack of a test thread.

use dm_proto::prost::{Message, bytes::Bytes};
use dm_proto::{dm_client_frame, dm_delivery, dm_server_frame, envelope::Payload, *};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[0-9a-f]{64}", any::<String>()]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..80).prop_map(Bytes::from)
}

fn conversation() -> BoxedStrategy<DmConversation> {
    (text(), text(), text(), text(), text(), any::<u64>(), any::<u64>(), text())
        .prop_map(|(id, a, b, a_name, b_name, created_at, last_message_at, last_message_preview)| {
            DmConversation {
                id,
                participant_a_pubkey: a,
                participant_b_pubkey: b,
                participant_a_display_name: a_name,
                participant_b_display_name: b_name,
                created_at,
                last_message_at,
                last_message_preview,
            }
        })
        .boxed()
}

fn message() -> BoxedStrategy<EncryptedDmMessage> {
    let texts = (text(), text(), text(), text(), text());
    let content = (bytes(), bytes(), bytes());
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>());
    (texts, content, numbers)
        .prop_map(|(texts, content, numbers)| EncryptedDmMessage {
            id: texts.0,
            conversation_id: texts.1,
            sender_pubkey: texts.2,
            encrypted_payload: content.0,
            nonce: content.1,
            ephemeral_pubkey: content.2,
            timestamp: numbers.0,
            server_sequence: numbers.1,
            sender_display_name: texts.3,
            client_message_id: texts.4,
            received_at: numbers.2,
            suite: numbers.3,
        })
        .boxed()
}

fn public_key() -> BoxedStrategy<DmPublicKey> {
    (text(), bytes(), any::<u64>(), any::<u32>(), text())
        .prop_map(|(ed25519_pubkey, x25519_pubkey, published_at, version, binding)| DmPublicKey {
            ed25519_pubkey,
            x25519_pubkey,
            published_at,
            version,
            binding,
        })
        .boxed()
}

fn key_rotated() -> BoxedStrategy<DmKeyRotatedEvent> {
    (text(), bytes(), any::<u64>(), any::<u32>())
        .prop_map(|(user_pubkey, new_x25519_pubkey, timestamp, version)| DmKeyRotatedEvent {
            user_pubkey,
            new_x25519_pubkey,
            timestamp,
            version,
        })
        .boxed()
}

fn message_event() -> BoxedStrategy<DmMessageEvent> {
    option::of(message()).prop_map(|message| DmMessageEvent { message }).boxed()
}

fn conversation_created() -> BoxedStrategy<DmConversationCreatedEvent> {
    option::of(conversation()).prop_map(|conversation| DmConversationCreatedEvent { conversation }).boxed()
}

fn delivery() -> BoxedStrategy<DmDelivery> {
    let event = prop_oneof![
        message_event().prop_map(dm_delivery::Event::Message),
        conversation_created().prop_map(dm_delivery::Event::ConversationCreated),
        key_rotated().prop_map(dm_delivery::Event::KeyRotated),
    ];
    (any::<u64>(), any::<u64>(), option::of(event))
        .prop_map(|(position, at, event)| DmDelivery { position, at, event })
        .boxed()
}

fn problem() -> BoxedStrategy<DmProblem> {
    let texts = (text(), text(), text(), text());
    (texts, any::<u32>(), option::of(any::<u64>()), option::of(public_key()))
        .prop_map(|((r#type, title, detail, field), status, retry_after_ms, current_key)| DmProblem {
            r#type,
            title,
            status,
            detail,
            field,
            retry_after_ms,
            current_key,
        })
        .boxed()
}

fn sent() -> BoxedStrategy<DmSent> {
    (text(), text(), any::<u64>(), any::<u64>(), any::<bool>(), any::<u64>(), text())
        .prop_map(
            |(id, conversation_id, server_sequence, received_at, repeated, position, client_message_id)| {
                DmSent {
                    id,
                    conversation_id,
                    server_sequence,
                    received_at,
                    repeated,
                    position,
                    client_message_id,
                }
            },
        )
        .boxed()
}

fn server_frame() -> BoxedStrategy<dm_server_frame::Frame> {
    use dm_server_frame::Frame;
    prop_oneof![
        (text(), any::<u64>(), any::<u32>(), any::<u32>()).prop_map(
            |(device, cursor, window, max_payload)| Frame::Welcome(DmWelcome {
                device,
                cursor,
                window,
                max_payload
            })
        ),
        delivery().prop_map(Frame::Delivery),
        any::<u64>().prop_map(|position| Frame::CaughtUp(DmCaughtUp { position })),
        (any::<u64>(), any::<u64>(), any::<i32>()).prop_map(|(from, to, reason)| Frame::Gap(DmGap {
            from,
            to,
            reason
        })),
        sent().prop_map(Frame::Sent),
        (any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(up_to, acknowledged, unknown)| {
            Frame::Acknowledged(DmAcknowledged { up_to, acknowledged, unknown })
        }),
        problem().prop_map(Frame::Problem),
        (text(), any::<u64>()).prop_map(|(reason, reconnect_after_ms)| {
            Frame::GoingAway(DmGoingAway { reason, reconnect_after_ms })
        }),
        any::<u64>().prop_map(|nonce| Frame::Pong(DmPong { nonce })),
    ]
    .boxed()
}

fn send() -> BoxedStrategy<DmSend> {
    let content = (bytes(), bytes(), bytes());
    (text(), content, any::<u64>(), text(), any::<u32>(), any::<u32>())
        .prop_map(|(conversation_id, content, timestamp, client_message_id, recipient_key_version, suite)| {
            DmSend {
                conversation_id,
                encrypted_payload: content.0,
                nonce: content.1,
                ephemeral_pubkey: content.2,
                timestamp,
                client_message_id,
                recipient_key_version,
                suite,
            }
        })
        .boxed()
}

fn client_frame() -> BoxedStrategy<dm_client_frame::Frame> {
    use dm_client_frame::Frame;
    prop_oneof![
        (text(), any::<u32>(), vec(text(), 0..4), any::<bool>()).prop_map(
            |(device, protocol, capabilities, start_now)| Frame::Hello(DmHello {
                device,
                protocol,
                capabilities,
                start_now
            })
        ),
        send().prop_map(Frame::Send),
        (any::<u64>(), vec(text(), 0..4))
            .prop_map(|(up_to, message_ids)| Frame::Ack(DmAck { up_to, message_ids })),
        any::<u64>().prop_map(|nonce| Frame::Ping(DmPing { nonce })),
    ]
    .boxed()
}

fn envelope() -> BoxedStrategy<Envelope> {
    let payload = prop_oneof![
        message_event().prop_map(Payload::DmMessageEvent),
        conversation_created().prop_map(Payload::DmConversationCreatedEvent),
        key_rotated().prop_map(Payload::DmKeyRotatedEvent),
        (text(), any::<u64>(), any::<u32>()).prop_map(|(conversation_id, before_sequence, limit)| {
            Payload::DmHistoryRequest(DmHistoryRequest { conversation_id, before_sequence, limit })
        }),
        (vec(message(), 0..3), any::<bool>()).prop_map(|(messages, has_more)| {
            Payload::DmHistoryResponse(DmHistoryResponse { messages, has_more })
        }),
        Just(Payload::DmConversationListRequest(DmConversationListRequest {})),
        vec(conversation(), 0..3).prop_map(|conversations| {
            Payload::DmConversationListResponse(DmConversationListResponse { conversations })
        }),
        vec(message(), 0..3)
            .prop_map(|messages| Payload::DmOfflineMessagesResponse(DmOfflineMessagesResponse { messages })),
        option::of(server_frame()).prop_map(|frame| Payload::DmServerFrame(DmServerFrame { frame })),
        option::of(client_frame()).prop_map(|frame| Payload::DmClientFrame(DmClientFrame { frame })),
    ];
    (text(), option::of(payload)).prop_map(|(request_id, payload)| Envelope { request_id, payload }).boxed()
}

proptest! {
    #[test]
    fn every_envelope_decodes_to_itself(envelope in envelope()) {
        let frame = envelope.encode_to_vec();
        prop_assert_eq!(frame.len(), envelope.encoded_len());
        prop_assert!(Envelope::decode(frame.as_slice()).unwrap() == envelope);
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in vec(any::<u8>(), 0..512)) {
        if let Ok(envelope) = Envelope::decode(bytes.as_slice()) {
            let again = envelope.encode_to_vec();
            prop_assert!(Envelope::decode(again.as_slice()).unwrap() == envelope);
        }
    }

    #[test]
    fn a_damaged_frame_decodes_or_is_refused(
        envelope in envelope(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut frame = envelope.encode_to_vec();
        frame.push(0);
        for (position, byte) in damage {
            *position.get_mut(&mut frame) = byte;
        }
        frame.truncate(cut.index(frame.len()) + 1);
        if let Ok(envelope) = Envelope::decode(frame.as_slice()) {
            let again = envelope.encode_to_vec();
            prop_assert!(Envelope::decode(again.as_slice()).unwrap() == envelope);
        }
    }
}
