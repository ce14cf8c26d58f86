//! The test vectors of the folder `vectors`, which were made with libsodium: encrypting gives the
//! same bytes, and decrypting gives the plaintext.

use data_encoding::HEXLOWER;
use dm_client::{
    ClientMessageId, Context, ConversationId, Entropy, EntropyError, Header, Identity, InvalidKey,
    KeyVersion, KeyVersions, Suite, UserId, X25519Key, suite,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

const KEYS: &str = include_str!("../../vectors/keys.json");
const SUITE_0: &str = include_str!("../../vectors/suite0.json");
const SUITE_1: &str = include_str!("../../vectors/suite1.json");

#[derive(Deserialize)]
struct Keys {
    identities: Vec<IdentityVector>,
    refused_ed25519: Vec<RefusedKey>,
    refused_x25519: Vec<RefusedKey>,
}

#[derive(Deserialize)]
struct IdentityVector {
    name: String,
    seed: String,
    ed25519_public: String,
    x25519_public: String,
    signature: String,
}

#[derive(Deserialize)]
struct RefusedKey {
    name: String,
    key: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Suite0 {
    vectors: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Suite1 {
    vectors: Vec<Bound>,
    refused: Vec<Refused>,
}

/// The fields that the vectors of both suites have.
#[derive(Deserialize)]
struct Exchange {
    name: String,
    sender_seed: String,
    recipient_seed: String,
    nonce: String,
    plaintext: Option<String>,
    plaintext_length: Option<usize>,
    plaintext_sha256: Option<String>,
    payload: Option<String>,
    payload_length: Option<usize>,
    payload_sha256: Option<String>,
}

#[derive(Deserialize)]
struct Bound {
    #[serde(flatten)]
    exchange: Exchange,
    conversation: String,
    sender_key_version: u32,
    recipient_key_version: u32,
    client_message_id: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    sender_seed: String,
    recipient_seed: String,
    conversation: String,
    nonce: String,
    payload: String,
}

/// A source of randomness that returns the nonce of a vector, once.
struct FixedNonce(Option<[u8; 24]>);

impl Entropy for FixedNonce {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        let nonce = self.0.take().ok_or_else(|| EntropyError::new("only one nonce is needed"))?;
        out.copy_from_slice(&nonce);
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(file: &str) -> T {
    serde_json::from_str(file).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

impl Exchange {
    fn sender(&self) -> Identity {
        Identity::from_seed(&array(&self.sender_seed))
    }

    fn recipient(&self) -> Identity {
        Identity::from_seed(&array(&self.recipient_seed))
    }

    fn plaintext(&self) -> Vec<u8> {
        if let Some(hex) = &self.plaintext {
            return bytes(hex);
        }
        let plaintext: Vec<u8> = (0..=250).cycle().take(self.plaintext_length.unwrap()).collect();
        assert_eq!(sha256(&plaintext), *self.plaintext_sha256.as_ref().unwrap(), "{}", self.name);
        plaintext
    }

    fn assert_is_payload(&self, payload: &[u8]) {
        if let Some(hex) = &self.payload {
            assert_eq!(HEXLOWER.encode(payload), *hex, "{}", self.name);
        } else {
            assert_eq!(payload.len(), self.payload_length.unwrap(), "{}", self.name);
            assert_eq!(sha256(payload), *self.payload_sha256.as_ref().unwrap(), "{}", self.name);
        }
    }

    /// Encrypts to the vector's payload, and decrypts it as both parties.
    fn check(&self, suite: Suite, context: &Context, header: &Header) {
        let (sender, recipient) = (self.sender(), self.recipient());
        let plaintext = self.plaintext();
        let mut entropy = FixedNonce(Some(array(&self.nonce)));
        let sealed = suite::seal(
            suite,
            &sender,
            &recipient.agreement_key(),
            context,
            header,
            &plaintext,
            &mut entropy,
        )
        .unwrap();
        self.assert_is_payload(&sealed.payload);

        for (reader, other) in [(&recipient, &sender), (&sender, &recipient)] {
            let opened = suite::open(
                suite.tag(),
                reader,
                &other.agreement_key(),
                context,
                &sealed.nonce,
                &sealed.payload,
            )
            .unwrap();
            assert_eq!(opened.plaintext, plaintext, "{}", self.name);
            assert_eq!(opened.header, (suite == Suite::One).then_some(*header), "{}", self.name);
        }
    }
}

fn context(conversation: &str, sender: &Identity, recipient: &Identity) -> Context {
    let conversation = ConversationId::from_bytes(array(conversation));
    Context::new(conversation, sender.user_id(), recipient.user_id()).unwrap()
}

#[test]
fn identities_have_the_keys_and_signatures_of_the_vectors() {
    let keys: Keys = parse(KEYS);
    assert!(keys.identities.len() >= 4);
    for vector in keys.identities {
        let identity = Identity::from_seed(&array(&vector.seed));
        assert_eq!(identity.user_id().to_string(), vector.ed25519_public, "{}", vector.name);
        assert_eq!(identity.agreement_key().to_string(), vector.x25519_public, "{}", vector.name);
        assert_eq!(HEXLOWER.encode(&identity.sign(b"dm vectors")), vector.signature, "{}", vector.name);

        let peer: UserId = vector.ed25519_public.parse().unwrap();
        assert_eq!(peer.agreement_key().to_string(), vector.x25519_public, "{}", vector.name);
        assert_eq!(peer.verify(b"dm vectors", &array(&vector.signature)), Ok(()), "{}", vector.name);
    }
}

#[test]
fn refused_user_ids_are_refused_for_the_reason_in_the_vector() {
    let keys: Keys = parse(KEYS);
    assert!(keys.refused_ed25519.len() >= 4);
    for vector in keys.refused_ed25519 {
        let reason = match vector.reason.as_deref() {
            Some("encoding") => InvalidKey::Encoding,
            Some("small order") => InvalidKey::SmallOrder,
            other => panic!("{}: unknown reason {other:?}", vector.name),
        };
        assert_eq!(vector.key.parse::<UserId>(), Err(reason), "{}", vector.name);
    }
}

#[test]
fn refused_x25519_keys_are_refused() {
    let keys: Keys = parse(KEYS);
    assert!(keys.refused_x25519.len() >= 4);
    for vector in keys.refused_x25519 {
        assert_eq!(vector.key.parse::<X25519Key>(), Err(InvalidKey::SmallOrder), "{}", vector.name);
    }
}

#[test]
fn suite_0_seals_and_opens_the_vectors() {
    let file: Suite0 = parse(SUITE_0);
    assert!(file.vectors.len() >= 4);
    // Suite 0 does not use the conversation and the header, so their values do not matter.
    let conversation = "00000000000000000000000000000000";
    let first = Some(KeyVersion::FIRST);
    let header = Header {
        versions: KeyVersions { sender: first, recipient: first },
        message_id: ClientMessageId::from_bytes([0; 16]),
    };
    for vector in file.vectors {
        let context = context(conversation, &vector.sender(), &vector.recipient());
        vector.check(Suite::Zero, &context, &header);
    }
}

#[test]
fn suite_1_seals_and_opens_the_vectors() {
    let file: Suite1 = parse(SUITE_1);
    assert!(file.vectors.len() >= 4);
    for vector in file.vectors {
        let header = Header {
            versions: KeyVersions {
                sender: KeyVersion::new(vector.sender_key_version),
                recipient: KeyVersion::new(vector.recipient_key_version),
            },
            message_id: ClientMessageId::from_bytes(array(&vector.client_message_id)),
        };
        let exchange = vector.exchange;
        let context = context(&vector.conversation, &exchange.sender(), &exchange.recipient());
        exchange.check(Suite::One, &context, &header);
    }
}

#[test]
fn suite_1_refuses_the_changed_vectors() {
    let file: Suite1 = parse(SUITE_1);
    assert!(file.refused.len() >= 4);
    for vector in file.refused {
        let sender = Identity::from_seed(&array(&vector.sender_seed));
        let recipient = Identity::from_seed(&array(&vector.recipient_seed));
        let opened = suite::open(
            Suite::One.tag(),
            &recipient,
            &sender.agreement_key(),
            &context(&vector.conversation, &sender, &recipient),
            &array(&vector.nonce),
            &bytes(&vector.payload),
        );
        assert_eq!(opened, Err(suite::OpenError::Refused), "{}", vector.name);
    }
}
