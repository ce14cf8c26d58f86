-- The host's file, accounts.db, from version 1 to 2: the authentication of challenges.

-- The key of the message authentication code in challenges.
CREATE TABLE challenge_key (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB NOT NULL
) STRICT;

-- Used challenges, so that none is accepted twice.
CREATE TABLE used_challenges (
    challenge  BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL  -- Unix ms
) STRICT, WITHOUT ROWID;

CREATE INDEX used_challenges_by_expiry ON used_challenges (expires_at);
