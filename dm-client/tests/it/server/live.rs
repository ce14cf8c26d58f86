//! Connections to the inbox, with the real server.

use std::time::Duration;

use dm_client::{
    Connection, ConnectionConfig, ConnectionState, Content, End, Event, KeyTrust, NewMessage, PeerKey,
    Reader, RetryPolicy,
};
use dm_core::store::{Notice, OtherNotice, Outcome, Post, Store as _, Write};

use crate::server::host::{Pair, next_message};

async fn until_caught_up(connection: &mut Connection) -> usize {
    let mut messages = 0;
    loop {
        match connection.next().await.unwrap() {
            Event::Delivery(delivery) => {
                messages += usize::from(matches!(delivery.content, Content::Message(_)));
                delivery.acknowledge();
            }
            _ => return messages,
        }
    }
}

#[tokio::test]
async fn pending_and_new_messages_open_and_acknowledged_ones_are_not_delivered_again() {
    let pair = Pair::start().await;
    let (reader, key) = (Reader::new(pair.ben.clone()), PeerKey::derived(pair.ana.user_id()));
    let first = pair.send("while away").await;
    let mut connection = pair.connect_ben("phone");
    let (message, receipt) = next_message(&mut connection).await;
    assert_eq!((message.id, message.sequence.get()), (first.id, 1));
    assert_eq!(reader.open(&message, &key).unwrap().plaintext, b"while away");
    receipt.acknowledge();
    assert_eq!(until_caught_up(&mut connection).await, 0);

    pair.send("while here").await;
    let (message, receipt) = next_message(&mut connection).await;
    assert_eq!(reader.open(&message, &key).unwrap().plaintext, b"while here");
    receipt.acknowledge();
    connection.close().await;

    let mut connection = pair.connect_ben("phone");
    assert_eq!(until_caught_up(&mut connection).await, 0);
}

#[tokio::test]
async fn an_entry_about_an_unknown_event_is_delivered_and_acknowledged() {
    let pair = Pair::start().await;
    let notice = Notice::Other(OtherNotice::new(vec![200; Notice::MAX_LEN]).unwrap());
    let to = pair.ben.user_id().to_string().parse().unwrap();
    let post = Post { to, addressee: None, origin: None, at: dm_core::Timestamp::from_millis(5), notice };
    let outcomes = pair.host.store.commit(vec![Write::default().post(post)]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Done(_)]), "{outcomes:?}");
    pair.send("next").await;

    let mut connection = pair.connect_ben("phone");
    loop {
        let Some(Event::Delivery(delivery)) = connection.next().await else { continue };
        let (content, receipt) = delivery.into_parts();
        receipt.acknowledge();
        if content == Content::Unknown {
            break;
        }
    }
    let (message, receipt) = next_message(&mut connection).await;
    assert_eq!(message.sequence.get(), 1);
    receipt.acknowledge();
    connection.close().await;
    let device = dm_core::Principal::new(to, "phone".parse().unwrap());
    assert_eq!(pair.host.service.depth(&device).await.unwrap(), dm_core::Depth::default());
}

#[tokio::test]
async fn a_device_gets_unacknowledged_messages_again_and_another_device_gets_all() {
    let pair = Pair::start().await;
    for number in 1..=3 {
        pair.send(&format!("number {number}")).await;
    }
    let mut connection = pair.connect_ben("phone");
    let (first, receipt) = next_message(&mut connection).await;
    receipt.acknowledge();
    let (second, _dropped) = next_message(&mut connection).await;
    assert_eq!((first.sequence.get(), second.sequence.get()), (1, 2));
    connection.close().await;

    let mut again = pair.connect_ben("phone");
    assert_eq!(next_message(&mut again).await.0.id, second.id);
    let mut other = pair.connect_ben("tablet");
    assert_eq!(next_message(&mut other).await.0.id, first.id);
}

#[tokio::test]
async fn the_senders_other_device_gets_a_copy_that_opens_and_the_sending_device_gets_none() {
    let pair = Pair::start().await;
    let stored = pair.send("to Ben").await;
    let mut laptop = pair.host.client(&pair.ana, "laptop").connect(ConnectionConfig::default());
    assert_eq!(until_caught_up(&mut laptop).await, 0);
    let mut phone = pair.host.client(&pair.ana, "phone").connect(ConnectionConfig::default());
    let (message, _receipt) = next_message(&mut phone).await;
    assert_eq!(message.id, stored.id);
    let to_ben = PeerKey::derived(pair.ben.user_id());
    assert_eq!(Reader::new(pair.ana.clone()).open(&message, &to_ben).unwrap().plaintext, b"to Ben");
}

#[tokio::test]
async fn a_second_connection_of_the_device_takes_over_and_the_first_ends() {
    let pair = Pair::start().await;
    let mut first = pair.connect_ben("phone");
    until_caught_up(&mut first).await;
    let mut second = pair.connect_ben("phone");
    until_caught_up(&mut second).await;
    assert!(first.next().await.is_none());
    assert_eq!(*first.state().borrow(), ConnectionState::Ended(End::Replaced));
    pair.send("to the second").await;
    assert_eq!(next_message(&mut second).await.0.sequence.get(), 1);
}

#[tokio::test]
async fn after_restarts_of_the_server_no_message_is_missed_or_repeated() {
    let pair = Pair::start().await;
    let retry = RetryPolicy {
        attempts: u32::MAX,
        first: Duration::from_millis(20),
        longest: Duration::from_millis(100),
    };
    let config = ConnectionConfig { retry, ..ConnectionConfig::default() };
    let mut connection = pair.host.client(&pair.ben, "phone").connect(config);
    until_caught_up(&mut connection).await;
    let mut expected = 0;
    let mut held = Vec::new();
    for _ in 0..3 {
        for _ in 0..10 {
            pair.send("up").await;
            expected += 1;
            let (message, receipt) = next_message(&mut connection).await;
            assert_eq!(message.sequence.get(), expected);
            // Every third message is acknowledged after the restart, the others at once.
            if expected % 3 == 0 { held.push(receipt) } else { receipt.acknowledge() }
        }
        pair.host.stop().await;
        connection.state().wait_for(|state| !matches!(state, ConnectionState::Online { .. })).await.unwrap();
        // This send begins while the server is stopped, and succeeds after the restart.
        let (stored, ()) = tokio::join!(pair.send("down"), async {
            connection
                .state()
                .wait_for(|state| matches!(state, ConnectionState::Waiting { .. }))
                .await
                .unwrap();
            pair.host.restart().await;
        });
        expected += 1;
        assert_eq!(stored.sequence.get(), expected);
        let (message, receipt) = next_message(&mut connection).await;
        assert_eq!(message.sequence.get(), expected);
        receipt.acknowledge();
        held.drain(..).for_each(dm_client::Receipt::acknowledge);
    }
    connection.close().await;
    let mut connection = pair.connect_ben("phone");
    assert_eq!(until_caught_up(&mut connection).await, 0);
}

#[tokio::test]
async fn a_thousand_messages_arrive_in_order_over_many_windows() {
    const MESSAGES: u64 = 1_000;
    let pair = Pair::start().await;
    let client = pair.host.client(&pair.ana, "laptop");
    let mut connection = pair.connect_ben("phone");
    let sending = async {
        for number in 1..=MESSAGES {
            let text = number.to_string();
            let key = PeerKey::derived(pair.ben.user_id());
            let message = NewMessage::new(pair.conversation.id, key, text.as_bytes());
            client.send(&pair.ana, &message, KeyTrust::Derived).await.unwrap();
        }
    };
    let receiving = async {
        for number in 1..=MESSAGES {
            let (message, receipt) = next_message(&mut connection).await;
            assert_eq!(message.sequence.get(), number);
            receipt.acknowledge();
        }
    };
    tokio::join!(sending, receiving);
}
