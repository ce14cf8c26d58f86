-- A user's row holds the newest number of the inbox, as a conversation's row does. A message to a
-- user who is not in memory then needs no look-up in `dm_inbox`, the largest tree.

-- The number of the newest entry that was moved to `dm_inbox`. Entries that are not moved there yet
-- are newer. The entry may have expired.
ALTER TABLE dm_users ADD COLUMN inbox_head INTEGER NOT NULL DEFAULT 0;
UPDATE dm_users SET inbox_head = max(inbox_floor, coalesce((SELECT max(seq) FROM dm_inbox WHERE user = dm_users.ref), 0));
