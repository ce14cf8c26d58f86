-- The first schema.
--
-- Pages touched per message decide the speed, so wide rows are appended by rowid, and what is looked up by
-- conversation or by user are narrow trees that point at them. Users, conversations, messages and devices have a short
-- `ref` for this; their public names stand in one place each.
--
-- Numbers from 64 bits are kept bit for bit: a client's timestamp above 2^63 is negative here. Only numbers that the
-- library counts itself are compared.

CREATE TABLE dm_schema (
    version INTEGER NOT NULL
);
INSERT INTO dm_schema (version) VALUES (0);

CREATE TABLE dm_users (
    ref INTEGER PRIMARY KEY,
    pubkey BLOB NOT NULL UNIQUE,
    -- The newest inbox entry that expired. The next number is above it even when the inbox is empty.
    inbox_floor INTEGER NOT NULL DEFAULT 0,
    -- When the oldest entry still held was queued; NULL while the inbox is empty. Written when an entry goes into an
    -- empty inbox and by expiry, so that a send seldom touches this row.
    oldest_at INTEGER
);
CREATE INDEX dm_users_by_oldest ON dm_users (oldest_at);

-- The current key of a user is the one with the highest version.
CREATE TABLE dm_keys (
    user INTEGER NOT NULL,
    version INTEGER NOT NULL,
    key BLOB NOT NULL,
    binding INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (user, version)
) WITHOUT ROWID;

-- Publications whose peers are not all told: the conversations of the publisher above `after` up to `until` are left.
CREATE TABLE dm_announcements (
    publisher BLOB PRIMARY KEY,
    user INTEGER NOT NULL,
    after INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per pair; `a` is the user with the smaller public key.
CREATE TABLE dm_conversations (
    ref INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    a INTEGER NOT NULL,
    b INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    UNIQUE (a, b)
);
CREATE INDEX dm_conversations_by_b ON dm_conversations (b);

CREATE TABLE dm_messages (
    ref INTEGER PRIMARY KEY,
    -- UUIDv7: the index grows at its right edge.
    id BLOB NOT NULL UNIQUE,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    -- Where it stands in the two inboxes.
    sender_seq INTEGER NOT NULL,
    recipient_seq INTEGER NOT NULL,
    client_id BLOB,
    sent_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    suite INTEGER,
    nonce BLOB NOT NULL,
    ephemeral BLOB,
    payload BLOB NOT NULL
);
-- What each sender's client ids stand for. The client's id comes first in the key, because clients that make UUIDv7s
-- then append to this tree, too.
CREATE TABLE dm_client_ids (
    client_id BLOB NOT NULL,
    sender INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (client_id, sender)
) WITHOUT ROWID;

-- The messages of a conversation in order. Its newest row is the conversation's head and last activity.
CREATE TABLE dm_sequence (
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    message INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;

-- The inbox of a user: each entry points to a message or holds an encoded notice.
CREATE TABLE dm_inbox (
    user INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    message INTEGER,
    notice BLOB,
    -- The user's device that caused it: NULL for none, '' for the default device.
    origin TEXT,
    PRIMARY KEY (user, seq)
) WITHOUT ROWID;

CREATE TABLE dm_devices (
    ref INTEGER PRIMARY KEY,
    user INTEGER NOT NULL,
    device TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    registered_at INTEGER NOT NULL,
    UNIQUE (user, device)
);

-- What a device acknowledged individually, above its cursor.
CREATE TABLE dm_acked (
    device INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (device, seq)
) WITHOUT ROWID;
