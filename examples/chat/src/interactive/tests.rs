//! Tests with a real host, without a terminal.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use dm_client::sign_in::sign_in;
use dm_client::{
    Client, HistoryRange, KeyTrust, NewMessage, PeerKey, ServerSequence, Suite, Timeouts, UserId,
};

use super::*;
use crate::net::Link;
use crate::state::{LocalConversation, State, Text};
use crate::testing::TestHost;

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
    fn start(host: &TestHost, name: &str, seed: u8, state: State) -> Self {
        let account = Account {
            server: host.url.clone(),
            name: name.to_owned(),
            identity: identity(seed),
            device: "desk".parse().unwrap(),
            server_id: state.server_id.clone(),
        };
        Self { app: new_app(name, seed, state), net: Net::start(account) }
    }

    /// Applies events until a condition holds.
    async fn until(&mut self, condition: impl Fn(&App) -> bool) {
        loop {
            send_commands(&mut self.app, &self.net);
            if condition(&self.app) {
                return;
            }
            let mut receipts = Vec::new();
            let tracked = self.net.events.recv().await.expect("the network task runs");
            apply(&mut self.app, tracked, &mut receipts);
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
        send_commands(&mut self.app, &self.net);
    }

    fn write(&mut self, text: &str) {
        self.press(text.chars().map(KeyCode::Char));
        self.press([KeyCode::Enter]);
    }

    /// Searches a user by name and opens the conversation with them.
    async fn open_with(&mut self, name: &str, user: UserId) {
        self.press([KeyCode::Char('n')]);
        self.write(name);
        let found =
            |app: &App| app.people.found.as_ref().map(|(query, people)| (query.clone(), people.len()));
        self.until(|app| found(app) == Some((name.to_owned(), 1))).await;
        self.press([KeyCode::Enter]);
        self.until(|app| open(app).is_some_and(|conversation| conversation.peer == user)).await;
    }

    async fn quit(self) -> State {
        self.net.close().await;
        self.app.state
    }
}

fn open(app: &App) -> Option<&LocalConversation> {
    app.state.find(app.open?)
}

fn texts(app: &App) -> Vec<&str> {
    let messages = app.state.conversations.iter().flat_map(|conversation| &conversation.messages);
    messages
        .map(|entry| match &entry.text {
            Text::Plain(text) => text.as_str(),
            Text::Unreadable(_) => "unreadable",
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_find_each_other_and_exchange_messages() {
    let host = TestHost::start().await;
    let mut ben = Person::start(&host, "Ben B.", 2, State::default());
    ben.online().await;
    let mut ana = Person::start(&host, "Ana", 1, State::default());
    ana.online().await;
    ana.open_with("ben", identity(2).user_id()).await;
    ana.write("at noon?");
    ana.until(|app| app.state.waiting().is_empty()).await;
    assert_eq!(texts(&ana.app), ["at noon?"]);

    ben.until(|app| texts(app) == ["at noon?"]).await;
    assert_eq!(
        (ben.app.state.conversations[0].unread, ben.app.state.conversations[0].peer_name.as_str()),
        (1, "Ana")
    );
    ben.press([KeyCode::Enter]);
    ben.write("yes");
    ana.until(|app| texts(app) == ["at noon?", "yes"]).await;
    assert_eq!((ana.app.state.conversations[0].unread, ben.app.state.conversations[0].unread), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_written_offline_survives_a_restart_and_is_sent_once() {
    let host = TestHost::start().await;
    let mut ben = Person::start(&host, "Ben", 2, State::default());
    ben.online().await;
    let mut ana = Person::start(&host, "Ana", 1, State::default());
    ana.online().await;
    ana.open_with("ben", identity(2).user_id()).await;
    let state = ana.quit().await;

    // Without a network, two messages are typed. After each, the state is saved and loaded again.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let mut app = new_app("Ana", 1, state);
    for text in ["first", "second"] {
        app.key(KeyEvent::from(KeyCode::Enter), Timestamp::default());
        app.paste(text);
        app.key(KeyEvent::from(KeyCode::Enter), SystemClock.now());
        saved::save(&path, &app.state).unwrap();
        app = new_app("Ana", 1, saved::load(&path).unwrap());
    }
    assert_eq!(app.state.waiting().len(), 2);

    let mut ana = Person::start(&host, "Ana", 1, app.state);
    ana.until(|app| app.state.waiting().is_empty()).await;
    ben.until(|app| texts(app) == ["first", "second"]).await;
    // The program crashed before the answers: both messages are sent again and are still stored
    // once.
    let mut again = Person::start(&host, "Ana", 1, saved::load(&path).unwrap());
    again.until(|app| app.state.waiting().is_empty()).await;
    again.press([KeyCode::Enter]);
    again.write("third");
    ben.until(|app| texts(app).last() == Some(&"third")).await;
    assert_eq!(texts(&ben.app), ["first", "second", "third"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn trimmed_messages_are_read_from_the_server_when_scrolled_to() {
    let host = TestHost::start().await;
    let mut ben = Person::start(&host, "Ben", 2, State::default());
    ben.online().await;
    let mut ana = Person::start(&host, "Ana", 1, State::default());
    ana.online().await;
    ana.open_with("ben", identity(2).user_id()).await;
    for text in ["one", "two", "three"] {
        ana.write(text);
    }
    ben.until(|app| texts(app).len() == 3).await;
    ben.app.state.conversations[0].messages.drain(..2);
    ben.press([KeyCode::Enter]);
    ben.until(|app| app.link == Link::Online).await;
    ben.app.load_older();
    ben.until(|app| texts(app) == ["one", "two", "three"]).await;
    assert!(!ben.app.loading_older);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_at_the_same_address_is_refused() {
    let host = TestHost::start().await;
    let state = State { server_id: Some("another".to_owned()), ..State::default() };
    let mut ana = Person::start(&host, "Ana", 1, state);
    ana.until(|app| matches!(&app.link, Link::Stopped(reason) if reason.contains("another server"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_use_suite_0_until_the_peer_sends_in_suite_1() {
    let host = TestHost::start().await;
    let mut ana = Person::start(&host, "Ana", 1, State::default());
    ana.online().await;
    let (ben, to_ana) = (identity(2), PeerKey::derived(identity(1).user_id()));
    let login = sign_in(&host.url, &ben, Some("Ben"), None, Timeouts::default()).await.unwrap();
    let client = Client::builder(&host.url).token(login.token).build().unwrap();
    client.publish_key(&ben.agreement_key()).await.unwrap();
    let conversation = client.open_conversation(&to_ana.user()).await.unwrap().id;
    let say = async |text: &str, suite| {
        let mut message = NewMessage::new(conversation, to_ana.clone(), text.as_bytes());
        message.suite = suite;
        client.send(&ben, &message, KeyTrust::Derived).await.unwrap();
    };
    let suites = async || {
        let page =
            client.history(conversation, HistoryRange::After(ServerSequence::ZERO), 100).await.unwrap();
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

    // After a restart, a message in suite 0 is not shown as a message of Ben's.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    saved::save(&path, &ana.quit().await).unwrap();
    let mut ana = Person::start(&host, "Ana", 1, saved::load(&path).unwrap());
    ana.online().await;
    say("old again", Suite::Zero).await;
    ana.until(|app| texts(app).len() == 5).await;
    assert_eq!(texts(&ana.app), ["old", "in kind", "new", "in kind, too", "unreadable"]);
}
