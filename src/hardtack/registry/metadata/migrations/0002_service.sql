-- What makes a registry a service: accounts and rights, what repositories say of themselves, counters, the journal.

-- visibility: public, internal (everybody with an account) or private. immutable: patterns of tags that never change, one
-- per line. retention: JSON, or "" for the rules of the configuration. size: bytes of what it links to and of its
-- manifests. upstream: the configured upstream that it caches, or "".
ALTER TABLE repository ADD COLUMN visibility TEXT NOT NULL DEFAULT 'private';
ALTER TABLE repository ADD COLUMN summary TEXT NOT NULL DEFAULT '';
ALTER TABLE repository ADD COLUMN readme TEXT NOT NULL DEFAULT '';
ALTER TABLE repository ADD COLUMN immutable TEXT NOT NULL DEFAULT '';
ALTER TABLE repository ADD COLUMN retention TEXT NOT NULL DEFAULT '';
ALTER TABLE repository ADD COLUMN upstream TEXT NOT NULL DEFAULT '';
ALTER TABLE repository ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
UPDATE repository SET size =
    (SELECT coalesce(sum(b.size), 0) FROM link l JOIN blob b ON b.digest = l.digest WHERE l.repository = repository.id)
    + (SELECT coalesce(sum(m.size), 0) FROM manifest m WHERE m.repository = repository.id);

-- What is set for a namespace, the first component of a name; most have no row. quota: bytes; NULL for none.
CREATE TABLE namespace (
    name TEXT NOT NULL PRIMARY KEY,
    quota INTEGER,
    visibility TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- Deleted manifests that can be brought back until they are too old; tags: JSON list of those that pointed at it. Their
-- links are gone, so nothing can be pulled through them, but what grave_need names is not collected.
CREATE TABLE grave (
    id INTEGER PRIMARY KEY,
    repository INTEGER NOT NULL REFERENCES repository (id),
    digest TEXT NOT NULL REFERENCES content (digest),
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    artifact_type TEXT NOT NULL,
    subject TEXT NOT NULL,
    annotations TEXT NOT NULL,
    pushed REAL NOT NULL,
    pushed_by TEXT NOT NULL,
    tags TEXT NOT NULL,
    deleted REAL NOT NULL,
    deleted_by TEXT NOT NULL,
    UNIQUE (repository, digest)
);
CREATE INDEX grave_deleted ON grave (deleted);
CREATE INDEX grave_digest ON grave (digest);
CREATE TABLE grave_need (
    grave INTEGER NOT NULL REFERENCES grave (id),
    child TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (grave, child, kind)
) WITHOUT ROWID;
CREATE INDEX grave_need_child ON grave_need (child);

-- How often and when last something was pulled; subject: a tag or a digest. Written in batches.
CREATE TABLE pulled (
    repository INTEGER NOT NULL REFERENCES repository (id),
    subject TEXT NOT NULL,
    pulls INTEGER NOT NULL,
    latest REAL NOT NULL,
    PRIMARY KEY (repository, subject)
) WITHOUT ROWID;

-- kind: user, organisation or robot. owner: of a robot, the user or organisation that it belongs to. password: argon2id, ""
-- for none. must_change: the password was given by somebody else and only serves to choose another.
CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    owner INTEGER REFERENCES account (id),
    password TEXT NOT NULL DEFAULT '',
    must_change INTEGER NOT NULL DEFAULT 0,
    admin INTEGER NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 1,
    title TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '',
    issuer TEXT NOT NULL DEFAULT '',
    subject TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL,
    seen REAL
);
CREATE UNIQUE INDEX account_subject ON account (issuer, subject) WHERE subject <> '';
CREATE INDEX account_owner ON account (owner) WHERE owner IS NOT NULL;

-- role: owner or member.
CREATE TABLE membership (
    organisation INTEGER NOT NULL REFERENCES account (id),
    account INTEGER NOT NULL REFERENCES account (id),
    role TEXT NOT NULL,
    PRIMARY KEY (organisation, account)
) WITHOUT ROWID;
CREATE INDEX membership_account ON membership (account);

CREATE TABLE team (
    id INTEGER PRIMARY KEY,
    organisation INTEGER NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (organisation, name)
);
CREATE TABLE team_member (
    team INTEGER NOT NULL REFERENCES team (id),
    account INTEGER NOT NULL REFERENCES account (id),
    PRIMARY KEY (team, account)
) WITHOUT ROWID;
CREATE INDEX team_member_account ON team_member (account);

-- Rights of an account or of a team on the repositories that a pattern covers; actions: names separated by commas.
CREATE TABLE permission (
    id INTEGER PRIMARY KEY,
    account INTEGER REFERENCES account (id),
    team INTEGER REFERENCES team (id),
    pattern TEXT NOT NULL,
    actions TEXT NOT NULL,
    created REAL NOT NULL,
    created_by TEXT NOT NULL
);
CREATE INDEX permission_account ON permission (account) WHERE account IS NOT NULL;
CREATE INDEX permission_team ON permission (team) WHERE team IS NOT NULL;

-- Personal access tokens and robots' secrets. id: the part that is no secret; secret: SHA-256 of the rest. scope: JSON list
-- of [pattern, actions], "" for all that the account may. expires: NULL for never.
CREATE TABLE token (
    id TEXT NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    scope TEXT NOT NULL,
    created REAL NOT NULL,
    expires REAL,
    used REAL
) WITHOUT ROWID;
CREATE INDEX token_account ON token (account);

-- Sessions of the pages; id: SHA-256 of the cookie.
CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id),
    csrf TEXT NOT NULL,
    created REAL NOT NULL,
    seen REAL NOT NULL,
    expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_account ON session (account);
CREATE INDEX session_expires ON session (expires);

-- Keys that sign the tokens of docker's flow; the newest signs, older ones verify until they are retired.
CREATE TABLE signing_key (
    id TEXT NOT NULL PRIMARY KEY,
    private TEXT NOT NULL,
    created REAL NOT NULL,
    retired REAL
) WITHOUT ROWID;

-- Failed logins, by name and by address, so that all replicas slow down together.
CREATE TABLE failure (
    who TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    latest REAL NOT NULL
) WITHOUT ROWID;

-- Small facts of the whole registry; "rights" is a number that grows with every change of accounts and rights.
CREATE TABLE fact (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO fact VALUES ('rights', '0');

-- Who did what: logins, changes of accounts, rights and settings, deletions.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    moment REAL NOT NULL,
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_moment ON audit (moment);
CREATE INDEX audit_who ON audit (who, id);

-- What has happened to content, written in the transaction that did it; the dispatcher turns each into deliveries and
-- removes it. kind: push, delete, tag, untag, restore, repository, drop.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    who TEXT NOT NULL,
    moment REAL NOT NULL
);
CREATE TABLE webhook (
    id INTEGER PRIMARY KEY,
    pattern TEXT NOT NULL,
    kinds TEXT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    active INTEGER NOT NULL DEFAULT 1,
    created REAL NOT NULL,
    created_by TEXT NOT NULL
);
-- state: waiting, delivered or dead.
CREATE TABLE delivery (
    id TEXT NOT NULL PRIMARY KEY,
    webhook INTEGER NOT NULL REFERENCES webhook (id),
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due REAL NOT NULL,
    status TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (due) WHERE state = 'waiting';
CREATE INDEX delivery_webhook ON delivery (webhook, created);

-- Pull-through: when a tag was last compared with its upstream (found = 1), or was last found missing there (found = 0).
CREATE TABLE upstream_seen (
    repository TEXT NOT NULL,
    reference TEXT NOT NULL,
    found INTEGER NOT NULL,
    checked REAL NOT NULL,
    PRIMARY KEY (repository, reference)
) WITHOUT ROWID;
CREATE INDEX upstream_seen_checked ON upstream_seen (checked);
