-- Who wrote to the store's tables last, by a number that each writer takes for itself.
--
-- SQLite tells a writer that another connection changed the file, and not what: a host may write to tables of its own
-- there, many times a second. A writer that finds its own number knows that all it keeps in memory is still right.
ALTER TABLE dm_merge ADD COLUMN writer INTEGER NOT NULL DEFAULT 0;
