-- The graph of content: a node is a digest (of a blob, or of a layer's uncompressed tar, its diff id).
-- What can be reached from `keep` over `edge` stays; everything else is garbage.

CREATE TABLE blob (
    digest TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL,
    used REAL NOT NULL
) WITHOUT ROWID;

-- kind: config, layer, manifest (index to manifest), diff (config to diff id), subject (a manifest to its referrer)
CREATE TABLE edge (
    parent TEXT NOT NULL,
    child TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (parent, child, kind)
) WITHOUT ROWID;
CREATE INDEX edge_child ON edge (child);

-- holder: image:<digest>, container:<id>, build:<key>, lease:<id>
CREATE TABLE keep (
    holder TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (holder, digest)
) WITHOUT ROWID;
CREATE INDEX keep_digest ON keep (digest);

-- alive while the process is that has this pid, began at this tick, in this boot
CREATE TABLE lease (
    id TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    ticks INTEGER NOT NULL,
    boot TEXT NOT NULL,
    purpose TEXT NOT NULL,
    created REAL NOT NULL
);

-- a top-level manifest or index as it was pulled, built or loaded; config: of this host's platform, the image id
CREATE TABLE image (
    digest TEXT PRIMARY KEY,
    config TEXT NOT NULL,
    created REAL NOT NULL,
    used REAL NOT NULL
);
CREATE INDEX image_config ON image (config);

-- a canonical name ("docker.io/library/nginx:latest", or "…@sha256:…") to image.digest
CREATE TABLE reference (
    name TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    updated REAL NOT NULL
);
CREATE INDEX reference_digest ON reference (digest);

-- a layer made mountable; size: bytes on disk, content: bytes of the files in it, which is what people are shown
CREATE TABLE layer (
    diff_id TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    size INTEGER NOT NULL,
    files INTEGER NOT NULL,
    content INTEGER NOT NULL,
    created REAL NOT NULL
);

-- a compressed blob to the diff id of the tar in it
CREATE TABLE diff (
    blob TEXT PRIMARY KEY,
    diff_id TEXT NOT NULL
);

-- "host/path" of a repository that is known to hold a blob: to mount from when pushing, to fetch again from
CREATE TABLE origin (
    digest TEXT NOT NULL,
    repository TEXT NOT NULL,
    PRIMARY KEY (digest, repository)
) WITHOUT ROWID;
