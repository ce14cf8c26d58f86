//! Clause 25: the newest numbers of many inboxes.

use crate::build::{append, expire, open};
use crate::{Harness, World};

/// Number *i* belongs to user *i* of the query, also with users who have no inbox and users who are
/// named twice.
pub async fn newest_numbers_are_in_the_order_of_the_query<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), open(2, 1, 3), append(1, 1, 1).into()]).await;
    must_be!(world.heads([]).await, []);
    must_be!(world.heads([3, 9, 1, 2, 3, 9]).await, [1, 0, 3, 2, 1, 0]);
}

/// The newest number stays after its entry expired.
pub async fn the_newest_number_is_also_that_of_what_expired<H: Harness>(world: World<H>) {
    world.commit(vec![open(1, 1, 2), append(1, 1, 2).into(), append(1, 1, 3).into()]).await;
    world.done(expire(3, 100)).await;
    must_be!(world.heads([1, 2]).await, [3, 3]);
    world.done(expire(100, 100)).await;
    must_be!(world.heads([1, 2]).await, [3, 3]);
}

/// The store returns all of them, with more messages than its tables of recent rows hold.
pub async fn newest_numbers_of_three_hundred_users_are_told<H: Harness>(world: World<H>) {
    world.commit((1..=300).map(|n| open(n, 0, n)).collect()).await;
    world.commit((1..=300).map(|id| append(300 - id % 10, 0, id).into()).collect()).await;
    let expected: Vec<_> = (0..=300)
        .map(|n| {
            if n == 0 {
                600
            } else if n > 290 {
                31
            } else {
                1
            }
        })
        .collect();
    must_be!(world.heads(0..=300).await, expected);
}
