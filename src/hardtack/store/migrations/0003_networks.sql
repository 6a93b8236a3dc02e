-- Networks, who is attached to them with which address, published ports; volumes and who uses them.
-- What the kernel holds follows from these rows: after a crash or a flush it is made again from them.

CREATE TABLE network (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    driver TEXT NOT NULL, -- bridge, host, null
    bridge TEXT NOT NULL DEFAULT '', -- the interface on the host
    subnet TEXT NOT NULL DEFAULT '', -- "172.20.0.0/20"; empty until the first container needs it
    gateway TEXT NOT NULL DEFAULT '',
    subnet6 TEXT NOT NULL DEFAULT '',
    gateway6 TEXT NOT NULL DEFAULT '',
    internal INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0, -- the address given last, counted from the subnet's first
    options TEXT NOT NULL DEFAULT '{}',
    labels TEXT NOT NULL DEFAULT '{}',
    created REAL NOT NULL
) WITHOUT ROWID;

INSERT INTO network (id, name, driver, created) VALUES
    (lower(hex(randomblob(32))), 'bridge', 'bridge', strftime('%s', 'now')),
    (lower(hex(randomblob(32))), 'host', 'host', strftime('%s', 'now')),
    (lower(hex(randomblob(32))), 'none', 'null', strftime('%s', 'now'));

-- One attachment of a running container. `address` counts from the subnet's first, 0 where there is none.
CREATE TABLE endpoint (
    container TEXT NOT NULL,
    network TEXT NOT NULL REFERENCES network (id),
    id TEXT NOT NULL,
    link TEXT NOT NULL, -- the interface on the host's side
    address INTEGER NOT NULL,
    aliases TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (container, network)
) WITHOUT ROWID;
CREATE UNIQUE INDEX endpoint_address ON endpoint (network, address) WHERE address > 0;

CREATE TABLE port (
    protocol TEXT NOT NULL, -- tcp, udp, sctp
    host_port INTEGER NOT NULL,
    host_address TEXT NOT NULL, -- "0.0.0.0" for every address
    container TEXT NOT NULL,
    container_port INTEGER NOT NULL,
    PRIMARY KEY (protocol, host_port, host_address)
) WITHOUT ROWID;
CREATE INDEX port_container ON port (container);

CREATE TABLE volume (
    name TEXT PRIMARY KEY,
    driver TEXT NOT NULL DEFAULT 'local',
    labels TEXT NOT NULL DEFAULT '{}',
    options TEXT NOT NULL DEFAULT '{}',
    anonymous INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL
) WITHOUT ROWID;

-- A container, created or running, holds its volumes; the path inside tells which is which at the next start.
CREATE TABLE volume_use (
    container TEXT NOT NULL,
    destination TEXT NOT NULL,
    volume TEXT NOT NULL REFERENCES volume (name),
    PRIMARY KEY (container, destination)
) WITHOUT ROWID;
CREATE INDEX volume_use_volume ON volume_use (volume);
