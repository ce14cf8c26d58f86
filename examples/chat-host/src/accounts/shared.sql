-- What hosts on one PostgreSQL database share. Runs whenever a host starts, one host at a time.

CREATE SCHEMA IF NOT EXISTS chat_host;

-- What the hosts are called: made once, so that a signature for them is good for no others.
CREATE TABLE IF NOT EXISTS chat_host.host (
    single    boolean PRIMARY KEY DEFAULT true CHECK (single),
    server_id text NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', '')
);
INSERT INTO chat_host.host DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS chat_host.accounts (
    public_key    bytea PRIMARY KEY,
    display_name  text NOT NULL,
    -- The name in lowercase, for searching.
    folded        text COLLATE "C" NOT NULL,
    registered_at bigint NOT NULL  -- Unix ms
);
CREATE INDEX IF NOT EXISTS accounts_by_name ON chat_host.accounts (folded, public_key);

CREATE TABLE IF NOT EXISTS chat_host.tokens (
    hash       bytea PRIMARY KEY,  -- SHA-256 of the token
    public_key bytea NOT NULL REFERENCES chat_host.accounts,
    expires_at bigint NOT NULL     -- Unix ms
);
CREATE INDEX IF NOT EXISTS tokens_by_owner ON chat_host.tokens (public_key, expires_at);
CREATE INDEX IF NOT EXISTS tokens_by_expiry ON chat_host.tokens (expires_at);

-- The key that challenges carry a code by: one, so that each host knows what another gave out.
ALTER TABLE chat_host.host ADD COLUMN IF NOT EXISTS challenge_key bytea;

-- Challenges that were answered, so that none is answered twice, not even at two hosts.
CREATE TABLE IF NOT EXISTS chat_host.used_challenges (
    challenge  bytea PRIMARY KEY,
    expires_at bigint NOT NULL  -- Unix ms
);
CREATE INDEX IF NOT EXISTS used_challenges_by_expiry ON chat_host.used_challenges (expires_at);

-- Earlier hosts kept challenges here until they were answered.
DROP TABLE IF EXISTS chat_host.challenges;
