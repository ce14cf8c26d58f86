//! Conditions, changes and posts.

use dm_core::store::*;

use super::{Fields, put, put_bytes, put_option};

/// Appends a condition; `None` if this store does not know it.
pub(super) fn put_expect(expect: &Expect, out: &mut Vec<u8>) -> Option<()> {
    match expect {
        Expect::Absent(key) => {
            out.push(1);
            put_key(out, key);
        }
        Expect::Tagged(key, tag) => {
            out.push(2);
            put_key(out, key);
            out.extend(tag.as_bytes());
        }
        Expect::Fewer { under, than } => {
            out.push(3);
            put_key(out, &under.first_key());
            put(out, u64::from(*than));
        }
        Expect::Fence { of, tag } => {
            let party = match of {
                Party::Sender => 0,
                Party::Peer => 1,
                Party::Conversation => 2,
            };
            out.extend([4, party]);
            out.extend(tag.as_bytes());
        }
        _ => return None,
    }
    Some(())
}

/// Appends a change; `None` if this store does not know it.
pub(super) fn put_change(change: &Change, out: &mut Vec<u8>) -> Option<()> {
    match change {
        Change::Put(put) => {
            out.push(1);
            put_put(out, put);
        }
        Change::Raise(put) => {
            out.push(2);
            put_put(out, put);
        }
        Change::Delete(key) => {
            out.push(3);
            put_key(out, key);
        }
        Change::Clear(under) => {
            out.push(4);
            put_key(out, &under.first_key());
        }
        Change::TakeFirst { under, or } => {
            out.extend([5, u8::from(or.is_some())]);
            put_key(out, &under.first_key());
            or.iter().for_each(|key| put_key(out, key));
        }
        Change::Gate(change) => {
            out.extend([6, change.close, change.open]);
            out.extend(change.pair.a().as_bytes());
            out.extend(change.pair.b().as_bytes());
            for ceiling in [change.ceiling_a, change.ceiling_b] {
                put_update(out, ceiling, |out, Ceiling { messages, bytes }| {
                    put(out, messages.get());
                    put(out, bytes);
                });
            }
        }
        Change::UserGate(change) => {
            out.extend([7, change.close.map_or(2, u8::from)]);
            out.extend(change.user.as_bytes());
            put_update(out, change.ceiling, |out, seq| put(out, seq.get()));
        }
        _ => return None,
    }
    Some(())
}

/// Appends a post. Notices have an encoded form, so that a new kind of notice needs no change here.
pub(super) fn put_post(post: &Post, out: &mut Vec<u8>) -> Option<()> {
    out.extend(post.to.as_bytes());
    put_number(out, post.addressee.map(Registration::get));
    out.push(u8::from(post.origin.is_some()));
    post.origin.iter().for_each(|origin| put_bytes(out, origin.as_str().as_bytes()));
    put(out, post.at.as_millis());
    put_bytes(out, &post.notice.encode());
    Some(())
}

fn put_key(out: &mut Vec<u8>, key: &RecordKey) {
    match key.owner {
        Owner::User(user) => {
            out.push(1);
            out.extend(user.as_bytes());
        }
        Owner::Conversation(id) => {
            out.push(2);
            out.extend(id.as_bytes());
        }
        Owner::Store => out.push(3),
    }
    out.extend(key.kind.get().to_be_bytes());
    put_bytes(out, key.name.as_bytes());
}

fn put_put(out: &mut Vec<u8>, record: &Put) {
    put_key(out, &record.key);
    put_bytes(out, &record.value);
    out.extend(record.tag.as_bytes());
    put_number(out, record.due.map(Timestamp::as_millis));
}

fn put_number(out: &mut Vec<u8>, number: Option<u64>) {
    put_option(out, number.map(u64::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
}

fn put_update<T>(out: &mut Vec<u8>, update: Update<T>, put_value: fn(&mut Vec<u8>, T)) {
    match update {
        Update::Keep => out.push(0),
        Update::Set(value) => {
            out.push(1);
            put_value(out, value);
        }
        Update::Remove => out.push(2),
    }
}

impl Fields<'_> {
    pub(super) fn expect(&mut self) -> Option<Expect> {
        Some(match self.byte()? {
            1 => Expect::Absent(self.key()?),
            2 => Expect::Tagged(self.key()?, self.tag()?),
            3 => Expect::Fewer { under: self.prefix()?, than: self.number()?.try_into().ok()? },
            4 => {
                let of = match self.byte()? {
                    0 => Party::Sender,
                    1 => Party::Peer,
                    2 => Party::Conversation,
                    _ => return None,
                };
                Expect::Fence { of, tag: self.tag()? }
            }
            _ => return None,
        })
    }

    pub(super) fn change(&mut self) -> Option<Change> {
        Some(match self.byte()? {
            1 => Change::Put(self.put()?),
            2 => Change::Raise(self.put()?),
            3 => Change::Delete(self.key()?),
            4 => Change::Clear(self.prefix()?),
            5 => {
                let has_other = self.byte()? == 1;
                let under = self.prefix()?;
                let or = if has_other { Some(self.key()?) } else { None };
                Change::TakeFirst { under, or }
            }
            6 => {
                let (close, open, pair) = (self.byte()?, self.byte()?, self.pair()?);
                let ceiling = |fields: &mut Self| {
                    let messages = SenderSequence::new(fields.number()?);
                    Some(Ceiling { messages, bytes: fields.number()? })
                };
                let (ceiling_a, ceiling_b) = (self.update(ceiling)?, self.update(ceiling)?);
                Change::Gate(GateChange { pair, close, open, ceiling_a, ceiling_b })
            }
            7 => {
                let close = match self.byte()? {
                    2 => None,
                    close => Some(close == 1),
                };
                Change::UserGate(UserGateChange {
                    user: self.user()?,
                    close,
                    ceiling: self.update(Self::seq)?,
                })
            }
            _ => return None,
        })
    }

    pub(super) fn post(&mut self) -> Option<Post> {
        Some(Post {
            to: self.user()?,
            addressee: self.optional(Self::number)?.map(Registration::new),
            origin: self.optional(Self::device)?,
            at: self.time()?,
            notice: Notice::decode(self.bytes()?).ok()?,
        })
    }

    fn key(&mut self) -> Option<RecordKey> {
        let owner = match self.byte()? {
            1 => Owner::User(self.user()?),
            2 => Owner::Conversation(ConversationId::from_bytes(self.take()?)),
            3 => Owner::Store,
            _ => return None,
        };
        let kind = Kind::from_stored(u16::from_be_bytes(self.take()?));
        Some(RecordKey::new(owner, kind, Name::new(self.bytes()?.to_vec()).ok()?))
    }

    fn prefix(&mut self) -> Option<Prefix> {
        let RecordKey { owner, kind, name } = self.key()?;
        Some(Prefix { owner, kind, name })
    }

    fn put(&mut self) -> Option<Put> {
        Some(Put {
            key: self.key()?,
            value: self.bytes()?.to_vec().into(),
            tag: self.tag()?,
            due: self.optional(Self::time)?,
        })
    }

    fn tag(&mut self) -> Option<Tag> {
        self.take().map(Tag::from_bytes)
    }

    fn update<T>(&mut self, value: impl FnOnce(&mut Self) -> Option<T>) -> Option<Update<T>> {
        Some(match self.byte()? {
            0 => Update::Keep,
            1 => Update::Set(value(self)?),
            2 => Update::Remove,
            _ => return None,
        })
    }
}
