//! What the children write: mixed batches, made of a seed and a number and nothing else.

use dm_core::{AppendMessage, Ciphertext, DeviceStart, Principal, Suite, Write};

use crate::build;

/// Users 1 to this write to each other, every pair in a conversation of its own.
const USERS: u64 = 6;
const PAIRS: u64 = USERS * (USERS - 1) / 2;

/// Batch `n` of a seed: some twelve writes to several conversations and users, some of which must be refused.
///
/// Every append has a client id, so that a batch can be repeated. Where the contract leaves a store free, the batches
/// do not ask: one publication at most waits to be announced, and expiry and announcing have room for all there is.
///
/// ```
/// use dm_conformance::crash::batch;
///
/// assert_eq!(format!("{:?}", batch(7, 3)), format!("{:?}", batch(7, 3)));
/// ```
#[must_use]
pub fn batch(seed: u64, n: u64) -> Vec<Write> {
    let mut dice = Dice::new(seed, n, u64::MAX);
    let now = time(n);
    // Two at least, since the next batch repeats the first.
    let mut writes: Vec<Write> = (0..2 + dice.below(8)).map(|i| message(seed, n, i).into()).collect();
    if n > 0 {
        writes.push(message(seed, n - 1, 0).into());
    }
    if n.is_multiple_of(2) {
        let start = if dice.one_in(3) { DeviceStart::Now } else { DeviceStart::Oldest };
        writes.push(build::register_from(dice.principal(), start, 8));
    }
    let head = 2 * n + 2;
    writes.push(build::ack_up_to(build::on(dice.user(), "desk"), dice.below(head)));
    let entries = [dice.below(head), dice.below(head), dice.below(head)];
    writes.push(build::ack_entries(build::on(dice.user(), "phone"), entries));
    match n % 5 {
        // Any byte but the last one's is another key.
        2 => writes.push(build::publish(dice.user(), n.to_le_bytes()[0], now)),
        4 => writes.push(build::announce(1_000, now)),
        _ => {}
    }
    if n % 9 == 8 {
        writes.push(build::expire(now.saturating_sub(12), 1_000_000));
    }
    if n % 11 == 10 {
        writes.push(build::forget(dice.principal()));
    }
    dice.shuffle(&mut writes);

    // In the first batch some conversations come before what is sent to them; later, one in the middle of a batch.
    if n == 0 {
        writes.splice(0..0, (0..5).map(|number| open(number, now)));
    } else if n.is_multiple_of(3) {
        writes.insert(writes.len() / 2, open(dice.below(PAIRS), now));
    }
    writes
}

/// Message `i` of batch `n`.
fn message(seed: u64, n: u64, i: u64) -> AppendMessage {
    let mut dice = Dice::new(seed, n, i);
    let number = dice.below(PAIRS.min(5 + n / 4));
    let (one, other) = pair(number);
    let from = if dice.one_in(2) { one } else { other };
    let id = n * 64 + i;
    // Most are small; some take a page or two, so that a batch does.
    let len = if dice.one_in(8) { 1 + dice.below(6_000) } else { 1 + dice.below(200) };
    let payload: Vec<u8> = (0..len).map(|_| dice.byte()).collect();
    let nonce: [u8; 24] = std::array::from_fn(|_| dice.byte());
    let ephemeral: [u8; 32] = std::array::from_fn(|_| dice.byte());
    let ephemeral = dice.one_in(2).then_some(ephemeral.as_slice());
    let suite = dice.one_in(3).then_some(Suite(2));
    AppendMessage {
        sender: dice.device_of(from),
        recipient_key_version: dice.one_in(6).then(|| build::version(1)),
        at: build::at(time(n)),
        ciphertext: Ciphertext::new(payload.into(), &nonce, ephemeral, suite).expect("a ciphertext's shape"),
        ..build::append_as(1 + number, from, id, id)
    }
}

fn open(number: u64, now: u64) -> Write {
    let (one, other) = pair(number);
    build::open_from(1 + number, build::who(one), other, build::at(now))
}

/// The two users of a conversation.
fn pair(number: u64) -> (u64, u64) {
    let mut pairs = (1..=USERS).flat_map(|one| (one + 1..=USERS).map(move |other| (one, other)));
    pairs.nth(usize::try_from(number).expect("few pairs")).expect("one of the pairs")
}

/// The time of a batch.
const fn time(n: u64) -> u64 {
    1_000 + n
}

/// Pseudo-random numbers (SplitMix64): the same for the same seed, everywhere and always.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Dice of their own for each three numbers.
    pub(super) fn new(seed: u64, n: u64, i: u64) -> Self {
        let mut dice = Self(seed);
        dice.0 = dice.next() ^ n;
        dice.0 = dice.next() ^ i;
        dice
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from zero to below a bound.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn user(&mut self) -> u64 {
        1 + self.below(USERS)
    }

    fn device_of(&mut self, user: u64) -> Principal {
        build::on(user, if self.one_in(2) { "phone" } else { "desk" })
    }

    fn principal(&mut self) -> Principal {
        let user = self.user();
        self.device_of(user)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let chosen = self.below(1 + u64::try_from(end).expect("few items"));
            items.swap(end, usize::try_from(chosen).expect("few items"));
        }
    }
}
