"""A container's file system seen from outside, running or not, so that files can go in and out.

Of a running one it is what its processes see, volumes included. A stopped one is mounted for the time being in a mount
namespace of its own, which ends with the last descriptor of it: a killed process leaves nothing. Every path is resolved
as inside, no link leads out.
"""

from __future__ import annotations

import os
import stat
import threading
import time

from hardtack.container import states
from hardtack.container.errors import ContainerError, WrongState
from hardtack.container.row import Container, Paths, claim, get, release_claim
from hardtack.linux import mount
from hardtack.linux.openat2 import open_in_root
from hardtack.linux.process import unshare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.store.root import Root

_CLONE_NEWNS = 0x20000
_PATIENCE = 30.0
_POLL = 0.005
_STOPPED = (states.CREATED, states.EXITED, states.DEAD)


class Reach:
    """The way into one container's files; a with-block.

    Raises:
        WrongState: it is starting, ending, or being removed.
    """

    def __init__(self, root: Root, container: Container) -> None:
        self._root = root
        self._id = container.id
        self._name = container.name or container.id[:12]
        self._namespace = -1
        self._held = False
        self.fd = -1

    def __enter__(self) -> Reach:
        container = self._take()
        try:
            if self._held:
                self._mount(container)
            else:
                self._enter(container)
        except BaseException:
            self.close()
            raise
        return self

    def _take(self) -> Container:
        """The container as it is; claimed unless it runs, once its last run is cleaned up or its start is through."""
        until = time.monotonic() + _PATIENCE
        while True:
            with self._root.transaction() as db:
                container = get(db, self._id)
                if container is None or container.state == states.REMOVING:
                    raise WrongState("reach the files of", self._name, "gone")
                if container.state in (states.RUNNING, states.PAUSED):
                    return container
                if container.state in _STOPPED and container.monitor == 0:
                    claim(db, self._id)
                    self._held = True
                    return container
            if not container.claimed():
                from hardtack.container.reconcile import settle

                settle(self._root, container)
            elif time.monotonic() > until:
                raise WrongState("reach the files of", self._name, f"held by process {container.monitor}")
            else:
                time.sleep(_POLL)

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        """Open a path as inside the container."""
        return open_in_root(self.fd, path, flags, mode)

    def close(self) -> None:
        """Let go of the files, and of the container."""
        for descriptor in (self.fd, self._namespace):
            if descriptor >= 0:
                os.close(descriptor)
        self.fd = self._namespace = -1
        if self._held:
            from hardtack.container import rootfs
            from hardtack.container.remove import clean_run

            self._held = False
            rootfs.release(self._root, self._id)
            clean_run(Paths(self._root, self._id))
            with self._root.transaction() as db:
                release_claim(db, self._id)

    def _enter(self, container: Container) -> None:
        """The root directory of the container's process; looked at again afterwards, since a pid may be reused."""
        try:
            self.fd = os.open(f"/proc/{container.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self.fd = -1
        if self.fd < 0 or not container.process_alive():
            raise WrongState("reach the files of", self._name, "ending", "Try again")

    def _mount(self, container: Container) -> None:
        """Mount it in a thread of its own: whatever happens there, this thread stays where it is."""
        from hardtack.container import rootfs

        paths = Paths(self._root, self._id)
        rootfs.make_directories(paths)
        lowers = rootfs.hold(self._root, container.layers, self._id)
        failure: list[BaseException] = []

        def work() -> None:
            try:
                self.fd, self._namespace = _mount_privately(self._root, container, paths, lowers)
            except BaseException as error:  # noqa: BLE001  raised again where it can be caught
                failure.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]


def _mount_privately(root: Root, container: Container, paths: Paths, lowers: list[str]) -> tuple[int, int]:
    """In the calling thread: descriptors of the mounted root and of the namespace that it is mounted in."""
    from hardtack.container import rootfs
    from hardtack.volume.mounts import prepare, wanted

    unshare(_CLONE_NEWNS)
    mount.mount(None, "/", None, mount.MS_REC | mount.MS_SLAVE)
    rootfs.mount_overlay(root, lowers, paths.rootfs, paths.upper, paths.work)
    inside = os.open(paths.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        declared = list(container.config.get("Volumes") or ())
        binds, _ = prepare(
            root, container.id, wanted(container.host_config), declared, paths.rootfs, f"{paths.run}/mounts"
        )
        for entry in binds:
            if entry["type"] == "bind":
                _bind(inside, entry)
        if container.host_config.get("ReadonlyRootfs"):
            mount.mount(None, paths.rootfs, None, mount.MS_REMOUNT | mount.MS_BIND | mount.MS_RDONLY)
        # The descriptor from before the binds would look past a bind on the root itself; there is none.
        return inside, os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    except BaseException:
        os.close(inside)
        raise


def _bind(inside: int, entry: dict[str, Any]) -> None:
    """Put a volume or a bind where the container will have it, making the place as the runtime would."""
    from hardtack.container import rootfs

    target, source = entry["destination"], entry["source"]
    try:
        place = open_in_root(inside, target, os.O_PATH)
    except FileNotFoundError:
        if stat.S_ISDIR(os.stat(source).st_mode):
            rootfs.make_directory_inside(inside, target)
        else:
            rootfs.make_directory_inside(inside, target.rpartition("/")[0] or "/")
            os.close(open_in_root(inside, target, os.O_WRONLY | os.O_CREAT, 0o644))
        place = open_in_root(inside, target, os.O_PATH)
    try:
        where = f"/proc/thread-self/fd/{place}"
        recursive = mount.MS_REC if "rbind" in entry["options"] else 0
        mount.mount(source, where, None, mount.MS_BIND | recursive)
        if "ro" in entry["options"] or "rro" in entry["options"]:
            again = open_in_root(inside, target, os.O_PATH)
            try:
                flags = mount.MS_REMOUNT | mount.MS_BIND | mount.MS_RDONLY
                mount.mount(None, f"/proc/thread-self/fd/{again}", None, flags)
            finally:
                os.close(again)
    finally:
        os.close(place)


class CopyFailed(ContainerError):
    """Files could not be copied, with the reason; what was copied before stays."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why, hint)
