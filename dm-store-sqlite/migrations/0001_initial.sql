-- The first schema.
--
-- The speed of a send depends on the number of pages that it changes. So wide rows are appended by
-- rowid, and narrow trees, which look rows up by conversation or by user, point at them. Users,
-- conversations, messages and devices have a short `ref` for this. Their public names are in one
-- table each.
--
-- Numbers of 64 bits are kept bit for bit: a client's timestamp from 2^63 on is negative here. A
-- statement that compares times takes negative ones as later than all others.
--
-- SQLite keeps the comments inside a statement in the file. They do not change any more.

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

-- Published keys of which some peers are not notified yet: those in the publisher's conversations
-- with a `ref` above `after`, up to `until`.
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

-- Messages. `sender_seq` and `recipient_seq` are the numbers of the entries about a message in the
-- two inboxes.
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
-- The message that a client id of a sender stands for. The client id comes first in the key:
-- clients that make UUIDv7s then append to this tree, too.
CREATE TABLE dm_client_ids (
    client_id BLOB NOT NULL,
    sender INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (client_id, sender)
) WITHOUT ROWID;

-- The messages of a conversation in order. Its newest row is the conversation's head and last
-- activity.
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

-- The entries above a device's cursor that it acknowledged individually.
CREATE TABLE dm_acked (
    device INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (device, seq)
) WITHOUT ROWID;
