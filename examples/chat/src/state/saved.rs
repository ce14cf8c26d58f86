//! The state on disk: one JSON file, readable by its owner only, replaced as a whole.
//!
//! It holds the texts of messages. Whoever reads it reads those.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
    str::FromStr,
};

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64;
use dm_client::{
    ClientMessageId, ConversationId, MessageId, OutgoingMessage,
    suite::{Sealed, Suite},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Entry, State, Text, Thread, Unsent};

const VERSION: u32 = 1;
/// Largest file read, bytes.
const LIMIT: u64 = 256 * 1024 * 1024;

/// Reads the state; a file that does not exist is an empty one.
pub(crate) fn load(path: &Path) -> Result<State> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    read(&bytes).with_context(|| {
        format!(
            "{} is not an intact state file; move it away to read all from the server again",
            path.display()
        )
    })
}

/// Writes the state: it is the new one or, whatever happens, still the old one.
pub(crate) fn save(path: &Path, state: &State) -> Result<()> {
    let beside = path.with_extension("tmp");
    let written = write_synced(&beside, &serde_json::to_vec(&StateFile::from(state))?)
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| sync_folder(path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    version: u32,
    server_id: Option<String>,
    own_key_version: u32,
    threads: Vec<ThreadFile>,
}

#[derive(Serialize, Deserialize)]
struct ThreadFile {
    id: String,
    peer: String,
    peer_name: String,
    /// Not in files of earlier programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard_in: Option<u32>,
    active_at: u64,
    unread: u32,
    messages: Vec<EntryFile>,
    outbox: Vec<UnsentFile>,
}

#[derive(Serialize, Deserialize)]
struct EntryFile {
    id: String,
    client_id: Option<String>,
    sequence: u64,
    mine: bool,
    sent_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct UnsentFile {
    id: String,
    text: String,
    sent_at: u64,
    recipient_key_version: Option<u32>,
    suite: u32,
    nonce: String,
    payload: String,
    refused: Option<String>,
}

impl From<&State> for StateFile {
    fn from(state: &State) -> Self {
        let threads = state.threads.iter().map(|thread| ThreadFile {
            id: thread.id.to_string(),
            peer: thread.peer.to_string(),
            peer_name: thread.peer_name.clone(),
            heard_in: thread.heard_in.map(Suite::tag),
            active_at: thread.active_at,
            unread: thread.unread,
            messages: thread.messages.iter().map(EntryFile::from).collect(),
            outbox: thread.outbox.iter().map(UnsentFile::from).collect(),
        });
        Self {
            version: VERSION,
            server_id: state.server_id.clone(),
            own_key_version: state.own_key_version,
            threads: threads.collect(),
        }
    }
}

impl From<&Entry> for EntryFile {
    fn from(entry: &Entry) -> Self {
        let (text, unreadable) = match &entry.text {
            Text::Plain(text) => (Some(text.clone()), None),
            Text::Unreadable(reason) => (None, Some(reason.clone())),
        };
        let Entry { sequence, mine, sent_at, .. } = *entry;
        let client_id = entry.client_id.map(|id| id.to_string());
        Self { id: entry.id.to_string(), client_id, sequence, mine, sent_at, text, unreadable }
    }
}

impl From<&Unsent> for UnsentFile {
    fn from(unsent: &Unsent) -> Self {
        let sealed = &unsent.sealed;
        Self {
            id: sealed.id.to_string(),
            text: unsent.text.clone(),
            sent_at: sealed.sent_at,
            recipient_key_version: sealed.recipient_key_version,
            suite: sealed.sealed.suite.tag(),
            nonce: BASE64.encode(&sealed.sealed.nonce),
            payload: BASE64.encode(&sealed.sealed.payload),
            refused: unsent.refused.clone(),
        }
    }
}

fn read(bytes: &[u8]) -> Result<State> {
    let file: StateFile = serde_json::from_slice(bytes)?;
    ensure!(file.version == VERSION, "version {} is not known here", file.version);
    let threads = file.threads.into_iter().map(thread).collect::<Result<_>>()?;
    Ok(State { server_id: file.server_id, own_key_version: file.own_key_version, threads })
}

fn thread(file: ThreadFile) -> Result<Thread> {
    let id = ConversationId::new(Uuid::from_str(&file.id)?);
    Ok(Thread {
        id,
        peer: file.peer.parse()?,
        peer_name: file.peer_name,
        heard_in: file.heard_in.map(Suite::from_tag).transpose()?,
        active_at: file.active_at,
        unread: file.unread,
        messages: file.messages.into_iter().map(entry).collect::<Result<_>>()?,
        outbox: file.outbox.into_iter().map(|file| unsent(id, file)).collect::<Result<_>>()?,
    })
}

fn entry(file: EntryFile) -> Result<Entry> {
    let text = match (file.text, file.unreadable) {
        (Some(text), None) => Text::Plain(text),
        (None, Some(reason)) => Text::Unreadable(reason),
        _ => bail!("a message without text"),
    };
    let EntryFile { sequence, mine, sent_at, .. } = file;
    let client_id = file.client_id.as_deref().map(Uuid::from_str).transpose()?.map(ClientMessageId::new);
    Ok(Entry { id: MessageId::new(Uuid::from_str(&file.id)?), client_id, sequence, mine, sent_at, text })
}

fn unsent(conversation: ConversationId, file: UnsentFile) -> Result<Unsent> {
    let nonce = BASE64.decode(file.nonce.as_bytes())?;
    let sealed = Sealed {
        suite: Suite::from_tag(file.suite)?,
        nonce: nonce.try_into().ok().context("a nonce of another length")?,
        payload: BASE64.decode(file.payload.as_bytes())?,
    };
    let sealed = OutgoingMessage {
        id: ClientMessageId::new(Uuid::from_str(&file.id)?),
        conversation,
        sent_at: file.sent_at,
        recipient_key_version: file.recipient_key_version,
        sealed,
    };
    Ok(Unsent { text: file.text, sealed, refused: file.refused })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::{entry, thread, unsent};

    fn state() -> State {
        let mut ben = thread(1, "Ben\u{1b}");
        ben.unread = 3;
        ben.heard_in = Some(Suite::One);
        ben.messages = vec![entry(1, false, "hi"), entry(2, true, "")];
        ben.messages[1].text = Text::Unreadable("the message does not open".to_owned());
        ben.outbox = vec![unsent(&ben, 1, "later"), unsent(&ben, 2, "")];
        ben.outbox[1].refused = Some("blocked".to_owned());
        let threads = vec![ben, thread(2, "Cleo")];
        State { server_id: Some("host-1".to_owned()), own_key_version: 4, threads }
    }

    #[test]
    fn everything_comes_back_and_the_sealed_bytes_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert_eq!(load(&path).unwrap(), State::default());
        save(&path, &state()).unwrap();
        save(&path, &State::default()).unwrap();
        let first = state();
        save(&path, &first).unwrap();
        assert_eq!(load(&path).unwrap(), first);
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["state.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        save(&path, &state()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        save(&path, &state()).unwrap();
        // The place beside is taken by a folder, so the new state cannot be written.
        fs::create_dir(path.with_extension("tmp")).unwrap();
        save(&path, &State::default()).unwrap_err();
        assert_eq!(load(&path).unwrap().threads.len(), 2);
    }

    #[test]
    fn a_damaged_or_newer_file_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let newer = r#"{"version":2,"server_id":null,"own_key_version":0,"threads":[]}"#;
        for content in ["", "{", "[]", newer] {
            fs::write(&path, content).unwrap();
            load(&path).unwrap_err();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }
}
