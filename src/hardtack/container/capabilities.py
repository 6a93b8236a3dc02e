"""Capabilities by name: which a container has by default, and what --cap-add, --cap-drop and --privileged make of it.

Rules only. What this host's process itself lacks cannot be given away: a default that is not held is left out, one
that was asked for by name is an error.
"""

from __future__ import annotations

from hardtack.container.errors import InvalidOption, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMES = (  # noqa: SIM905  words to read
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID "
    "CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW "
    "CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT "
    "CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE "
    "CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM "
    "CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE"
).split()
"""In the kernel's order: the index is the bit. Source: linux/capability.h."""

DEFAULT = (  # noqa: SIM905  words to read
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETFCAP "
    "CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE"
).split()
"""The fourteen that docker gives. Source: moby, oci/defaults.go."""

ALL = "ALL"


def normalise(name: str, option: str) -> str:
    """`net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` are one. Raises InvalidOption for what is no capability."""
    upper = name.upper()
    if upper == ALL:
        return ALL
    full = upper if upper.startswith("CAP_") else "CAP_" + upper
    if full not in NAMES:
        raise InvalidOption(option, name, "there is no such capability", "See capabilities(7) for their names")
    return full


def granted(add: Iterable[str], drop: Iterable[str], privileged: bool, held: int) -> list[str]:
    """The capabilities of a container's root user, in docker's order of precedence.

    Args:
        add, drop: names as people write them, or ALL.
        held: bits of our own bounding set.
    Raises:
        InvalidOption: a name that is no capability.
        Unsupported: one asked for by name that we do not hold ourselves.
    """
    ours = [name for bit, name in enumerate(NAMES) if held >> bit & 1]
    if privileged:
        return ours
    added = [normalise(name, "--cap-add") for name in add]
    dropped = [normalise(name, "--cap-drop") for name in drop]
    missing = [name for name in added if name != ALL and name not in ours]
    if missing:
        raise Unsupported(
            f"--cap-add {missing[0]}", "this process does not hold it itself", "Leave it out, or run tack with it"
        )
    if ALL in added:
        base = ours
    elif ALL in dropped:
        base = []
    else:
        base = [name for name in DEFAULT if name in ours]
    wanted = base + [name for name in added if name != ALL and name not in base]
    explicit = added if ALL in dropped else ()
    return [name for name in wanted if name in explicit or (name not in dropped)]


def sets(capabilities: Sequence[str], uid: int) -> dict[str, list[str]]:
    """The OCI object: inheritable and ambient stay empty, other users than root have a bounding set only.

    Source: execve(2) leaves such users none anyway; CVE-2022-24769 for the inheritable set.
    """
    names = list(capabilities)
    if uid != 0:
        return {"bounding": names}
    return {"bounding": names, "effective": names, "permitted": names}
