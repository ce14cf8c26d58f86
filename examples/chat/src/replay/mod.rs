//! Sends the lines of a file between two fresh users and checks that every line arrives unchanged.
//!
//! The users send alternately. For the middle third of the lines, the second user is offline. The
//! first user sends all of these lines, and the second receives them when it is online again.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dm_client::suite::suite1;
use dm_client::{
    Client, ConnectionConfig, Conversation, Identity, KeyTrust, KeyVersion, MessageId, NewMessage, OsEntropy,
    PeerKey, Stored, Timeouts, sign_in,
};
use indicatif::{ProgressBar, ProgressStyle};

mod plan;
mod receiver;

use plan::{Line, plan};
use receiver::{Receiver, Tally};

/// Maximum size of the file, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Maximum wait for the next message. If none arrives, the missing messages count as lost.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// One of the two users.
struct User {
    identity: Arc<Identity>,
    client: Client,
    own_key_version: Option<KeyVersion>,
    tally: Arc<Tally>,
}

/// The numbers of lines that were sent, that arrived, that decrypted, and that had the right
/// content and number.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    lines: usize,
    arrived: usize,
    decrypted: usize,
    matched: usize,
}

/// Replays a file. The exit code is success if every line arrived unchanged.
pub(crate) async fn run(server: &str, file: &Path) -> Result<ExitCode> {
    let content = read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = plan(&content);
    if let Some(number) = lines.iter().position(|line| line.text.len() > suite1::MAX_PLAINTEXT) {
        bail!(
            "line {} is longer than the {} bytes that fit into a message",
            number + 1,
            suite1::MAX_PLAINTEXT
        );
    }
    let summary = replay(server, &lines).await?;
    println!("{summary}");
    Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    ensure!(u64::try_from(content.len())? <= MAX_BYTES, "the file is larger than {MAX_BYTES} bytes");
    Ok(content)
}

async fn replay(server: &str, lines: &[Line<'_>]) -> Result<Summary> {
    let one = User::join(server, "Replay one").await?;
    let two = User::join(server, "Replay two").await?;
    let conversation = one.client.open_conversation(&two.identity.user_id()).await?;

    let bar = ProgressBar::new(u64::try_from(lines.len())?.saturating_mul(2));
    bar.set_style(ProgressStyle::with_template("{msg:>10} {wide_bar} {pos}/{len} sent and arrived")?);
    let mut receiving_one = one.receive(&two, &conversation, &bar).await?;
    let mut receiving_two = Some(two.receive(&one, &conversation, &bar).await?);
    let mut stored = Vec::with_capacity(lines.len());
    for line in lines {
        match (line.second_is_offline, receiving_two.take()) {
            (true, Some(receiver)) => receiver.stop().await,
            (false, None) => receiving_two = Some(two.receive(&one, &conversation, &bar).await?),
            (_, as_it_is) => receiving_two = as_it_is,
        }
        bar.set_message(if line.second_is_offline { "two is off" } else { "both on" });
        let (from, to) = if line.from_second { (&two, &one) } else { (&one, &two) };
        stored.push(from.send(to, &conversation, line.text).await?);
        bar.inc(1);
    }
    let mut receiving_two = match receiving_two {
        Some(receiver) => receiver,
        None => two.receive(&one, &conversation, &bar).await?,
    };
    let to_one = lines.iter().filter(|line| line.from_second).count();
    receiving_one.wait_for(to_one, MAX_WAIT).await;
    receiving_two.wait_for(lines.len() - to_one, MAX_WAIT).await;
    receiving_one.stop().await;
    receiving_two.stop().await;
    bar.finish_and_clear();
    Ok(summarize(lines, &stored, &one.tally, &two.tally))
}

impl User {
    async fn join(server: &str, name: &str) -> Result<Self> {
        let identity = Arc::new(Identity::generate(&mut OsEntropy)?);
        let timeouts = Timeouts::default();
        let login = sign_in::sign_in(server, &identity, Some(name), None, timeouts)
            .await
            .with_context(|| format!("cannot sign in at {server}; is chat-host running there?"))?;
        let client = Client::builder(server).token(login.token).device("replay".parse()?).build()?;
        let own_key_version = client.publish_key(&identity.agreement_key()).await?.version;
        Ok(Self { identity, client, own_key_version, tally: Arc::default() })
    }

    async fn peer_key(&self, peer: &Self) -> Result<PeerKey> {
        let user = peer.identity.user_id();
        Ok(PeerKey::from_record(user, &self.client.key(&user).await?, KeyTrust::Derived)?)
    }

    async fn receive(&self, peer: &Self, conversation: &Conversation, bar: &ProgressBar) -> Result<Receiver> {
        let peer = self.peer_key(peer).await?;
        let connection = self.client.connect(ConnectionConfig::default());
        let (identity, tally) = (Arc::clone(&self.identity), Arc::clone(&self.tally));
        Ok(Receiver::start(connection, identity, peer, conversation.id, tally, bar.clone()))
    }

    async fn send(&self, to: &Self, conversation: &Conversation, text: &[u8]) -> Result<Stored> {
        let mut message = NewMessage::new(conversation.id, self.peer_key(to).await?, text);
        message.own_key_version = self.own_key_version;
        Ok(self.client.send(&self.identity, &message, KeyTrust::Derived).await?)
    }
}

/// Compares the sent lines with the received messages.
fn summarize(lines: &[Line<'_>], stored: &[Stored], one: &Tally, two: &Tally) -> Summary {
    let arrived: [HashMap<MessageId, _>; 2] = [one.take(), two.take()];
    let [to_one, to_two] = &arrived;
    let mut summary = Summary { lines: lines.len(), ..Summary::default() };
    for (line, stored) in lines.iter().zip(stored) {
        let side = if line.from_second { to_one } else { to_two };
        let Some(received) = side.get(&stored.id) else { continue };
        summary.arrived += 1;
        let Some(plaintext) = &received.plaintext else { continue };
        summary.decrypted += 1;
        if received.sequence == stored.sequence && plaintext == line.text {
            summary.matched += 1;
        }
    }
    summary
}

impl Summary {
    fn is_good(&self) -> bool {
        [self.arrived, self.decrypted, self.matched] == [self.lines; 3]
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lines, arrived, decrypted, matched } = self;
        write!(f, "replayed {lines} lines: {arrived} arrived, {decrypted} decrypted, {matched} matched")
    }
}

#[cfg(test)]
mod tests;
