//! Measures how long opening takes after a crash and after a clean close, with a million messages:
//!
//! ```text
//! cargo run --release -p dm-store-redb --example recovery [-- [MESSAGES] [--batch 256] [--dir DIR]]
//! ```
//!
//! For each method of [`Recovery`], the program starts itself as a child process that writes
//! 512-byte payloads into 100,000 conversations. It kills the child with SIGKILL while the child is
//! writing. Then it opens the file, closes it and opens it again. The file is in the operating
//! system's cache each time. With a cold cache, add the time to read the file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a program for people, not a library")]
#![allow(clippy::cast_possible_truncation, reason = "its numbers are small")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Parser;
use curve25519_dalek::{EdwardsPoint, Scalar};
use dm_core::store::{
    AppendMessage, Ciphertext, ClientMessageId, ConversationId, MessageId, OpenConversation, Participants,
    Principal, Store, Timestamp, UserId, Write,
};
use dm_store_redb::{Recovery, RedbConfig, RedbStore};
use indicatif::{ProgressBar, ProgressStyle};

const USERS: usize = 2_000;
const CONVERSATIONS: u64 = 100_000;
const PAYLOAD: usize = 512;

#[derive(Parser)]
struct Options {
    /// The number of messages in the file when the child is killed.
    #[arg(default_value_t = 1_000_000)]
    messages: u64,
    /// Messages per commit.
    #[arg(long, default_value_t = 256)]
    batch: u64,
    /// The folder for the file; by default a temporary one.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write into this file until killed. The program starts the child with this option.
    #[arg(long, hide = true)]
    load: Option<PathBuf>,
    /// Recover by walking the whole file.
    #[arg(long, hide = true)]
    walk: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(path) = &options.load {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        return runtime.block_on(load(path, options.batch, recovery(options.walk)));
    }
    let Options { messages, batch, .. } = options;
    println!("{messages} messages of {PAYLOAD} bytes in {CONVERSATIONS} conversations, {batch} per commit");
    for walk in [false, true] {
        measure(&options, walk)?;
    }
    Ok(())
}

/// The method of recovery for the option `--walk`.
fn recovery(walk: bool) -> Recovery {
    if walk { Recovery::Walk } else { Recovery::Quick }
}

/// Fills a file by a child, kills the child, and opens the file twice. Prints the times.
fn measure(options: &Options, walk: bool) -> anyhow::Result<()> {
    let folder = match &options.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let path = folder.path().join("dm.redb");
    let seconds = fill_and_kill(&path, options, walk)?;
    let bytes = path.metadata()?.len();
    let rate = options.messages as f64 / seconds;
    println!("{:?}: written at {rate:.0} msg/s, {} MiB", recovery(walk), bytes / (1024 * 1024));
    for ending in ["killed", "closed"] {
        let mut config = RedbConfig::default();
        config.recovery = recovery(walk);
        let start_time = Instant::now();
        let store = RedbStore::open_with(&path, &config)?;
        let opened = start_time.elapsed();
        let start_time = Instant::now();
        drop(store);
        println!("  opened after it was {ending}: {opened:.1?}; closed again: {:.1?}", start_time.elapsed());
    }
    Ok(())
}

/// Starts a child that writes, and kills it after it has written the messages, while it is still
/// writing. Returns the time in seconds that the messages took.
fn fill_and_kill(path: &Path, options: &Options, walk: bool) -> anyhow::Result<f64> {
    let messages = options.messages;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--load").arg(path).arg("--batch").arg(options.batch.to_string()).stdout(Stdio::piped());
    if walk {
        command.arg("--walk");
    }
    let mut child = command.spawn().context("the writer did not start")?;
    let lines = BufReader::new(child.stdout.take().context("the writer has no output")?).lines();
    let bar = ProgressBar::new(messages).with_style(ProgressStyle::with_template(
        "{bar:40} {human_pos}/{human_len} messages, {per_sec}, {eta} left",
    )?);
    let mut start_time = None;
    let mut written = 0;
    for line in lines {
        written = line?.parse()?;
        start_time.get_or_insert_with(Instant::now);
        bar.set_position(written);
        if written >= messages {
            break;
        }
    }
    let seconds = start_time.map_or(0.0, |start_time| start_time.elapsed().as_secs_f64());
    bar.finish_and_clear();
    // The child is in a commit or between two commits.
    child.kill()?;
    child.wait()?;
    ensure!(written >= messages, "the writer ended by itself");
    Ok(seconds)
}

/// Writes until the process is killed, and prints the number of durable messages after each commit.
async fn load(path: &Path, batch: u64, recovery: Recovery) -> anyhow::Result<()> {
    let mut config = RedbConfig::default();
    config.recovery = recovery;
    let store = RedbStore::open_with(path, &config)?;
    let users: Vec<UserId> = (1..=USERS as u64)
        .map(|n| UserId::from_bytes(EdwardsPoint::mul_base(&Scalar::from(n)).compress().to_bytes()))
        .collect::<Result<_, _>>()?;
    for first in (0..CONVERSATIONS).step_by(1_000) {
        store.commit((first..first + 1_000).map(|n| open(&users, n)).collect()).await?;
    }
    println!("0");
    let mut written = 0;
    loop {
        store.commit((written..written + batch).map(|n| append(&users, n)).collect()).await?;
        written += batch;
        println!("{written}");
    }
}

/// An id that ascends with `n`, as the service's ids ascend with time.
fn id(n: u64, kind: u8) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    id[15] = kind;
    id
}

/// The two users of a conversation.
fn pair(users: &[UserId], conversation: u64) -> (UserId, UserId) {
    let (n, round) = (conversation as usize % USERS, conversation as usize / USERS);
    (users[n], users[(n + 1 + round) % USERS])
}

/// The write that opens conversation `n`.
fn open(users: &[UserId], n: u64) -> Write {
    let (one, other) = pair(users, n);
    Write::from(OpenConversation {
        id: ConversationId::from_bytes(id(n, 1)),
        participants: Participants::new(one, other).unwrap(),
        opener: Principal::from(one),
        at: Timestamp::from_millis(n),
    })
}

/// The write of message `n`. Consecutive messages go to conversations far apart, so that caches do
/// not help.
fn append(users: &[UserId], n: u64) -> Write {
    let conversation = n.wrapping_mul(7_919) % CONVERSATIONS;
    Write::from(AppendMessage {
        id: MessageId::from_bytes(id(n, 2)),
        conversation: ConversationId::from_bytes(id(conversation, 1)),
        sender: Principal::from(pair(users, conversation).0),
        client_id: Some(ClientMessageId::from_bytes(id(n, 3))),
        sent_at: Timestamp::from_millis(n),
        at: Timestamp::from_millis(n),
        ciphertext: Ciphertext::new(vec![n.to_be_bytes()[7]; PAYLOAD].into(), &[7; 24], None, None).unwrap(),
    })
}
