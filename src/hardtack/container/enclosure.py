"""A mount namespace of its own in which an OCI runtime is started, so that nothing it needs is mounted on the host.

Inside, the container's root file system may be mounted, the runtime's program file is read-only (so that no container
can write to it through /proc/PID/exe), and a v2 control group tree that confuses the runtime can be out of sight. The
namespace ends with the last process in it: whoever is killed at any moment leaves no mount behind.
"""

from __future__ import annotations

import os

from hardtack.linux import mount
from hardtack.linux.process import setns, unshare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.container.runtime import Runtime

CLONE_NEWNS = 0x0002_0000
_EVERY_SIGNAL = tuple(range(1, 32))
_UNIFIED = "/sys/fs/cgroup/unified"


class Enclosure:
    """The namespace that a process enters to start something and leaves afterwards.

    Args:
        run: the root's run directory.
        runtime: what will be started inside.
    Attributes:
        program: the runtime's path as seen inside.
        environment: what the runtime gets as its environment; nothing of ours leaks into it.
    """

    __slots__ = ("_home", "environment", "program")

    def __init__(self, run: str, runtime: Runtime) -> None:
        self._home = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self.program = runtime.path
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        unshare(CLONE_NEWNS)
        # What the host mounts or unmounts later still arrives here; nothing done here goes back.
        mount.mount(None, "/", None, mount.MS_REC | mount.MS_SLAVE)
        if runtime.hides_unified:
            mount.umount(_UNIFIED, mount.MNT_DETACH)
            # crun makes directories there all the same: let them go with this namespace, too.
            mount.mount("tmpfs", _UNIFIED, "tmpfs", mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC, "mode=755")
        if runtime.seals:
            self._seal(run)

    def _seal(self, run: str) -> None:
        """Give the runtime's program a read-only mount, which spares it copying and starting itself a second time.

        Source: CVE-2019-5736 and crun's cloned_binary.c, which accepts a read-only file when told so.
        """
        place = f"{run}/oci/program"
        mount.mount(self.program, place, None, mount.MS_BIND)
        flags = mount.MS_REMOUNT | mount.MS_BIND | mount.MS_RDONLY | mount.MS_NOSUID | mount.MS_NODEV
        mount.mount(None, place, None, flags)
        self.program = place
        self.environment["_LIBCONTAINER_CLONED_BINARY"] = "1"

    def spawn(self, arguments: list[str], streams: Sequence[int], directory: str) -> int:
        """Start the runtime inside; it inherits nothing of ours but three streams.

        Args:
            streams: descriptors for its 0, 1 and 2, in whatever order they overlap.
            directory: its working directory, which is never the caller's (CVE-2024-21626).
        Returns:
            Its pid, a child of ours.
        """
        spare = [os.dup(descriptor) for descriptor in streams]  # above 2, close-on-exec
        try:
            os.chdir(directory)
            return os.posix_spawn(
                self.program,
                arguments,
                self.environment,
                file_actions=[(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(spare)],
                setsigdef=_EVERY_SIGNAL,  # what we ignore must not stay ignored there
                setsigmask=(),
            )
        finally:
            os.chdir("/")
            for descriptor in spare:
                os.close(descriptor)

    def leave(self) -> None:
        """Go back to the namespace we came from; what was mounted inside goes with the last process in it."""
        home, self._home = self._home, -1
        if home < 0:
            return
        setns(home, CLONE_NEWNS)
        os.close(home)
