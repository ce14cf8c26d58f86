//! The state file: one JSON file, readable by its owner only, replaced atomically.
//!
//! It contains the plaintexts of messages.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64;
use dm_client::suite::{Sealed, Suite};
use dm_client::{ConversationId, KeyVersion, OutgoingMessage, ServerSequence, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Entry, LocalConversation, State, Text, Unsent};

const VERSION: u32 = 1;
/// Maximum size of the file, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Loads the state. If there is no file, the state is empty.
pub(crate) fn load(path: &Path) -> Result<State> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    read(&bytes).with_context(|| {
        format!(
            "{} is not an intact state file; move it away to read all from the server again",
            path.display()
        )
    })
}

/// Saves the state atomically: after an error or a crash, the file has the old state or the new
/// one.
pub(crate) fn save(path: &Path, state: &State) -> Result<()> {
    let temporary = path.with_extension("tmp");
    let written = write_synced(&temporary, &serde_json::to_vec(&StateFile::from(state))?)
        .and_then(|()| fs::rename(&temporary, path))
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
    /// 0 if it is not known.
    own_key_version: u32,
    #[serde(rename = "threads")]
    conversations: Vec<ConversationFile>,
}

#[derive(Serialize, Deserialize)]
struct ConversationFile {
    id: String,
    peer: String,
    peer_name: String,
    /// Files of earlier versions do not have this field.
    #[serde(rename = "heard_in", default, skip_serializing_if = "Option::is_none")]
    strongest_suite: Option<u32>,
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
        let conversations = state.conversations.iter().map(|conversation| ConversationFile {
            id: conversation.id.to_string(),
            peer: conversation.peer.to_string(),
            peer_name: conversation.peer_name.clone(),
            strongest_suite: conversation.strongest_suite.map(Suite::tag),
            active_at: conversation.active_at.as_millis(),
            unread: conversation.unread,
            messages: conversation.messages.iter().map(EntryFile::from).collect(),
            outbox: conversation.outbox.iter().map(UnsentFile::from).collect(),
        });
        Self {
            version: VERSION,
            server_id: state.server_id.clone(),
            own_key_version: state.own_key_version.map_or(0, KeyVersion::get),
            conversations: conversations.collect(),
        }
    }
}

impl From<&Entry> for EntryFile {
    fn from(entry: &Entry) -> Self {
        let (text, unreadable) = match &entry.text {
            Text::Plain(text) => (Some(text.clone()), None),
            Text::Unreadable(reason) => (None, Some(reason.clone())),
        };
        Self {
            id: entry.id.to_string(),
            client_id: entry.client_id.map(|id| id.to_string()),
            sequence: entry.sequence.get(),
            mine: entry.mine,
            sent_at: entry.sent_at.as_millis(),
            text,
            unreadable,
        }
    }
}

impl From<&Unsent> for UnsentFile {
    fn from(unsent: &Unsent) -> Self {
        let sealed = &unsent.sealed;
        Self {
            id: sealed.id.to_string(),
            text: unsent.text.clone(),
            sent_at: sealed.sent_at.as_millis(),
            recipient_key_version: sealed.recipient_key_version.map(KeyVersion::get),
            suite: sealed.sealed.suite.tag(),
            nonce: BASE64.encode(&sealed.sealed.nonce),
            payload: BASE64.encode(&sealed.sealed.payload),
            refused: unsent.refused.clone(),
        }
    }
}

fn read(bytes: &[u8]) -> Result<State> {
    let file: StateFile = serde_json::from_slice(bytes)?;
    ensure!(file.version == VERSION, "version {} is unknown to this program", file.version);
    let conversations = file.conversations.into_iter().map(conversation).collect::<Result<_>>()?;
    let own_key_version = KeyVersion::new(file.own_key_version);
    Ok(State { server_id: file.server_id, own_key_version, conversations })
}

fn conversation(file: ConversationFile) -> Result<LocalConversation> {
    let id = file.id.parse()?;
    Ok(LocalConversation {
        id,
        peer: file.peer.parse()?,
        peer_name: file.peer_name,
        strongest_suite: file.strongest_suite.map(Suite::from_tag).transpose()?,
        active_at: Timestamp::from_millis(file.active_at),
        unread: file.unread,
        messages: file.messages.into_iter().map(entry).collect::<Result<_>>()?,
        outbox: file.outbox.into_iter().map(|file| unsent(id, file)).collect::<Result<_>>()?,
    })
}

fn entry(file: EntryFile) -> Result<Entry> {
    let text = match (file.text, file.unreadable) {
        (Some(text), None) => Text::Plain(text),
        (None, Some(reason)) => Text::Unreadable(reason),
        _ => bail!("a message has no text, or two"),
    };
    Ok(Entry {
        id: file.id.parse()?,
        client_id: file.client_id.as_deref().map(str::parse).transpose()?,
        sequence: ServerSequence::new(file.sequence),
        mine: file.mine,
        sent_at: Timestamp::from_millis(file.sent_at),
        text,
    })
}

fn unsent(conversation: ConversationId, file: UnsentFile) -> Result<Unsent> {
    let nonce = BASE64.decode(file.nonce.as_bytes())?;
    let sealed = Sealed {
        suite: Suite::from_tag(file.suite)?,
        nonce: nonce.try_into().ok().context("a nonce has not 24 bytes")?,
        payload: BASE64.decode(file.payload.as_bytes())?,
    };
    let sealed = OutgoingMessage {
        id: file.id.parse()?,
        conversation,
        sent_at: Timestamp::from_millis(file.sent_at),
        recipient_key_version: file.recipient_key_version.and_then(KeyVersion::new),
        sealed,
    };
    Ok(Unsent { text: file.text, sealed, refused: file.refused })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::{conversation, entry, unsent};

    fn state() -> State {
        let mut ben = conversation(1, "Ben\u{1b}");
        ben.unread = 3;
        ben.strongest_suite = Some(Suite::One);
        ben.messages = vec![entry(1, false, "hi"), entry(2, true, "")];
        ben.messages[1].text = Text::Unreadable("the message does not decrypt".to_owned());
        ben.outbox = vec![unsent(&ben, 1, "later"), unsent(&ben, 2, "")];
        ben.outbox[1].refused = Some("blocked".to_owned());
        let conversations = vec![ben, conversation(2, "Cleo")];
        State { server_id: Some("host-1".to_owned()), own_key_version: KeyVersion::new(4), conversations }
    }

    #[test]
    fn a_saved_state_is_loaded_unchanged_with_the_same_sealed_bytes() {
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

    #[test]
    fn a_file_of_the_first_release_is_read() {
        let (id, peer) = ("00000000-0000-7000-8000-000000000001", conversation(1, "Ben").peer);
        let file = format!(
            r#"{{"version":1,"server_id":"host-1","own_key_version":0,"threads":[{{"id":"{id}",
            "peer":"{peer}","peer_name":"Ben","heard_in":1,"active_at":5,"unread":2,
            "messages":[{{"id":"{id}","client_id":null,"sequence":7,"mine":false,"sent_at":3,"text":"hi"}}],
            "outbox":[{{"id":"{id}","text":"later","sent_at":4,"recipient_key_version":null,"suite":1,
            "nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","payload":"AQ==","refused":null}}]}}]}}"#
        );
        let state = read(file.as_bytes()).unwrap();
        assert_eq!((state.server_id.as_deref(), state.own_key_version), (Some("host-1"), None));
        let [ben] = &state.conversations[..] else { panic!("not one conversation") };
        assert_eq!((ben.strongest_suite, ben.unread), (Some(Suite::One), 2));
        assert_eq!(ben.messages[0].sequence.get(), 7);
        assert_eq!((&*ben.outbox[0].text, &ben.outbox[0].sealed.sealed.payload[..]), ("later", &[1][..]));
        let saved = serde_json::to_string(&StateFile::from(&state)).unwrap();
        assert!(saved.contains(r#""threads":"#) && saved.contains(r#""heard_in":1"#), "{saved}");
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
    fn a_failed_write_keeps_the_old_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        save(&path, &state()).unwrap();
        // The temporary name is taken by a folder, so the new state cannot be written.
        fs::create_dir(path.with_extension("tmp")).unwrap();
        save(&path, &State::default()).unwrap_err();
        assert_eq!(load(&path).unwrap().conversations.len(), 2);
    }

    #[test]
    fn a_damaged_or_newer_file_is_an_error_and_is_not_changed() {
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
