//! Conditions and effects as text, and parsing them.

use std::fmt;
use std::str::FromStr;

use dm_core::store::{Party, Update};

use super::effect::{Condition, Effect, Key, KindOf, NAMES, NameOf, OwnerOf, PutOf};
use super::ids::DEVICES;
use super::words::{after, optional};

impl fmt::Display for OwnerOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(n) => write!(f, "u{n}"),
            Self::Conversation(n) => write!(f, "c{n}"),
            Self::Store => f.write_str("store"),
        }
    }
}

impl fmt::Display for KindOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fence => "fence",
            Self::Plain => "plain",
            Self::Synced => "synced",
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.owner, self.kind)?;
        match self.name {
            NameOf::Text(n) => write!(f, "n{n}"),
            NameOf::Conversation(n) => write!(f, "c{n}"),
        }
    }
}

impl fmt::Display for PutOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} t{}", self.key, self.value, self.tag)?;
        self.due.iter().try_for_each(|due| write!(f, " due={due:+}"))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(key) => write!(f, "absent {key}"),
            Self::Tagged(key, tag) => write!(f, "tagged {key} t{tag}"),
            Self::Fewer(under, than) => write!(f, "fewer {under} than={than}"),
            Self::Fence(of, tag) => write!(f, "fence {} t{tag}", party(*of)),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(put) => write!(f, "put {put}"),
            Self::Raise(put) => write!(f, "raise {put}"),
            Self::Delete(key) => write!(f, "delete {key}"),
            Self::Clear(key) => write!(f, "clear {key}"),
            Self::Take(under, or) => {
                write!(f, "take {under}")?;
                or.iter().try_for_each(|or| write!(f, " or={or}"))
            }
            Self::Gate { one, other, close, open, a, b } => {
                write!(f, "gate u{one} u{other} close={close} open={open}")?;
                for (name, update) in [("a", a), ("b", b)] {
                    match update {
                        Update::Keep => {}
                        Update::Set((messages, bytes)) => write!(f, " {name}={messages}:{bytes}")?,
                        Update::Remove => write!(f, " {name}=none")?,
                    }
                }
                Ok(())
            }
            Self::UserGate { user, close, ceiling } => {
                write!(f, "usergate u{user}")?;
                close.iter().try_for_each(|close| write!(f, " close={close}"))?;
                match ceiling {
                    Update::Keep => Ok(()),
                    Update::Set(seq) => write!(f, " ceiling={seq}"),
                    Update::Remove => f.write_str(" ceiling=none"),
                }
            }
            Self::Post { to, says, registration, origin } => {
                write!(f, "post u{to} says={says}")?;
                registration.iter().try_for_each(|number| write!(f, " for={number}"))?;
                origin.iter().try_for_each(|device| write!(f, " from={}", DEVICES[*device]))
            }
        }
    }
}

const PARTIES: [Party; 3] = [Party::Sender, Party::Peer, Party::Conversation];

const fn party(of: Party) -> &'static str {
    match of {
        Party::Sender => "sender",
        Party::Peer => "peer",
        Party::Conversation => "conversation",
    }
}

pub(super) fn condition(words: &[&str]) -> Option<Condition> {
    Some(match words {
        ["absent", key] => Condition::Absent(key.parse().ok()?),
        ["tagged", key, tag] => Condition::Tagged(key.parse().ok()?, after(tag, "t")?),
        ["fewer", under, than] => Condition::Fewer(under.parse().ok()?, after(than, "than=")?),
        ["fence", of, tag] => {
            let of = PARTIES.into_iter().find(|known| party(*known) == *of)?;
            Condition::Fence(of, after(tag, "t")?)
        }
        _ => return None,
    })
}

pub(super) fn effect(words: &[&str]) -> Option<Effect> {
    Some(match words {
        ["put", put @ ..] => Effect::Put(self::put(put)?),
        ["raise", put @ ..] => Effect::Raise(self::put(put)?),
        ["delete", key] => Effect::Delete(key.parse().ok()?),
        ["clear", key] => Effect::Clear(key.parse().ok()?),
        ["take", under, rest @ ..] => Effect::Take(under.parse().ok()?, optional(rest, "or=")?),
        ["gate", one, other, rest @ ..] => {
            let (one, other) = (after(one, "u")?, after(other, "u")?);
            let (close, open) = (optional(rest, "close=")??, optional(rest, "open=")??);
            let ceiling = |word: &str| {
                let (messages, bytes) = word.split_once(':')?;
                Some((messages.parse().ok()?, bytes.parse().ok()?))
            };
            let (a, b) = (update(rest, "a=", ceiling)?, update(rest, "b=", ceiling)?);
            (one != other).then_some(Effect::Gate { one, other, close, open, a, b })?
        }
        ["usergate", user, rest @ ..] => Effect::UserGate {
            user: after(user, "u")?,
            close: optional(rest, "close=")?,
            ceiling: update(rest, "ceiling=", |word| word.parse().ok())?,
        },
        ["post", to, rest @ ..] => Effect::Post {
            to: after(to, "u")?,
            says: optional(rest, "says=")??,
            registration: optional(rest, "for=")?,
            origin: match rest.iter().find_map(|word| word.strip_prefix("from=")) {
                None => None,
                Some(device) => Some(DEVICES.iter().position(|known| *known == device)?),
            },
        },
        _ => return None,
    })
}

fn put(words: &[&str]) -> Option<PutOf> {
    let [key, value, tag, rest @ ..] = words else { return None };
    let (value, tag) = (after(value, "v")?, after(tag, "t")?);
    Some(PutOf { key: key.parse().ok()?, value, tag, due: optional(rest, "due=")? })
}

fn update<T>(words: &[&str], prefix: &str, value: impl Fn(&str) -> Option<T>) -> Option<Update<T>> {
    match words.iter().find_map(|word| word.strip_prefix(prefix)) {
        None => Some(Update::Keep),
        Some("none") => Some(Update::Remove),
        Some(word) => value(word).map(Update::Set),
    }
}

/// The text is no key.
#[derive(Debug)]
pub struct NotAKey;

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        key(text).ok_or(NotAKey)
    }
}

fn key(text: &str) -> Option<Key> {
    let [owner, kind, name] = text.split('/').collect::<Vec<_>>()[..] else { return None };
    let owner = match owner {
        "store" => OwnerOf::Store,
        owner => {
            after(owner, "u").map(OwnerOf::User).or_else(|| after(owner, "c").map(OwnerOf::Conversation))?
        }
    };
    let name = match after(name, "n").filter(|n| *n < NAMES.len()) {
        Some(n) => NameOf::Text(n),
        None => NameOf::Conversation(after(name, "c")?),
    };
    Some(Key { owner, kind: self::kind(kind)?, name })
}

pub(super) fn kind(word: &str) -> Option<KindOf> {
    KindOf::ALL.into_iter().find(|kind| kind.to_string() == word)
}
