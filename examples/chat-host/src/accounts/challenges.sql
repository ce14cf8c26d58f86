-- The host's own file, accounts.db, from version 1 to 2: how it knows its challenges.

-- The key that challenges carry a code by.
CREATE TABLE challenge_key (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB NOT NULL
) STRICT;

-- Challenges that were answered, so that none is answered twice.
CREATE TABLE used_challenges (
    challenge  BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL  -- Unix ms
) STRICT, WITHOUT ROWID;

CREATE INDEX used_challenges_by_expiry ON used_challenges (expires_at);
