//! A ciphertext decrypts only in its context, with its keys, and unchanged.

use dm_client::suite::{self, MAX_PAYLOAD, OpenError, SameParty, SealError, Sealed, suite1};
use dm_client::{
    ClientMessageId, Context, ConversationId, Entropy, EntropyError, Header, Identity, KeyVersion,
    KeyVersions, OsEntropy, Suite,
};
use proptest::prelude::*;
use uuid::Uuid;

const SUITES: [Suite; 2] = [Suite::Zero, Suite::One];

struct Pair {
    ana: Identity,
    ben: Identity,
    eve: Identity,
}

fn pair() -> Pair {
    Pair {
        ana: Identity::from_seed(&[1; 32]),
        ben: Identity::from_seed(&[2; 32]),
        eve: Identity::from_seed(&[3; 32]),
    }
}

fn conversation(number: u128) -> ConversationId {
    ConversationId::from(Uuid::from_u128(number))
}

fn context(number: u128, sender: &Identity, recipient: &Identity) -> Context {
    Context::new(conversation(number), sender.user_id(), recipient.user_id()).unwrap()
}

fn header() -> Header {
    Header {
        versions: KeyVersions { sender: KeyVersion::new(3), recipient: KeyVersion::new(5) },
        message_id: ClientMessageId::from(Uuid::from_u128(77)),
    }
}

/// Encrypts a message from Ana to Ben in conversation 1.
fn seal(suite: Suite, plaintext: &[u8]) -> Sealed {
    let Pair { ana, ben, .. } = pair();
    let context = context(1, &ana, &ben);
    suite::seal(suite, &ana, &ben.agreement_key(), &context, &header(), plaintext, &mut OsEntropy).unwrap()
}

/// Decrypts as `reader`, with `other` as the other party.
fn open(
    sealed: &Sealed,
    reader: &Identity,
    other: &Identity,
    context: &Context,
) -> Result<Vec<u8>, OpenError> {
    let tag = sealed.suite.tag();
    suite::open(tag, reader, &other.agreement_key(), context, &sealed.nonce, &sealed.payload)
        .map(|opened| opened.plaintext)
}

/// Decrypts as the recipient, Ben, in the right context.
fn open_as_ben(sealed: &Sealed) -> Result<Vec<u8>, OpenError> {
    let Pair { ana, ben, .. } = pair();
    open(sealed, &ben, &ana, &context(1, &ana, &ben))
}

#[test]
fn both_parties_can_open_and_a_third_user_cannot() {
    let Pair { ana, ben, eve } = pair();
    let context = context(1, &ana, &ben);
    for suite in SUITES {
        let sealed = seal(suite, b"at noon?");
        assert_eq!(open(&sealed, &ben, &ana, &context).unwrap(), b"at noon?");
        assert_eq!(open(&sealed, &ana, &ben, &context).unwrap(), b"at noon?");
        assert_eq!(open(&sealed, &eve, &ana, &context), Err(OpenError::NotAParty));
    }
}

#[test]
fn a_third_user_in_place_of_the_recipient_cannot_open() {
    let Pair { ana, eve, .. } = pair();
    for suite in SUITES {
        let sealed = seal(suite, b"at noon?");
        assert_eq!(open(&sealed, &eve, &ana, &context(1, &ana, &eve)), Err(OpenError::Refused));
    }
}

#[test]
fn a_message_moved_to_another_conversation_does_not_open() {
    let Pair { ana, ben, .. } = pair();
    let sealed = seal(Suite::One, b"yes");
    assert_eq!(open(&sealed, &ben, &ana, &context(2, &ana, &ben)), Err(OpenError::Refused));
}

#[test]
fn a_message_with_reversed_direction_does_not_open_for_either_party() {
    let Pair { ana, ben, .. } = pair();
    let sealed = seal(Suite::One, b"I owe you ten");
    let reversed = context(1, &ben, &ana);
    assert_eq!(open(&sealed, &ana, &ben, &reversed), Err(OpenError::Refused));
    assert_eq!(open(&sealed, &ben, &ana, &reversed), Err(OpenError::Refused));
}

#[test]
fn a_message_attributed_to_another_sender_or_recipient_does_not_open() {
    let Pair { ana, ben, eve } = pair();
    let sealed = seal(Suite::One, b"yes");
    assert_eq!(open(&sealed, &ben, &eve, &context(1, &eve, &ben)), Err(OpenError::Refused));
    // Here the shared secret is the right one, and only the context is wrong.
    assert_eq!(open(&sealed, &ben, &ana, &context(1, &eve, &ben)), Err(OpenError::Refused));
    assert_eq!(open(&sealed, &ana, &ben, &context(1, &ana, &eve)), Err(OpenError::Refused));
}

#[test]
fn a_message_under_another_id_or_key_version_does_not_open() {
    let fields = [("suite", 0), ("sender's version", 4), ("recipient's version", 8), ("message id", 9)];
    for (field, at) in fields {
        let mut sealed = seal(Suite::One, b"yes");
        sealed.payload[at] ^= 1;
        assert_eq!(open_as_ben(&sealed), Err(OpenError::Refused), "{field}");
    }
    let mut sealed = seal(Suite::One, b"yes");
    let (sender, recipient) = sealed.payload[1..9].split_at_mut(4);
    sender.swap_with_slice(recipient);
    assert_eq!(open_as_ben(&sealed), Err(OpenError::Refused), "versions swapped");
}

#[test]
fn a_message_with_the_header_of_another_does_not_open() {
    let Pair { ana, ben, .. } = pair();
    let other = Header { message_id: ClientMessageId::from(Uuid::from_u128(78)), ..header() };
    let first = seal(Suite::One, b"yes");
    let mut second = suite::seal(
        Suite::One,
        &ana,
        &ben.agreement_key(),
        &context(1, &ana, &ben),
        &other,
        b"no",
        &mut OsEntropy,
    )
    .unwrap();
    second.payload[..suite1::HEADER_LEN].copy_from_slice(&first.payload[..suite1::HEADER_LEN]);
    assert_eq!(open_as_ben(&second), Err(OpenError::Refused));
}

#[test]
fn a_message_with_a_wrong_or_unknown_suite_tag_does_not_open() {
    let Pair { ana, ben, .. } = pair();
    let context = context(1, &ana, &ben);
    let open = |tag, sealed: &Sealed| {
        suite::open(tag, &ben, &ana.agreement_key(), &context, &sealed.nonce, &sealed.payload)
    };
    assert_eq!(open(1, &seal(Suite::Zero, b"yes")), Err(OpenError::Refused));
    assert_eq!(open(0, &seal(Suite::One, b"yes")), Err(OpenError::Refused));
    for tag in [2, 256, u32::MAX] {
        assert_eq!(open(tag, &seal(Suite::One, b"yes")), Err(OpenError::UnknownSuite(tag)));
    }
}

#[test]
fn every_shortened_payload_is_refused() {
    for suite in SUITES {
        let whole = seal(suite, b"a message");
        for len in 0..whole.payload.len() {
            let cut = Sealed { payload: whole.payload[..len].to_vec(), ..whole.clone() };
            assert_eq!(open_as_ben(&cut), Err(OpenError::Refused), "{suite:?} cut to {len}");
        }
    }
}

#[test]
fn peek_returns_the_header_and_refuses_a_payload_that_is_too_short_or_of_another_suite() {
    let sealed = seal(Suite::One, b"");
    assert_eq!(suite1::peek(&sealed.payload), Ok(header()));
    assert_eq!(suite1::peek(&sealed.payload[..24]), Err(OpenError::Refused));
    assert_eq!(suite1::peek(&[0; 60]), Err(OpenError::Refused));
}

#[test]
fn suite_0_binds_neither_direction_nor_conversation_as_documented() {
    let Pair { ana, ben, .. } = pair();
    let sealed = seal(Suite::Zero, b"I owe you ten");
    assert_eq!(open(&sealed, &ana, &ben, &context(9, &ben, &ana)).unwrap(), b"I owe you ten");
}

#[test]
fn the_longest_message_fills_a_payload_and_one_byte_more_is_refused() {
    let Pair { ana, ben, .. } = pair();
    for suite in SUITES {
        let mut plaintext = vec![7; suite.max_plaintext()];
        let sealed = seal(suite, &plaintext);
        assert_eq!(sealed.payload.len(), MAX_PAYLOAD);
        assert_eq!(open_as_ben(&sealed).unwrap(), plaintext);

        plaintext.push(7);
        let refused = suite::seal(
            suite,
            &ana,
            &ben.agreement_key(),
            &context(1, &ana, &ben),
            &header(),
            &plaintext,
            &mut OsEntropy,
        );
        let max = suite.max_plaintext();
        assert!(matches!(refused, Err(SealError::TooLong { len, max: m }) if len == max + 1 && m == max));
    }
}

#[test]
fn sealing_as_another_user_or_to_oneself_is_refused() {
    let Pair { ana, ben, .. } = pair();
    for suite in SUITES {
        let refused = suite::seal(
            suite,
            &ben,
            &ana.agreement_key(),
            &context(1, &ana, &ben),
            &header(),
            b"",
            &mut OsEntropy,
        );
        assert!(matches!(refused, Err(SealError::NotTheSender)));
    }
    assert_eq!(Context::new(conversation(1), ana.user_id(), ana.user_id()), Err(SameParty));
}

#[test]
fn without_randomness_nothing_is_sealed() {
    struct Broken;
    impl Entropy for Broken {
        fn fill(&mut self, _out: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError::new("no device"))
        }
    }
    let Pair { ana, ben, .. } = pair();
    for suite in SUITES {
        let to_ben = ben.agreement_key();
        let refused = suite::seal(suite, &ana, &to_ben, &context(1, &ana, &ben), &header(), b"", &mut Broken);
        assert!(matches!(refused, Err(SealError::Entropy(_))));
    }
    assert!(Identity::generate(&mut Broken).is_err());
}

#[test]
fn the_same_message_sealed_twice_gives_different_bytes() {
    for suite in SUITES {
        let (first, second) = (seal(suite, b"yes"), seal(suite, b"yes"));
        assert_ne!(first.nonce, second.nonce);
        assert_ne!(first.payload, second.payload);
    }
}

proptest! {
    #[test]
    fn a_sealed_message_opens_for_both_parties(
        plaintext in proptest::collection::vec(any::<u8>(), 0..2000),
        sender: [u8; 32],
        recipient: [u8; 32],
        conversation: u128,
        versions: (u32, u32),
        message_id: u128,
        suite in proptest::sample::select(&SUITES[..]),
    ) {
        prop_assume!(sender != recipient);
        let (sender, recipient) = (Identity::from_seed(&sender), Identity::from_seed(&recipient));
        let context = context(conversation, &sender, &recipient);
        let header = Header {
            versions: KeyVersions {
                sender: KeyVersion::new(versions.0),
                recipient: KeyVersion::new(versions.1),
            },
            message_id: ClientMessageId::from(Uuid::from_u128(message_id)),
        };
        let peer = recipient.agreement_key();
        let sealed =
            suite::seal(suite, &sender, &peer, &context, &header, &plaintext, &mut OsEntropy).unwrap();
        for (reader, other) in [(&recipient, &sender), (&sender, &recipient)] {
            let key = other.agreement_key();
            let opened =
                suite::open(suite.tag(), reader, &key, &context, &sealed.nonce, &sealed.payload).unwrap();
            prop_assert_eq!(&opened.plaintext, &plaintext);
            prop_assert_eq!(opened.header, (suite == Suite::One).then_some(header));
        }
    }

    #[test]
    fn a_bit_flipped_anywhere_in_nonce_or_payload_is_refused(
        plaintext in proptest::collection::vec(any::<u8>(), 0..300),
        at: proptest::sample::Index,
        suite in proptest::sample::select(&SUITES[..]),
    ) {
        let mut sealed = seal(suite, &plaintext);
        prop_assert_eq!(open_as_ben(&sealed), Ok(plaintext));
        let bit = at.index((sealed.nonce.len() + sealed.payload.len()) * 8);
        let byte = sealed.nonce.iter_mut().chain(&mut sealed.payload).nth(bit / 8).unwrap();
        *byte ^= 1 << (bit % 8);
        prop_assert_eq!(open_as_ben(&sealed), Err(OpenError::Refused));
    }

    #[test]
    fn arbitrary_bytes_are_refused_under_every_tag(
        payload in proptest::collection::vec(any::<u8>(), 0..300),
        nonce: [u8; 24],
        tag in 0u32..4,
    ) {
        let Pair { ana, ben, .. } = pair();
        let opened = suite::open(tag, &ben, &ana.agreement_key(), &context(1, &ana, &ben), &nonce, &payload);
        prop_assert!(opened.is_err());
    }
}
