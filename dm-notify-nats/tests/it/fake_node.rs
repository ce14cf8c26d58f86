//! A fake node: it sends the frames that a test chooses, with the nodes' key or without.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::{Client, Message};
use blake2::Blake2bMac;
use blake2::digest::Mac as _;
use blake2::digest::consts::U16;
use bytes::Bytes;
use dm_core::notify::NodeId;

use crate::common::{Node, VERSION, next_frame, subscribe_to_all, user};

/// The kinds of frames, which are the second bytes of frames.
pub(crate) const PROBE: u8 = 3;
pub(crate) const PRESENCE_REQUEST: u8 = 4;
pub(crate) const CLAIMS: u8 = 5;
pub(crate) const HEARTBEAT: u8 = 8;
pub(crate) const ORDER: u8 = 11;
pub(crate) const USER_CONNECTED: u8 = 12;
pub(crate) const CONFIRMATION: u8 = 13;
pub(crate) const CHALLENGE: u8 = 14;

pub(crate) struct FakeNode {
    bus: Client,
    id: [u8; 8],
    key: Option<[u8; 32]>,
    /// The number of the next frame with a stamp.
    pub next_number: u64,
    /// The time by which its clock is behind.
    pub clock_lag: Duration,
}

impl FakeNode {
    pub(crate) fn new(bus: Client, id: [u8; 8], key: Option<[u8; 32]>) -> Self {
        Self { bus, id, key, next_number: 0, clock_lag: Duration::ZERO }
    }

    pub(crate) fn id(&self) -> NodeId {
        NodeId::from_bytes(self.id)
    }

    /// Sends heartbeats, and replies to challenges, until a node has verified this one.
    pub(crate) async fn wait_until_verified_by(&mut self, node: &Node) {
        let mut bus = subscribe_to_all(&self.bus).await;
        let is_known = |id| node.nats.health().peers.is_some_and(|peers| peers.contains(&id));
        while !is_known(self.id()) {
            self.send(HEARTBEAT, "dm.nodes", &[]).await;
            // This client also receives its own heartbeat, which ends the inner loop.
            while let Some(reply) = self.next_challenge(&mut bus).await {
                self.send(HEARTBEAT, &reply, &[]).await;
            }
        }
    }

    /// The reply subject of the next challenge to this fake node; `None` if its own heartbeat
    /// arrives first.
    async fn next_challenge(&self, bus: &mut async_nats::Subscriber) -> Option<String> {
        loop {
            let message =
                crate::common::in_time("a frame", futures_util::StreamExt::next(bus)).await.unwrap();
            if message.payload.get(1) == Some(&CHALLENGE) && message.payload.get(10..18) == Some(&self.id) {
                return message.reply.map(|reply| reply.to_string());
            }
            if message.payload.get(1) == Some(&HEARTBEAT) && message.payload.get(2..10) == Some(&self.id) {
                return None;
            }
        }
    }

    /// Sends a frame with a stamp.
    pub(crate) async fn send(&mut self, kind: u8, subject: &str, content: &[u8]) -> Bytes {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - self.clock_lag;
        let mut frame = vec![VERSION, kind];
        frame.extend(self.id);
        frame.extend(u64::try_from(now.as_millis()).unwrap().to_be_bytes());
        frame.extend(self.next_number.to_be_bytes());
        frame.extend(content);
        self.next_number = self.next_number.wrapping_add(1);
        self.publish(subject, frame).await
    }

    /// Sends an order to end the sessions of the *n*-th user.
    pub(crate) async fn send_order(&mut self, n: u64, nonce: [u8; 16]) -> Bytes {
        let content = [&nonce[..], &[1], user(n).as_bytes(), &[u8::MAX]].concat();
        self.send(ORDER, "dm.nodes", &content).await
    }

    /// Confirms an order, on its reply subject.
    pub(crate) async fn confirm(&self, subject: &str) -> Bytes {
        self.publish(subject, [&[VERSION, CONFIRMATION], &self.id[..], &[0; 4]].concat()).await
    }

    /// Waits until a node has processed all earlier frames on the subject of the nodes.
    pub(crate) async fn wait_until_processed_by(
        &self,
        node: &Node,
        bus: &mut async_nats::Subscriber,
        nonce: u64,
    ) {
        let nonce = [[0; 8], nonce.to_be_bytes()].concat();
        let content = [&node.hub.node().as_bytes()[..], &nonce].concat();
        let frame = [&[VERSION, CHALLENGE], &self.id[..], &content].concat();
        self.publish("dm.nodes", frame).await;
        let answers = format!("dm.answers.{:032x}", u128::from_be_bytes(nonce.try_into().unwrap()));
        while *next_frame(bus, HEARTBEAT).await.subject != *answers {}
    }

    pub(crate) async fn publish(&self, subject: &str, mut frame: Vec<u8>) -> Bytes {
        if let Some(key) = &self.key {
            let mac: Blake2bMac<U16> =
                Blake2bMac::new_with_salt_and_personal(Some(key), &[], b"dm-notify-nats 2").unwrap();
            let len = u32::try_from(subject.len()).unwrap().to_be_bytes();
            let tag = mac.chain_update(len).chain_update(subject).chain_update(&frame).finalize();
            frame.extend(tag.into_bytes());
        }
        let frame = Bytes::from(frame);
        self.bus.publish(subject.to_owned(), frame.clone()).await.unwrap();
        frame
    }
}

/// Publishes a recorded message again, on its subject.
pub(crate) async fn replay(bus: &Client, message: &Message) {
    bus.publish(message.subject.clone(), message.payload.clone()).await.unwrap();
}
