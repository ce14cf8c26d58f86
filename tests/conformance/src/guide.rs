//! Write a store.
//!
//! If your engine is an ordered map of bytes to bytes, such as LMDB or RocksDB, take `dm-store-kv`: it has the tables, the
//! reads and the writes, and asks for four methods on a table and one that opens a state. `dm-store-redb` and
//! `dm-store-fjall` show how. This guide is for all others, and for those who want to know what such a store does.
//!
//! A store keeps everything: it implements [`Store`], whose documentation is a contract of eighteen clauses. This guide
//! makes one from nothing, in one file on disk, that passes every case of this crate. It is compiled and tested in
//! `tests/guide`; what you read below is that code. The stores for real engines, `dm-store-sqlite` and
//! `dm-store-redb`, have the same rooms in the same order, and are where to look for how an engine does it.
//!
//! # 1. Decide what is answered when
//!
//! Clauses 1 and 2 decide how a store is built: [`commit`](Store::commit) applies its batch as one transaction, and after
//! `Ok` a power cut does not undo it. With an engine that is one transaction, committed with whatever the engine calls
//! *synced* or *durable*. Look up what its default is: it is often less.
//!
//! Ours has no engine. It appends each batch to a log as one record, syncs the file, and only then changes its tables,
//! which are in memory; opening replays the log. Three things make that right:
//!
//! - A write is data, and time and ids come with it. So replaying a batch has the same outcome as applying it had.
//! - A refusal changes nothing and fails nothing (clause 4). So a batch that is in the log can always be applied, and
//!   nothing is ever to be rolled back.
//! - Nobody sees the tables change before the record is synced, nor in the middle of a batch (clauses 9 and 17): that is
//!   what the lock is for.
//!
//! The price is honest to name: everything is in memory, the log only grows, and opening takes as long as replaying
//! it. A store for more than a small community wants an engine.
//!
//! An engine whose calls block needs no threads of its own: implement [`EngineWriter`] and
//! [`EngineReader`], and [`Embedded`] makes a [`Store`] of the two. After
//! [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown), and after a panic, it refuses all work until
//! the store is reopened, as clause 1 demands. Give it a way to reopen the engine
//! ([`EmbeddedBuilder::reopen`](dm_core::store::EmbeddedBuilder::reopen)), and it does that by itself
//! after an unknown outcome; give it a reserve of free space
//! ([`EmbeddedBuilder::reserve`](dm_core::store::EmbeddedBuilder::reserve)), and a full disk never meets
//! the engine in the middle of a commit.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/mod.rs"), "```")]
//!
//! # 2. The disk
//!
//! What may go wrong here is most of what makes storage hard, and each has its own answer:
//!
//! | what | answer |
//! |---|---|
//! | the write fails, and what it left can be cut off | [`Full`](StoreErrorKind::Full) or [`Engine`](StoreErrorKind::Engine): nothing happened |
//! | the sync fails, or the cutting off | [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown): nobody can tell what is on the disk |
//! | the last record is torn | cut off: it was never answered |
//! | a record is damaged that has others behind it | [`Corrupt`](StoreErrorKind::Corrupt): it *was* answered |
//! | another process has the file open | [`Locked`](StoreErrorKind::Locked) |
//! | the file is not ours, or from a later version | refused, and left as it is |
//!
//! Never sync again after a sync that failed: the second one may report success for data that the first one dropped.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/log.rs"), "```")]
//!
//! # 3. The tables
//!
//! Every read is for a user or for a conversation, in the order of a number. So every table begins its key with the one
//! and ends it with the other, and a page is a range. In an engine these are its trees, and the values are bytes.
//!
//! Two questions decide whether the numbers are right (clauses 7 and 8): where the next number comes from, and what is
//! left to know it by when all rows are gone. Here a conversation's newest row is its head, because messages are never
//! deleted. An inbox is emptied by expiry, so that there is a table of floors.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/tables.rs"), "```")]
//!
//! # 4. The writes
//!
//! One method for each kind, and one order in each: all checks, then the first change. A refused write then cannot have
//! changed anything. The order of the checks is part of the contract where two could refuse: see
//! [`AppendMessage`](dm_core::store::AppendMessage). A kind of write that this store does not know is refused as
//! [`Unsupported`](dm_core::store::Refusal::Unsupported) (clause 5).
//!
//! Acknowledging is where a store goes wrong most easily. Acknowledged entries with holes between them are kept one by
//! one, and only until the cursor has passed them: otherwise they grow without bound.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/tables/write.rs"), "```")]
//!
//! # 5. The reads
//!
//! Bounds are exclusive, a page is bounded by count and by bytes and holds one item at least (clause 16), and `through`
//! says how far an inbox was read, whatever was left out. Check the reader before anything else: for somebody who is not
//! in a conversation it does not exist (clause 18).
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/tables/read.rs"), "```")]
//!
//! # 6. The bytes
//!
//! Writes as bytes, fields one after another. A store with an engine encodes rows instead, and notices with
//! [`Notice::encode`](dm_core::Notice::encode), so that a new kind of notice needs no change. Decoding never trusts what
//! it reads: damage is an error, not a panic and not an allocation of a size that stood in the file.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/store/codec.rs"), "```")]
//!
//! # 7. Prove it
//!
//! Say where the store keeps its data. The second half is for the crash trials, whose child processes open the place that
//! the parent made.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/harness.rs"), "```")]
//!
//! Then `tests/conformance.rs` is one line, [`suite!`](crate::suite). Begin with it, before the store does anything: each
//! case names a clause, and the failing ones are the list of what to write next.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/main.rs"), "```")]
//!
//! The crash trials, [`crash_suite!`](crate::crash_suite), go into a test program of their own. A process that is being
//! started holds for a moment all files of the one that starts it, and with them locks that another test of the same
//! program has just given up.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide_crash.rs"), "```")]
//!
//! # 8. Cut the power
//!
//! A killed process leaves the page cache behind: the trials pass without a single sync. What a
//! power cut leaves has to be made below the store, and [`Oracle`](crate::crash::Oracle) judges it.
//! A file that is only appended to can be cut anywhere in what was not answered. For other files
//! [`Image`](crate::crash::Image) says what a disk may hold: redb's storage backend keeps one. For
//! SQLite copies of the files are put together sector by sector: see `tests/it/power_cut.rs` of the
//! two stores.
//!
#![doc = concat!("```rust,ignore\n", include_str!("../tests/guide/torn.rs"), "```")]

#[cfg(doc)]
use dm_core::store::{Embedded, EngineReader, EngineWriter, Store, StoreErrorKind};
