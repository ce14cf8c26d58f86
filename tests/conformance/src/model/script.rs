//! Scripts as text, with one operation per line.

use std::fmt;

use dm_core::store::{DeviceStart, HistoryRange, OwnEntries};

use super::effect::NameOf;
use super::ids::{DEVICES, Who};
use super::op::{Act, Content, Handle, Op, Step, Target};
use super::query::{Order, Read, Records};

/// A sequence of steps of a store.
///
/// The text form has one operation per line and is parsed by [`FromStr`](std::str::FromStr). A
/// semicolon ends a line as well, and `#` starts a comment. The operations after a line `batch` are
/// committed together; `batch other` commits through a second handle. In an operation, `if` starts a
/// condition, and `do` a change or a post. A record has an owner, a kind and a name, as in
/// `u1/synced/n3`.
///
/// ```
/// let script: dm_conformance::model::Script = "
///     batch
///       open u0.phone u1 as c2
///       append c2 u0.phone m100 kind=1 size=3 client=7 if fence peer t1 do raise u0/synced/c2 v3 t4
///       write if absent store/plain/n1 do put store/plain/n1 v1 t1 due=+50 do post u1 says=5
///     reopen
///     clock +86400000
///     read inbox u1.default after=0 own=skip limit=10 bytes=1000
/// ".parse()?;
/// assert_eq!(script.0.len(), 4);
/// # Ok::<(), dm_conformance::model::NotAScript>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script(pub Vec<Step>);

/// A line of text that is not part of any script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAScript {
    /// The line.
    pub line: String,
}

impl fmt::Display for NotAScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a line of a script: {}", self.line)
    }
}

impl std::error::Error for NotAScript {}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch { through, ops } => {
                f.write_str(if *through == Handle::First { "batch" } else { "batch other" })?;
                ops.iter().try_for_each(|op| write!(f, "\n  {op}"))
            }
            Self::Reopen => f.write_str("reopen"),
            Self::Clock(jump) => write!(f, "clock {jump:+}"),
            Self::Read(read) => write!(f, "read {read}"),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "u{}.{}", self.user, DEVICES[self.device])
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.act)?;
        self.conditions.iter().try_for_each(|condition| write!(f, " if {condition}"))?;
        self.effects.iter().try_for_each(|effect| write!(f, " do {effect}"))
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("write"),
            Self::Open { conversation, opener, other } => {
                write!(f, "open {opener} u{other} as c{conversation}")
            }
            Self::Append { message, conversation, sender, client, content } => {
                let Content { kind, size } = content;
                write!(f, "append c{conversation} {sender} m{message} kind={kind} size={size}")?;
                client.iter().try_for_each(|client| write!(f, " client={client}"))
            }
            Self::Ack { who, target } => {
                write!(f, "ack {who} ")?;
                match target {
                    Target::UpTo(seq) => write!(f, "upto {seq}"),
                    Target::Entries(seqs) => {
                        f.write_str("entries")?;
                        seqs.iter().try_for_each(|seq| write!(f, " {seq}"))
                    }
                    Target::Messages(ids) => {
                        f.write_str("messages")?;
                        ids.iter().try_for_each(|id| write!(f, " m{id}"))
                    }
                }
            }
            Self::Register { who, start, limit } => {
                let start = if *start == DeviceStart::Oldest { "oldest" } else { "now" };
                write!(f, "register {who} {start} limit={limit}")
            }
            Self::Forget { who } => write!(f, "forget {who}"),
            Self::Expire { before, limit } => write!(f, "expire before={before:+} limit={limit}"),
        }
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbox { who, after, own, limit, bytes } => {
                let own = match own {
                    OwnEntries::Skip => "skip",
                    OwnEntries::Include => "include",
                    OwnEntries::ReceivedOnly => "received",
                };
                write!(f, "inbox {who} after={after} own={own} limit={limit} bytes={bytes}")
            }
            Self::History { reader, conversation, range, limit, bytes } => {
                write!(f, "history u{reader} c{conversation} ")?;
                match range {
                    HistoryRange::Newest => f.write_str("newest")?,
                    HistoryRange::Before(at) => write!(f, "before={at}")?,
                    HistoryRange::After(at) => write!(f, "after={at}")?,
                }
                write!(f, " limit={limit} bytes={bytes}")
            }
            Self::List { user, order, kinds, limit } => {
                write!(f, "list u{user} limit={limit}")?;
                kinds.iter().try_for_each(|kind| write!(f, " with={kind}"))?;
                match order {
                    Order::Active(None) => f.write_str(" active"),
                    Order::Active(Some((None, id))) => write!(f, " active after=never:c{id}"),
                    Order::Active(Some((Some(at), id))) => write!(f, " active after={at:+}:c{id}"),
                    Order::Opened(after) => {
                        f.write_str(" opened")?;
                        after.iter().try_for_each(|id| write!(f, " after=c{id}"))
                    }
                }
            }
            Self::Scan { records, limit, bytes } => {
                write!(f, "scan limit={limit} bytes={bytes} ")?;
                match records {
                    Records::Under(key, after) => {
                        write!(f, "under {key}")?;
                        match after {
                            None => Ok(()),
                            Some(NameOf::Text(n)) => write!(f, " after=n{n}"),
                            Some(NameOf::Conversation(n)) => write!(f, " after=c{n}"),
                        }
                    }
                    Records::Since(user, revision) => write!(f, "since u{user} {revision}"),
                    Records::Due(kind, until, after) => {
                        write!(f, "due {kind} {until:+}")?;
                        after.iter().try_for_each(|(at, key)| write!(f, " after={at:+}:{key}"))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dm_core::store::{MemoryStore, StoreError};
    use proptest::prelude::*;
    use proptest_state_machine::ReferenceStateMachine;

    use super::super::generate::Scripts;
    use super::*;
    use crate::Harness;

    struct Memory;

    impl Harness for Memory {
        type Store = MemoryStore;

        async fn fresh() -> Self {
            Self
        }

        async fn open(&self) -> Result<MemoryStore, StoreError> {
            Ok(MemoryStore::new())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn a_script_comes_back_from_its_text(
            (_, steps, _) in Scripts::<Memory>::sequential_strategy(1..=20_usize)
        ) {
            let script = Script(steps);
            let text = script.to_string();
            prop_assert_eq!(text.parse::<Script>(), Ok(script.clone()));
            prop_assert_eq!(text.trim().replace('\n', ";").parse::<Script>(), Ok(script));
        }
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for line in [
            "write",
            "batch; write do put u0/secret/n1 v1 t1",
            "batch; write do put u0/plain/n9 v1 t1",
            "batch; write if fence nobody t1",
            "batch; write do gate u1 u1 close=1 open=0",
            "batch; open u0.default u0 as c1",
            "batch; append c0 u0.default m1 kind=1 size=0",
            "batch; ack u0.tablet upto 3",
            "clock",
            "read everything",
        ] {
            let last = line.split(';').next_back().unwrap().trim();
            assert_eq!(line.parse::<Script>().unwrap_err().line, last);
        }
    }
}
