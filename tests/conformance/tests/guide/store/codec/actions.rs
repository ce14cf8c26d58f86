//! Actions.

use dm_core::store::*;

use super::{Fields, put, put_bytes, put_option, put_who};

/// Appends an action; `None` if this store does not know it.
pub(super) fn put_action(action: &Action, out: &mut Vec<u8>) -> Option<()> {
    match action {
        Action::None => out.push(0),
        Action::OpenConversation(write) => {
            out.push(1);
            out.extend(write.id.as_bytes());
            out.extend(write.participants.a().as_bytes());
            out.extend(write.participants.b().as_bytes());
            put_who(out, &write.opener);
            put(out, write.at.as_millis());
        }
        Action::AppendMessage(write) => {
            out.push(2);
            out.extend(write.id.as_bytes());
            out.extend(write.conversation.as_bytes());
            put_who(out, &write.sender);
            put_option(out, write.client_id.as_ref().map(|id| &id.as_bytes()[..]));
            put(out, write.sent_at.as_millis());
            put(out, write.at.as_millis());
            let suite = write.ciphertext.suite().map(|suite| suite.0.to_be_bytes());
            put_option(out, suite.as_ref().map(|suite| &suite[..]));
            put_option(out, write.ciphertext.ephemeral().map(|key| &key[..]));
            out.extend(write.ciphertext.nonce());
            put_bytes(out, write.ciphertext.payload());
        }
        Action::Acknowledge(write) => {
            out.push(3);
            put_who(out, &write.who);
            match &write.target {
                AckTarget::UpTo(seq) => put_list(out, 1, [seq.get().to_be_bytes()]),
                AckTarget::Entries(seqs) => put_list(out, 2, seqs.iter().map(|seq| seq.get().to_be_bytes())),
                AckTarget::Messages(ids) => put_list(out, 3, ids.iter().map(|id| *id.as_bytes())),
            }
        }
        Action::RegisterDevice(write) => {
            out.extend([4, u8::from(write.start == DeviceStart::Now)]);
            put_who(out, &write.who);
            put(out, write.limit as u64);
            put(out, write.at.as_millis());
        }
        Action::ForgetDevice(write) => {
            out.push(5);
            put_who(out, &write.who);
        }
        Action::Expire(write) => {
            out.push(6);
            put(out, write.before.as_millis());
            put(out, write.limit as u64);
        }
        _ => return None,
    }
    Some(())
}

fn put_list<const N: usize>(out: &mut Vec<u8>, tag: u8, items: impl IntoIterator<Item = [u8; N]>) {
    out.push(tag);
    let items: Vec<[u8; N]> = items.into_iter().collect();
    put(out, items.len() as u64);
    out.extend(items.as_flattened());
}

impl Fields<'_> {
    pub(super) fn action(&mut self) -> Option<Action> {
        Some(match self.byte()? {
            0 => Action::None,
            1 => Action::OpenConversation(OpenConversation {
                id: ConversationId::from_bytes(self.take()?),
                participants: self.pair()?,
                opener: self.who()?,
                at: self.time()?,
            }),
            2 => Action::AppendMessage(AppendMessage {
                id: MessageId::from_bytes(self.take()?),
                conversation: ConversationId::from_bytes(self.take()?),
                sender: self.who()?,
                client_id: self.option()?.map(ClientMessageId::from_bytes),
                sent_at: self.time()?,
                at: self.time()?,
                ciphertext: {
                    let suite = self.option()?.map(|suite| Suite(u32::from_be_bytes(suite)));
                    let (ephemeral, nonce) = (self.option::<32>()?, self.take::<24>()?);
                    let payload = self.bytes()?.to_vec().into();
                    Ciphertext::new(payload, &nonce, ephemeral.as_ref().map(|key| &key[..]), suite).ok()?
                },
            }),
            3 => {
                let who = self.who()?;
                let target = match self.byte()? {
                    1 => AckTarget::UpTo(self.each(Self::seq)?.pop()?),
                    2 => AckTarget::Entries(self.each(Self::seq)?),
                    3 => AckTarget::Messages(self.each(|fields| fields.take().map(MessageId::from_bytes))?),
                    _ => return None,
                };
                Action::Acknowledge(Acknowledge { who, target })
            }
            4 => {
                let start = if self.byte()? == 1 { DeviceStart::Now } else { DeviceStart::Oldest };
                let (who, limit) = (self.who()?, self.size()?);
                Action::RegisterDevice(RegisterDevice { who, start, limit, at: self.time()? })
            }
            5 => Action::ForgetDevice(ForgetDevice { who: self.who()? }),
            6 => Action::Expire(Expire { before: self.time()?, limit: self.size()? }),
            _ => return None,
        })
    }

    pub(super) fn pair(&mut self) -> Option<Participants> {
        Participants::new(self.user()?, self.user()?).ok()
    }
}
