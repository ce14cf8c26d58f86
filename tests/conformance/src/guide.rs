//! Write a store.
//!
//! This guide builds a store from nothing, in one file on disk, that passes every case of this
//! crate. The code below is compiled and tested in `tests/guide`.
//!
//! **Is your engine an ordered map of bytes to bytes, such as LMDB or RocksDB? Then use
//! `dm-store-kv` instead.** It implements the tables, the reads and the writes. You implement four
//! methods on a table, one that opens a committed state, and one that commits a batch. Its
//! documentation has a compiled example; `dm-store-redb` and `dm-store-fjall` are built on it.
//!
//! Any other store implements [`Store`] itself. The documentation of [`Store`] is a contract of
//! 29 clauses, to which this guide refers by number. `dm-store-sqlite` and
//! `dm-store-postgres` show the same parts on real engines.
//!
//! # 1. Durable before the answer
//!
//! Clauses 1 and 2 determine how a store is built. [`commit`](Store::commit) applies its batch as
//! one transaction. After `Ok` a power cut does not undo the batch. In an engine, that is one
//! transaction with the durability level that the engine calls *synced* or *durable*. Check the
//! engine's default: it is often weaker.
//!
//! The store of this guide has no engine. It appends each batch to a log file as one frame and
//! syncs the file. Only then it changes its tables, which are in memory. Opening replays the log.
//! Three properties make that correct:
//!
//! - A write contains its time and its ids. Replaying a batch therefore has the same outcome as
//!   applying it the first time.
//! - A refused write changes nothing and does not fail the batch (clause 4). A batch in the log can
//!   therefore always be applied, and nothing is ever rolled back.
//! - A lock keeps readers from the tables until the frame is synced and the whole batch is applied
//!   (clauses 9 and 26).
//!
//! The costs: all data is in memory, the log only grows, and the time to open is the time to replay
//! the log. A store for more than a small community needs an engine.
//!
//! An engine whose calls block needs no threads of its own. Implement [`EngineWriter`] and
//! [`EngineReader`]; [`Embedded`] makes a [`Store`] of the two. After
//! [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown), and after a panic, [`Embedded`] refuses all
//! calls until the store is reopened, as clause 1 demands. Two options help:
//!
//! - With [`EmbeddedBuilder::reopen`](dm_core::store::EmbeddedBuilder::reopen), it reopens the
//!   engine by itself after an unknown outcome.
//! - With [`EmbeddedBuilder::reserve`](dm_core::store::EmbeddedBuilder::reserve), it refuses
//!   messages, conversations, records and posts while less than the reserve of disk space is free, so
//!   that such a commit does not run out of space.
//!
//! A crate that exports a store of its own type implements
//! [`EmbeddedStore`](dm_core::store::EmbeddedStore) for it.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/mod.rs"), "```")]
//!
//! # 2. The disk
//!
//! Each failure of the disk has its own answer:
//!
//! | failure | answer |
//! |---|---|
//! | a write fails, and the file can be cut back to its old length | [`Full`](StoreErrorKind::Full) or [`Engine`](StoreErrorKind::Engine): nothing was stored |
//! | a sync fails, or cutting back fails | [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown): the content of the disk is unknown |
//! | the last frame is torn | opening cuts it off: it was never answered |
//! | a frame is damaged, and others follow it | [`Corrupt`](StoreErrorKind::Corrupt): it *was* answered |
//! | another process has the file open | [`Locked`](StoreErrorKind::Locked) |
//! | the file has another format, or is from a later version | refused, and not changed |
//!
//! Never sync again after a failed sync: the second sync may report success although the first one
//! dropped data.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/log.rs"), "```")]
//!
//! # 3. The tables
//!
//! Every read is for one user or one conversation, in the order of a number or a name. Every table
//! therefore has the user or the conversation first in its key and the number last, and a page is a
//! range of keys. In an engine these are its trees, and the values are bytes.
//!
//! Two questions decide whether the numbers are right (clauses 7 and 8): which row determines the
//! next number, and which row still determines it after all others were deleted. Here the newest
//! message of a conversation determines its next number and its [counts](dm_core::Counts), because
//! messages are never deleted. Expiry can empty an inbox, and devices and records can be removed, so
//! a row of each user keeps the newest expired number, registration and revision.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/tables.rs"), "```")]
//!
//! # 4. The writes
//!
//! A write has an action, conditions, changes of records and gates, and posts. [`Write::apply`] has
//! the order of all its checks and changes (clause 16) for all stores. A store implements
//! [`BatchRows`], whose methods find and write rows. It needs no code for any feature that is made
//! of records.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/tables/rows.rs"), "```")]
//!
//! An action is done in two steps. [`prepare`](BatchRows::prepare) makes all checks of the action
//! and changes nothing. [`perform`](BatchRows::perform) makes the changes, and gets what the first
//! step found. In between, the conditions of the write are checked, and a refused write has changed
//! nothing (clause 4). If two checks could refuse an action, their order is part of the contract: see
//! [`AppendMessage`](dm_core::store::AppendMessage). The store refuses an action that it does not
//! know as [`Unsupported`](dm_core::store::Refusal::Unsupported) (clause 5).
//!
//! The rules of the actions are functions of `dm_core::store` as well: the counts of a conversation,
//! what a gate lets through, where a device starts, which entries an acknowledgement names.
//!
//! Most mistakes are made in acknowledgements. An entry that is acknowledged while an earlier one
//! is not gets a mark of its own. The store deletes marks once the cursor has passed them;
//! otherwise they would grow without bound.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/tables/actions.rs"), "```")]
//!
//! A record is one row. Two more tables list records in other orders: those that are due, and those
//! that are synced by their revision. Each change of a record removes its old row from both (clause
//! 29).
//!
//! A send may require the fence of three owners, and passes three gates. An engine reads rows from
//! a disk, so it keeps the tags of fences in the rows of the user and the conversation, which a send
//! reads for the next numbers anyway.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/tables/records.rs"), "```")]
//!
//! # 5. The reads
//!
//! Bounds are exclusive. A page is bounded by count and by bytes and holds at least one item
//! (clause 25). `through` is the number up to which an inbox was read, including entries that were
//! left out. Check the reader first: for a user who is not a participant the conversation does not
//! exist (clause 27).
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/tables/read.rs"), "```")]
//!
//! # 6. The bytes
//!
//! A frame of the log holds writes as bytes, one field after another. A store with an engine encodes
//! rows instead, and notices with [`Notice::encode`](dm_core::Notice::encode), so that a new kind of
//! notice needs no change in the store. Decoding does not trust its input: damage is an error, not
//! a panic, and a length in the file is checked before memory is allocated for it.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/codec.rs"), "```")]
//!
//! The codec has a function and a method for each part of a write. They have nothing new, and are in
//! `tests/guide/store/codec`.
//!
//! # 7. Test it
//!
//! [`Harness`](crate::Harness) tells the suite where the store keeps its data. The second `impl` is
//! for the crash trials: their child processes open the file that the parent made.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/harness.rs"), "```")]
//!
//! The test program is then one line, [`suite!`](crate::suite). Start with it, before the store
//! does anything: each case names a clause, and the failing cases are the list of what to write
//! next.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/main.rs"), "```")]
//!
//! The crash trials, [`crash_suite!`](crate::crash_suite), need a test program of their own. A
//! child process inherits, for a moment, the open files of its parent, and with them file locks
//! that another test of the same program has just released.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide_crash.rs"), "```")]
//!
//! # 8. Power cuts
//!
//! A killed process leaves the page cache of the operating system intact, so the crash trials pass
//! even if the store never syncs. A test of power cuts has to make, below the store, the files that
//! a power cut leaves; [`Oracle`](crate::crash::Oracle) then judges the reopened store.
//!
//! - A file that is only appended to can be cut anywhere in its unanswered part, as here.
//! - For other files, [`Image`](crate::crash::Image) gives the states that a disk may hold. The
//!   tests of `dm-store-redb` keep one in a storage backend (`tests/it/power_cut.rs`).
//! - The tests of `dm-store-sqlite` assemble copies of the files sector by sector
//!   (`tests/it/power_cut.rs`).
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/torn.rs"), "```")]

#[cfg(doc)]
use dm_core::store::{BatchRows, Embedded, EngineReader, EngineWriter, Store, StoreErrorKind, Write};
