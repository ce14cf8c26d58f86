//! The instructions of the hot paths, counted under valgrind: the same on a noisy machine as on a
//! quiet one.
//!
//! `cargo xtask bench --instructions` runs this and compares the counts with those in
//! `docs/performance/instructions.txt`. Code on other threads, such as that of the stores' engines,
//! is not counted.

#![allow(missing_docs, reason = "the macros make items")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a program that measures")]

use std::hint::black_box;

use bytes::Bytes;
use dm_core::{
    Ciphertext, ClientMessageId, ConversationId, Delivery, MemoryStore, PendingQuery, Principal, SendMessage,
    Service, Session, Timestamp, UserId,
};
use dm_proto::{DmDelivery, DmSend, Envelope, dm_client_frame, dm_server_frame};
use gungraun::{library_benchmark, library_benchmark_group, main};
use prost::Message as _;
use tokio::runtime::Runtime;

/// The number of messages of one measurement, so large that the cost of the setup hardly counts.
const MESSAGES: u64 = 100;

const ANA: &str = "5866666666666666666666666666666666666666666666666666666666666666";
const BO: &str = "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022";

/// A service with the in-memory store, and a conversation between two users.
struct Chat {
    runtime: Runtime,
    service: Service,
    ana: Principal,
    bo: Principal,
    conversation: ConversationId,
}

fn chat() -> Chat {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (ana, bo): (UserId, UserId) = (ANA.parse().unwrap(), BO.parse().unwrap());
    let (ana, bo) = (Principal::from(ana), Principal::from(bo));
    let (service, conversation) = runtime.block_on(async {
        let service = Service::builder(MemoryStore::new()).start().unwrap();
        let opened = service.open_conversation(&ana, bo.user).await.unwrap();
        (service, opened.conversation.id)
    });
    Chat { runtime, service, ana, bo, conversation }
}

fn chat_with_messages() -> Chat {
    let chat = chat();
    send(&chat);
    chat
}

/// A session that has received its pending entries.
fn connected() -> (Chat, Session) {
    let chat = chat();
    let session = chat.runtime.block_on(async {
        let mut session = chat.service.connect(&chat.bo).await.unwrap();
        while !matches!(session.next().await.unwrap(), Delivery::CaughtUp { .. }) {}
        session
    });
    (chat, session)
}

fn send(chat: &Chat) {
    chat.runtime.block_on(async {
        for n in 0..MESSAGES {
            let ciphertext = Ciphertext::new(vec![7; 512].into(), &[7; 24], None, None).unwrap();
            let mut message = SendMessage::new(chat.conversation, ciphertext, Timestamp::from_millis(n));
            message.client_id = Some(ClientMessageId::from_bytes(u128::from(n).to_be_bytes()));
            chat.service.send(&chat.ana, message).await.unwrap();
        }
    });
}

#[library_benchmark]
#[bench::one_after_the_other(setup = chat)]
fn core_send(chat: Chat) -> Chat {
    send(black_box(&chat));
    chat
}

#[library_benchmark]
#[bench::live(setup = connected)]
fn core_send_and_deliver((chat, mut session): (Chat, Session)) -> (Chat, Session) {
    send(&chat);
    chat.runtime.block_on(async {
        for _ in 0..MESSAGES {
            black_box(session.next().await.unwrap());
        }
    });
    (chat, session)
}

#[library_benchmark]
#[bench::page(setup = chat_with_messages)]
fn core_pending(chat: Chat) -> Chat {
    let pending = chat.runtime.block_on(chat.service.pending(&chat.bo, PendingQuery::default())).unwrap();
    black_box(pending);
    chat
}

#[library_benchmark]
#[bench::lowercase(BO)]
fn core_parse_user(text: &str) -> UserId {
    black_box(text).parse().unwrap()
}

fn sent() -> Envelope {
    let send = DmSend {
        conversation_id: "0198c0de-0000-7000-8000-000000000001".into(),
        encrypted_payload: vec![7; 512].into(),
        nonce: vec![7; 24].into(),
        timestamp: 1,
        client_message_id: "0198c0de-0000-7000-8000-000000000002".into(),
        ..DmSend::default()
    };
    Envelope::client("17", dm_client_frame::Frame::Send(send))
}

fn delivered() -> Envelope {
    let delivery = DmDelivery { position: 17, ..DmDelivery::default() };
    Envelope::server("", dm_server_frame::Frame::Delivery(delivery))
}

fn encoded() -> Bytes {
    sent().encode_to_vec().into()
}

#[library_benchmark]
#[bench::of_512_bytes(setup = encoded)]
fn proto_decode_send(frame: Bytes) -> Envelope {
    black_box(Envelope::decode(frame).unwrap())
}

#[library_benchmark]
#[bench::of_512_bytes(setup = sent)]
fn proto_encode_send(envelope: Envelope) -> Vec<u8> {
    black_box(envelope.encode_to_vec())
}

#[library_benchmark]
#[bench::bare(setup = delivered)]
fn proto_encode_delivery(envelope: Envelope) -> Vec<u8> {
    black_box(envelope.encode_to_vec())
}

library_benchmark_group!(
    name = core;
    benchmarks = core_send, core_send_and_deliver, core_pending, core_parse_user
);
library_benchmark_group!(
    name = proto;
    benchmarks = proto_decode_send, proto_encode_send, proto_encode_delivery
);
main!(library_benchmark_groups = core, proto);
