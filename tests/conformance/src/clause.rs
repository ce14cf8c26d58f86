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
pub const CLAUSES: [Clause; 29] = [
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
        "Aligned. Outcome i answers write i, with the Answer that is documented at the action.",
    ),
    clause(
        4,
        "refusals",
        "Refusals stand alone. A write that cannot be done changes nothing, answers Outcome::Refused and does not affect the other writes of its batch. A write sees the changes of earlier writes of its batch.",
    ),
    clause(
        5,
        "unknown_actions",
        "Unknown actions. A kind of action that the store does not know is refused as Refusal::Unsupported.",
    ),
    clause(
        6,
        "concurrent",
        "Concurrent. Commits may run at the same time in several tasks, in several lanes and, if the engine allows it, in several processes. The other clauses hold across them.",
    ),
    clause(
        7,
        "dense",
        "Dense. The ServerSequence of each conversation, the SenderSequence of each sender in it, and the InboxSeq, the Revision and the Registration of each user start at 1 and have no holes in the order of commits.",
    ),
    clause(
        8,
        "never_reused",
        "Never reused. No number is given twice, not even after deletion, expiry or reopening.",
    ),
    clause(
        9,
        "visible_in_order",
        "Visible in order. A reader never sees entry n + 1 of a log before n, nor revision n + 1 of a user before n.",
    ),
    clause(
        10,
        "one_conversation",
        "One conversation per pair. A pair of users has at most one conversation. It does not matter who opens it, how often, and on how many nodes at the same time.",
    ),
    clause(
        11,
        "idempotent",
        "Idempotent append. An append with the same sender, client id and content returns the first message and its numbers, and changes nothing. With different content it is refused.",
    ),
    clause(
        12,
        "three_rows",
        "Three rows. An appended message is in its conversation and in both inboxes, or in none of the three.",
    ),
    clause(
        13,
        "counts",
        "Counts. A message counts for its sender, by Counts::after_message. The counts of a conversation are those of its newest message.",
    ),
    clause(
        14,
        "acknowledging",
        "Acknowledgements. An acknowledgement removes entries from the pending entries of one device: the named ones, and those that the cursor passes (rules in Acknowledge). It removes no others. It is idempotent and never changes another device's state. No entry beyond the newest can be acknowledged.",
    ),
    clause(
        15,
        "expiry",
        "Expiry. Expiry removes the oldest entries of an inbox. It never removes an entry that was appended at the given time or later, nor an entry that follows such an entry. The store keeps the number and the proof of the newest removed entry. Messages stay in their conversation.",
    ),
    clause(
        16,
        "order_of_checks",
        "Order of checks. A write is checked in this order: the write is valid; what its action names exists; the action was done before; the gates; the conditions, in their order; the addressees of its posts and the number of records that it clears. The first check that fails is the one that the refusal names. The first change comes after the last check. Then come the action, the changes in their order, and the posts in their order.",
    ),
    clause(
        17,
        "found",
        "Found is not done again. A write that was done before (Done::is_found) answers as the first time and changes nothing, whatever its conditions are now: none of its changes is made, and none of its posts. This holds for a repeated send, an open conversation, a registered device, a device that is not registered and is to be forgotten, and a write without an action whose first put or raised record is there already with tag and value.",
    ),
    clause(
        18,
        "conditions",
        "Conditions. A write whose conditions are not all met is refused as Refusal::Unmet, with the first one that is not met and the present record. A condition sees every commit that returned before, from whatever handle.",
    ),
    clause(
        19,
        "fences",
        "Fences. The fence of a user or a conversation is its record of the kind Kind::FENCE with the empty name. A write that names a fence is done only if the fence has the named tag at its commit.",
    ),
    clause(
        20,
        "gates",
        "Gates. A message or a new conversation passes the gate of the pair and those of both users (Gate, UserGate), as they are at its commit. The gate of a pair holds also if it was set before the pair had a conversation.",
    ),
    clause(
        21,
        "records",
        "Records. A put record is read back with its value, tag and due time, in place of the one with its key. A raised record never becomes smaller. A deleted, cleared or taken record is gone, and others stay. A record is taken once.",
    ),
    clause(
        22,
        "revisions",
        "Revisions. Each put of a synced record takes the next revision of its user. The records since a revision are all that changed after it, each once, as it is now. The floor of revisions tells of removed records, by the rules in Change::Delete.",
    ),
    clause(
        23,
        "posts",
        "Posts. A post is an entry of its inbox like any other. An entry that is addressed to a registration is pending for that device only, and not for a device that is registered under its name later. The cursors of the user's other devices pass over it as over own entries.",
    ),
    clause(
        24,
        "bounds",
        "Bounds. A write beyond the limits of Write, Expect and Change is refused as Refusal::Invalid or Refusal::TooManyRecords.",
    ),
    clause(
        25,
        "pages",
        "Pages. Cursors are exclusive: the item at the cursor is not in the page. Pages are limited by count and by bytes. A page has at least one item if there is one, however large. Only a page of an inbox may end earlier, even without entries, so that one read walks a bounded number of entries (see InboxPage::through). The store does not read the messages of entries that it leaves out.",
    ),
    clause(
        26,
        "consistent",
        "Consistent. A read sees one state of the store. That state includes every commit that returned before the read started.",
    ),
    clause(
        27,
        "foreign",
        "Foreign conversations. A user who is not in a conversation gets the same answers as if it did not exist.",
    ),
    clause(
        28,
        "lists",
        "Lists. A list of conversations has the order that the query names, and with each conversation the records of the named kinds, from the same state as the list.",
    ),
    clause(
        29,
        "scans",
        "Scans. A scan returns exactly the records that it names, in its order. A record that is due no more, or later, is not found under its earlier due time.",
    ),
];
