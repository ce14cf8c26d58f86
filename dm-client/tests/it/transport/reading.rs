//! What opens, and what is noticed to come twice.

use std::num::NonZeroUsize;

use dm_client::{Identity, Message, PeerKey, ReadError, Reader, Suite};

use crate::transport::{
    people::{ana, ben, frame, message_id, moved},
    socket::received,
};

async fn message(sender: &Identity, recipient: &Identity, suite: Suite, sequence: u64) -> Message {
    received(frame(sender, recipient, suite, sequence, "at noon?")).await
}

/// From Ana to Ben, named by its number.
async fn from_ana_in(suite: Suite, sequence: u64) -> Message {
    message(&ana(), &ben(), suite, sequence).await
}

fn from_ana() -> PeerKey {
    PeerKey::derived(ana().public_key())
}

#[tokio::test]
async fn a_message_opens_for_the_recipient_and_on_the_senders_other_device_as_often_as_one_likes() {
    let (to_ben, reader) = (PeerKey::derived(ben().public_key()), Reader::new(ben()));
    for suite in [Suite::Zero, Suite::One] {
        let message = message(&ana(), &ben(), suite, 1 + u64::from(suite.tag())).await;
        for _ in 0..2 {
            assert_eq!(reader.open(&message, &from_ana()).unwrap().plaintext, b"at noon?");
        }
        assert_eq!(Reader::new(ana()).open(&message, &to_ben).unwrap().plaintext, b"at noon?");
    }
}

#[tokio::test]
async fn a_message_that_the_server_repeats_under_another_id_or_number_is_refused() {
    for suite in [Suite::Zero, Suite::One] {
        let reader = Reader::new(ben());
        let first = message(&ana(), &ben(), suite, 1).await;
        reader.open(&first, &from_ana()).unwrap();
        let repeated = ReadError::Repeated { first: message_id(1) };
        assert_eq!(reader.open(&moved(first.clone(), 2), &from_ana()), Err(repeated));
        let mut renumbered = first.clone();
        renumbered.sequence = 9;
        assert_eq!(reader.open(&renumbered, &from_ana()), Err(repeated));
        reader.open(&first, &from_ana()).unwrap();
    }
}

#[tokio::test]
async fn a_message_without_protection_of_its_direction_does_not_come_back_as_the_peers() {
    let (reader, to_ben) = (Reader::new(ana()), PeerKey::derived(ben().public_key()));
    let mut message = message(&ana(), &ben(), Suite::Zero, 1).await;
    reader.open(&message, &to_ben).unwrap();
    message.sender = ben().public_key();
    message.id = message_id(2);
    assert_eq!(reader.open(&message, &to_ben), Err(ReadError::Repeated { first: message_id(1) }));
}

#[tokio::test]
async fn a_peer_that_uses_the_ids_of_others_harms_nobody() {
    let reader = Reader::new(ben());
    let from_ben = message(&ben(), &ana(), Suite::One, 1).await;
    reader.open(&moved(message(&ana(), &ben(), Suite::One, 1).await, 2), &from_ana()).unwrap();
    assert_eq!(reader.open(&from_ben, &from_ana()).unwrap().plaintext, b"at noon?");
}

#[tokio::test]
async fn what_is_said_outside_must_fit_what_is_inside() {
    let reader = Reader::new(ben());
    let message = message(&ana(), &ben(), Suite::One, 1).await;

    let mut renamed = message.clone();
    renamed.client_id = Some(dm_client::ClientMessageId::new(uuid::Uuid::from_u128(1)));
    assert_eq!(reader.open(&renamed, &from_ana()), Err(ReadError::Renamed));

    let eve = Identity::from_seed(&[3; 32]);
    let mut foreign = message.clone();
    foreign.sender = eve.public_key();
    assert_eq!(reader.open(&foreign, &from_ana()), Err(ReadError::NotAParty));
    assert!(matches!(reader.open(&foreign, &PeerKey::derived(eve.public_key())), Err(ReadError::Open(_))));

    let mut elsewhere = message.clone();
    elsewhere.conversation = dm_client::ConversationId::new(uuid::Uuid::from_u128(5));
    let mut turned = message.clone();
    turned.sender = ben().public_key();
    let mut retagged = message.clone();
    retagged.suite = 0;
    for forged in [elsewhere, turned, retagged] {
        assert!(matches!(reader.open(&forged, &from_ana()), Err(ReadError::Open(_))));
    }
    // None of these has left a trace that would keep the true one from being read.
    reader.open(&message, &from_ana()).unwrap();
}

#[tokio::test]
async fn what_was_read_before_a_restart_is_still_known() {
    let first = message(&ana(), &ben(), Suite::One, 1).await;
    let reader = Reader::new(ben());
    reader.remember(&ana().public_key(), first.client_id.unwrap(), first.id, first.sequence);
    let repeated = reader.open(&moved(first.clone(), 2), &from_ana());
    assert_eq!(repeated, Err(ReadError::Repeated { first: message_id(1) }));
    reader.open(&first, &from_ana()).unwrap();
}

#[tokio::test]
async fn memory_is_bounded() {
    let reader = Reader::remembering(ben(), NonZeroUsize::new(2).unwrap());
    for sequence in 1..=3 {
        reader.open(&message(&ana(), &ben(), Suite::One, sequence).await, &from_ana()).unwrap();
    }
    let repeat = async |first, at| {
        reader.open(&moved(message(&ana(), &ben(), Suite::One, first).await, at), &from_ana())
    };
    assert!(repeat(3, 9).await.is_err());
    assert!(repeat(2, 9).await.is_err());
    assert!(repeat(1, 9).await.is_ok(), "forgotten, as documented");
}

#[tokio::test]
async fn after_suite_1_suite_0_opens_only_when_asked_for() {
    let reader = Reader::new(ben());
    let before = from_ana_in(Suite::Zero, 1).await;
    assert_eq!(reader.open(&before, &from_ana()).unwrap().header, None);
    assert_eq!(
        (reader.heard_in(&ana().public_key()), reader.answer_in(&ana().public_key())),
        (Some(Suite::Zero), Suite::Zero)
    );

    reader.open(&from_ana_in(Suite::One, 2).await, &from_ana()).unwrap();
    assert_eq!(reader.answer_in(&ana().public_key()), Suite::One);
    let after = from_ana_in(Suite::Zero, 3).await;
    assert_eq!(reader.open(&after, &from_ana()), Err(ReadError::Downgraded));
    // It left no trace, opens when that is wanted, and changes nothing about the next.
    assert_eq!(reader.open_downgraded(&after, &from_ana()).unwrap().plaintext, b"at noon?");
    assert_eq!(reader.open(&from_ana_in(Suite::Zero, 4).await, &from_ana()), Err(ReadError::Downgraded));
    assert_eq!(reader.answer_in(&ana().public_key()), Suite::One);
    // What has opened is read again, as history is.
    for known in [&before, &after] {
        reader.open(known, &from_ana()).unwrap();
    }
}

#[tokio::test]
async fn a_server_that_turns_an_old_message_around_is_noticed_after_suite_1() {
    // Ben's client is old: Ana's answers in suite 0 are the server's to use.
    let from_ben = from_ana_in(Suite::Zero, 1).await;
    let mut turned = from_ben.clone();
    (turned.id, turned.sequence, turned.sender) = (message_id(9), 9, ben().public_key());
    let to_ben = PeerKey::derived(ben().public_key());
    let reader = Reader::new(ana());
    assert_eq!(reader.open(&turned, &to_ben).unwrap().plaintext, b"at noon?", "suite 0 binds no direction");

    let reader = Reader::new(ana());
    reader.remember_suite(&ben().public_key(), Suite::One);
    assert_eq!(reader.open(&turned, &to_ben), Err(ReadError::Downgraded));
    // Her own, in the other direction, are as easily made of his.
    assert_eq!(reader.open(&from_ben, &to_ben), Err(ReadError::Downgraded));
}

#[tokio::test]
async fn a_tag_that_the_server_changed_opens_nothing_and_says_nothing_about_the_peer() {
    let reader = Reader::new(ben());
    for (sealed, tag) in [(Suite::Zero, 1), (Suite::One, 0)] {
        let mut message = from_ana_in(sealed, 1).await;
        message.suite = tag;
        assert!(matches!(reader.open(&message, &from_ana()), Err(ReadError::Open(_))));
        assert!(matches!(reader.open_downgraded(&message, &from_ana()), Err(ReadError::Open(_))));
    }
    assert_eq!(reader.heard_in(&ana().public_key()), None);
    assert_eq!(reader.answer_in(&ana().public_key()), Suite::One);
}

#[tokio::test]
async fn ones_own_messages_say_nothing_about_the_peer() {
    let (reader, to_ben) = (Reader::new(ana()), PeerKey::derived(ben().public_key()));
    for suite in [Suite::Zero, Suite::One] {
        reader.open(&from_ana_in(suite, 1 + u64::from(suite.tag())).await, &to_ben).unwrap();
        assert_eq!(reader.heard_in(&ben().public_key()), None);
    }
}

#[tokio::test]
async fn a_reader_that_is_told_of_the_suite_after_a_restart_keeps_to_it() {
    let first = Reader::new(ben());
    first.open(&from_ana_in(Suite::One, 1).await, &from_ana()).unwrap();
    let kept = first.heard_in(&ana().public_key()).unwrap();

    let second = Reader::new(ben());
    second.remember_suite(&ana().public_key(), kept);
    second.remember_suite(&ana().public_key(), Suite::Zero);
    assert_eq!(second.open(&from_ana_in(Suite::Zero, 2).await, &from_ana()), Err(ReadError::Downgraded));
    assert_eq!(second.answer_in(&ana().public_key()), Suite::One);
}
