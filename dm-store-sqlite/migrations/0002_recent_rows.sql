-- New rows of inboxes and conversations are inserted into small tables first.
--
-- Each conversation and each inbox grows at another key, so that a new row of `dm_sequence` or
-- `dm_inbox` mostly changes a page that no other row of its batch changes. In the small tables the
-- rows of a batch share a few pages. Rows are moved from the small tables in the order of their
-- keys, many at a time. See `src/recent/mod.rs`.

-- The number and the time of the newest message in `dm_sequence`. Messages that are not moved to
-- `dm_sequence` yet are newer.
ALTER TABLE dm_conversations ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dm_conversations ADD COLUMN last_at INTEGER;
UPDATE dm_conversations AS c SET (head, last_at) = (s.seq, s.at)
FROM dm_sequence s
WHERE s.conversation = c.ref AND s.seq = (SELECT max(seq) FROM dm_sequence WHERE conversation = c.ref);
ALTER TABLE dm_sequence DROP COLUMN at;

-- The newest rows of `dm_sequence` and `dm_inbox`, in two generations. New rows go into the growing
-- generation, which is in table 0 if `dm_merge.generation` is even and in table 1 if it is odd. The
-- generation before it, in the other table, is being moved. A generation has a few runs. Each run
-- is filled before the next one begins.
CREATE TABLE dm_recent_sequence_0 (
    run INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    message INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, conversation, seq)
) WITHOUT ROWID;
CREATE TABLE dm_recent_sequence_1 (
    run INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    message INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (run, conversation, seq)
) WITHOUT ROWID;

-- In these tables an entry about a message also holds the message's conversation and number, so
-- that a list of conversations needs only the user's own rows. An expired entry stays until its
-- generation is moved. Reads skip such an entry, because its number is not above `inbox_floor`.
CREATE TABLE dm_recent_inbox_0 (
    run INTEGER NOT NULL,
    user INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    message INTEGER,
    notice BLOB,
    origin TEXT,
    conversation INTEGER,
    conversation_seq INTEGER,
    PRIMARY KEY (run, user, seq)
) WITHOUT ROWID;
CREATE TABLE dm_recent_inbox_1 (
    run INTEGER NOT NULL,
    user INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    message INTEGER,
    notice BLOB,
    origin TEXT,
    conversation INTEGER,
    conversation_seq INTEGER,
    PRIMARY KEY (run, user, seq)
) WITHOUT ROWID;

-- One row: the number of the growing generation, and how far the generation before it is moved, in
-- the order of keys. Entries are moved up to `user_seq` of `user`, messages up to
-- `conversation_seq` of `conversation`. The largest numbers mean that all rows are moved.
CREATE TABLE dm_merge (
    generation INTEGER NOT NULL,
    user INTEGER NOT NULL,
    user_seq INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    conversation_seq INTEGER NOT NULL
);
INSERT INTO dm_merge VALUES (0, 9223372036854775807, 9223372036854775807, 9223372036854775807, 9223372036854775807);
