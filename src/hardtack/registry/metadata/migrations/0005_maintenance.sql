-- Blobs whose bytes are gone or turned out to be others: nobody is told that they are here, so that whoever has them
-- pushes them again, which takes them off this list. Most registries never have a row.
CREATE TABLE lost (
    digest TEXT NOT NULL PRIMARY KEY REFERENCES blob (digest) ON DELETE CASCADE,
    found REAL NOT NULL,
    why TEXT NOT NULL
) WITHOUT ROWID;
