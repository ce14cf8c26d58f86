-- The first schema. It is created in one transaction, with the row of `dm.schema_version` locked.
--
-- Rows are named by the core's own ids (a user's 32 bytes, a conversation's UUID). Every frequent
-- query names a user or a conversation, so an engine that shards tables can do so by the first
-- column of each primary key. There are no foreign keys, because their checks would lock rows in
-- another order than the store does.
--
-- A time is stored as its milliseconds since 1970, minus 2^63. So every 64-bit time fits into a
-- bigint, and times keep their order. To convert a column `at`:
-- to_timestamp((at + 9223372036854775808) / 1000).
--
-- A table with a `fillfactor` leaves space on each page for a changed row. A change that touches no
-- indexed column then changes no index (PostgreSQL calls this a heap-only tuple update).

-- One row per user. A transaction that appends to the user's inbox, opens a conversation of the
-- user, publishes the user's key or changes the user's devices holds the row's lock until the
-- commit. So inbox numbers have no gaps, and are committed in order. `inbox_head` is in no index,
-- because every send changes it.
CREATE TABLE dm.users (
    id bytea PRIMARY KEY,
    -- The number of the newest inbox entry.
    inbox_head bigint NOT NULL DEFAULT 0,
    -- The number of the newest inbox entry that expired; 0 if none has.
    inbox_floor bigint NOT NULL DEFAULT 0,
    -- The time of the oldest entry in the inbox; NULL if the inbox is empty.
    oldest_at bigint,
    -- The number of the user's conversations, and of the user's devices that were ever registered.
    conversations bigint NOT NULL DEFAULT 0,
    registrations bigint NOT NULL DEFAULT 0,
    -- The current key. Older versions are not kept. Version 0 means that there is no key.
    key_version bigint NOT NULL DEFAULT 0,
    key bytea,
    key_binding smallint,
    key_published_at bigint
) WITH (fillfactor = 70);
CREATE INDEX users_by_oldest ON dm.users (oldest_at) WHERE oldest_at IS NOT NULL;

-- Published keys about which some peers have no notice yet. Such a peer is in a conversation of the
-- publisher with a number above `told`, up to `until`.
CREATE TABLE dm.announcements (
    publisher bytea PRIMARY KEY,
    told bigint NOT NULL,
    until bigint NOT NULL
);

-- One row per conversation, which is of one pair of users; `a` is the user with the smaller key.
-- `a_number` numbers the conversations of `a` in the order in which they were opened, and
-- `b_number` those of `b`. `head` is the number of the newest message, and `last_at` its time. No
-- index has the columns `head` and `last_at`, because every send changes them.
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

-- The columns of 8 bytes are the first ones, which avoids padding and a tenth of the pages.
CREATE TABLE dm.messages (
    seq bigint NOT NULL,
    -- The numbers of the message's entries in the inboxes of its sender and its recipient.
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
-- Acknowledgements by message ids use this index. Ids are UUIDv7, so new ids are added at the end
-- of the index.
CREATE UNIQUE INDEX messages_by_id ON dm.messages (id);
CREATE UNIQUE INDEX messages_by_client_id ON dm.messages (sender, client_id) WHERE client_id IS NOT NULL;

-- One row per inbox entry: it refers to a message or holds an encoded notice.
CREATE TABLE dm.inbox (
    seq bigint NOT NULL,
    at bigint NOT NULL,
    message_seq bigint,
    conversation uuid,
    user_id bytea NOT NULL,
    notice bytea,
    -- The user's device that caused the entry; NULL if none did, '' for the default device.
    origin text COLLATE "C",
    PRIMARY KEY (user_id, seq)
);

CREATE TABLE dm.devices (
    user_id bytea NOT NULL,
    device text COLLATE "C" NOT NULL,
    -- The number of the device among the user's registrations. Lists of devices are in this order.
    number bigint NOT NULL,
    cursor bigint NOT NULL,
    registered_at bigint NOT NULL,
    PRIMARY KEY (user_id, device)
) WITH (fillfactor = 70);

-- The entries above its cursor that a device acknowledged individually.
CREATE TABLE dm.acked (
    user_id bytea NOT NULL,
    device text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (user_id, device, seq)
);

-- Commit markers, by which a node finds out whether a commit whose answer was lost took place: see
-- `src/write/commit_marker.rs`. A node has one row for each batch that it runs at the same time.
-- Rows that no commit used for seven days are deleted when a node starts.
CREATE TABLE dm.commits (
    slot uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    token bigint NOT NULL DEFAULT 0,
    used_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
