//! The REST calls, with the real server.

use dm_client::{
    AckTarget, ClientError, ClientMessageId, ConnectionConfig, ConnectionState, End, Event, HistoryRange,
    Identity, InboxSeq, KeyTrust, KeyVersion, NewMessage, OsEntropy, OutgoingMessage, PeerKey, Reader,
    ServerSequence, Timestamp,
};
use dm_core::{Config, KeyPolicy};

use crate::server::host::{Host, Pair};

#[tokio::test]
async fn a_key_is_published_once_and_can_be_looked_up() {
    let pair = Pair::start().await;
    let client = pair.host.client(&pair.ana, "laptop");
    let again = client.publish_key(&pair.ana.agreement_key()).await.unwrap();
    let seen = client.key(&pair.ana.user_id()).await.unwrap();
    assert_eq!((again.version, &again), (Some(KeyVersion::FIRST), &seen));
    PeerKey::from_record(pair.ana.user_id(), &seen, KeyTrust::Derived).unwrap();
    let nobody = Identity::from_seed(&[9; 32]).user_id();
    assert!(client.key(&nobody).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_conversation_exists_once_and_is_listed_for_both() {
    let pair = Pair::start().await;
    let (ana, ben) = (pair.host.client(&pair.ana, "laptop"), pair.host.client(&pair.ben, "phone"));
    let opened = ben.open_conversation(&pair.ana.user_id()).await.unwrap();
    assert_eq!(opened.id, pair.conversation.id);
    assert_eq!(opened.peer_of(&pair.ben.user_id()).unwrap().user, pair.ana.user_id());
    for seed in 10..13 {
        let other = Identity::from_seed(&[seed; 32]).user_id();
        ana.open_conversation(&other).await.unwrap();
    }
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let page = ana.conversations(3, cursor.as_deref()).await.unwrap();
        listed.extend(page.conversations.into_iter().map(|conversation| conversation.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed.len(), 4);
    assert!(ana.open_conversation(&pair.ana.user_id()).await.is_err());
}

#[tokio::test]
async fn a_repeated_send_is_one_message_and_other_content_under_its_id_is_refused() {
    let pair = Pair::start().await;
    let client = pair.host.client(&pair.ana, "laptop");
    let message = NewMessage::new(pair.conversation.id, PeerKey::derived(pair.ben.user_id()), b"once");
    let id = ClientMessageId::generate(&mut OsEntropy).unwrap();
    let sent_at = Timestamp::from_millis(7);
    let seal = || OutgoingMessage::seal(&pair.ana, &message, id, sent_at, &mut OsEntropy).unwrap();
    let sealed = seal();
    let first = client.deliver(&sealed).await.unwrap();
    let second = client.deliver(&sealed).await.unwrap();
    assert_eq!((first.id, first.sequence, first.repeated), (second.id, second.sequence, !second.repeated));
    assert!(client.deliver(&seal()).await.unwrap_err().is_message_id_reused());
    let page = client.history(pair.conversation.id, HistoryRange::Newest, 10).await.unwrap();
    assert_eq!((page.messages.len(), page.messages[0].client_id), (1, Some(id)));
}

#[tokio::test]
async fn history_is_read_in_both_directions_and_opens() {
    let pair = Pair::start().await;
    for number in 1..=5 {
        pair.send(&format!("number {number}")).await;
    }
    let client = pair.host.client(&pair.ben, "phone");
    let (reader, key) = (Reader::new(pair.ben.clone()), PeerKey::derived(pair.ana.user_id()));
    let read = async |range, limit| {
        let page = client.history(pair.conversation.id, range, limit).await.unwrap();
        let opened = page.messages.iter().map(|message| {
            let text = reader.open(message, &key).unwrap().plaintext;
            assert_eq!(text, format!("number {}", message.sequence).into_bytes());
            message.sequence.get()
        });
        (opened.collect::<Vec<_>>(), page.has_more)
    };
    assert_eq!(read(HistoryRange::Newest, 2).await, (vec![5, 4], true));
    assert_eq!(read(HistoryRange::Before(ServerSequence::new(4)), 10).await, (vec![3, 2, 1], false));
    assert_eq!(read(HistoryRange::After(ServerSequence::new(2)), 2).await, (vec![3, 4], true));
    let elsewhere = dm_client::ConversationId::from(uuid::Uuid::from_u128(5));
    assert!(client.history(elsewhere, HistoryRange::Newest, 1).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn messages_are_pending_until_they_are_acknowledged() {
    let pair = Pair::start().await;
    let client = pair.host.client(&pair.ben, "phone");
    for number in 1..=3 {
        pair.send(&format!("number {number}")).await;
    }
    let page = client.pending(2, None).await.unwrap();
    assert_eq!(page.messages.len(), 2);
    let rest = client.pending(2, page.next).await.unwrap();
    assert_eq!((rest.messages.len(), rest.next, rest.gap), (1, None, None));
    let named = page.messages.iter().map(|message| message.id).collect();
    let done = client.acknowledge(AckTarget::Messages(named)).await.unwrap();
    assert_eq!((done.acknowledged, done.unknown), (2, 0));
    let left = client.pending(10, None).await.unwrap();
    assert_eq!(left.messages, rest.messages);
    let beyond = client.acknowledge(AckTarget::UpTo(InboxSeq::new(u64::MAX))).await.unwrap_err();
    assert!(matches!(beyond, ClientError::Refused(problem) if problem.status == 422));
}

#[tokio::test]
async fn a_ticket_has_an_expiry_and_is_hidden_in_debug_output() {
    let pair = Pair::start().await;
    let ticket = pair.host.client(&pair.ana, "laptop").ws_ticket().await.unwrap();
    assert!(ticket.expires_at.is_some() && !format!("{ticket:?}").contains(&ticket.ticket));
}

#[tokio::test]
async fn a_changed_key_is_used_only_if_the_server_is_trusted() {
    let mut config = Config::default();
    config.key_policy = KeyPolicy::AcceptUnproven;
    let pair = Pair::on(Host::with(config).await).await;
    let client = pair.host.client(&pair.ana, "laptop");
    let ben = pair.ben.user_id();
    let first = PeerKey::from_record(ben, &client.key(&ben).await.unwrap(), KeyTrust::Derived).unwrap();
    let another = Identity::from_seed(&[7; 32]);
    pair.host.client(&pair.ben, "phone").publish_key(&another.agreement_key()).await.unwrap();

    let message = NewMessage::new(pair.conversation.id, first, b"to whom?");
    let refused = client.send(&pair.ana, &message, KeyTrust::Derived).await.unwrap_err();
    assert!(matches!(refused, ClientError::UntrustedKey(_)), "{refused:?}");
    let stored = client.send(&pair.ana, &message, KeyTrust::Server).await.unwrap();
    assert_eq!((stored.sequence.get(), stored.repeated), (1, false));
}

#[tokio::test]
async fn calls_without_a_token_or_by_a_third_user_are_refused() {
    let pair = Pair::start().await;
    let third = Identity::from_seed(&[9; 32]);
    let client = pair.host.client(&third, "x");
    assert!(client.history(pair.conversation.id, HistoryRange::Newest, 1).await.unwrap_err().is_not_found());
    let anonymous = pair.host.anonymous();
    assert!(anonymous.ws_ticket().await.unwrap_err().is_unauthorized());
    let mut connection = anonymous.connect(ConnectionConfig::default());
    assert!(connection.next().await.is_none());
    let ended = ConnectionState::Ended(End::Unauthorized);
    assert_eq!(*connection.state().borrow(), ended);
}

#[tokio::test]
async fn devices_are_listed_and_forgotten_by_an_unregistered_device() {
    let pair = Pair::start().await;
    let mut connection = pair.host.client(&pair.ana, "phone").connect(ConnectionConfig::default());
    while !matches!(connection.next().await, Some(Event::CaughtUp { .. })) {}
    let laptop = pair.host.client(&pair.ana, "laptop");
    let devices = laptop.devices().await.unwrap();
    assert_eq!(devices.iter().map(|known| known.device.as_str()).collect::<Vec<_>>(), ["phone"]);
    assert!(devices[0].registered_at > Timestamp::default());

    let phone = "phone".parse().unwrap();
    assert!(
        !pair.host.client(&pair.ben, "phone").forget_device(&phone).await.unwrap(),
        "the device is not registered for Ben"
    );
    assert!(laptop.forget_device(&phone).await.unwrap());
    // The connection ends without another attempt, because it would register the device again.
    while connection.next().await.is_some() {}
    let state = connection.state();
    let ended = state.borrow().clone();
    assert!(matches!(ended, ConnectionState::Ended(End::Refused(problem)) if problem.status == 403));
    assert!(laptop.devices().await.unwrap().is_empty());
    assert!(!laptop.forget_device(&phone).await.unwrap());
}
