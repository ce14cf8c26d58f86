//! The traffic: pairs of users who send messages to each other all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dm_client::{ConversationId, Stored, UserId};
use dm_e2e::{Device, Person};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Number of pairs of users.
const PAIRS: usize = 3;

/// The time between two messages of a device. It limits the traffic to some hundred messages a
/// second, so that the history can be read in full at the end.
const SEND_INTERVAL: Duration = Duration::from_millis(15);

/// The names of a user's stationary devices, which send and stay at one host. Each user also has a
/// roaming device, which only receives.
const DEVICES: [&str; 2] = ["phone", "desk"];

/// Two users, their conversation and their devices.
#[derive(Debug)]
pub struct Pair {
    /// The conversation of the two users.
    pub conversation: ConversationId,
    /// The stationary devices of both users.
    pub devices: Vec<Stationary>,
    /// The roaming devices, one of each user.
    pub roaming: Vec<Roaming>,
}

/// A device that stays at its host.
#[derive(Debug)]
pub struct Stationary {
    /// The name of the device, such as `2a phone`. Its messages begin with it.
    pub name: String,
    /// The connected device.
    pub device: Arc<Device>,
    /// The user that the device sends to.
    pub peer: UserId,
}

/// A device that connects to one host after the other.
#[derive(Debug)]
pub struct Roaming {
    /// The name of the device, such as `2a tablet`.
    pub name: String,
    person: Person,
    peer: UserId,
    at: usize,
    /// The device at its current host.
    pub device: Device,
    /// The texts that were delivered at earlier hosts, by number.
    pub before: BTreeMap<u64, String>,
}

/// The outcome of a send.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// The host confirmed the send.
    Answered(Stored),
    /// The device gave up without a confirmation. The message may or may not be stored.
    Unknown,
}

/// Every message that was sent, by its text.
pub type Sent = BTreeMap<String, Outcome>;

/// The senders.
#[derive(Debug)]
pub struct Traffic {
    senders: JoinSet<Sent>,
    stop: watch::Sender<bool>,
    answered: watch::Receiver<usize>,
}

/// Signs users in, connects their devices and opens the conversations. The devices of a pair
/// connect to different hosts.
///
/// # Errors
/// If a host refuses.
pub async fn sign_in_pairs(urls: &[String]) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for pair in 0..PAIRS {
        let url = |n: usize| nth(urls, pair + n);
        let one = Person::sign_in(url(0), &format!("{pair}a")).await?;
        let other = Person::sign_in(url(1), &format!("{pair}b")).await?;
        let conversation = one.open(&other.key()).await?;
        let (mut devices, mut roaming) = (Vec::new(), Vec::new());
        for (name, person, peer) in [("a", &one, &other), ("b", &other, &one)] {
            for (n, device) in DEVICES.iter().enumerate() {
                let at = person.at(url(n + usize::from(name == "b")));
                let connected = Arc::new(at.connect(device, peer.key())?);
                let name = format!("{pair}{name} {device}");
                devices.push(Stationary { name, device: connected, peer: peer.key() });
            }
            let person = person.at(url(0));
            let device = person.connect("tablet", peer.key())?;
            let name = format!("{pair}{name} tablet");
            let before = BTreeMap::new();
            roaming.push(Roaming { name, person, peer: peer.key(), at: pair, device, before });
        }
        pairs.push(Pair { conversation, devices, roaming });
    }
    Ok(pairs)
}

/// The host with index `n` modulo the number of hosts.
fn nth(urls: &[String], n: usize) -> &str {
    urls.iter().cycle().nth(n % urls.len().max(1)).map_or("", String::as_str)
}

impl Roaming {
    /// Connects to the next host, and disconnects from the previous one.
    ///
    /// # Errors
    /// If a message was delivered twice, or out of order.
    pub async fn connect_to_next_host(&mut self, urls: &[String]) -> Result<()> {
        self.at += 1;
        self.person = self.person.at(nth(urls, self.at));
        let next = self.person.connect("tablet", self.peer)?;
        let mut previous = std::mem::replace(&mut self.device, next);
        // Messages that are acknowledged by now are not delivered to the new connection.
        previous.leave().await;
        self.before.extend(previous.texts()?);
        Ok(())
    }
}

impl Traffic {
    /// Starts a sender for every stationary device.
    #[must_use]
    pub fn start(pairs: &[Pair]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (count, answered) = watch::channel(0);
        let mut senders = JoinSet::new();
        for pair in pairs {
            for Stationary { name, device, peer } in &pair.devices {
                let (name, device, peer) = (name.clone(), Arc::clone(device), *peer);
                let (conversation, stopped, count) = (pair.conversation, stopped.clone(), count.clone());
                senders.spawn(async move {
                    send_until_stopped(&name, &device, conversation, peer, stopped, count).await
                });
            }
        }
        Self { senders, stop, answered }
    }

    /// Waits until `answers` further sends are confirmed. Returns the number of all confirmed
    /// sends.
    ///
    /// # Errors
    /// If all senders have ended.
    pub async fn wait_for_answers(&mut self, answers: usize) -> Result<usize> {
        let enough = *self.answered.borrow() + answers;
        Ok(*self.answered.wait_for(|answered| *answered >= enough).await?)
    }

    /// Stops the senders when their current sends have ended. Returns the sends of all senders.
    pub async fn stop(self) -> Sent {
        self.stop.send_replace(true);
        self.senders.join_all().await.into_iter().flatten().collect()
    }
}

async fn send_until_stopped(
    name: &str,
    device: &Device,
    conversation: ConversationId,
    peer: UserId,
    stopped: watch::Receiver<bool>,
    count: watch::Sender<usize>,
) -> Sent {
    let mut sent = Sent::new();
    let mut ticks = tokio::time::interval(SEND_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0_u64.. {
        ticks.tick().await;
        if *stopped.borrow() {
            break;
        }
        // The number has leading zeros, so the order of the texts is the order of sending.
        let text = format!("{name} {n:08}");
        let outcome = match device.send(conversation, peer, &text).await {
            Ok(stored) => Outcome::Answered(stored),
            Err(_) => Outcome::Unknown,
        };
        if matches!(outcome, Outcome::Answered(_)) {
            count.send_modify(|count| *count += 1);
        }
        sent.insert(text, outcome);
    }
    sent
}
