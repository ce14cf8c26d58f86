//! Parsing scripts from text.

use std::str::FromStr;

use dm_core::store::{DeviceStart, HistoryRange, KeyBinding, OwnEntries, ServerSequence};

use super::op::{Content, DEVICES, Handle, Op, Read, Step, Target, Who};
use super::{NotAScript, Script};

impl FromStr for Script {
    type Err = NotAScript;

    fn from_str(text: &str) -> Result<Self, NotAScript> {
        let mut steps = Vec::new();
        for line in text.split(['\n', ';']) {
            let words: Vec<&str> = line.split('#').next().unwrap_or("").split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let not_a_script = || NotAScript { line: line.trim().to_owned() };
            if let Some(step) = step(&words) {
                steps.push(step);
            } else {
                let op = op(&words).ok_or_else(not_a_script)?;
                let Some(Step::Batch { ops, .. }) = steps.last_mut() else { return Err(not_a_script()) };
                ops.push(op);
            }
        }
        Ok(Self(steps))
    }
}

fn step(words: &[&str]) -> Option<Step> {
    Some(match words {
        ["batch"] => Step::Batch { through: Handle::First, ops: Vec::new() },
        ["batch", "other"] => Step::Batch { through: Handle::Other, ops: Vec::new() },
        ["reopen"] => Step::Reopen,
        ["clock", jump] => Step::Clock(jump.parse().ok()?),
        ["read", read @ ..] => Step::Read(self::read(read)?),
        _ => return None,
    })
}

fn op(words: &[&str]) -> Option<Op> {
    Some(match words {
        ["publish", user, key, binding] => Op::Publish {
            user: after(user, "u")?,
            key: after(key, "k")?,
            binding: [KeyBinding::Derived, KeyBinding::Unproven]
                .into_iter()
                .find(|known| known.as_str() == *binding)?,
        },
        ["announce", limit] => Op::Announce { limit: after(limit, "limit=")? },
        ["open", opener, other, "as", conversation] => {
            let (opener, other) = (who(opener)?, after(other, "u")?);
            let two = opener.user != other;
            two.then_some(Op::Open { conversation: after(conversation, "c")?, opener, other })?
        }
        ["append", conversation, sender, message, rest @ ..] => Op::Append {
            message: after(message, "m")?,
            conversation: after(conversation, "c")?,
            sender: who(sender)?,
            client: optional(rest, "client=")?,
            key: match optional(rest, "key=")? {
                Some(0) => return None,
                key => key,
            },
            content: Content {
                kind: optional(rest, "kind=")??,
                size: optional(rest, "size=")?.filter(|size| *size > 0)?,
            },
        },
        ["ack", by, "upto", seq] => Op::Ack { who: who(by)?, target: Target::UpTo(seq.parse().ok()?) },
        ["ack", by, "entries", seqs @ ..] => {
            let seqs = seqs.iter().map(|seq| seq.parse().ok()).collect::<Option<_>>()?;
            Op::Ack { who: who(by)?, target: Target::Entries(seqs) }
        }
        ["ack", by, "messages", ids @ ..] => {
            let ids = ids.iter().map(|id| after(id, "m")).collect::<Option<_>>()?;
            Op::Ack { who: who(by)?, target: Target::Messages(ids) }
        }
        ["register", device, start, limit] => Op::Register {
            who: who(device)?,
            start: match *start {
                "oldest" => DeviceStart::Oldest,
                "now" => DeviceStart::Now,
                _ => return None,
            },
            limit: after(limit, "limit=")?,
        },
        ["forget", device] => Op::Forget { who: who(device)? },
        ["expire", before, limit] => {
            Op::Expire { before: after(before, "before=")?, limit: after(limit, "limit=")? }
        }
        _ => return None,
    })
}

fn read(words: &[&str]) -> Option<Read> {
    Some(match words {
        ["inbox", reader, from, own, limit, bytes] => Read::Inbox {
            who: who(reader)?,
            after: after(from, "after=")?,
            own: match *own {
                "own=skip" => OwnEntries::Skip,
                "own=include" => OwnEntries::Include,
                "own=received" => OwnEntries::ReceivedOnly,
                _ => return None,
            },
            limit: after(limit, "limit=")?,
            bytes: after(bytes, "bytes=")?,
        },
        ["history", reader, conversation, range, limit, bytes] => Read::History {
            reader: after(reader, "u")?,
            conversation: after(conversation, "c")?,
            range: match (*range, after(range, "before="), after(range, "after=")) {
                ("newest", ..) => HistoryRange::Newest,
                (_, Some(at), _) => HistoryRange::Before(ServerSequence::new(at)),
                (_, _, Some(at)) => HistoryRange::After(ServerSequence::new(at)),
                _ => return None,
            },
            limit: after(limit, "limit=")?,
            bytes: after(bytes, "bytes=")?,
        },
        ["list", user, limit, cursor @ ..] => Read::List {
            user: after(user, "u")?,
            limit: after(limit, "limit=")?,
            after: match cursor {
                [] => None,
                [cursor] => {
                    let (active, id) = cursor.strip_prefix("after=")?.split_once(':')?;
                    let active = if active == "never" { None } else { Some(active.parse().ok()?) };
                    Some((active, after(id, "c")?))
                }
                _ => return None,
            },
        },
        _ => return None,
    })
}

/// The value after a prefix of a word.
fn after<T: FromStr>(word: &str, prefix: &str) -> Option<T> {
    word.strip_prefix(prefix)?.parse().ok()
}

/// The field with a prefix: `Some(None)` if no word has it, `None` if its value is wrong.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn optional<T: FromStr>(words: &[&str], prefix: &str) -> Option<Option<T>> {
    match words.iter().find(|word| word.starts_with(prefix)) {
        None => Some(None),
        Some(word) => after(word, prefix).map(Some),
    }
}

fn who(word: &str) -> Option<Who> {
    let (user, device) = word.strip_prefix('u')?.split_once('.')?;
    let device = DEVICES.iter().position(|known| *known == device)?;
    Some(Who { user: user.parse().ok()?, device })
}
