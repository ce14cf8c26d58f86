//! The reader: it authenticates messages, and refuses replays and downgrades.

use std::num::NonZeroUsize;

use dm_client::{Identity, Message, PeerKey, ReadError, Reader, ServerSequence, Suite};

use crate::transport::messages::{ana, ben, frame, message_id, moved};
use crate::transport::websocket::received;

async fn message(sender: &Identity, recipient: &Identity, suite: Suite, sequence: u64) -> Message {
    received(frame(sender, recipient, suite, sequence, "at noon?")).await
}

/// A message from Ana to Ben with this number.
async fn from_ana_in(suite: Suite, sequence: u64) -> Message {
    message(&ana(), &ben(), suite, sequence).await
}

fn from_ana() -> PeerKey {
    PeerKey::derived(ana().user_id())
}

#[tokio::test]
async fn a_message_opens_repeatedly_for_the_recipient_and_on_the_senders_other_device() {
    let (to_ben, reader) = (PeerKey::derived(ben().user_id()), Reader::new(ben()));
    for suite in [Suite::Zero, Suite::One] {
        let message = message(&ana(), &ben(), suite, 1 + u64::from(suite.tag())).await;
        for _ in 0..2 {
            assert_eq!(reader.open(&message, &from_ana()).unwrap().plaintext, b"at noon?");
        }
        assert_eq!(Reader::new(ana()).open(&message, &to_ben).unwrap().plaintext, b"at noon?");
    }
}

#[tokio::test]
async fn a_replay_under_another_id_or_number_is_refused() {
    for suite in [Suite::Zero, Suite::One] {
        let reader = Reader::new(ben());
        let first = message(&ana(), &ben(), suite, 1).await;
        reader.open(&first, &from_ana()).unwrap();
        let repeated = ReadError::Repeated { first: message_id(1) };
        assert_eq!(reader.open(&moved(first.clone(), 2), &from_ana()), Err(repeated));
        let mut renumbered = first.clone();
        renumbered.sequence = ServerSequence::new(9);
        assert_eq!(reader.open(&renumbered, &from_ana()), Err(repeated));
        reader.open(&first, &from_ana()).unwrap();
    }
}

#[tokio::test]
async fn an_own_suite_0_message_replayed_as_the_peers_is_refused() {
    let (reader, to_ben) = (Reader::new(ana()), PeerKey::derived(ben().user_id()));
    let mut message = message(&ana(), &ben(), Suite::Zero, 1).await;
    reader.open(&message, &to_ben).unwrap();
    message.sender = ben().user_id();
    message.id = message_id(2);
    assert_eq!(reader.open(&message, &to_ben), Err(ReadError::Repeated { first: message_id(1) }));
}

#[tokio::test]
async fn the_same_client_message_id_of_two_senders_is_no_replay() {
    let reader = Reader::new(ben());
    let from_ben = message(&ben(), &ana(), Suite::One, 1).await;
    reader.open(&moved(message(&ana(), &ben(), Suite::One, 1).await, 2), &from_ana()).unwrap();
    assert_eq!(reader.open(&from_ben, &from_ana()).unwrap().plaintext, b"at noon?");
}

#[tokio::test]
async fn fields_from_the_server_must_match_the_ciphertext() {
    let reader = Reader::new(ben());
    let message = message(&ana(), &ben(), Suite::One, 1).await;

    let mut renamed = message.clone();
    renamed.client_id = Some(dm_client::ClientMessageId::from(uuid::Uuid::from_u128(1)));
    assert_eq!(reader.open(&renamed, &from_ana()), Err(ReadError::Renamed));

    let eve = Identity::from_seed(&[3; 32]);
    let mut foreign = message.clone();
    foreign.sender = eve.user_id();
    assert_eq!(reader.open(&foreign, &from_ana()), Err(ReadError::NotAParty));
    assert!(matches!(reader.open(&foreign, &PeerKey::derived(eve.user_id())), Err(ReadError::Open(_))));

    let mut elsewhere = message.clone();
    elsewhere.conversation = dm_client::ConversationId::from(uuid::Uuid::from_u128(5));
    let mut reversed = message.clone();
    reversed.sender = ben().user_id();
    let mut retagged = message.clone();
    retagged.suite = 0;
    for forged in [elsewhere, reversed, retagged] {
        assert!(matches!(reader.open(&forged, &from_ana()), Err(ReadError::Open(_))));
    }
    // The reader has not remembered the refused messages, so the original opens.
    reader.open(&message, &from_ana()).unwrap();
}

#[tokio::test]
async fn a_replay_after_a_restart_is_refused_if_the_message_was_remembered() {
    let first = message(&ana(), &ben(), Suite::One, 1).await;
    let reader = Reader::new(ben());
    reader.remember(&ana().user_id(), first.client_id.unwrap(), first.id, first.sequence);
    let repeated = reader.open(&moved(first.clone(), 2), &from_ana());
    assert_eq!(repeated, Err(ReadError::Repeated { first: message_id(1) }));
    reader.open(&first, &from_ana()).unwrap();
}

#[tokio::test]
async fn only_the_newest_messages_are_remembered() {
    let reader = Reader::remembering(ben(), NonZeroUsize::new(2).unwrap());
    for sequence in 1..=3 {
        reader.open(&message(&ana(), &ben(), Suite::One, sequence).await, &from_ana()).unwrap();
    }
    let repeat = async |first, at| {
        reader.open(&moved(message(&ana(), &ben(), Suite::One, first).await, at), &from_ana())
    };
    assert!(repeat(3, 9).await.is_err());
    assert!(repeat(2, 9).await.is_err());
    assert!(repeat(1, 9).await.is_ok(), "no longer remembered, as documented");
}

#[tokio::test]
async fn after_suite_1_suite_0_opens_only_on_request() {
    let reader = Reader::new(ben());
    let before = from_ana_in(Suite::Zero, 1).await;
    assert_eq!(reader.open(&before, &from_ana()).unwrap().header, None);
    assert_eq!(
        (reader.strongest_suite(&ana().user_id()), reader.reply_suite(&ana().user_id())),
        (Some(Suite::Zero), Suite::Zero)
    );

    reader.open(&from_ana_in(Suite::One, 2).await, &from_ana()).unwrap();
    assert_eq!(reader.reply_suite(&ana().user_id()), Suite::One);
    let after = from_ana_in(Suite::Zero, 3).await;
    assert_eq!(reader.open(&after, &from_ana()), Err(ReadError::Downgraded));
    // The reader has not remembered the refused message. `open_downgraded` opens it, and `open`
    // refuses later ones.
    assert_eq!(reader.open_downgraded(&after, &from_ana()).unwrap().plaintext, b"at noon?");
    assert_eq!(reader.open(&from_ana_in(Suite::Zero, 4).await, &from_ana()), Err(ReadError::Downgraded));
    assert_eq!(reader.reply_suite(&ana().user_id()), Suite::One);
    // Messages that have opened before open again, for instance when history is read.
    for known in [&before, &after] {
        reader.open(known, &from_ana()).unwrap();
    }
}

#[tokio::test]
async fn a_suite_0_message_with_reversed_direction_is_refused_after_suite_1() {
    // Ben's client is old, so Ana sends in suite 0. The server has Ana's messages.
    let own = from_ana_in(Suite::Zero, 1).await;
    let mut reversed = own.clone();
    (reversed.id, reversed.sequence, reversed.sender) =
        (message_id(9), ServerSequence::new(9), ben().user_id());
    let to_ben = PeerKey::derived(ben().user_id());
    let reader = Reader::new(ana());
    assert_eq!(reader.open(&reversed, &to_ben).unwrap().plaintext, b"at noon?", "suite 0 binds no direction");

    let reader = Reader::new(ana());
    reader.remember_suite(&ben().user_id(), Suite::One);
    assert_eq!(reader.open(&reversed, &to_ben), Err(ReadError::Downgraded));
    // The server could forge a message of Ana from one of Ben in the same way.
    assert_eq!(reader.open(&own, &to_ben), Err(ReadError::Downgraded));
}

#[tokio::test]
async fn a_message_with_a_changed_tag_is_refused_and_does_not_count_for_the_peers_suite() {
    let reader = Reader::new(ben());
    for (sealed, tag) in [(Suite::Zero, 1), (Suite::One, 0)] {
        let mut message = from_ana_in(sealed, 1).await;
        message.suite = tag;
        assert!(matches!(reader.open(&message, &from_ana()), Err(ReadError::Open(_))));
        assert!(matches!(reader.open_downgraded(&message, &from_ana()), Err(ReadError::Open(_))));
    }
    assert_eq!(reader.strongest_suite(&ana().user_id()), None);
    assert_eq!(reader.reply_suite(&ana().user_id()), Suite::One);
}

#[tokio::test]
async fn own_messages_do_not_count_for_the_peers_suite() {
    let (reader, to_ben) = (Reader::new(ana()), PeerKey::derived(ben().user_id()));
    for suite in [Suite::Zero, Suite::One] {
        reader.open(&from_ana_in(suite, 1 + u64::from(suite.tag())).await, &to_ben).unwrap();
        assert_eq!(reader.strongest_suite(&ben().user_id()), None);
    }
}

#[tokio::test]
async fn a_downgrade_after_a_restart_is_refused_if_the_suite_was_remembered() {
    let first = Reader::new(ben());
    first.open(&from_ana_in(Suite::One, 1).await, &from_ana()).unwrap();
    let strongest = first.strongest_suite(&ana().user_id()).unwrap();

    let second = Reader::new(ben());
    second.remember_suite(&ana().user_id(), strongest);
    second.remember_suite(&ana().user_id(), Suite::Zero);
    assert_eq!(second.open(&from_ana_in(Suite::Zero, 2).await, &from_ana()), Err(ReadError::Downgraded));
    assert_eq!(second.reply_suite(&ana().user_id()), Suite::One);
}
