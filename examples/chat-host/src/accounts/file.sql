-- The host's own file, accounts.db, of version 1 (`user_version`); challenges.sql brings it to version 2.

-- The id of this host: made once, so that a signature for one host is not valid for another.
CREATE TABLE host (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    server_id TEXT NOT NULL
) STRICT;

CREATE TABLE accounts (
    public_key    BLOB PRIMARY KEY,
    display_name  TEXT NOT NULL,
    -- The name in lowercase, for searching; SQLite's own LIKE folds ASCII only.
    folded        TEXT NOT NULL,
    registered_at INTEGER NOT NULL  -- Unix ms
) STRICT, WITHOUT ROWID;

CREATE INDEX accounts_by_name ON accounts (folded, public_key, display_name);

CREATE TABLE tokens (
    hash       BLOB PRIMARY KEY,  -- SHA-256 of the token
    public_key BLOB NOT NULL REFERENCES accounts,
    expires_at INTEGER NOT NULL   -- Unix ms
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_by_owner ON tokens (public_key, expires_at);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);
