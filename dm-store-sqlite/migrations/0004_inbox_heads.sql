-- A user's row tells the newest number of the inbox, as a conversation's row does: who is written to and is not in memory
-- costs no look into `dm_inbox`, which is the largest tree.

-- The number of the newest entry that was moved to `dm_inbox`; those not moved there yet are newer. It may have expired.
ALTER TABLE dm_users ADD COLUMN inbox_head INTEGER NOT NULL DEFAULT 0;
UPDATE dm_users SET inbox_head = max(inbox_floor, coalesce((SELECT max(seq) FROM dm_inbox WHERE user = dm_users.ref), 0));
