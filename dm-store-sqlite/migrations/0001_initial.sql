-- The first schema.
--
-- The speed of a send depends on the number of pages that it changes. So the wide rows of messages
-- are appended in the order of their rowid. Narrow tables, whose keys begin with a conversation or
-- a user, refer to these rows. Users, conversations, messages and devices have a short number `ref`
-- for this purpose. The public id of each is stored in one table only.
--
-- A 64-bit number is stored with the same bits, so a client's timestamp from 2^63 on is negative
-- here. A statement that compares times treats a negative time as later than all others.
--
-- SQLite stores the comments inside a CREATE statement in the file. So these comments never change.

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

-- Published keys about which some peers are not notified yet. Such a peer is in a conversation of
-- the publisher with a `ref` above `after`, up to `until`.
CREATE TABLE dm_announcements (
    publisher BLOB PRIMARY KEY,
    user INTEGER NOT NULL,
    after INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per conversation, which is of one pair of users; `a` is the user with the smaller public
-- key.
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
-- The message for which a sender used a client id. The client id is the first column of the key: if
-- clients use UUIDv7s, new rows are added at the end of this table.
CREATE TABLE dm_client_ids (
    client_id BLOB NOT NULL,
    sender INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (client_id, sender)
) WITHOUT ROWID;

-- The messages of a conversation in order. The newest row has the conversation's head (the number
-- of the newest message) and the time of its last activity.
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
