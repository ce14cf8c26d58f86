//! Keys: their text form, signatures and order, and `Debug` output without secrets.

use data_encoding::HEXLOWER;
use dm_client::{
    ClientMessageId, Context, ConversationId, Header, Identity, InvalidKey, InvalidSignature, KeyVersion,
    KeyVersions, OsEntropy, Suite, UserId, X25519Key, suite,
};
use proptest::prelude::*;
use uuid::Uuid;

#[test]
fn a_key_is_written_in_lowercase_and_read_in_either_case() {
    let key = Identity::from_seed(&[1; 32]).user_id();
    let text = key.to_string();
    assert_eq!(text.len(), 64);
    assert_eq!(text, text.to_lowercase());
    assert_eq!(text.to_uppercase().parse(), Ok(key));
    let key = key.agreement_key();
    assert_eq!(key.to_string().to_uppercase().parse(), Ok(key));
}

#[test]
fn a_text_that_is_not_64_hexadecimal_digits_is_refused() {
    let key = Identity::from_seed(&[1; 32]).user_id().to_string();
    let wrong = [
        String::new(),
        key[..62].to_owned(),
        key[..63].to_owned(),
        format!("{key}00"),
        format!(" {}", &key[1..]),
        format!("{key}\n"),
        format!("g{}", &key[1..]),
        format!("\0{}", &key[1..]),
        format!("\u{202e}{}", &key[3..]),
        "ff".repeat(32 * 1024),
    ];
    for text in wrong {
        assert_eq!(text.parse::<UserId>(), Err(InvalidKey::Text), "{text:.80}");
        assert_eq!(text.parse::<X25519Key>(), Err(InvalidKey::Text), "{text:.80}");
    }
}

#[test]
fn a_signature_is_valid_for_its_message_and_its_signer_only() {
    let (ana, ben) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
    let signature = ana.sign(b"purpose\0message");
    assert_eq!(ana.user_id().verify(b"purpose\0message", &signature), Ok(()));
    assert_eq!(ana.user_id().verify(b"purpose\0messagf", &signature), Err(InvalidSignature));
    assert_eq!(ben.user_id().verify(b"purpose\0message", &signature), Err(InvalidSignature));
}

#[test]
fn user_ids_are_ordered_like_their_text() {
    let mut keys: Vec<_> = (0..20).map(|n| Identity::from_seed(&[n; 32]).user_id()).collect();
    keys.sort();
    let texts: Vec<_> = keys.iter().map(UserId::to_string).collect();
    assert!(texts.is_sorted());
}

#[test]
fn debug_shows_no_secret_no_plaintext_and_no_whole_key() {
    let seed = *b"canary: this seed must not show!";
    let ana = Identity::from_seed(&seed);
    let ben = Identity::from_seed(&[2; 32]);
    let context = Context::new(ConversationId::from(Uuid::nil()), ana.user_id(), ben.user_id()).unwrap();
    let first = Some(KeyVersion::FIRST);
    let header = Header {
        versions: KeyVersions { sender: first, recipient: first },
        message_id: ClientMessageId::from(Uuid::nil()),
    };
    let plaintext = b"canary: this text must not show!";
    let mut shown = format!("{ana:?} {ana:#?} {context:?} {:?}", ana.agreement_key());
    for suite in [Suite::Zero, Suite::One] {
        let peer = ben.agreement_key();
        let sealed = suite::seal(suite, &ana, &peer, &context, &header, plaintext, &mut OsEntropy).unwrap();
        let opened = suite::open(suite.tag(), &ana, &peer, &context, &sealed.nonce, &sealed.payload).unwrap();
        shown += &format!("{sealed:?} {sealed:#?} {opened:?} {opened:#?}");
        for secret in [&opened.plaintext[..], &sealed.payload] {
            assert_hidden(&shown, secret);
        }
    }
    assert_hidden(&shown, &seed);
    assert_hidden(&shown, ana.user_id().as_bytes());
    assert_hidden(&shown, ana.agreement_key().as_bytes());
    // `Debug` shows the first four bytes of the key, to distinguish identities.
    assert!(shown.contains(&ana.user_id().to_string()[..8]));
}

/// Checks that a text does not contain eight bytes of a secret: not as characters, not as
/// hexadecimal digits, and not as a list of numbers.
fn assert_hidden(shown: &str, secret: &[u8]) {
    let part = &secret[8..16];
    let list = format!("{part:?}");
    assert!(!shown.contains(list.trim_matches(['[', ']'])));
    assert!(!shown.to_lowercase().contains(&HEXLOWER.encode(part)));
    assert!(!shown.contains(&*String::from_utf8_lossy(part)));
}

proptest! {
    #[test]
    fn any_32_bytes_are_a_key_with_a_text_form_or_a_typed_error(bytes: [u8; 32]) {
        match UserId::from_bytes(&bytes) {
            Ok(key) => {
                prop_assert_eq!(key.as_bytes(), &bytes);
                prop_assert_eq!(key.to_string().parse(), Ok(key));
                prop_assert_eq!(X25519Key::from_bytes(key.agreement_key().as_bytes()), Ok(key.agreement_key()));
            }
            Err(error) => prop_assert!(matches!(error, InvalidKey::Encoding | InvalidKey::SmallOrder)),
        }
    }

    #[test]
    fn random_text_is_not_a_key(text in ".{0,80}") {
        prop_assert_eq!(text.parse::<UserId>(), Err(InvalidKey::Text));
    }
}
