-- The last writer of the store's tables, by a random number that each writer makes for itself.
--
-- SQLite tells a writer that another connection changed the file, but not which tables: a host may
-- write to its own tables there, many times a second. A writer that finds its own number knows that
-- its caches are still right.
ALTER TABLE dm_merge ADD COLUMN writer INTEGER NOT NULL DEFAULT 0;
