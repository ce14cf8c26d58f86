//! The limits on answers that are being built.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;

use super::world::{ANA, BO, SECOND, World, options};
use crate::problem::Problem;

#[tokio::test]
async fn at_most_two_answers_of_a_user_are_built_at_a_time() {
    let world = World::new(options()).await;
    let answers = &world.api.answers;
    let (begun, reads) = (AtomicUsize::new(0), Semaphore::new(0));
    let read = || async {
        begun.fetch_add(1, Ordering::Relaxed);
        reads.acquire().await.unwrap().forget();
        Ok(())
    };
    let mut ana: FuturesUnordered<_> =
        (0..8).map(|_| answers.build(ANA.parse().unwrap(), 1_024, read())).collect();
    assert!(ana.next().now_or_never().is_none());
    assert_eq!(begun.load(Ordering::Relaxed), 2, "the others wait before they read");
    // Bo's answer begins at once.
    let bo = answers.build(BO.parse().unwrap(), 1_024, read());
    assert!(bo.now_or_never().is_none());
    assert_eq!(begun.load(Ordering::Relaxed), 3);
    reads.add_permits(8);
    while let Some(made) = ana.next().await {
        assert!(made.is_ok());
    }
    assert_eq!(begun.load(Ordering::Relaxed), 9);
}

#[tokio::test]
async fn an_answer_without_a_slot_is_refused_in_time_and_holds_no_shared_permits() {
    let world = World::new(options()).await;
    let (answers, clock, ana) = (&world.api.answers, &world.clock, ANA.parse().unwrap());
    let (all, cost) = (answers.free_bytes(), 64 * 1024);
    let stuck = || Box::pin(answers.build(ana, cost, pending::<Result<(), Problem>>()));
    let (mut first, mut second, mut third) = (stuck(), stuck(), stuck());
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    assert!((&mut third).now_or_never().is_none());
    assert_eq!(answers.free_bytes(), all - 2 * cost, "the third has permits of its user only");
    clock.advance(12 * SECOND);
    assert!(third.await.is_err());
    // The reads of the first two are not limited in time.
    assert!((&mut first).now_or_never().is_none());
    drop((first, second));
    assert!(answers.build(ana, cost, async { Ok(()) }).await.is_ok());
}
