//! Conversations and history, through the calls of a host.

use std::time::Duration;

use async_trait::async_trait;
use dm_core::store::*;
use dm_core::*;

use crate::common::{
    self, START, World, ciphertext, is_message, is_not_found, message, payload, seq, user, who,
};

#[tokio::test]
async fn a_pair_has_one_conversation_whichever_user_opens_it() {
    let world = World::new();
    let first = world.dm.open_conversation(&who(1), user(2)).await.unwrap();
    let again = world.dm.open_conversation(&who(2), user(1)).await.unwrap();
    assert!(first.created && !again.created);
    assert_eq!(first.conversation, again.conversation);
}

#[tokio::test]
async fn a_conversation_with_oneself_or_with_an_unknown_user_is_refused() {
    struct OnlyOne;
    #[async_trait]
    impl Directory for OnlyOne {
        async fn profiles(&self, users: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError> {
            let ana = Profile { display_name: "ana".to_owned() };
            Ok(users.iter().map(|known| (*known == user(1)).then(|| ana.clone())).collect())
        }
    }
    let dm = Service::builder(MemoryStore::new()).directory(OnlyOne).start().unwrap();
    assert!(matches!(dm.open_conversation(&who(2), user(2)).await, Err(Error::Invalid(_))));
    assert!(is_not_found(dm.open_conversation(&who(1), user(2)).await));
    assert!(dm.open_conversation(&who(2), user(1)).await.is_ok());
}

#[tokio::test]
async fn a_panic_of_the_directory_is_reported_as_directory_unavailable() {
    struct Panics;
    #[async_trait]
    impl Directory for Panics {
        async fn profiles(&self, _: &[UserId]) -> Result<Vec<Option<Profile>>, DirectoryError> {
            tokio::task::yield_now().await;
            panic!("a secret")
        }
    }
    let dm = Service::builder(MemoryStore::new()).directory(Panics).start().unwrap();
    let error = dm.open_conversation(&who(1), user(2)).await.unwrap_err();
    assert!(matches!(error, Error::DirectoryUnavailable(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn conversations_are_listed_by_last_activity_with_those_without_messages_last() {
    let world = World::new();
    let mut chats = Vec::new();
    for peer in 2..=6 {
        chats.push(world.open(1, peer).await);
        world.clock.advance(Duration::from_secs(1));
    }
    // Three of the five conversations get a message, in this order.
    for index in [3, 0, 2] {
        world.send(&who(1), chats[index], "x").await;
        world.clock.advance(Duration::from_secs(1));
    }
    let expected = [chats[2], chats[0], chats[3], chats[4], chats[1]];
    let ids =
        |page: &ConversationPage| page.conversations.iter().map(|c| c.conversation.id).collect::<Vec<_>>();
    let all = world.dm.conversations(&who(1), 100, None).await.unwrap();
    assert_eq!(ids(&all), expected);
    assert_eq!(all.next, None);

    for limit in 1..=6 {
        let mut listed = Vec::new();
        let mut cursor = None;
        loop {
            let page = world.dm.conversations(&who(1), limit, cursor).await.unwrap();
            assert!(page.conversations.len() <= limit);
            listed.extend(ids(&page));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected, "in pages of {limit}");
    }
}

#[tokio::test]
async fn history_is_paged_in_both_directions_with_exclusive_bounds() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    world.send_many(&who(1), chat, 10).await;
    let read = async |range, limit| {
        let page = world.dm.history(&who(2), chat, range, limit).await.unwrap();
        let numbers: Vec<_> = page.messages.iter().map(|message| message.sequence.get()).collect();
        (numbers, page.has_more)
    };
    let at = ServerSequence::new;
    assert_eq!(read(HistoryRange::Newest, 4).await, (vec![10, 9, 8, 7], true));
    assert_eq!(read(HistoryRange::Before(at(4)), 3).await, (vec![3, 2, 1], false));
    assert_eq!(read(HistoryRange::Before(at(1)), 3).await, (vec![], false));
    assert_eq!(read(HistoryRange::Before(at(u64::MAX)), 2).await, (vec![10, 9], true));
    assert_eq!(read(HistoryRange::After(at(0)), 4).await, (vec![1, 2, 3, 4], true));
    assert_eq!(read(HistoryRange::After(at(6)), 4).await, (vec![7, 8, 9, 10], false));
    assert_eq!(read(HistoryRange::After(at(u64::MAX)), 4).await, (vec![], false));
}

#[tokio::test]
async fn a_history_page_ends_at_its_byte_limit_but_has_at_least_one_message() {
    let world = World::configured(|config| config.history_bytes = 2_500);
    let chat = world.open(1, 2).await;
    for size in [1_000, 1_000, 1_000, 60_000] {
        world.send(&who(1), chat, &"x".repeat(size)).await;
    }
    let page = world.dm.history(&who(1), chat, HistoryRange::After(ServerSequence::ZERO), 100).await.unwrap();
    assert_eq!((page.messages.len(), page.has_more), (2, true));
    let page = world.dm.history(&who(1), chat, HistoryRange::Newest, 100).await.unwrap();
    assert_eq!((page.messages.len(), page.has_more), (1, true));
}

#[tokio::test]
async fn calls_for_a_foreign_conversation_fail_like_those_for_a_missing_one() {
    let world = World::new();
    let foreign = world.open(1, 2).await;
    let missing = ConversationId::from_bytes([1; 16]);
    world.send(&who(1), foreign, "secret").await;
    let outsider = who(3);
    for id in [foreign, missing] {
        assert!(is_not_found(world.dm.conversation(&outsider, id).await));
        assert!(is_not_found(world.dm.history(&outsider, id, HistoryRange::Newest, 10).await));
        assert!(is_not_found(world.dm.send(&outsider, message(id, "x")).await));
    }
    assert_eq!(world.dm.conversation(&who(1), foreign).await.unwrap().head.get(), 1);
}

#[tokio::test]
async fn a_payload_at_the_limit_is_sent_and_one_over_it_is_refused() {
    let world = World::configured(|config| config.max_payload = 100);
    let chat = world.open(1, 2).await;
    assert!(world.dm.send(&who(1), message(chat, &"x".repeat(100))).await.is_ok());
    let over = world.dm.send(&who(1), message(chat, &"x".repeat(101))).await;
    assert!(matches!(over, Err(Error::TooLarge { field: "encrypted_payload", limit: 100 })));
    assert_eq!(world.dm.conversation(&who(1), chat).await.unwrap().head.get(), 1);
}

#[tokio::test]
async fn a_message_is_read_as_it_was_sent() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let ciphertext =
        Ciphertext::new(b"payload".as_slice().into(), &[9; 24], Some(&[8; 32]), Some(Suite(1))).unwrap();
    let send = SendMessage {
        client_id: Some(common::client_id(4)),
        ..SendMessage::new(chat, ciphertext.clone(), Timestamp::from_millis(u64::MAX))
    };
    let sent = world.dm.send(&who(1), send).await.unwrap();
    let read = world.dm.history(&who(2), chat, HistoryRange::Newest, 1).await.unwrap();
    let message = &*read.messages[0];
    assert_eq!(message, &*sent.message);
    assert_eq!(message.ciphertext, ciphertext);
    assert_eq!((message.sender, message.conversation), (user(1), chat));
    assert_eq!(message.sent_at, Timestamp::from_millis(u64::MAX));
    assert_eq!(message.received_at, START);
    assert_eq!(message.client_id, Some(common::client_id(4)));
}

#[tokio::test]
async fn messages_keep_their_order_when_the_clock_jumps() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    for (n, at) in [0_i64, 86_400_000, -86_400_000].into_iter().enumerate() {
        world.clock.set(Timestamp::from_millis(START.as_millis().saturating_add_signed(at)));
        world.send(&who(1), chat, &n.to_string()).await;
    }
    let page = world.dm.history(&who(2), chat, HistoryRange::After(ServerSequence::ZERO), 10).await.unwrap();
    assert_eq!(page.messages.iter().map(|m| payload(m)).collect::<Vec<_>>(), ["0", "1", "2"]);
    let entries = world.pending(&who(2)).await;
    assert_eq!(common::texts(&entries), ["0", "1", "2"]);
    assert!(is_message(&entries[1]));
    assert_eq!(entries[1].seq, seq(2));
}

#[tokio::test]
async fn ids_are_uuids_of_version_seven() {
    let world = World::new();
    let chat = world.open(1, 2).await;
    let sent = world.dm.send(&who(1), SendMessage::new(chat, ciphertext("x"), START)).await.unwrap();
    for text in [chat.to_string(), sent.message.id.to_string()] {
        assert_eq!(text.as_bytes()[14], b'7', "{text}");
    }
}

#[tokio::test]
async fn an_invalid_configuration_is_refused_at_the_start() {
    let mut config = Config::default();
    config.batch = 0;
    let refused = Service::builder(MemoryStore::new()).config(config).start().unwrap_err();
    assert_eq!(refused.field(), "batch");
}
