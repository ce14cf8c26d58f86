//! The checker accepts a good history, and finds the contradiction in each bad one.

mod fences;

use std::collections::BTreeSet;
use std::sync::Arc;

use dm_core::store::{
    Answer, Change, DeviceState, Done, Expect, InboxSeq, MemoryStore, Message, Outcome, Owner, Party, Post,
    Put, RecordKey, Refusal, SenderSequence, ServerSequence, UserId, Write,
};

use super::recorder::{Recorder, snapshot};
use super::{Finding, History, Moment, Reply, Snapshot, check};
use crate::build::{self, append_as, conversation, message, user, who};

/// Users 0 and 1 exchange messages 1 to 4 in conversation 1. The last one is also retried, and the
/// answer to the third is lost. The last one names the fence of user 1, which is put before it and
/// again after it. User 1 acknowledges the second message, and a reader reads an inbox.
fn good() -> (History, Snapshot) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let recorder = Recorder::new(Arc::new(MemoryStore::new()));
        let mut history = History::default();
        let send = |id| Write::from(append_as(1, 0, id, id));
        let fenced = send(4).expect(Expect::Fence { of: Party::Peer, tag: build::tag(1) });
        let again = Write::from(dm_core::store::AppendMessage { id: message(5), ..append_as(1, 0, 4, 4) });
        let calls = [
            (vec![build::register(who(1)), build::open(1, 0, 1), put(1)], None),
            (vec![send(1)], None),
            (vec![send(2)], None),
            (vec![send(3), build::append(1, 0, 33).into()], Some(1)),
            (vec![fenced], None),
            (vec![again], None),
            (vec![build::ack_messages(who(1), [2])], None),
            (vec![put(2)], None),
        ];
        for (writes, patience) in calls {
            history.calls.push(recorder.commit(writes, patience).await);
        }
        history.reads.push(recorder.read(user(1), InboxSeq::ZERO).await);
        (history, snapshot(&*recorder.store, 2).await)
    })
}

/// Puts the fence of user 1 with a tag, which a notice in the user's inbox tells.
fn put(n: u64) -> Write {
    let key = RecordKey::fence(Owner::User(user(1)));
    let (to, at, notice) = (user(1), build::at(1), build::notice(n));
    Write::default().change(Change::Put(Put::new(key, Default::default(), build::tag(n)))).post(Post {
        to,
        addressee: None,
        origin: None,
        at,
        notice,
    })
}

fn outcome(history: &mut History, call: usize) -> &mut Done {
    let Reply::Done(outcomes) = &mut history.calls[call].reply else { panic!("answered") };
    let Outcome::Done(done) = &mut outcomes[0] else { panic!("done") };
    done
}

fn answer_of(history: &mut History, call: usize) -> &mut dm_core::store::Appended {
    let Answer::MessageAppended(appended) = &mut outcome(history, call).answer else { panic!("appended") };
    appended
}

fn messages(snapshot: &mut Snapshot) -> &mut Vec<Arc<Message>> {
    snapshot.conversations.get_mut(&conversation(1)).unwrap()
}

fn changed(message: &Arc<Message>, change: impl FnOnce(&mut Message)) -> Arc<Message> {
    let mut message = (**message).clone();
    change(&mut message);
    Arc::new(message)
}

/// Checks the good history after a change that makes it bad.
fn after(change: impl FnOnce(&mut History, &mut Snapshot)) -> Vec<Finding> {
    let (mut history, mut snapshot) = good();
    change(&mut history, &mut snapshot);
    check(&history, &snapshot)
}

/// Removes the entries of a message from an inbox and renumbers the rest, as if they had never been
/// appended.
fn take_out(snapshot: &mut Snapshot, of: UserId, id: u64) {
    let view = snapshot.users.get_mut(&of).unwrap();
    view.entries.retain(|entry| entry.message().is_none_or(|m| m.id != message(id)));
    for (entry, n) in view.entries.iter_mut().zip(1..) {
        entry.seq = InboxSeq::new(n);
    }
    view.head = InboxSeq::new(view.entries.len() as u64);
}

#[test]
fn a_good_history_is_explained() {
    assert_eq!(after(|_, _| {}), []);
}

#[test]
fn a_lost_message_is_named() {
    let findings = after(|_, snapshot| {
        messages(snapshot).pop();
        take_out(snapshot, user(0), 4);
        take_out(snapshot, user(1), 4);
    });
    assert!(findings.contains(&Finding::Lost(message(4))), "{findings:?}");
}

#[test]
fn a_message_under_another_number_than_answered_is_named() {
    let findings = after(|_, snapshot| messages(snapshot).swap(0, 1));
    assert!(findings.contains(&Finding::GapInConversation(conversation(1))), "{findings:?}");
    let findings = after(|history, _| {
        let appended = answer_of(history, 1);
        appended.message = changed(&appended.message, |message| message.sequence = ServerSequence::new(7));
    });
    assert!(findings.contains(&Finding::Lost(message(1))), "{findings:?}");
}

#[test]
fn a_doubled_message_is_named() {
    let findings = after(|_, snapshot| {
        let messages = messages(snapshot);
        messages.push(changed(&messages[0], |message| message.sequence = ServerSequence::new(6)));
    });
    assert!(findings.contains(&Finding::Doubled(message(1))), "{findings:?}");
    let findings = after(|_, snapshot| {
        let messages = messages(snapshot);
        // The retry of message 4 is stored as another message.
        let repeat = changed(messages.last().unwrap(), |repeat| {
            repeat.id = message(5);
            repeat.sequence = repeat.sequence.next();
        });
        messages.push(repeat);
    });
    assert!(findings.contains(&Finding::Doubled(message(5))), "{findings:?}");
}

#[test]
fn the_same_send_with_two_answers_is_named() {
    let findings = after(|history, _| {
        let appended = answer_of(history, 5);
        appended.sender_seq = appended.sender_seq.next();
    });
    assert!(findings.contains(&Finding::TwoAnswers(message(4))), "{findings:?}");
}

#[test]
fn a_phantom_is_named() {
    let findings = after(|history, _| {
        history.calls.remove(3);
    });
    assert!(findings.iter().any(|finding| matches!(finding, Finding::Phantom(_))), "{findings:?}");
    // The same message with other content.
    let findings = after(|_, snapshot| {
        let messages = messages(snapshot);
        messages[0] = changed(&messages[0], |message| message.ciphertext = build::ciphertext("other"));
    });
    assert!(findings.iter().any(|finding| matches!(finding, Finding::Phantom(_))), "{findings:?}");
    let findings = after(|history, _| history.calls[3].reply = Reply::Failed);
    assert!(findings.iter().any(|finding| matches!(finding, Finding::Phantom(_))), "{findings:?}");
}

#[test]
fn a_gap_is_named() {
    let findings = after(|_, snapshot| _ = messages(snapshot).remove(2));
    assert!(findings.contains(&Finding::GapInConversation(conversation(1))), "{findings:?}");
    let findings = after(|_, snapshot| _ = snapshot.users.get_mut(&user(1)).unwrap().entries.remove(2));
    assert!(findings.contains(&Finding::GapInInbox(user(1))), "{findings:?}");
    let findings =
        after(|_, snapshot| snapshot.users.get_mut(&user(1)).unwrap().list[0].head = ServerSequence::ZERO);
    assert!(findings.iter().any(|finding| matches!(finding, Finding::WrongHead(..))), "{findings:?}");
}

#[test]
fn an_inbox_in_another_order_than_the_conversation_is_named() {
    let findings = after(|_, snapshot| {
        let entries = &mut snapshot.users.get_mut(&user(1)).unwrap().entries;
        let event = entries[2].event.clone();
        entries[2].event = std::mem::replace(&mut entries[3].event, event);
    });
    let expected = Finding::OutOfOrder { user: user(1), message: message(2) };
    assert!(findings.contains(&expected), "{findings:?}");
}

#[test]
fn an_order_against_time_is_named() {
    let findings = after(|history, _| {
        // Message 2 is requested after everything else was answered; message 1 has a lower number.
        history.calls[2].asked = Moment(1_000_000);
        history.calls[2].answered = Moment(1_000_001);
    });
    let expected = Finding::AgainstTime { first: message(4), second: message(2) };
    assert!(findings.contains(&expected), "{findings:?}");
}

#[test]
fn a_message_in_one_inbox_only_is_named() {
    // The message of the send whose answer was lost, so that no answer contradicts.
    let findings = after(|_, snapshot| take_out(snapshot, user(1), 33));
    assert!(findings.contains(&Finding::HalfPresent { message: message(33), user: user(1) }), "{findings:?}");
}

#[test]
fn half_of_a_batch_nobody_waited_for_is_named() {
    let findings = after(|_, snapshot| {
        messages(snapshot).retain(|stored| stored.id != message(33));
        take_out(snapshot, user(0), 33);
        take_out(snapshot, user(1), 33);
    });
    assert!(findings.contains(&Finding::HalfBatch(message(33))), "{findings:?}");
}

#[test]
fn a_second_conversation_of_a_pair_is_named() {
    let findings = after(|history, snapshot| {
        history.calls[0].writes.push(build::open(2, 1, 0));
        for view in snapshot.users.values_mut() {
            let mut second = view.list[0];
            second.conversation.id = conversation(2);
            view.list.push(second);
        }
    });
    assert!(findings.iter().any(|finding| matches!(finding, Finding::TwoConversations(_))), "{findings:?}");
    let findings = after(|_, snapshot| snapshot.users.get_mut(&user(1)).unwrap().list.clear());
    assert!(findings.contains(&Finding::LostConversation(conversation(1))), "{findings:?}");
}

#[test]
fn an_entry_pending_against_its_acknowledgement_is_named() {
    let device = who(1).device;
    let findings = after(|_, snapshot| {
        let device = &mut snapshot.users.get_mut(&user(1)).unwrap().devices[0];
        device.pending.push(InboxSeq::new(4));
        device.depth.messages += 1;
    });
    let seq = InboxSeq::new(4);
    assert_eq!(findings, [Finding::StillPending { user: user(1), device: device.clone(), seq }]);
    let findings = after(|_, snapshot| {
        let device = &mut snapshot.users.get_mut(&user(1)).unwrap().devices[0];
        device.pending.retain(|seq| seq.get() != 5);
        device.depth.messages -= 1;
    });
    assert_eq!(findings, [Finding::NotPending { user: user(1), device, seq: InboxSeq::new(5) }]);
}

#[test]
fn a_cursor_that_went_back_is_named() {
    let device = who(1).device;
    let findings = after(|history, _| {
        let Answer::DeviceRegistered(device) = &mut outcome(history, 0).answer else { panic!("registered") };
        device.cursor = InboxSeq::new(2);
    });
    assert!(
        findings.contains(&Finding::CursorWentBack { user: user(1), device: device.clone() }),
        "{findings:?}"
    );
    let findings = after(|_, snapshot| snapshot.users.get_mut(&user(1)).unwrap().devices.clear());
    assert_eq!(findings, [Finding::WrongDevice { user: user(1), device: device.clone() }]);
    let findings = after(|_, snapshot| {
        let devices = &mut snapshot.users.get_mut(&user(1)).unwrap().devices;
        let mut other = devices[0].clone();
        let name = build::on(1, "other").device;
        other.state = DeviceState { device: name, ..other.state };
        devices.push(other);
    });
    assert!(findings.iter().any(|finding| matches!(finding, Finding::WrongDevice { .. })), "{findings:?}");
}

#[test]
fn expiry_that_took_more_than_it_said_is_named() {
    let findings = after(|_, snapshot| {
        let view = snapshot.users.get_mut(&user(1)).unwrap();
        view.entries.remove(0);
        view.floor = InboxSeq::new(1);
    });
    assert!(findings.contains(&Finding::WrongExpiry { answered: 0, gone: 1 }), "{findings:?}");
    assert!(
        findings.contains(&Finding::ExpiredEarly { user: user(1), seq: InboxSeq::new(1) }),
        "{findings:?}"
    );
}

#[test]
fn wrong_counts_are_named() {
    let findings = after(|_, snapshot| {
        snapshot.users.get_mut(&user(1)).unwrap().list[0].counts.a.bytes += 1;
    });
    assert!(findings.contains(&Finding::WrongCounts(conversation(1))), "{findings:?}");
    let findings = after(|_, snapshot| {
        let last = messages(snapshot).last_mut().unwrap();
        *last = changed(last, |message| message.sender_sequence = SenderSequence::new(9));
    });
    assert!(findings.contains(&Finding::WrongCounts(conversation(1))), "{findings:?}");
}

#[test]
fn a_wrong_refusal_is_named() {
    let met = RecordKey::fence(Owner::User(user(1)));
    let met = build::record(met, [], 1).into();
    for refusal in
        [Refusal::NotFound, Refusal::ClientIdReused, Refusal::Unmet { which: 0, current: Some(met) }]
    {
        let findings = after(|history, _| {
            history.calls[4].reply = Reply::Done(vec![Outcome::Refused(refusal)]);
        });
        assert!(findings.contains(&Finding::WronglyRefused(message(4))), "{findings:?}");
    }
}

#[test]
fn a_reader_that_missed_something_is_named() {
    let bad = |findings: Vec<Finding>| {
        assert!(
            findings.iter().any(|finding| matches!(finding, Finding::InconsistentRead { .. })),
            "{findings:?}"
        );
    };
    // A hole in the page, an old head, and a page that ends before the head.
    bad(after(|history, _| _ = history.reads[0].page.entries.remove(2)));
    bad(after(|history, _| {
        let page = &mut history.reads[0].page;
        page.entries.truncate(2);
        page.head = InboxSeq::new(2);
        page.through = page.head;
    }));
    bad(after(|history, _| history.reads[0].page.entries.truncate(2)));
}

#[test]
fn every_finding_of_a_run_is_one_line() {
    let findings = after(|history, _| history.calls.clear());
    assert!(findings.len() > 3);
    let lines: BTreeSet<_> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:?}");
}
