-- The first schema. Runs in one transaction, with the row of `dm.schema_version` locked.
--
-- Keys are natural (a user's 32 bytes, a conversation's UUID): every hot query names a user or a conversation, and an engine
-- that spreads tables over machines can do so by the first column of each primary key. There are no foreign keys: a
-- check of one would lock rows in an order that is not ours.
--
-- Times are milliseconds since 1970, less 2^63: all 64 bits fit a bigint and compare as what they are. To read one:
-- to_timestamp((at + 9223372036854775808) / 1000).

-- One row per user. Whoever appends to an inbox, opens a conversation of the user, publishes their key or changes their
-- devices holds its lock until the commit: that is what makes numbers dense and commit order the order of numbers.
-- `inbox_head` is in no index, so a send updates the row in place (HOT).
CREATE TABLE dm.users (
    id bytea PRIMARY KEY,
    inbox_head bigint NOT NULL DEFAULT 0,
    -- The newest entry that expired.
    inbox_floor bigint NOT NULL DEFAULT 0,
    -- When the oldest entry still held was queued; NULL while there is none.
    oldest_at bigint,
    -- How many conversations the user has, and how many devices were ever registered.
    conversations bigint NOT NULL DEFAULT 0,
    registrations bigint NOT NULL DEFAULT 0,
    -- The current key; older versions are not kept. Version 0 is none.
    key_version bigint NOT NULL DEFAULT 0,
    key bytea,
    key_binding smallint,
    key_published_at bigint
) WITH (fillfactor = 70);
CREATE INDEX users_by_oldest ON dm.users (oldest_at) WHERE oldest_at IS NOT NULL;

-- Publications whose peers are not all told: the publisher's conversations numbered above `told` up to `until` are left.
CREATE TABLE dm.announcements (
    publisher bytea PRIMARY KEY,
    told bigint NOT NULL,
    until bigint NOT NULL
);

-- One row per pair; `a` is the user with the smaller key. `a_number` counts the conversations of `a` in the order in which
-- they were opened, `b_number` those of `b`. `head` and `last_at` are in no index, so a send updates the row in place.
CREATE TABLE dm.conversations (
    id uuid PRIMARY KEY,
    a bytea NOT NULL,
    b bytea NOT NULL,
    opened_at bigint NOT NULL,
    a_number bigint NOT NULL,
    b_number bigint NOT NULL,
    head bigint NOT NULL DEFAULT 0,
    last_at bigint
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX conversations_by_pair ON dm.conversations (a, b);
CREATE UNIQUE INDEX conversations_of_a ON dm.conversations (a, a_number);
CREATE UNIQUE INDEX conversations_of_b ON dm.conversations (b, b_number);

-- Wide numbers first and no padding between: a tenth fewer pages.
CREATE TABLE dm.messages (
    seq bigint NOT NULL,
    -- Where it stands in the two inboxes.
    sender_seq bigint NOT NULL,
    recipient_seq bigint NOT NULL,
    sent_at bigint NOT NULL,
    received_at bigint NOT NULL,
    suite bigint,
    conversation uuid NOT NULL,
    id uuid NOT NULL,
    client_id uuid,
    sender bytea NOT NULL,
    recipient bytea NOT NULL,
    nonce bytea NOT NULL,
    ephemeral bytea,
    payload bytea NOT NULL,
    PRIMARY KEY (conversation, seq)
);
-- For acknowledgements that name messages. UUIDv7: it grows at its right edge.
CREATE UNIQUE INDEX messages_by_id ON dm.messages (id);
CREATE UNIQUE INDEX messages_by_client_id ON dm.messages (sender, client_id) WHERE client_id IS NOT NULL;

-- The inbox of a user: each entry points to a message or holds an encoded notice.
CREATE TABLE dm.inbox (
    seq bigint NOT NULL,
    at bigint NOT NULL,
    message_seq bigint,
    conversation uuid,
    user_id bytea NOT NULL,
    notice bytea,
    -- The user's device that caused it: NULL for none, '' for the default device.
    origin text COLLATE "C",
    PRIMARY KEY (user_id, seq)
);

CREATE TABLE dm.devices (
    user_id bytea NOT NULL,
    device text COLLATE "C" NOT NULL,
    -- Counts the user's registrations: devices are listed by it.
    number bigint NOT NULL,
    cursor bigint NOT NULL,
    registered_at bigint NOT NULL,
    PRIMARY KEY (user_id, device)
) WITH (fillfactor = 70);

-- What a device acknowledged individually, above its cursor.
CREATE TABLE dm.acked (
    user_id bytea NOT NULL,
    device text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (user_id, device, seq)
);

-- How a node learns what became of a commit whose answer it lost: see `src/write/slot.rs`. One row per commit that a node
-- has under way; those of nodes that are gone are removed when another starts.
CREATE TABLE dm.commits (
    slot uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    token bigint NOT NULL DEFAULT 0,
    used_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
