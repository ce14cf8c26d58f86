-- Records, conditions and gates (version 2 of the store's contract). A published key becomes the
-- fence of its user, and an announcement of a key becomes a job.
--
-- No statement reads or changes a message or an inbox entry: their new columns have constant
-- defaults, so PostgreSQL writes no row. The rows of users with a key are changed, and two indexes
-- of conversations are built.

-- Small facts, each with an owner, a kind and a name. `owner` is one byte and an id: 00 and the 32
-- bytes of a user, 01 and the 16 bytes of a conversation, or 02 alone for the store itself. So the
-- order of the columns (owner, kind, name) is the order of the core's keys.
--
-- `revision` is the number of the record's last change among those of its user; 0 for kinds that
-- are not synced.
CREATE TABLE dm.records (
    due bigint,
    revision bigint NOT NULL,
    tag uuid NOT NULL,
    kind integer NOT NULL,
    owner bytea NOT NULL,
    name bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (owner, kind, name)
);
CREATE INDEX records_by_due ON dm.records (kind, due, owner, name) WHERE due IS NOT NULL;
CREATE UNIQUE INDEX records_by_revision ON dm.records (owner, revision) WHERE revision > 0;

-- One row for each kind of the store's own records, and of the records of a conversation that does
-- not exist. A transaction that reads such records to change something holds the row's lock. The
-- records of users and of conversations need no such row, because the rows of users guard them.
CREATE TABLE dm.record_guards (
    owner bytea NOT NULL,
    kind integer NOT NULL,
    PRIMARY KEY (owner, kind)
) WITH (fillfactor = 50);

-- The gates of pairs of users that have no conversation, if they were ever changed. A pair with a
-- conversation has its gate in the conversation's row. Both are encoded as `src/codec/gate.rs`
-- says; NULL is a gate that lets everything through.
CREATE TABLE dm.gates (
    a bytea NOT NULL,
    b bytea NOT NULL,
    gate bytea NOT NULL,
    PRIMARY KEY (a, b)
);

-- The number of a message among those of its sender in the conversation; 0 for messages that were
-- stored before this migration.
ALTER TABLE dm.messages ADD COLUMN sender_number bigint NOT NULL DEFAULT 0;

-- The registration of the device that the entry is for, which is the `number` of the device; NULL
-- for an entry for all devices.
ALTER TABLE dm.inbox ADD COLUMN addressee bigint;

-- What each participant has sent and seen since this migration: the count of messages, their bytes,
-- and the count of the other's messages at the own last one (`a_seen`, `b_seen`). A transaction that
-- sends finds in `a_seen_before` and `b_seen_before` the values that it has just replaced; they mean
-- nothing later. `fence` is the tag of the conversation's record of kind 1 with the empty name. No
-- index has these columns, because every send changes them.
ALTER TABLE dm.conversations
    ADD COLUMN a_sent bigint NOT NULL DEFAULT 0,
    ADD COLUMN a_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN a_seen bigint NOT NULL DEFAULT 0,
    ADD COLUMN b_sent bigint NOT NULL DEFAULT 0,
    ADD COLUMN b_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN b_seen bigint NOT NULL DEFAULT 0,
    ADD COLUMN a_seen_before bigint NOT NULL DEFAULT 0,
    ADD COLUMN b_seen_before bigint NOT NULL DEFAULT 0,
    ADD COLUMN fence uuid,
    ADD COLUMN gate bytea;

-- `floor_proof` is the proof of the entry with the number `inbox_floor`; NULL if none has expired,
-- or if that entry expired before this migration. `revision_head` is the newest revision of the
-- user's records, and `revision_floor` the newest one of a record that was removed. `fence` is the
-- tag of the user's record of kind 1 with the empty name. `registrations` (since version 1) is the
-- user's newest registration.
ALTER TABLE dm.users
    ADD COLUMN floor_proof bigint,
    ADD COLUMN revision_head bigint NOT NULL DEFAULT 0,
    ADD COLUMN revision_floor bigint NOT NULL DEFAULT 0,
    ADD COLUMN fence uuid,
    ADD COLUMN gate bytea;

-- Keys become fences. The value is the form 01, the version, the key, the time and the binding. The
-- tag is the version, and then zeros. Flipping the highest bit of the time makes it the
-- milliseconds since 1970.
INSERT INTO dm.records (owner, kind, name, value, tag, due, revision)
    SELECT '\x00'::bytea || u.id, 1, ''::bytea,
           '\x01'::bytea || decode(lpad(to_hex(u.key_version), 8, '0'), 'hex') || u.key
               || decode(lpad(to_hex(u.key_published_at # (-9223372036854775808)::bigint), 16, '0'), 'hex')
               || decode(lpad(to_hex(u.key_binding::integer), 2, '0'), 'hex'),
           rpad(lpad(to_hex(u.key_version), 8, '0'), 32, '0')::uuid, NULL, 0
    FROM dm.users u WHERE u.key_version > 0;
UPDATE dm.users SET fence = rpad(lpad(to_hex(key_version), 8, '0'), 32, '0')::uuid WHERE key_version > 0;

-- Announcements become jobs, which are due at once. They start again with the first conversation,
-- because a job goes by the ids of conversations and an announcement went by their numbers. So a
-- peer may get a second notice of the same key.
INSERT INTO dm.records (owner, kind, name, value, tag, due, revision)
    SELECT '\x00'::bytea || n.publisher, 2, ''::bytea, '\x0100'::bytea, gen_random_uuid(),
           (-9223372036854775808)::bigint, 0
    FROM dm.announcements n;
DROP TABLE dm.announcements;

ALTER TABLE dm.users
    DROP COLUMN conversations,
    DROP COLUMN key_version,
    DROP COLUMN key,
    DROP COLUMN key_binding,
    DROP COLUMN key_published_at;

-- A user's conversations are read in the order of their ids. The columns that numbered them go, and
-- their indexes with them.
ALTER TABLE dm.conversations
    DROP COLUMN a_number,
    DROP COLUMN b_number;
CREATE UNIQUE INDEX conversations_of_a ON dm.conversations (a, id);
CREATE UNIQUE INDEX conversations_of_b ON dm.conversations (b, id);
