//! Two people with two devices each write to each other while the host is killed under them, again
//! and again. What was answered is compared with what is there afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_client::{ConversationId, Stored, UserId};
use dm_e2e::{Device, Host, Person};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Messages that each of the four devices sends for each kill.
const EACH_PER_KILL: usize = 20;

/// How often the host is killed meanwhile: `DM_HOST_KILLS` times, or 3.
fn kills() -> usize {
    std::env::var("DM_HOST_KILLS")
        .map_or(3, |kills| kills.parse().unwrap_or_else(|_| panic!("DM_HOST_KILLS is no number: {kills}")))
}

/// Messages that each of the four devices sends.
fn each() -> usize {
    EACH_PER_KILL * kills()
}

/// A message that was answered: by its text, what the host said of it.
type Answered = BTreeMap<String, Stored>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_or_doubled_when_the_host_is_killed() {
    kill_and_compare(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_or_doubled_when_the_host_is_killed_on_redb() {
    kill_and_compare(&["--store", "redb"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_or_doubled_when_the_host_is_killed_on_fjall() {
    kill_and_compare(&["--store", "fjall"]).await;
}

async fn kill_and_compare(args: &[&str]) {
    let mut host = Host::start(args).await.unwrap();
    let url = host.url();
    let ana = Person::sign_in(&url, "Ana").await.unwrap();
    let bo = Person::sign_in(&url, "Bo").await.unwrap();
    let conversation = ana.open(&bo.key()).await.unwrap();
    assert_eq!(bo.open(&ana.key()).await.unwrap(), conversation, "there is one, whoever opens it");

    let mut devices = Vec::new();
    for (name, person, peer) in [("ana", &ana, &bo), ("bo", &bo, &ana)] {
        for device in ["phone", "desk"] {
            let connected = Arc::new(person.connect(device, peer.key()).unwrap());
            devices.push((format!("{name}'s {device}"), connected, peer.key()));
        }
    }

    let (done, mut progress) = watch::channel(0);
    let mut senders = JoinSet::new();
    for (name, device, peer) in &devices {
        let (name, device, peer, done) = (name.clone(), Arc::clone(device), *peer, done.clone());
        senders.spawn(async move { send_all(&name, &device, conversation, peer, &done).await });
    }
    // Each kill comes when another share of the messages was answered: in the middle of the
    // traffic.
    for kill in 1..=kills() {
        let share = 4 * each() * kill / (kills() + 1);
        progress.wait_for(|done| *done >= share).await.unwrap();
        host.kill().await.unwrap();
        host.restart().await.unwrap();
    }
    let mut answered = Answered::new();
    for answers in senders.join_all().await {
        answered.extend(answers);
    }
    assert_eq!(answered.len(), 4 * each());

    history_holds(&answered, &devices, conversation).await;
    every_device_was_given_all(&answered, devices).await;
    host.terminate().await.unwrap();
}

/// Sends a device's messages one after another, each only when the one before was answered.
async fn send_all(
    name: &str,
    device: &Device,
    conversation: ConversationId,
    peer: UserId,
    done: &watch::Sender<usize>,
) -> Answered {
    let mut answered = Answered::new();
    for n in 0..each() {
        let text = format!("{name} {n}");
        let stored = device.send(conversation, peer, &text).await.unwrap();
        answered.insert(text, stored);
        done.send_modify(|done| *done += 1);
    }
    answered
}

/// The history holds each answered message once, at the number it was answered with, and nothing
/// else.
async fn history_holds(
    answered: &Answered,
    devices: &[(String, Arc<Device>, UserId)],
    conversation: ConversationId,
) {
    for (name, device, peer) in devices {
        let history = device.history(conversation).await.unwrap();
        let numbers: Vec<u64> = history.iter().map(|message| message.sequence.get()).collect();
        let dense: Vec<u64> = (1..=answered.len() as u64).collect();
        assert_eq!(numbers, dense, "{name} reads dense numbers");
        for message in &history {
            let text = device.read(message, *peer).unwrap();
            let stored = answered.get(&text).unwrap_or_else(|| panic!("nobody sent {text:?}"));
            assert_eq!((stored.id, stored.sequence), (message.id, message.sequence), "{text}");
        }
        // What one device sent is in the order it was sent in.
        for (sender, _, _) in devices {
            let of_sender = (0..each()).map(|n| answered[&format!("{sender} {n}")].sequence.get());
            assert!(of_sender.is_sorted());
        }
    }
}

/// Every device was given every message but its own, once.
async fn every_device_was_given_all(answered: &Answered, devices: Vec<(String, Arc<Device>, UserId)>) {
    for (name, device, _) in devices {
        let device = Arc::into_inner(device).unwrap();
        let own = format!("{name} ");
        let expected: BTreeMap<u64, String> = answered
            .iter()
            .filter(|(text, _)| !text.starts_with(&own))
            .map(|(text, stored)| (stored.sequence.get(), text.clone()))
            .collect();
        device.given(expected.len()).await.unwrap();
        assert_eq!(device.texts().unwrap(), expected, "{name}");
    }
}
