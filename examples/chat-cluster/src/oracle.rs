//! Comparing the confirmed sends with the stored and delivered messages.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;

use crate::traffic::{Outcome, Pair, Sent};

/// The outcome of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Number of confirmed sends.
    pub answered: usize,
    /// Number of confirmed sends that are missing in the history.
    pub lost: usize,
    /// Number of messages in the history that were not delivered to a device.
    pub not_delivered: usize,
    /// Number of messages, in the history or delivered, that were not sent, or that have another
    /// number or id than the answer to the send.
    pub invented: usize,
    /// Number of faults of order: holes in the numbers, decreasing numbers, messages of one sender
    /// in another order, and messages delivered twice.
    pub out_of_order: usize,
}

impl Verdict {
    /// Whether there is at least one confirmed send and no fault.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.answered > 0
            && self.lost == 0
            && self.not_delivered == 0
            && self.invented == 0
            && self.out_of_order == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, lost, not_delivered, invented, out_of_order } = self;
        write!(
            f,
            "{answered} answered: {lost} lost, {not_delivered} not delivered, {invented} invented, {out_of_order} out of order"
        )
    }
}

/// Compares the sends of some pairs with the history and the deliveries. Waits until every device
/// has received all messages, up to a minute.
///
/// # Errors
/// If the history cannot be read.
pub async fn judge(pairs: Vec<Pair>, sent: &Sent) -> Result<Verdict> {
    let answered = sent.values().filter(|outcome| matches!(outcome, Outcome::Answered(_))).count();
    let mut verdict = Verdict { answered, ..Verdict::default() };
    for pair in pairs {
        let history = check_history(&pair, sent, &mut verdict).await?;
        check_deliveries(pair, &history, &mut verdict).await;
    }
    Ok(verdict)
}

/// Reads the history with every stationary device, and checks it. Returns the texts by number.
async fn check_history(pair: &Pair, sent: &Sent, verdict: &mut Verdict) -> Result<BTreeMap<u64, String>> {
    let mut texts = BTreeMap::new();
    for stationary in &pair.devices {
        texts.clear();
        let mut newest: BTreeMap<String, String> = BTreeMap::new();
        for (message, expected) in stationary.device.history(pair.conversation).await?.iter().zip(1_u64..) {
            if message.sequence.get() != expected {
                verdict.out_of_order += 1;
            }
            let text = stationary.device.read(message, stationary.peer)?;
            match sent.get(&text) {
                Some(Outcome::Answered(stored))
                    if (stored.id, stored.sequence) == (message.id, message.sequence) => {}
                Some(Outcome::Unknown) => {}
                Some(Outcome::Answered(_)) | None => verdict.invented += 1,
            }
            // The messages of one device must be in the order of sending, each once.
            let sender = text.rsplit_once(' ').map_or_else(String::new, |(sender, _)| sender.to_owned());
            if newest.insert(sender, text.clone()).is_some_and(|before| before >= text) {
                verdict.out_of_order += 1;
            }
            texts.insert(message.sequence.get(), text);
        }
        let of_pair = |text: &str| pair.devices.iter().any(|device| text.starts_with(&device.name));
        let texts_in_history: std::collections::BTreeSet<&String> = texts.values().collect();
        verdict.lost += sent
            .iter()
            .filter(|(text, outcome)| matches!(outcome, Outcome::Answered(_)) && of_pair(text))
            .filter(|(text, _)| !texts_in_history.contains(text))
            .count();
    }
    Ok(texts)
}

/// Checks that every device has received the whole history except its own messages.
async fn check_deliveries(pair: Pair, history: &BTreeMap<u64, String>, verdict: &mut Verdict) {
    let without = |name: &str| -> BTreeMap<u64, String> {
        let own = format!("{name} ");
        let others = history.iter().filter(|(_, text)| !text.starts_with(&own));
        others.map(|(number, text)| (*number, text.clone())).collect()
    };
    for stationary in &pair.devices {
        let expected = without(&stationary.name);
        // A timeout is no error here: the comparison counts the missing messages.
        let _ = stationary.device.given(expected.len()).await;
        match stationary.device.texts() {
            Ok(texts) => compare(&texts, &expected, verdict),
            Err(_) => verdict.out_of_order += 1,
        }
    }
    for roaming in pair.roaming {
        let expected = without(&roaming.name);
        let missing =
            expected.keys().filter(|number| !roaming.before.contains_key(number)).copied().collect();
        // The wait is for the missing numbers, because other messages are delivered again and a
        // count would include them.
        let _ = roaming.device.given_all(&missing).await;
        match roaming.device.texts() {
            // Messages that were not acknowledged before a change of host are delivered again.
            Ok(mut texts) => {
                texts.extend(roaming.before);
                compare(&texts, &expected, verdict);
            }
            Err(_) => verdict.out_of_order += 1,
        }
    }
}

fn compare(delivered: &BTreeMap<u64, String>, expected: &BTreeMap<u64, String>, verdict: &mut Verdict) {
    verdict.not_delivered += expected.keys().filter(|number| !delivered.contains_key(number)).count();
    verdict.invented += delivered.iter().filter(|(number, text)| expected.get(number) != Some(text)).count();
}
