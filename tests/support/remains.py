"""What a world has left behind in the kernel and in its database: for tests that say nothing may be."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

from hardtack.store.root import Root
from support.world import mounts_below


def processes(root: Root) -> dict[int, str]:
    """Processes that were started in this world, by their environment; our own and our children of pytest left out."""
    found = {}
    wanted = f"HARDTACK_ROOT={root.path}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    if words:
                        found[int(entry.name)] = words
            except OSError:
                continue
    return found


def links(root: Root) -> list[str]:
    """Network interfaces of containers: whatever is plugged into a bridge of this root."""
    done = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    return [line.split(":")[1].strip() for line in done.stdout.splitlines() if f"master tk-{root.id}" in line]


def published(root: Root) -> list[str]:
    """Elements of the port maps in this root's nftables table."""
    table = f"hardtack_{root.id}"
    done = subprocess.run(["nft", "list", "table", "inet", table], capture_output=True, text=True, check=False)
    return [
        line.strip()
        for line in done.stdout.splitlines()
        if "dnat" not in line and "type " not in line and " : " in line and "." in line
    ]


def cgroups(root: Root) -> list[str]:
    """Control groups of containers below this root's parent."""
    found = []
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found += [f"{folder}/{name}" for name in names if root.id in folder]
    return found


def rows(root: Root) -> list[str]:
    """Rows that only living processes and containers may own."""
    db = sqlite3.connect(f"file:{root.path}/state.db?mode=ro", uri=True)
    try:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        found = []
        for table in ("container", "lease", "mounted", "endpoint", "port", "volume_use"):
            if table in tables:
                found += [f"{table}: {row}" for row in db.execute(f"SELECT * FROM {table}")]
        return found
    finally:
        db.close()


def remains(root: Root) -> list[str]:
    """Everything of the above, as lines to show; empty when the world is clean."""
    return [
        *(f"mount {point}" for point in [*mounts_below(root.path), *mounts_below(root.run)]),
        *(f"process {pid} {words}" for pid, words in processes(root).items()),
        *(f"link {name}" for name in links(root)),
        *(f"port {element}" for element in published(root)),
        *(f"cgroup {path}" for path in cgroups(root)),
        *(f"row {row}" for row in rows(root)),
    ]
