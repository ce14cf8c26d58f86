-- Records, fences, gates, counts, and entries that are addressed to one device. This migration
-- changes no row of a message, of an inbox or of `dm_sequence`: they only get columns.

-- Small facts with an owner, a kind and a name. Features of the core are made of them.
CREATE TABLE dm_records (
    -- x'00' and a user's public key, x'01' and a conversation's id, or x'02' for the store.
    owner BLOB NOT NULL,
    kind INTEGER NOT NULL,
    name BLOB NOT NULL,
    value BLOB NOT NULL,
    -- 16 bytes, chosen by the last writer of the record.
    tag BLOB NOT NULL,
    -- When something is to be done with the record: milliseconds minus 2^63, so that the order of
    -- these numbers is the order of times. NULL if nothing is to be done.
    due INTEGER,
    -- The owner's revision of the last change. Zero for a record of a kind that is not synced.
    revision INTEGER NOT NULL,
    PRIMARY KEY (owner, kind, name)
) WITHOUT ROWID;
CREATE INDEX dm_records_by_due ON dm_records (kind, due, owner, name) WHERE due IS NOT NULL;
CREATE INDEX dm_records_by_revision ON dm_records (owner, revision) WHERE revision > 0;

-- What a send compares is in the rows that it reads anyway.
--
-- The newest registration of the user's devices, of a device that may be forgotten.
ALTER TABLE dm_users ADD COLUMN registration INTEGER NOT NULL DEFAULT 0;
-- The newest revision of the user's synced records, and that of the newest removed one.
ALTER TABLE dm_users ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dm_users ADD COLUMN revision_floor INTEGER NOT NULL DEFAULT 0;
-- The tag of the user's fence record; NULL without one.
ALTER TABLE dm_users ADD COLUMN fence BLOB;
-- The encoded gate of the user; NULL if it lets everything through. See `src/codec/gate.rs`.
ALTER TABLE dm_users ADD COLUMN gate BLOB;
-- The proof of the newest expired entry, with the same 64 bits; NULL if none has expired, or if it
-- expired before proofs were kept.
ALTER TABLE dm_users ADD COLUMN floor_proof INTEGER;

-- The encoded counts of both sides after message `head`; NULL if that message is not counted.
ALTER TABLE dm_conversations ADD COLUMN counts BLOB;
-- The tag of the conversation's fence record; NULL without one.
ALTER TABLE dm_conversations ADD COLUMN fence BLOB;
-- The encoded gate of the pair; NULL if it lets everything through.
ALTER TABLE dm_conversations ADD COLUMN gate BLOB;

-- The gates of pairs of users that have no conversation yet. The opening of a conversation moves
-- the gate into its row.
CREATE TABLE dm_gates (
    a INTEGER NOT NULL,
    b INTEGER NOT NULL,
    gate BLOB NOT NULL,
    PRIMARY KEY (a, b)
) WITHOUT ROWID;

-- A user's conversations in the order of their ids.
DROP INDEX dm_conversations_by_b;
CREATE INDEX dm_conversations_by_a_id ON dm_conversations (a, id);
CREATE INDEX dm_conversations_by_b_id ON dm_conversations (b, id);

-- The number of the message among those of its sender in the conversation. Zero for a message that
-- is older than these numbers.
ALTER TABLE dm_messages ADD COLUMN sender_sequence INTEGER NOT NULL DEFAULT 0;
-- The encoded counts of both sides after the message; NULL for a message that is not counted.
ALTER TABLE dm_recent_sequence_0 ADD COLUMN counts BLOB;
ALTER TABLE dm_recent_sequence_1 ADD COLUMN counts BLOB;

-- The registration of the device that the entry is for; NULL if it is for all devices.
ALTER TABLE dm_inbox ADD COLUMN addressee INTEGER;
ALTER TABLE dm_recent_inbox_0 ADD COLUMN addressee INTEGER;
ALTER TABLE dm_recent_inbox_1 ADD COLUMN addressee INTEGER;

-- The number of the registration among those of the user's devices. `ref`s are in the order of
-- registration.
ALTER TABLE dm_devices ADD COLUMN registration INTEGER NOT NULL DEFAULT 0;
UPDATE dm_devices AS d
SET registration = (SELECT count(*) FROM dm_devices o WHERE o.user = d.user AND o.ref <= d.ref);
UPDATE dm_users AS u SET registration = (SELECT count(*) FROM dm_devices WHERE user = u.ref)
WHERE ref IN (SELECT user FROM dm_devices);

-- The rows of `dm_keys` and `dm_announcements` are then made records by `src/schema/published_keys.rs`,
-- because SQL has no blobs made of numbers in all versions and encodings of SQLite. At last both
-- tables are dropped.
