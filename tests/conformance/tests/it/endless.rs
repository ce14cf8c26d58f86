//! A store without an end fails its case: after a bounded number of steps, or at the time limit of
//! a case.

use std::time::Duration;

use dm_conformance::broken::{Kind, kinds, silent};
use dm_conformance::lists::{self, Last};

/// A time limit that only a case without its own bound reaches.
const LONG: Duration = Duration::from_secs(3_600);

fn kind(name: &str) -> Kind {
    kinds().into_iter().find(|kind| kind.name == name).unwrap()
}

#[test]
fn an_inbox_whose_head_stays_ahead_is_read_to_a_bound() {
    let kind = kind("the head of an inbox stays ahead of its pages");
    assert!(!kind.passes("every_message_of_a_batch_is_stored_in_three_rows", LONG));
    assert!(!kind.passes("only_the_entries_named_are_no_longer_pending", LONG));
    assert!(!kind.passes("many_senders_in_few_conversations", LONG));
}

#[test]
fn a_send_that_is_never_answered_is_given_up() {
    let kind = kind("after ten commits each further one fails");
    assert!(!kind.passes("many_senders_in_few_conversations", LONG));
}

#[tokio::test]
#[should_panic(expected = "more than the 101 that exist")]
async fn a_list_that_begins_anew_with_every_page_is_not_read_for_ever() {
    lists::check(&kind("a list begins anew with every page").store(), 101, 10, Last::default()).await;
}

#[test]
fn a_case_whose_store_does_not_answer_fails_at_its_time_limit() {
    for kind in silent() {
        assert!(!kind.passes("an_empty_batch_changes_nothing", Duration::from_millis(50)), "{}", kind.name);
    }
}
