//! What was answered, held against what is there.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;

use crate::traffic::{Fate, Pair, Sent};

/// The outcome of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that were answered.
    pub answered: usize,
    /// Answered, and missing in the history that a device reads.
    pub lost: usize,
    /// In the history, and not given to a device.
    pub not_given: usize,
    /// In the history or at a device, and never sent, or with another number or id than was answered.
    pub invented: usize,
    /// Numbers with holes, numbers that fall, senders whose messages changed places, messages that came twice.
    pub out_of_order: usize,
}

impl Verdict {
    /// Whether all is as it must be, and there was something to judge.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.answered > 0
            && self.lost == 0
            && self.not_given == 0
            && self.invented == 0
            && self.out_of_order == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, lost, not_given, invented, out_of_order } = self;
        write!(
            f,
            "{answered} answered: {lost} lost, {not_given} not given, {invented} invented, {out_of_order} out of order"
        )
    }
}

/// Judges what was sent among some pairs. Waits until every device was given what it must be.
///
/// # Errors
/// When history cannot be read.
pub async fn judge(pairs: Vec<Pair>, sent: &Sent) -> Result<Verdict> {
    let answered = sent.values().filter(|fate| matches!(fate, Fate::Answered(_))).count();
    let mut verdict = Verdict { answered, ..Verdict::default() };
    for pair in pairs {
        let history = read(&pair, sent, &mut verdict).await?;
        given(pair, &history, &mut verdict).await;
    }
    Ok(verdict)
}

/// Reads the history by every device that stays, and returns it: texts by number.
async fn read(pair: &Pair, sent: &Sent, verdict: &mut Verdict) -> Result<BTreeMap<u64, String>> {
    let mut texts = BTreeMap::new();
    for staying in &pair.devices {
        texts.clear();
        let mut newest: BTreeMap<String, String> = BTreeMap::new();
        for (message, expected) in staying.device.history(pair.conversation).await?.iter().zip(1_u64..) {
            if message.sequence != expected {
                verdict.out_of_order += 1;
            }
            let text = staying.device.read(message, staying.peer)?;
            match sent.get(&text) {
                Some(Fate::Answered(stored))
                    if (stored.id, stored.sequence) == (message.id, message.sequence) => {}
                Some(Fate::Unknown) => {}
                Some(Fate::Answered(_)) | None => verdict.invented += 1,
            }
            // What one device sent is in the order it was sent in, and once.
            let sender = text.rsplit_once(' ').map_or_else(String::new, |(sender, _)| sender.to_owned());
            if newest.insert(sender, text.clone()).is_some_and(|before| before >= text) {
                verdict.out_of_order += 1;
            }
            texts.insert(message.sequence, text);
        }
        let of_pair = |text: &str| pair.devices.iter().any(|device| text.starts_with(&device.name));
        let there: std::collections::BTreeSet<&String> = texts.values().collect();
        verdict.lost += sent
            .iter()
            .filter(|(text, fate)| matches!(fate, Fate::Answered(_)) && of_pair(text))
            .filter(|(text, _)| !there.contains(text))
            .count();
    }
    Ok(texts)
}

/// Every device was given all of the history but its own messages.
async fn given(pair: Pair, history: &BTreeMap<u64, String>, verdict: &mut Verdict) {
    let without = |name: &str| -> BTreeMap<u64, String> {
        let own = format!("{name} ");
        let others = history.iter().filter(|(_, text)| !text.starts_with(&own));
        others.map(|(number, text)| (*number, text.clone())).collect()
    };
    for staying in &pair.devices {
        let expected = without(&staying.name);
        // What does not come is lost, and counted as such.
        let _ = staying.device.given(expected.len()).await;
        match staying.device.texts() {
            Ok(texts) => compare(&texts, &expected, verdict),
            Err(_) => verdict.out_of_order += 1,
        }
    }
    for hopper in pair.hoppers {
        let expected = without(&hopper.name);
        let missing = expected.keys().filter(|number| !hopper.before.contains_key(number)).copied().collect();
        // By their numbers: others come once more, and a count would take these for them.
        let _ = hopper.device.given_all(&missing).await;
        match hopper.device.texts() {
            // What was not acknowledged before a hop comes once more.
            Ok(mut texts) => {
                texts.extend(hopper.before);
                compare(&texts, &expected, verdict);
            }
            Err(_) => verdict.out_of_order += 1,
        }
    }
}

fn compare(given: &BTreeMap<u64, String>, expected: &BTreeMap<u64, String>, verdict: &mut Verdict) {
    verdict.not_given += expected.keys().filter(|number| !given.contains_key(number)).count();
    verdict.invented += given.iter().filter(|(number, text)| expected.get(number) != Some(text)).count();
}
