"""The root: where everything durable of one world lies, where everything lies that a reboot may take, its database.

Two roots never meet: names of bridges, tables and control groups follow from a root's id. Opening one that exists
costs a few system calls; what it holds is understood by the modules beside this one.
"""

from __future__ import annotations

import _thread
import errno
import os

from hardtack.store.database import open_database
from hardtack.store.disk import is_full, sync_path
from hardtack.store.errors import RootUnusable, StoreBusy, StoreFull
from hardtack.store.sqlite import Connection, OperationalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.blob import BlobStore

_DURABLE = ("blobs", "ingest", "layers", "containers", "volumes", "build", "tmp")
_TRANSIENT = ("containers", "layers", "locks")
_BALLAST_BYTES = 2 << 20
_LOW_BYTES = 1 << 20

_opened: list[Root] = []


class Root:
    """One world. Every process and thread may hold its own or share one.

    Attributes:
        path: the durable directory, absolute.
        run: the directory that is empty after a reboot, absolute.
        id: eight hexadecimal digits, chosen once.
    """

    __slots__ = ("_blobs", "_connections", "id", "path", "run")

    def __init__(self, path: str, run: str, ident: str) -> None:
        self.path = path
        self.run = run
        self.id = ident
        self._connections: dict[tuple[int, int], Connection] = {}
        self._blobs: BlobStore | None = None

    @classmethod
    def open(cls, path: str | None = None, create: bool = True) -> Root:
        """Open the root at `path`, else at HARDTACK_ROOT, else at the default of this user.

        Args:
            create: make it when it does not exist.
        Raises:
            RootUnusable: it does not exist, or it may not be read or written.
        """
        path = root_path(path)
        try:
            ident = _read_id(path)
            if not ident:
                if not create:
                    raise RootUnusable(path, "there is none", "Give another one with --root")
                ident = _make_root(path)
            run = os.path.abspath(os.environ.get("HARDTACK_RUN") or _default_run(ident))
            if not os.path.isdir(f"{run}/{_TRANSIENT[-1]}"):
                _make_run(run)
        except OSError as error:
            raise RootUnusable(path, _why(error, path), _hint(error)) from error
        root = cls(path, run, ident)
        if not _opened:
            os.register_at_fork(after_in_child=_forget_all)
        _opened.append(root)
        return root

    @property
    def db(self) -> Connection:
        """The database connection of this thread of this process, in autocommit mode."""
        key = (os.getpid(), _thread.get_ident())
        connection = self._connections.get(key)
        if connection is None:
            self.make_room()  # the log's index is a file too
            connection = self._connections[key] = open_database(f"{self.path}/state.db")
        return connection

    @property
    def tmp(self) -> str:
        """A durable directory, on the blobs' file system, for what is not finished; swept after a day."""
        return os.path.join(self.path, "tmp")

    @property
    def blobs(self) -> BlobStore:
        """The blob files of this root."""
        if self._blobs is None:
            from hardtack.store.blob import BlobStore

            self._blobs = BlobStore(self.path)
        return self._blobs

    def transaction(self, durable: bool = False) -> Transaction:
        """A with-block that is one transaction: `with root.transaction() as db:`. Keep it short, nothing slow inside.

        Args:
            durable: what it changes survives a loss of power right after it. Otherwise a loss of power may take the
                last seconds' changes, always whole transactions, never the consistency.
        Raises:
            StoreFull: on leaving the block; nothing has changed then.
        """
        return Transaction(self, durable)

    def after_fork(self) -> None:
        """Let go of connections inherited from the parent, without closing them: SQLite forbids that.

        It happens by itself in every forked child; calling it again does no harm.
        """
        pid = os.getpid()
        for key in [key for key in self._connections if key[0] != pid]:
            _immortalise(self._connections.pop(key))

    def close(self) -> None:
        """Close this process's connections; no other thread may be using the root."""
        self.after_fork()
        while self._connections:
            self._connections.popitem()[1].close()
        if self in _opened:
            _opened.remove(self)

    def make_room(self) -> None:
        """When the file system is full, give back what was held for this: deleting needs room before it makes any.

        SQLite takes back a whole transaction that finds no room, so the look comes first.
        """
        status = os.statvfs(self.path)
        if status.f_bavail * status.f_frsize < _LOW_BYTES:
            try:
                os.unlink(f"{self.path}/ballast")
            except OSError:
                pass

    def hold_ballast(self) -> None:
        """Hold a little space so that a full store can still delete; no space for it now is no failure."""
        path = f"{self.path}/ballast"
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            os.posix_fallocate(descriptor, 0, _BALLAST_BYTES)
        except OSError:
            os.unlink(path)
        finally:
            os.close(descriptor)


class Transaction:
    """What `Root.transaction` returns: begins when entered, commits when left, rolls back on an exception."""

    __slots__ = ("_db", "_durable", "_root")

    def __init__(self, root: Root, durable: bool) -> None:
        self._root = root
        self._durable = durable

    def __enter__(self) -> Connection:
        db = self._db = self._root.db
        self._root.make_room()
        if self._durable:
            db.execute("PRAGMA synchronous = FULL")
        try:
            db.execute("BEGIN IMMEDIATE")
        except OperationalError as error:
            self._relax()
            if "locked" in str(error):
                raise StoreBusy(self._root.path) from error
            raise
        return db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self._commit()
            elif self._db.in_transaction:  # a full disk has rolled it back by itself
                self._db.execute("ROLLBACK")
        finally:
            self._relax()
        if isinstance(error, OperationalError) and is_full(error):
            raise StoreFull("write to the database") from error

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, OperationalError) and is_full(error):
                raise StoreFull("write to the database") from error
            raise

    def _relax(self) -> None:
        if self._durable:
            self._db.execute("PRAGMA synchronous = NORMAL")


def root_path(path: str | None = None) -> str:
    """The absolute path of the root at `path`, else at HARDTACK_ROOT, else at the default of this user."""
    return os.path.abspath(path or os.environ.get("HARDTACK_ROOT") or _default_path())


def _default_path() -> str:
    if os.geteuid() == 0:
        return "/var/lib/hardtack"
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(data, "hardtack")


def _default_run(ident: str) -> str:
    if os.geteuid() == 0:
        return f"/run/hardtack/{ident}"
    base = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return os.path.join(base, "hardtack", ident)


def _read_id(path: str) -> str:
    """The id of a root, or nothing when there is no root yet."""
    try:
        descriptor = os.open(f"{path}/id", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        text = os.read(descriptor, 64).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    if len(text) != 8 or text.strip("0123456789abcdef"):
        raise RootUnusable(
            path, "its file `id` is damaged", "Write the eight hexadecimal digits of its run directory into it"
        )
    return text


def _make_root(path: str) -> str:
    """Make the directories, then the id, which says that they are all there. Returns the id that won."""
    os.makedirs(path, mode=0o711, exist_ok=True)
    os.chmod(path, 0o711)  # noqa: S103 - whatever the umask: a container's mapped user passes through here
    for name in _DURABLE:
        try:
            os.mkdir(f"{path}/{name}", 0o711 if name in ("containers", "layers", "volumes") else 0o700)
        except FileExistsError:
            pass
    draft = f"{path}/id.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, os.urandom(4).hex().encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, f"{path}/id")
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
    sync_path(path)
    ident = _read_id(path)
    root = Root(path, "", ident)
    root.hold_ballast()
    return ident


def _make_run(run: str) -> None:
    for name in _TRANSIENT:  # the one that `open` looks for comes last
        os.makedirs(f"{run}/{name}", mode=0o711, exist_ok=True)


def _why(error: OSError, path: str) -> str:
    why = (error.strerror or str(error)).lower()
    return f"{error.filename}: {why}" if error.filename and error.filename != path else why


def _hint(error: OSError) -> str:
    if str(error.filename).startswith("/run/") and error.errno in (errno.EACCES, errno.ENOENT):
        return "Log in so that XDG_RUNTIME_DIR is set, or set HARDTACK_RUN to a directory of yours"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Run it as root, or choose a directory of yours with --root"
    return "Free some space there, or choose another one with --root" if is_full(error) else ""


def _forget_all() -> None:
    for root in _opened:
        root.after_fork()


def _immortalise(connection: Connection) -> None:
    """Never close it, not even at exit: in a child that would meddle with the parent's log and locks."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
