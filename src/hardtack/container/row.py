"""A container as the database has it, and how one is found: the full id, the name, or the beginning of the id.

Reads and single statements only. Who may change what, and when, is decided by the modules that do it.
"""

from __future__ import annotations

import os

from hardtack import jsontext
from hardtack.container import states
from hardtack.container.errors import AmbiguousContainer, NoSuchContainer
from hardtack.linux.process import boot_id, is_alive, start_ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

COLUMNS = (
    "id, name, image, image_id, layers, created, state, pid, pid_ticks, monitor, monitor_ticks, boot, exit_code,"
    " started, finished, error, oom, restarts, stopped, autoremove, runtime, document"
)
_HEX = frozenset("0123456789abcdef")


class Container:
    """One row; a snapshot, read again when its age matters.

    Attributes:
        name: "" while it is being removed.
        layers: diff ids, bottom first.
        created, started, finished: seconds since the epoch, 0 when it has not happened.
        monitor: the process that holds it, 0 for none; see `claimed`.
        stopped: somebody asked it to stop.
    """

    __slots__ = (
        "_document",
        "_text",
        "autoremove",
        "boot",
        "created",
        "error",
        "exit_code",
        "finished",
        "id",
        "image",
        "image_id",
        "layers",
        "monitor",
        "monitor_ticks",
        "name",
        "oom",
        "pid",
        "pid_ticks",
        "restarts",
        "runtime",
        "started",
        "state",
        "stopped",
    )

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.id: str = row[0]
        self.name: str = row[1] or ""
        self.image: str = row[2]
        self.image_id: str = row[3]
        self.layers: list[str] = row[4].split()
        self.created: float = row[5]
        self.state: str = row[6]
        self.pid: int = row[7]
        self.pid_ticks: int = row[8]
        self.monitor: int = row[9]
        self.monitor_ticks: int = row[10]
        self.boot: str = row[11]
        self.exit_code: int = row[12]
        self.started: float = row[13]
        self.finished: float = row[14]
        self.error: str = row[15]
        self.oom = bool(row[16])
        self.restarts: int = row[17]
        self.stopped = bool(row[18])
        self.autoremove = bool(row[19])
        self.runtime: str = row[20]
        self._text: str = row[21]
        self._document: dict[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        """Config, HostConfig and what else inspect shows; parsed when first asked for."""
        if self._document is None:
            self._document = jsontext.loads(self._text)
        return self._document

    @property
    def config(self) -> dict[str, Any]:
        """docker's Config, merged with the image's."""
        value: dict[str, Any] = self.document["Config"]
        return value

    @property
    def host_config(self) -> dict[str, Any]:
        """docker's HostConfig."""
        value: dict[str, Any] = self.document["HostConfig"]
        return value

    def take_document(self, document: dict[str, Any]) -> None:
        """Use a document that was just written, instead of parsing it again."""
        self._document = document

    def claimed(self) -> bool:
        """Whether the process that holds it lives: for a running container its monitor."""
        return self.monitor > 0 and is_alive(self.monitor, self.monitor_ticks, self.boot)

    def process_alive(self) -> bool:
        """Whether the container's own first process lives."""
        return self.pid > 0 and is_alive(self.pid, self.pid_ticks, self.boot)

    def changed_document(self) -> str:
        """The text to write back when the start has added to the document (its Mounts), else nothing."""
        if self._document is None or "Mounts" not in self._document:
            return ""
        text = jsontext.dumps(self._document)
        return text if text != self._text else ""


class Paths:
    """Where the things of one container lie.

    Attributes:
        durable: its directory in the root: upper, work, the log.
        run: its directory that a reboot takes: config.json, sockets, pipes, /etc files.
    """

    __slots__ = ("durable", "id", "run")

    def __init__(self, root: Root, ident: str) -> None:
        self.id = ident
        self.durable = f"{root.path}/containers/{ident}"
        self.run = f"{root.run}/containers/{ident}"

    @property
    def upper(self) -> str:
        """What the container has written, an overlay upper directory."""
        return f"{self.durable}/upper"

    @property
    def work(self) -> str:
        """overlayfs's own directory beside it."""
        return f"{self.durable}/work"

    @property
    def rootfs(self) -> str:
        """Where its root file system is mounted, in the enclosure only."""
        return f"{self.run}/rootfs"

    @property
    def log(self) -> str:
        """What it wrote, in docker's json-file form; older parts are .1, .2 …"""
        return f"{self.durable}/{self.id}-json.log"

    @property
    def socket(self) -> str:
        """Where its monitor listens."""
        return f"{self.run}/attach.sock"

    @property
    def runtime_log(self) -> str:
        """What the OCI runtime said."""
        return f"{self.run}/runtime.log"


def cgroup_of(root: Root, ident: str) -> str:
    """The path of a container's control group in every hierarchy."""
    return f"/hardtack-{root.id}/{ident}"


def get(db: Connection, ident: str) -> Container | None:
    """The container with this full id."""
    row = db.execute(f"SELECT {COLUMNS} FROM container WHERE id = ?", (ident,)).fetchone()
    return Container(row) if row else None


def find(root: Root, text: str) -> Container:
    """Find the container that a person means.

    Args:
        text: a full id, a name with or without a slash before it, or the beginning of an id, in this order.
    Raises:
        NoSuchContainer, AmbiguousContainer.
    """
    db = root.db
    name = text.removeprefix("/")
    row = db.execute(f"SELECT {COLUMNS} FROM container WHERE id = ?1 OR name = ?2", (text, name)).fetchone()
    if row is None and text and _HEX.issuperset(text):
        found = db.execute(
            f"SELECT {COLUMNS} FROM container WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 3", (text,)
        ).fetchall()
        if len(found) > 1:
            raise AmbiguousContainer(text, len(found))
        row = found[0] if found else None
    if row is None:
        raise NoSuchContainer(text)
    return Container(row)


def every(db: Connection, only_alive: bool = False) -> list[Container]:
    """All containers, the newest first."""
    where = ""
    if only_alive:
        where = " WHERE state IN (" + ", ".join(f"'{state}'" for state in states.ALIVE) + ")"
    rows = db.execute(f"SELECT {COLUMNS} FROM container{where} ORDER BY created DESC, id").fetchall()
    return [Container(row) for row in rows]


def claim(db: Connection, ident: str) -> None:
    """Take a container for this process, inside a transaction that has looked that nobody else holds it."""
    pid = os.getpid()
    db.execute(
        "UPDATE container SET monitor = ?, monitor_ticks = ?, boot = ? WHERE id = ?",
        (pid, start_ticks(pid) or 0, boot_id(), ident),
    )


def release_claim(db: Connection, ident: str) -> None:
    """Let go of a container that this process took."""
    db.execute("UPDATE container SET monitor = 0, monitor_ticks = 0 WHERE id = ? AND monitor = ?", (ident, os.getpid()))
