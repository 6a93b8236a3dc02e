-- What builds have learnt: which layer a step gave, and what files of contexts hash to.
-- A step's content is held by rows of `keep` with the holder build:<key>, until the step is pruned.

CREATE TABLE build_step (
    key TEXT PRIMARY KEY, -- sha256 over the layers below, the instruction, its variables and its sources
    diff_id TEXT NOT NULL DEFAULT '', -- empty: the step changed nothing
    blob TEXT NOT NULL DEFAULT '', -- the layer as it is pushed
    media_type TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0, -- of the blob
    created TEXT NOT NULL, -- RFC 3339, as the history of images shows it
    instruction TEXT NOT NULL, -- for people; never holds a secret
    made REAL NOT NULL,
    used REAL NOT NULL
) WITHOUT ROWID;

-- A file's content by what changes whenever the content does; a number of an inode used again has another ctime.
CREATE TABLE build_file (
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime INTEGER NOT NULL, -- nanoseconds
    ctime INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    used REAL NOT NULL,
    PRIMARY KEY (device, inode)
) WITHOUT ROWID;
