-- The tables of hosts on one PostgreSQL database. Runs at each start of a host, one host at a time.

CREATE SCHEMA IF NOT EXISTS chat_host;

-- The id of the hosts: made once, so that a signature for them is not valid for others.
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

-- The key of the message authentication code in challenges. It is the same for all hosts, so that each
-- host accepts the challenges of the others.
ALTER TABLE chat_host.host ADD COLUMN IF NOT EXISTS challenge_key bytea;

-- Used challenges, so that none is accepted twice, also not at two hosts.
CREATE TABLE IF NOT EXISTS chat_host.used_challenges (
    challenge  bytea PRIMARY KEY,
    expires_at bigint NOT NULL  -- Unix ms
);
CREATE INDEX IF NOT EXISTS used_challenges_by_expiry ON chat_host.used_challenges (expires_at);

-- Earlier versions stored issued challenges here.
DROP TABLE IF EXISTS chat_host.challenges;
