//! Encoding of writes as bytes, and decoding: a tag for each kind of thing, then its fields, with
//! integers in big-endian order.

mod actions;
mod effects;

use dm_core::store::*;

/// Appends a write to a frame: its action, conditions, changes and posts.
///
/// A write that is not valid is refused (clause 24), as is one with a part that this store does not
/// know (clause 5). The frame does not have such a write, because it changes nothing.
pub(crate) fn encode(write: &Write, frame: &mut Vec<u8>) -> Result<(), Refusal> {
    write.validate().map_err(Refusal::Invalid)?;
    let mut out = Vec::new();
    actions::put_action(&write.action, &mut out).ok_or(Refusal::Unsupported)?;
    put_each(&write.expects, &mut out, effects::put_expect).ok_or(Refusal::Unsupported)?;
    put_each(&write.changes, &mut out, effects::put_change).ok_or(Refusal::Unsupported)?;
    put_each(&write.posts, &mut out, effects::put_post).ok_or(Refusal::Unsupported)?;
    frame.append(&mut out);
    Ok(())
}

/// The writes of a frame; `None` if it contains anything else.
pub(crate) fn decode(frame: &[u8]) -> Option<Vec<Write>> {
    let mut fields = Fields(frame);
    let mut batch = Vec::new();
    while !fields.0.is_empty() {
        batch.push(fields.write()?);
    }
    Some(batch)
}

fn put(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend(bytes);
}

fn put_option(out: &mut Vec<u8>, value: Option<&[u8]>) {
    out.push(u8::from(value.is_some()));
    out.extend(value.unwrap_or_default());
}

fn put_who(out: &mut Vec<u8>, who: &Principal) {
    out.extend(who.user.as_bytes());
    put_bytes(out, who.device.as_str().as_bytes());
}

/// Appends the number of some items, and the items.
fn put_each<T>(items: &[T], out: &mut Vec<u8>, put_item: fn(&T, &mut Vec<u8>) -> Option<()>) -> Option<()> {
    put(out, items.len() as u64);
    items.iter().try_for_each(|item| put_item(item, out))
}

/// The bytes that are not decoded yet. Its methods return `None` for bytes that are no such field.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn write(&mut self) -> Option<Write> {
        Some(Write {
            action: self.action()?,
            expects: self.each(Self::expect)?,
            changes: self.each(Self::change)?,
            posts: self.each(Self::post)?,
        })
    }

    fn each<T>(&mut self, item: fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.size()?).map(|_| item(self)).collect()
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn optional<T>(&mut self, value: fn(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.byte()? == 0 { Some(None) } else { value(self).map(Some) }
    }

    fn option<const N: usize>(&mut self) -> Option<Option<[u8; N]>> {
        if self.byte()? == 0 { Some(None) } else { self.take().map(Some) }
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        let length = self.size()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn size(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    fn seq(&mut self) -> Option<InboxSeq> {
        self.number().map(InboxSeq::new)
    }

    fn user(&mut self) -> Option<UserId> {
        self.take().map(UserId::from_stored)
    }

    fn who(&mut self) -> Option<Principal> {
        Some(Principal::new(self.user()?, self.device()?))
    }

    fn device(&mut self) -> Option<DeviceId> {
        std::str::from_utf8(self.bytes()?).ok()?.parse().ok()
    }
}
