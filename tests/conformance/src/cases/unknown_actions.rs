//! Clause 5: unknown actions.

use dm_core::store::{Outcome, Refusal, Write};

use crate::build::{ack_up_to, append, expire, forget, open, post, publish, register, who};
use crate::{Harness, World};

/// A store may not know an action that was added after it, and must know all others.
pub async fn every_action_of_this_version_is_known<H: Harness>(world: World<H>) {
    for write in one_of_each() {
        let outcome = world.one(write.clone()).await;
        assert!(!matches!(outcome, Outcome::Refused(Refusal::Unsupported)), "{write:?}");
    }
}

/// The same for writes that are refused for another reason.
pub async fn a_write_that_cannot_be_done_is_not_unknown<H: Harness>(world: World<H>) {
    must_be!(world.refused(append(1, 1, 1).into()).await, Refusal::NotFound);
    must_be!(world.refused(ack_up_to(who(1), 1)).await, Refusal::UnknownDevice);
}

fn one_of_each() -> [Write; 8] {
    [
        open(1, 1, 2),
        publish(1, 1, 1),
        post(1, 1),
        append(1, 1, 1).into(),
        register(who(2)),
        ack_up_to(who(2), 1),
        expire(1, 10),
        forget(who(2)),
    ]
}
