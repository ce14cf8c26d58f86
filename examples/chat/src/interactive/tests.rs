//! Two people at a real host, without a terminal.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use dm_client::{
    Client, HistoryRange, KeyTrust, NewMessage, PeerKey, PublicKey, Suite, Timeouts, sign_in::sign_in,
};

use super::*;
use crate::{
    net::Link,
    state::{State, Text, Thread},
    testing::TestHost,
};

struct Person {
    app: App,
    net: Net,
}

fn identity(seed: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[seed; 32]))
}

fn new_app(name: &str, seed: u8, state: State) -> App {
    App::new(identity(seed), name.to_owned(), state, Box::new(OsEntropy))
}

impl Person {
    fn sits_down(host: &TestHost, name: &str, seed: u8, state: State) -> Self {
        let account = Account {
            server: host.url.clone(),
            name: name.to_owned(),
            identity: identity(seed),
            device: "desk".parse().unwrap(),
            server_id: state.server_id.clone(),
        };
        Self { app: new_app(name, seed, state), net: Net::start(account) }
    }

    /// Takes in news until this is so.
    async fn until(&mut self, what: impl Fn(&App) -> bool) {
        loop {
            hand_over(&mut self.app, &self.net);
            if what(&self.app) {
                return;
            }
            let mut receipts = Vec::new();
            let parcel = self.net.news.recv().await.expect("the network side lives");
            unpack(&mut self.app, parcel, &mut receipts);
            receipts.into_iter().for_each(Receipt::acknowledge);
        }
    }

    async fn online(&mut self) {
        self.until(|app| app.link == Link::Online && app.state.server_id.is_some()).await;
    }

    fn press(&mut self, codes: impl IntoIterator<Item = KeyCode>) {
        for code in codes {
            self.app.key(KeyEvent::new(code, KeyModifiers::NONE), SystemClock.now());
        }
        hand_over(&mut self.app, &self.net);
    }

    fn write(&mut self, text: &str) {
        self.press(text.chars().map(KeyCode::Char));
        self.press([KeyCode::Enter]);
    }

    /// Finds somebody by name and opens the conversation.
    async fn turn_to(&mut self, name: &str, user: PublicKey) {
        self.press([KeyCode::Char('n')]);
        self.write(name);
        let found =
            |app: &App| app.people.found.as_ref().map(|(query, people)| (query.clone(), people.len()));
        self.until(|app| found(app) == Some((name.to_owned(), 1))).await;
        self.press([KeyCode::Enter]);
        self.until(|app| open(app).is_some_and(|thread| thread.peer == user)).await;
    }

    async fn stands_up(self) -> State {
        self.net.close().await;
        self.app.state
    }
}

fn open(app: &App) -> Option<&Thread> {
    app.state.thread(app.open?)
}

fn texts(app: &App) -> Vec<&str> {
    let messages = app.state.threads.iter().flat_map(|thread| &thread.messages);
    messages
        .map(|entry| match &entry.text {
            Text::Plain(text) => text.as_str(),
            Text::Unreadable(_) => "unreadable",
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_find_each_other_and_talk() {
    let host = TestHost::start().await;
    let mut ben = Person::sits_down(&host, "Ben B.", 2, State::default());
    ben.online().await;
    let mut ana = Person::sits_down(&host, "Ana", 1, State::default());
    ana.online().await;
    ana.turn_to("ben", identity(2).public_key()).await;
    ana.write("at noon?");
    ana.until(|app| app.state.waiting().is_empty()).await;
    assert_eq!(texts(&ana.app), ["at noon?"]);

    ben.until(|app| texts(app) == ["at noon?"]).await;
    assert_eq!((ben.app.state.threads[0].unread, ben.app.state.threads[0].peer_name.as_str()), (1, "Ana"));
    ben.press([KeyCode::Enter]);
    ben.write("yes");
    ana.until(|app| texts(app) == ["at noon?", "yes"]).await;
    assert_eq!((ana.app.state.threads[0].unread, ben.app.state.threads[0].unread), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_offline_survives_a_restart_and_is_sent_once() {
    let host = TestHost::start().await;
    let mut ben = Person::sits_down(&host, "Ben", 2, State::default());
    ben.online().await;
    let mut ana = Person::sits_down(&host, "Ana", 1, State::default());
    ana.online().await;
    ana.turn_to("ben", identity(2).public_key()).await;
    let state = ana.stands_up().await;

    // Without a network: typed, written down, quit; and the same again.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let mut app = new_app("Ana", 1, state);
    for text in ["first", "second"] {
        app.key(KeyEvent::from(KeyCode::Enter), 0);
        app.paste(text);
        app.key(KeyEvent::from(KeyCode::Enter), SystemClock.now());
        saved::save(&path, &app.state).unwrap();
        app = new_app("Ana", 1, saved::load(&path).unwrap());
    }
    assert_eq!(app.state.waiting().len(), 2);

    let mut ana = Person::sits_down(&host, "Ana", 1, app.state);
    ana.until(|app| app.state.waiting().is_empty()).await;
    ben.until(|app| texts(app) == ["first", "second"]).await;
    // The program crashed before it learned that they were stored: they go out once more, and stay two.
    let mut again = Person::sits_down(&host, "Ana", 1, saved::load(&path).unwrap());
    again.until(|app| app.state.waiting().is_empty()).await;
    again.press([KeyCode::Enter]);
    again.write("third");
    ben.until(|app| texts(app).last() == Some(&"third")).await;
    assert_eq!(texts(&ben.app), ["first", "second", "third"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_kept_no_longer_are_read_from_the_server_when_scrolled_to() {
    let host = TestHost::start().await;
    let mut ben = Person::sits_down(&host, "Ben", 2, State::default());
    ben.online().await;
    let mut ana = Person::sits_down(&host, "Ana", 1, State::default());
    ana.online().await;
    ana.turn_to("ben", identity(2).public_key()).await;
    for text in ["one", "two", "three"] {
        ana.write(text);
    }
    ben.until(|app| texts(app).len() == 3).await;
    ben.app.state.threads[0].messages.drain(..2);
    ben.press([KeyCode::Enter]);
    ben.until(|app| app.link == Link::Online).await;
    ben.app.reached_the_top();
    ben.until(|app| texts(app) == ["one", "two", "three"]).await;
    assert!(!ben.app.loading_older);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_at_the_same_address_is_not_taken_for_the_known_one() {
    let host = TestHost::start().await;
    let state = State { server_id: Some("another".to_owned()), ..State::default() };
    let mut ana = Person::sits_down(&host, "Ana", 1, state);
    ana.until(|app| matches!(&app.link, Link::Stopped(reason) if reason.contains("another server"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_answered_in_the_oldest_encryption_until_they_write_in_a_better_one() {
    let host = TestHost::start().await;
    let mut ana = Person::sits_down(&host, "Ana", 1, State::default());
    ana.online().await;
    let (ben, to_ana) = (identity(2), PeerKey::derived(identity(1).public_key()));
    let session = sign_in(&host.url, &ben, Some("Ben"), None, Timeouts::default()).await.unwrap();
    let client = Client::builder(&host.url).token(session.token).build().unwrap();
    client.publish_key(&ben.agreement_key()).await.unwrap();
    let conversation = client.open_conversation(&to_ana.user()).await.unwrap().id;
    let say = async |text: &str, suite| {
        let mut message = NewMessage::new(conversation, to_ana.clone(), text.as_bytes());
        message.suite = suite;
        client.send(&ben, &message, KeyTrust::Derived).await.unwrap();
    };
    let suites = async || {
        let page = client.history(conversation, HistoryRange::After(0), 100).await.unwrap();
        page.messages.iter().map(|message| message.suite).collect::<Vec<_>>()
    };
    say("old", Suite::Zero).await;
    ana.until(|app| texts(app) == ["old"]).await;
    ana.press([KeyCode::Enter]);
    ana.write("in kind");
    ana.until(|app| app.state.waiting().is_empty()).await;
    assert_eq!(suites().await, [0, 0]);
    say("new", Suite::One).await;
    ana.until(|app| texts(app).len() == 3).await;
    ana.write("in kind, too");
    ana.until(|app| app.state.waiting().is_empty()).await;
    assert_eq!(suites().await, [0, 0, 1, 1]);

    // After a restart, what comes in the oldest encryption is not shown as if Ben had written it
    // now.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    saved::save(&path, &ana.stands_up().await).unwrap();
    let mut ana = Person::sits_down(&host, "Ana", 1, saved::load(&path).unwrap());
    ana.online().await;
    say("old again", Suite::Zero).await;
    ana.until(|app| texts(app).len() == 5).await;
    assert_eq!(texts(&ana.app), ["old", "in kind", "new", "in kind, too", "unreadable"]);
}
