//! The contract, as [`Store`](dm_core::store::Store) documents it.

/// The version of the contract that is tested. It rises when a clause is added or changed.
pub const CONTRACT_VERSION: u32 = 2;

/// One clause of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Its number.
    pub number: u8,
    /// The name of the module with its cases.
    pub module: &'static str,
    /// Its text, without markup.
    pub text: &'static str,
}

const fn clause(number: u8, module: &'static str, text: &'static str) -> Clause {
    Clause { number, module, text }
}

/// Every clause, in the words of the contract.
#[rustfmt::skip]
pub const CLAUSES: [Clause; 18] = [
    clause(
        1,
        "atomic",
        "Atomic. commit applies its writes in order, as one transaction. Ok means that all of the batch is stored; Err means that nothing of it is visible, now or after reopening. The one exception is OutcomeUnknown: either all of the batch is stored or nothing of it, and this does not change later. After this error an embedded store refuses all work until it is reopened. The error of refused calls is Unavailable if the store reopens itself, and Closed if the host has to reopen it.",
    ),
    clause(
        2,
        "durable",
        "Durable. After Ok, every handle reads the batch and a power cut does not undo it.",
    ),
    clause(
        3,
        "aligned",
        "Aligned. Outcome i answers write i, with the variant that is documented at the write.",
    ),
    clause(
        4,
        "refusals",
        "Refusals stand alone. A write that cannot be done changes nothing, answers Outcome::Refused and does not affect the other writes of its batch. A write sees the changes of earlier writes of its batch.",
    ),
    clause(
        5,
        "unknown_writes",
        "Unknown writes. A kind of write that the store does not know is refused as Refusal::Unsupported.",
    ),
    clause(
        6,
        "concurrent",
        "Concurrent. Commits may run at the same time in several tasks, in several lanes and, if the engine allows it, in several processes. The other clauses hold across them.",
    ),
    clause(
        7,
        "dense",
        "Dense. The ServerSequence of each conversation and the InboxSeq of each user start at 1 and have no holes in the order of commits.",
    ),
    clause(
        8,
        "never_reused",
        "Never reused. No number is given twice, not even after deletion, expiry or reopening.",
    ),
    clause(
        9,
        "visible_in_order",
        "Visible in order. A reader never sees entry n + 1 of a log before n.",
    ),
    clause(
        10,
        "one_conversation",
        "One conversation per pair. A pair of users has at most one conversation. It does not matter who opens it, how often, and on how many nodes at the same time.",
    ),
    clause(
        11,
        "idempotent",
        "Idempotent append. An append with the same sender, client id and content returns the first message and its numbers, and changes nothing. With different content it is refused. The store checks this before it checks the key version: the retry of an accepted send must not be refused because the key has changed since.",
    ),
    clause(
        12,
        "stale_key",
        "No stale key. A message that names a key version is stored only if that is the recipient's current version at its commit.",
    ),
    clause(
        13,
        "three_rows",
        "Three rows. An appended message is in its conversation and in both inboxes, or in none of the three.",
    ),
    clause(
        14,
        "acknowledging",
        "Acknowledgements. An acknowledgement removes entries from the pending entries of one device: the named ones, and those that the cursor passes (rules in Acknowledge). It removes no others. It is idempotent and never changes another device's state. No entry beyond the newest can be acknowledged.",
    ),
    clause(
        15,
        "expiry",
        "Expiry. Expiry removes the oldest entries of an inbox. It never removes an entry that was appended at the given time or later, nor an entry that follows such an entry. The store keeps the number of the newest removed entry. Messages stay in their conversation.",
    ),
    clause(
        16,
        "pages",
        "Pages. Cursors are exclusive: the item at the cursor is not in the page. Pages are limited by count and by bytes. A page has at least one item if there is one, however large. Only a page of an inbox may end earlier, even without entries, so that one read walks a bounded number of entries (see InboxPage::through). The store does not read the messages of entries that it leaves out.",
    ),
    clause(
        17,
        "consistent",
        "Consistent. A read sees one state of the store. That state includes every commit that returned before the read started.",
    ),
    clause(
        18,
        "foreign",
        "Foreign conversations. A user who is not in a conversation gets the same answers as if it did not exist.",
    ),
];
