-- Containers. A row is claimed by the process that is changing it: `monitor` with the tick at which it began, in that
-- boot. For a running container that is its monitor; a claim whose process has ended is reconciled by the next command.
-- The kernel's side (mounts, control groups, links) can always be found from the id.

CREATE TABLE container (
    id TEXT PRIMARY KEY,
    name TEXT UNIQUE, -- NULL while it is being removed, so that the name is free at once
    image TEXT NOT NULL, -- digest of the manifest or index
    image_id TEXT NOT NULL, -- digest of the config
    layers TEXT NOT NULL, -- diff ids, bottom first, a space between
    created REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'created',
    pid INTEGER NOT NULL DEFAULT 0,
    pid_ticks INTEGER NOT NULL DEFAULT 0,
    monitor INTEGER NOT NULL DEFAULT 0,
    monitor_ticks INTEGER NOT NULL DEFAULT 0,
    boot TEXT NOT NULL DEFAULT '',
    exit_code INTEGER NOT NULL DEFAULT 0,
    started REAL NOT NULL DEFAULT 0,
    finished REAL NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    oom INTEGER NOT NULL DEFAULT 0,
    restarts INTEGER NOT NULL DEFAULT 0,
    stopped INTEGER NOT NULL DEFAULT 0, -- somebody asked it to stop, so no policy starts it again
    autoremove INTEGER NOT NULL DEFAULT 0,
    runtime TEXT NOT NULL DEFAULT '', -- the OCI runtime that it was started with
    document TEXT NOT NULL -- Config, HostConfig and the rest of what inspect shows, JSON
);
CREATE INDEX container_image ON container (image_id);
CREATE INDEX container_state ON container (state);
