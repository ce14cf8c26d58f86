-- A user's row holds the newest number of the inbox, as a conversation's row holds the number of
-- the newest message. A message to a user who is not in memory then needs no look-up in `dm_inbox`,
-- the largest table.

-- The number of the newest entry that was moved to `dm_inbox`, which may have expired. Entries that
-- are not moved to `dm_inbox` yet are newer.
ALTER TABLE dm_users ADD COLUMN inbox_head INTEGER NOT NULL DEFAULT 0;
UPDATE dm_users SET inbox_head = max(inbox_floor, coalesce((SELECT max(seq) FROM dm_inbox WHERE user = dm_users.ref), 0));
