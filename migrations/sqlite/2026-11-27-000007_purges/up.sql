-- What writes have changed for caches elsewhere and not all of these have been told yet: keys, separated by
-- spaces, of one transaction each, in the order of commits.
CREATE TABLE purges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    keys TEXT NOT NULL
) STRICT;
-- The caches. sent: the last purge that it has; -1: some were lost, it is to drop everything. holder: the
-- sender that is at it now, until held_until.
CREATE TABLE purge_urls (
    url TEXT NOT NULL PRIMARY KEY,
    sent INTEGER NOT NULL,
    holder INTEGER,
    held_until TEXT
) STRICT, WITHOUT ROWID;
