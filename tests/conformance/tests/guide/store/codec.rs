//! Encoding of writes as bytes, and decoding.

use dm_core::store::*;

/// Appends a write to a record: a tag, then its fields, with integers in big-endian order. A kind
/// of write that this store does not know is refused (clause 5), so it is not in the record.
pub(crate) fn encode(write: &Write, out: &mut Vec<u8>) {
    match write {
        Write::PublishKey(write) => {
            out.extend([1, write.binding.code()]);
            out.extend(write.user.as_bytes());
            out.extend(write.key.as_bytes());
            put(out, write.at.as_millis());
        }
        Write::AnnounceKeys(write) => {
            out.push(2);
            put(out, write.limit as u64);
            put(out, write.at.as_millis());
        }
        Write::OpenConversation(write) => {
            out.push(3);
            out.extend(write.id.as_bytes());
            out.extend(write.participants.a().as_bytes());
            out.extend(write.participants.b().as_bytes());
            put_who(out, &write.opener);
            put(out, write.at.as_millis());
        }
        Write::AppendMessage(write) => {
            out.push(4);
            out.extend(write.id.as_bytes());
            out.extend(write.conversation.as_bytes());
            put_who(out, &write.sender);
            put_option(out, write.client_id.as_ref().map(|id| &id.as_bytes()[..]));
            let version = write.recipient_key_version.map(|version| version.get().to_be_bytes());
            put_option(out, version.as_ref().map(|version| &version[..]));
            put(out, write.sent_at.as_millis());
            put(out, write.at.as_millis());
            let suite = write.ciphertext.suite().map(|suite| suite.0.to_be_bytes());
            put_option(out, suite.as_ref().map(|suite| &suite[..]));
            put_option(out, write.ciphertext.ephemeral().map(|key| &key[..]));
            out.extend(write.ciphertext.nonce());
            put_bytes(out, write.ciphertext.payload());
        }
        Write::Acknowledge(write) => {
            out.push(5);
            put_who(out, &write.who);
            match &write.target {
                AckTarget::UpTo(seq) => put_list(out, 1, [seq.get().to_be_bytes()]),
                AckTarget::Entries(seqs) => put_list(out, 2, seqs.iter().map(|seq| seq.get().to_be_bytes())),
                AckTarget::Messages(ids) => put_list(out, 3, ids.iter().map(|id| *id.as_bytes())),
            }
        }
        Write::RegisterDevice(write) => {
            out.extend([6, u8::from(write.start == DeviceStart::Now)]);
            put_who(out, &write.who);
            put(out, write.limit as u64);
            put(out, write.at.as_millis());
        }
        Write::ForgetDevice(write) => {
            out.push(7);
            put_who(out, &write.who);
        }
        Write::Expire(write) => {
            out.push(8);
            put(out, write.before.as_millis());
            put(out, write.limit as u64);
        }
        _ => {}
    }
}

/// The writes of a record; `None` if it contains anything else.
pub(crate) fn decode(record: &[u8]) -> Option<Vec<Write>> {
    let mut fields = Fields(record);
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

fn put_list<const N: usize>(out: &mut Vec<u8>, tag: u8, items: impl IntoIterator<Item = [u8; N]>) {
    out.push(tag);
    let items: Vec<[u8; N]> = items.into_iter().collect();
    put(out, items.len() as u64);
    out.extend(items.as_flattened());
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn write(&mut self) -> Option<Write> {
        Some(match self.byte()? {
            1 => {
                let binding = KeyBinding::from_code(self.byte()?)?;
                let (user, key) = (self.user()?, X25519Key::from_stored(self.take()?));
                Write::PublishKey(PublishKey { user, key, binding, at: self.time()? })
            }
            2 => Write::AnnounceKeys(AnnounceKeys { limit: self.size()?, at: self.time()? }),
            3 => Write::OpenConversation(OpenConversation {
                id: ConversationId::from_bytes(self.take()?),
                participants: Participants::new(self.user()?, self.user()?).ok()?,
                opener: self.who()?,
                at: self.time()?,
            }),
            4 => Write::AppendMessage(AppendMessage {
                id: MessageId::from_bytes(self.take()?),
                conversation: ConversationId::from_bytes(self.take()?),
                sender: self.who()?,
                client_id: self.option()?.map(ClientMessageId::from_bytes),
                recipient_key_version: match self.option()? {
                    Some(version) => Some(KeyVersion::new(u32::from_be_bytes(version)).ok()?),
                    None => None,
                },
                sent_at: self.time()?,
                at: self.time()?,
                ciphertext: {
                    let suite = self.option()?.map(|suite| Suite(u32::from_be_bytes(suite)));
                    let (ephemeral, nonce) = (self.option::<32>()?, self.take::<24>()?);
                    let payload = self.bytes()?.to_vec().into();
                    Ciphertext::new(payload, &nonce, ephemeral.as_ref().map(|key| &key[..]), suite).ok()?
                },
            }),
            5 => {
                let who = self.who()?;
                let (tag, count) = (self.byte()?, self.size()?);
                let target = match tag {
                    1 => AckTarget::UpTo(self.seq()?),
                    2 => AckTarget::Entries((0..count).map(|_| self.seq()).collect::<Option<_>>()?),
                    3 => {
                        let id = |_| self.take().map(MessageId::from_bytes);
                        AckTarget::Messages((0..count).map(id).collect::<Option<_>>()?)
                    }
                    _ => return None,
                };
                Write::Acknowledge(Acknowledge { who, target })
            }
            6 => {
                let start = if self.byte()? == 1 { DeviceStart::Now } else { DeviceStart::Oldest };
                let (who, limit) = (self.who()?, self.size()?);
                Write::RegisterDevice(RegisterDevice { who, start, limit, at: self.time()? })
            }
            7 => Write::ForgetDevice(ForgetDevice { who: self.who()? }),
            8 => Write::Expire(Expire { before: self.time()?, limit: self.size()? }),
            _ => return None,
        })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
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
        let user = self.user()?;
        let device = std::str::from_utf8(self.bytes()?).ok()?.parse().ok()?;
        Some(Principal::new(user, device))
    }
}
