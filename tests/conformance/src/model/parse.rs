//! Parsing scripts from text.

use std::str::FromStr;

use dm_core::store::{DeviceStart, HistoryRange, OwnEntries, ServerSequence};

use super::effect::NameOf;
use super::effect_text::{condition, effect, kind};
use super::ids::{DEVICES, Who};
use super::op::{Act, Content, Handle, Op, Step, Target};
use super::query::{Order, Read, Records};
use super::words::{after, optional};
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

/// The action, and after each `if` or `do` a condition or an effect.
fn op(words: &[&str]) -> Option<Op> {
    let is_mark = |word: &&str| ["if", "do"].contains(word);
    let end = words.iter().position(is_mark).unwrap_or(words.len());
    let (action, mut rest) = words.split_at(end);
    let mut op = Op::from(act(action)?);
    while let Some((mark, after)) = rest.split_first() {
        let end = after.iter().position(is_mark).unwrap_or(after.len());
        let (part, more) = after.split_at(end);
        match *mark {
            "if" => op.conditions.push(condition(part)?),
            _ => op.effects.push(effect(part)?),
        }
        rest = more;
    }
    Some(op)
}

fn act(words: &[&str]) -> Option<Act> {
    Some(match words {
        ["write"] => Act::None,
        ["open", opener, other, "as", conversation] => {
            let (opener, other) = (who(opener)?, after(other, "u")?);
            let two = opener.user != other;
            two.then_some(Act::Open { conversation: after(conversation, "c")?, opener, other })?
        }
        ["append", conversation, sender, message, rest @ ..] => Act::Append {
            message: after(message, "m")?,
            conversation: after(conversation, "c")?,
            sender: who(sender)?,
            client: optional(rest, "client=")?,
            content: Content {
                kind: optional(rest, "kind=")??,
                size: optional(rest, "size=")?.filter(|size| *size > 0)?,
            },
        },
        ["ack", by, "upto", seq] => Act::Ack { who: who(by)?, target: Target::UpTo(seq.parse().ok()?) },
        ["ack", by, "entries", seqs @ ..] => {
            let seqs = seqs.iter().map(|seq| seq.parse().ok()).collect::<Option<_>>()?;
            Act::Ack { who: who(by)?, target: Target::Entries(seqs) }
        }
        ["ack", by, "messages", ids @ ..] => {
            let ids = ids.iter().map(|id| after(id, "m")).collect::<Option<_>>()?;
            Act::Ack { who: who(by)?, target: Target::Messages(ids) }
        }
        ["register", device, start, limit] => Act::Register {
            who: who(device)?,
            start: match *start {
                "oldest" => DeviceStart::Oldest,
                "now" => DeviceStart::Now,
                _ => return None,
            },
            limit: after(limit, "limit=")?,
        },
        ["forget", device] => Act::Forget { who: who(device)? },
        ["expire", before, limit] => {
            Act::Expire { before: after(before, "before=")?, limit: after(limit, "limit=")? }
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
        ["list", user, limit, rest @ ..] => {
            let with: Vec<&str> = rest.iter().map_while(|word| word.strip_prefix("with=")).collect();
            Read::List {
                user: after(user, "u")?,
                limit: after(limit, "limit=")?,
                order: order(&rest[with.len()..])?,
                kinds: with.into_iter().map(kind).collect::<Option<_>>()?,
            }
        }
        ["scan", limit, bytes, records @ ..] => Read::Scan {
            records: self::records(records)?,
            limit: after(limit, "limit=")?,
            bytes: after(bytes, "bytes=")?,
        },
        _ => return None,
    })
}

fn order(words: &[&str]) -> Option<Order> {
    Some(match words {
        ["active"] => Order::Active(None),
        ["active", cursor] => {
            let (active, id) = cursor.strip_prefix("after=")?.split_once(':')?;
            let active = if active == "never" { None } else { Some(active.parse().ok()?) };
            Order::Active(Some((active, after(id, "c")?)))
        }
        ["opened"] => Order::Opened(None),
        ["opened", cursor] => Order::Opened(Some(after(cursor, "after=c")?)),
        _ => return None,
    })
}

fn records(words: &[&str]) -> Option<Records> {
    Some(match words {
        ["under", key] => Records::Under(key.parse().ok()?, None),
        ["under", key, name] => {
            let name = after(name, "after=n")
                .map(NameOf::Text)
                .or_else(|| after(name, "after=c").map(NameOf::Conversation));
            Records::Under(key.parse().ok()?, Some(name?))
        }
        ["since", user, revision] => Records::Since(after(user, "u")?, revision.parse().ok()?),
        ["due", of, until] => Records::Due(kind(of)?, until.parse().ok()?, None),
        ["due", of, until, cursor] => {
            let (at, key) = cursor.strip_prefix("after=")?.split_once(':')?;
            Records::Due(kind(of)?, until.parse().ok()?, Some((at.parse().ok()?, key.parse().ok()?)))
        }
        _ => return None,
    })
}

fn who(word: &str) -> Option<Who> {
    let (user, device) = word.strip_prefix('u')?.split_once('.')?;
    let device = DEVICES.iter().position(|known| *known == device)?;
    Some(Who { user: user.parse().ok()?, device })
}
