//! Sessions of one device on two nodes: exactly one of them stays, and no message is lost.

use std::time::{Duration, Instant};

use dm_core::notify::{SessionClaim, Term};
use dm_core::{MemoryStore, Session, SessionEnd};

use crate::common::{self, World, backlog, delivered_texts, on, poll_once, user, who};

/// Two nodes on one store, whose clocks show the same time.
fn two_nodes() -> (World, World) {
    let store = MemoryStore::new();
    (World::with(store.clone(), |_| ()), World::with(store, |_| ()))
}

/// The only claim of user 2's sessions on a node.
fn claim(node: &World) -> SessionClaim {
    let mut claims = node.hub.claims(user(2));
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

/// Whether a session has not ended. It must have nothing to deliver.
async fn is_open(session: &mut Session) -> bool {
    match poll_once(&mut Box::pin(session.next())).await {
        None => true,
        Some(Err(SessionEnd::Replaced)) => false,
        Some(other) => panic!("{other:?}"),
    }
}

/// Connects user 2 on a node, and takes the backlog.
async fn connect_and_catch_up(node: &World) -> Session {
    let mut session = node.connect(&who(2)).await;
    backlog(&mut session).await;
    session
}

/// Passes a claim from one node to the other, and an objection, if there is one, back.
fn pass_claim(from: &World, to: &World, claim: &SessionClaim) {
    if let Some(theirs) = to.hub.handle_claim(claim) {
        from.hub.handle_objection(claim.user, &claim.device, claim.term.session, theirs);
    }
}

#[tokio::test]
async fn a_newer_session_on_another_node_ends_the_older_one_and_gets_its_unacknowledged_messages() {
    let (here, there) = two_nodes();
    let chat = here.open(1, 2).await;
    here.send(&who(1), chat, "unacknowledged").await;
    let mut older = connect_and_catch_up(&here).await;
    there.clock.advance(Duration::from_millis(1));
    let mut newer = there.connect(&who(2)).await;
    assert_eq!(here.hub.handle_claim(&claim(&there)), None);
    assert!(!is_open(&mut older).await);
    assert_eq!(delivered_texts(&backlog(&mut newer).await), ["unacknowledged"]);
    assert!(is_open(&mut newer).await);
    assert!(here.hub.claims(user(2)).is_empty(), "a session that ended has no claim");
}

#[tokio::test]
async fn a_newer_session_stays_even_if_the_clock_of_its_node_is_behind() {
    let (here, there) = two_nodes();
    here.clock.advance(Duration::from_secs(3_600));
    let mut older = connect_and_catch_up(&here).await;
    let mut newer = connect_and_catch_up(&there).await;
    let mut watch = there.hub.watch_claims();
    watch.changed().await;
    let first = claim(&there);
    assert_eq!(there.hub.take_claims(user(2))[..], std::slice::from_ref(&first)[..]);
    let theirs = here.hub.handle_claim(&first).expect("the older one has the higher term");
    assert_eq!(theirs, claim(&here).term);
    there.hub.handle_objection(user(2), &first.device, first.term.session, theirs);
    assert_eq!(watch.changed().await, [user(2)], "the user has a new claim");
    let [second] = &there.hub.take_claims(user(2))[..] else { panic!("not one claim") };
    assert!(there.hub.take_claims(user(2)).is_empty(), "each claim is taken once");
    assert!(second.term > theirs && second.term.session == first.term.session);
    assert_eq!(here.hub.handle_claim(second), None);
    assert!(!is_open(&mut older).await);
    assert!(is_open(&mut newer).await);
}

#[tokio::test]
async fn a_younger_session_stays_when_the_claim_of_an_older_session_arrives_late() {
    for here_ahead in [Duration::ZERO, Duration::from_secs(3_600)] {
        for there_ahead in [Duration::ZERO, Duration::from_secs(60)] {
            let (here, there) = two_nodes();
            here.clock.advance(here_ahead);
            there.clock.advance(there_ahead);
            let mut older = connect_and_catch_up(&here).await;
            let mut younger = connect_and_catch_up(&there).await;
            let mut watch = there.hub.watch_claims();
            watch.changed().await;
            there.hub.take_claims(user(2));
            // The claim says that the older session is an hour old.
            let late = SessionClaim { age: Duration::from_secs(3_600), ..claim(&here) };
            assert_eq!(there.hub.handle_claim(&late), None);
            assert!(is_open(&mut younger).await);
            assert_eq!(watch.changed().await, [user(2)], "the younger session claims");
            let [claim] = &there.hub.take_claims(user(2))[..] else { panic!("not one claim") };
            assert_eq!(here.hub.handle_claim(claim), None);
            assert!(!is_open(&mut older).await);
        }
    }
}

#[tokio::test]
async fn exactly_one_of_two_simultaneous_sessions_stays_in_every_order_of_claims() {
    for late in [Duration::ZERO, Duration::from_secs(1)] {
        for order in 0..6 {
            let (here, there) = two_nodes();
            there.clock.advance(late);
            let (mut one, mut other) =
                (connect_and_catch_up(&here).await, connect_and_catch_up(&there).await);
            let (mine, yours) = (claim(&here), claim(&there));
            // Each node makes its claim before it gets the claim of the other node. The order of
            // the answers differs.
            match order {
                0 => (pass_claim(&here, &there, &mine), pass_claim(&there, &here, &yours)),
                1 => (pass_claim(&there, &here, &yours), pass_claim(&here, &there, &mine)),
                _ => {
                    let (to_mine, to_yours) = (there.hub.handle_claim(&mine), here.hub.handle_claim(&yours));
                    let object = |node: &World, claim: &SessionClaim, theirs: Option<Term>| {
                        if let Some(theirs) = theirs {
                            node.hub.handle_objection(user(2), &claim.device, claim.term.session, theirs);
                        }
                    };
                    (object(&here, &mine, to_mine), object(&there, &yours, to_yours))
                }
            };
            // Each raised term is a new claim, which is passed on.
            for _ in 0..8 {
                for (from, to) in [(&here, &there), (&there, &here)] {
                    for claim in from.hub.claims(user(2)) {
                        pass_claim(from, to, &claim);
                    }
                }
            }
            let stay = (is_open(&mut one).await, is_open(&mut other).await);
            assert!(stay.0 != stay.1, "{stay:?}, {late:?}, order {order}");
        }
    }
}

#[tokio::test]
async fn a_claim_carries_the_age_of_its_session() {
    let began = Instant::now();
    let here = World::new();
    let _session = connect_and_catch_up(&here).await;
    let age = claim(&here).age;
    assert!(age <= began.elapsed(), "{age:?}");
    // The age is measured with the machine's clock; the world's clock does not move.
    let span = Duration::from_millis(2);
    let from = Instant::now();
    while from.elapsed() < span {
        tokio::task::yield_now().await;
    }
    assert!(claim(&here).age >= age + span);
}

#[tokio::test]
async fn a_claim_ends_neither_other_devices_sessions_nor_followers_nor_its_own_session() {
    let (here, there) = two_nodes();
    let mut phone = here.connect(&on(2, "phone")).await;
    let mut follower = here.dm.follow(&who(2)).await.unwrap();
    backlog(&mut phone).await;
    there.clock.advance(Duration::from_secs(1));
    let _newer = connect_and_catch_up(&there).await;
    assert_eq!(here.hub.handle_claim(&claim(&there)), None);
    assert_eq!(here.hub.handle_claim(&claim(&here)), None, "its own claim, sent back");
    assert!(is_open(&mut phone).await && is_open(&mut follower).await);
    assert_eq!(claim(&here).device, on(2, "phone").device, "followers have no claim");
}

#[tokio::test]
async fn a_session_that_takes_over_on_one_node_has_a_higher_term_even_if_the_clock_was_set_back() {
    let world = World::new();
    world.clock.advance(Duration::from_secs(3_600));
    let _older = world.connect(&who(2)).await;
    let first = claim(&world).term;
    world.clock.set(common::START);
    let _newer = world.connect(&who(2)).await;
    assert!(claim(&world).term > first);
}

#[tokio::test]
async fn a_watch_of_claims_returns_new_device_sessions_and_takeovers_only() {
    let world = World::new();
    let early = world.connect(&who(1)).await;
    let mut watch = world.hub.watch_claims();
    assert_eq!(watch.changed().await, [user(1)]);
    let _follower = world.dm.follow(&who(2)).await.unwrap();
    drop(world.connect(&who(3)).await);
    drop(early);
    assert!(poll_once(&mut Box::pin(watch.changed())).await.is_none());
    let _older = world.connect(&who(2)).await;
    assert_eq!(watch.changed().await, [user(2)]);
    let _newer = world.connect(&who(2)).await;
    assert_eq!(watch.changed().await, [user(2)]);
}

#[tokio::test]
async fn a_session_ends_at_the_fifth_objection() {
    let (here, there) = two_nodes();
    let mut session = connect_and_catch_up(&here).await;
    let _theirs = connect_and_catch_up(&there).await;
    let rival = claim(&there).term.session;
    let mut raised = 0;
    while is_open(&mut session).await {
        let own = claim(&here);
        let theirs = Term { at: own.term.at.after(Duration::from_secs(1)), session: rival };
        here.hub.handle_objection(user(2), &own.device, own.term.session, theirs);
        raised += 1;
    }
    assert_eq!(raised, 5, "it raises its term four times");
}

#[tokio::test]
async fn an_objection_with_the_largest_time_ends_no_session() {
    let (here, there) = two_nodes();
    let mut session = connect_and_catch_up(&here).await;
    let mut rival = claim(&here);
    let _theirs = connect_and_catch_up(&there).await;
    rival.term = Term { at: dm_core::Timestamp::from_millis(u64::MAX), session: claim(&there).term.session };
    let before = claim(&here);
    here.hub.handle_objection(user(2), &before.device, before.term.session, rival.term);
    let after = claim(&here).term;
    assert!(after == before.term || after > rival.term);
    assert!(is_open(&mut session).await);
}
