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
        "Atomic. commit applies its writes in order, as one transaction. Ok means that all of the batch is stored; Err means that nothing of it is visible, now or after reopening. The one exception is OutcomeUnknown: either all of the batch is stored or nothing of it, and this does not change later. After it an embedded store refuses all work until it is reopened: as Unavailable if it reopens itself, as Closed if the host has to reopen it.",
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
        "Concurrent. Commits from other tasks, other lanes and, where the engine allows them, other processes are safe, and the other clauses hold across them.",
    ),
    clause(
        7,
        "dense",
        "Dense. ServerSequence per conversation and InboxSeq per user start at 1 and have no holes in commit order.",
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
        "One conversation per pair, whoever opens it, however often and from how many nodes at once.",
    ),
    clause(
        11,
        "idempotent",
        "Idempotent append. The same sender and client id with the same content answers with the first message and its numbers and changes nothing; with different content it is refused. This check comes before the check of the key version, because the repeat of an accepted send must not be refused if the key has changed since.",
    ),
    clause(
        12,
        "stale_key",
        "No stale key. A message that names a key version is stored only if that is the recipient's current version at its commit.",
    ),
    clause(
        13,
        "three_rows",
        "Three rows. An appended message is in its conversation and in both inboxes, or in none.",
    ),
    clause(
        14,
        "acknowledging",
        "Acknowledging removes from the pending entries of one device exactly the named ones, and those over which Acknowledge says that the cursor advances. It is idempotent and never changes another device's state. No entry beyond the newest can be acknowledged.",
    ),
    clause(
        15,
        "expiry",
        "Expiry removes a prefix of an inbox, only entries appended before the given time, and keeps the number of the newest removed entry. Messages stay in their conversation.",
    ),
    clause(
        16,
        "pages",
        "Pages. Cursors are exclusive, and pages are bounded by count and by bytes; a page holds at least one item when there is one, however large. A page of an inbox may end before that, as InboxPage::through says, so that one read walks a bounded number of entries; entries that are left out cost no read of their messages.",
    ),
    clause(
        17,
        "consistent",
        "Consistent. One read answers from one state of the store, no older than the last commit that returned before it was called.",
    ),
    clause(
        18,
        "foreign",
        "Foreign conversations. A user who is not in a conversation gets the same answers as if it did not exist.",
    ),
];
