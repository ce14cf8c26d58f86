-- The last writer of the store's tables. Each writer has a random number.
--
-- SQLite tells a writer that another connection changed the file, but not which tables it changed:
-- a host may write to its own tables in the file, many times a second. A writer that finds its own
-- number knows that its caches are valid.
ALTER TABLE dm_merge ADD COLUMN writer INTEGER NOT NULL DEFAULT 0;
