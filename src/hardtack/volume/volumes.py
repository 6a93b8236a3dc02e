"""Named volumes: a row says that one exists, `volumes/NAME/_data` is what containers see.

The row comes first and goes first, so that a volume without its directory is an empty one and a directory without its
row is rubbish. Who uses a volume is known from rows too, for containers that do not run as well.
"""

from __future__ import annotations

import os
import time

from hardtack.jsontext import dumps, loads
from hardtack.store.layer.remove import remove_tree
from hardtack.volume.errors import NoSuchVolume, VolumeDiffers, VolumeInUse
from hardtack.volume.spec import check_driver, check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

_COLUMNS = "name, driver, labels, options, anonymous, created"


class Volume:
    """A volume as its row tells it."""

    __slots__ = ("anonymous", "created", "driver", "labels", "name", "options")

    def __init__(self, name: str, driver: str, labels: str, options: str, anonymous: int, created: float) -> None:
        self.name = name
        self.driver = driver
        self.labels: dict[str, str] = loads(labels)
        self.options: dict[str, str] = loads(options)
        self.anonymous = bool(anonymous)
        self.created = created


def directory(root: Root, name: str) -> str:
    """Where a volume lies; nobody but root passes through, whatever its content allows."""
    return f"{root.path}/volumes/{name}"


def mountpoint(root: Root, name: str) -> str:
    """What containers see of it."""
    return f"{directory(root, name)}/_data"


def new_name() -> str:
    """A name for a volume without one."""
    return os.urandom(32).hex()


def create(
    root: Root,
    name: str = "",
    labels: dict[str, str] | None = None,
    driver: str = "local",
    options: dict[str, str] | None = None,
) -> Volume:
    """Make a volume, or find the one of this name.

    Raises:
        InvalidVolumeName, MountUnsupported: the name, the driver or its options cannot be used.
        VolumeDiffers: one exists with other options.
    """
    check_driver(driver, options or {})
    wanted = check_name(name) if name else new_name()
    with root.transaction() as db:
        insert(db, wanted, labels or {}, anonymous=not name)
        volume = find(db, wanted)
    if volume.options != (options or {}):
        raise VolumeDiffers(wanted)
    make_directory(root, wanted)
    return volume


def insert(db: Connection, name: str, labels: dict[str, str], anonymous: bool) -> None:
    """Write the row unless there is one; inside the caller's transaction."""
    db.execute(
        f"INSERT OR IGNORE INTO volume ({_COLUMNS}) VALUES (?, 'local', ?, '{{}}', ?, ?)",
        (name, dumps(labels), int(anonymous), time.time()),
    )


def make_directory(root: Root, name: str) -> None:
    """Make the volume's directory unless it is there."""
    data = mountpoint(root, name)
    if os.path.isdir(data):
        return
    os.makedirs(directory(root, name), mode=0o700, exist_ok=True)
    try:
        os.mkdir(data, 0o755)
        os.chmod(data, 0o755)  # noqa: S103  whatever the umask; the directory around it lets nobody pass
    except FileExistsError:
        pass


def find(db: Connection, name: str) -> Volume:
    """The volume of this name.

    Raises:
        NoSuchVolume: there is none.
    """
    row = db.execute(f"SELECT {_COLUMNS} FROM volume WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise NoSuchVolume(name)
    return Volume(*row)


def every(db: Connection) -> list[Volume]:
    """All volumes by name."""
    return [Volume(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM volume ORDER BY name")]


def users(db: Connection) -> dict[str, list[str]]:
    """For each volume that is used, the ids of the containers that use it."""
    found: dict[str, list[str]] = {}
    for volume, container in db.execute("SELECT DISTINCT volume, container FROM volume_use ORDER BY volume, container"):
        found.setdefault(volume, []).append(container)
    return found


def remove(root: Root, name: str, force: bool = False) -> None:
    """Remove a volume and what it holds.

    Args:
        force: one that does not exist is no error.
    Raises:
        NoSuchVolume, VolumeInUse: it stays.
    """
    with root.transaction() as db:
        try:
            find(db, name)
        except NoSuchVolume:
            if force:
                return
            raise
        using = [row[0] for row in db.execute("SELECT DISTINCT container FROM volume_use WHERE volume = ?", (name,))]
        if using:
            raise VolumeInUse(name, using)
        grave = bury(db, root, name)
    remove_tree(grave)


def bury(db: Connection, root: Root, name: str) -> str:
    """Delete a row and move the directory out of the way of a volume with the same name; in the caller's transaction.

    Returns:
        The path that is to be removed once the transaction is through.
    """
    db.execute("DELETE FROM volume WHERE name = ?", (name,))
    grave = os.path.join(root.path, "tmp", f"volume.{os.urandom(8).hex()}")
    try:
        os.rename(directory(root, name), grave)
    except FileNotFoundError:
        pass
    return grave


def prune(root: Root, named: bool = False, wanted: Callable[[Volume], bool] | None = None) -> tuple[list[str], int]:
    """Remove the volumes that no container uses.

    Args:
        named: those with a name of their own too, not only anonymous ones.
        wanted: which of them; all when not given.
    Returns:
        Their names, and the bytes on disk that became free.
    """
    from hardtack.store.disk import tree_size

    names, graves = [], []
    with root.transaction() as db:
        used = users(db)
        for volume in every(db):
            if volume.name in used or not (named or volume.anonymous) or (wanted and not wanted(volume)):
                continue
            names.append(volume.name)
            graves.append(bury(db, root, volume.name))
    freed = sum(tree_size(grave) for grave in graves)
    for grave in graves:
        remove_tree(grave)
    return names, freed
