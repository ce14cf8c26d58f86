//! People who write to each other all the while.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dm_client::{ConversationId, PublicKey, Stored};
use dm_e2e::{Device, Person};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Pairs of people.
const PAIRS: usize = 3;

/// Between two messages of a device: some hundreds a second in all, so that history can be read through afterwards.
const EVERY: Duration = Duration::from_millis(15);

/// Devices of a person that write and stay at their host; beside them there is one that hops and only reads.
const DEVICES: [&str; 2] = ["phone", "desk"];

/// Two people, their conversation and their devices.
#[derive(Debug)]
pub struct Pair {
    /// Where they write.
    pub conversation: ConversationId,
    /// Everybody's devices that stay.
    pub devices: Vec<Staying>,
    /// The devices that hop, one of each person.
    pub hoppers: Vec<Hopper>,
}

/// A device that stays at its host.
#[derive(Debug)]
pub struct Staying {
    /// Such as `2a phone`: what its messages begin with.
    pub name: String,
    /// The device.
    pub device: Arc<Device>,
    /// To whom it writes.
    pub peer: PublicKey,
}

/// A device that connects to one host after the other.
#[derive(Debug)]
pub struct Hopper {
    /// Such as `2a tablet`.
    pub name: String,
    person: Person,
    peer: PublicKey,
    at: usize,
    /// The connection at this moment.
    pub device: Device,
    /// What earlier connections were given.
    pub before: BTreeMap<u64, String>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It was answered.
    Answered(Stored),
    /// Nothing good came back until the device gave up: it may be there or not.
    Unknown,
}

/// Every message that was sent, by its text.
pub type Sent = BTreeMap<String, Fate>;

/// The senders.
#[derive(Debug)]
pub struct Traffic {
    senders: JoinSet<Sent>,
    stop: watch::Sender<bool>,
    answered: watch::Receiver<usize>,
}

/// Signs people in, connects their devices, each pair's at different hosts, and opens the conversations.
///
/// # Errors
/// When a host refuses.
pub async fn gather(urls: &[String]) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for pair in 0..PAIRS {
        let url = |n: usize| nth(urls, pair + n);
        let one = Person::sign_in(url(0), &format!("{pair}a")).await?;
        let other = Person::sign_in(url(1), &format!("{pair}b")).await?;
        let conversation = one.open(&other.key()).await?;
        let (mut devices, mut hoppers) = (Vec::new(), Vec::new());
        for (name, person, peer) in [("a", &one, &other), ("b", &other, &one)] {
            for (n, device) in DEVICES.iter().enumerate() {
                let at = person.at(url(n + usize::from(name == "b")));
                let connected = Arc::new(at.connect(device, peer.key())?);
                let name = format!("{pair}{name} {device}");
                devices.push(Staying { name, device: connected, peer: peer.key() });
            }
            let person = person.at(url(0));
            let device = person.connect("tablet", peer.key())?;
            let name = format!("{pair}{name} tablet");
            let before = BTreeMap::new();
            hoppers.push(Hopper { name, person, peer: peer.key(), at: pair, device, before });
        }
        pairs.push(Pair { conversation, devices, hoppers });
    }
    Ok(pairs)
}

/// The *n*-th host, around and around.
fn nth(urls: &[String], n: usize) -> &str {
    urls.iter().cycle().nth(n % urls.len().max(1)).map_or("", String::as_str)
}

impl Hopper {
    /// Connects to the next host, and leaves the one before.
    ///
    /// # Errors
    /// When what it was given was given twice, or out of order.
    pub async fn hop(&mut self, urls: &[String]) -> Result<()> {
        self.at += 1;
        self.person = self.person.at(nth(urls, self.at));
        let next = self.person.connect("tablet", self.peer)?;
        let mut left = std::mem::replace(&mut self.device, next);
        // A message that it acknowledged until now comes to no connection any more.
        left.leave().await;
        self.before.extend(left.texts()?);
        Ok(())
    }
}

impl Traffic {
    /// Lets every device that stays write until it is told to stop.
    #[must_use]
    pub fn start(pairs: &[Pair]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (count, answered) = watch::channel(0);
        let mut senders = JoinSet::new();
        for pair in pairs {
            for Staying { name, device, peer } in &pair.devices {
                let (name, device, peer) = (name.clone(), Arc::clone(device), *peer);
                let (conversation, stopped, count) = (pair.conversation, stopped.clone(), count.clone());
                senders.spawn(async move { write(&name, &device, conversation, peer, stopped, count).await });
            }
        }
        Self { senders, stop, answered }
    }

    /// Waits until so many more messages are answered.
    ///
    /// # Errors
    /// When all senders have ended.
    pub async fn more(&mut self, answers: usize) -> Result<usize> {
        let enough = *self.answered.borrow() + answers;
        Ok(*self.answered.wait_for(|answered| *answered >= enough).await?)
    }

    /// Stops the senders once what they send is answered.
    pub async fn stop(self) -> Sent {
        self.stop.send_replace(true);
        self.senders.join_all().await.into_iter().flatten().collect()
    }
}

async fn write(
    name: &str,
    device: &Device,
    conversation: ConversationId,
    peer: PublicKey,
    stopped: watch::Receiver<bool>,
    count: watch::Sender<usize>,
) -> Sent {
    let mut sent = Sent::new();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0_u64.. {
        ticks.tick().await;
        if *stopped.borrow() {
            break;
        }
        // In the order of their names they are in the order of sending.
        let text = format!("{name} {n:08}");
        let fate = match device.send(conversation, peer, &text).await {
            Ok(stored) => Fate::Answered(stored),
            Err(_) => Fate::Unknown,
        };
        if matches!(fate, Fate::Answered(_)) {
            count.send_modify(|count| *count += 1);
        }
        sent.insert(text, fate);
    }
    sent
}
