"""The mounts of one container: which are wanted, which volume each stands for, and the form that the runtime reads.

`claim` writes rows, so that a volume in use is known from the container's creation on; `prepare` makes directories,
fills empty volumes and answers with the mounts; `drop` lets go. Each may be repeated.
"""

from __future__ import annotations

import errno
import os

from hardtack.linux import mount
from hardtack.store.layer.remove import remove_tree
from hardtack.volume import volumes
from hardtack.volume.errors import BindSourceMissing, InvalidMount, MountUnsupported
from hardtack.volume.parse import parse_mount, parse_tmpfs, parse_volume
from hardtack.volume.spec import BIND, TMPFS, VOLUME, MountSpec, check_target, from_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

    Placed = list[tuple[MountSpec, str]]
    """Each mount with the name of its volume, "" when it is none."""

_SELINUX = "/sys/fs/selinux/enforce"
_MOUNT_SETATTR = (5, 12)
"""The first Linux that makes a whole tree of mounts read-only at once."""


def wanted(host_config: dict[str, Any]) -> list[MountSpec]:
    """What a HostConfig asks for: Binds, Mounts, MountSpecs (texts of --mount) and Tmpfs.

    Raises:
        InvalidMount, InvalidVolumeName, MountUnsupported: an entry has no meaning, or two have the same destination.
    """
    specs = [parse_volume(text) for text in host_config.get("Binds") or ()]
    specs += [parse_mount(text) for text in host_config.get("MountSpecs") or ()]
    specs += [from_document(entry) for entry in host_config.get("Mounts") or ()]
    specs += [parse_tmpfs(target, options) for target, options in (host_config.get("Tmpfs") or {}).items()]
    seen: set[str] = set()
    for spec in specs:
        if spec.target in seen:
            raise InvalidMount(spec.target, f"Duplicate mount point: {spec.target}")
        seen.add(spec.target)
    return specs


def claim(db: Connection, container_id: str, specs: Iterable[MountSpec], image_volumes: Iterable[str] = ()) -> Placed:
    """Hold the volumes of a container in the database; inside the caller's transaction, again at every start.

    Args:
        image_volumes: paths of VOLUME instructions and of -v without a source; those that a spec covers do not count.
    Returns:
        Every mount, parents before what lies inside them.
    """
    all_specs = list(specs)
    covered = {spec.target for spec in all_specs}
    for path in image_volumes:
        target = check_target(path, path if path.startswith("/") else f"/{path}")
        if target not in covered:
            covered.add(target)
            all_specs.append(MountSpec(VOLUME, "", target))
    query = "SELECT destination, volume FROM volume_use WHERE container = ?"
    held = dict(db.execute(query, (container_id,)).fetchall())
    placed: Placed = []
    for spec in sorted(all_specs, key=lambda spec: (spec.target.count("/"), spec.target)):
        name = ""
        if spec.kind == VOLUME:
            name = held.get(spec.target) or spec.source or volumes.new_name()
            volumes.insert(db, name, spec.labels, anonymous=not spec.source)
            db.execute(
                "INSERT OR IGNORE INTO volume_use (container, destination, volume) VALUES (?, ?, ?)",
                (container_id, spec.target, name),
            )
        placed.append((spec, name))
    return placed


def prepare(
    root: Root,
    container_id: str,
    specs: Iterable[MountSpec],
    image_volumes: Iterable[str],
    rootfs: str,
    staging: str = "",
    recursive_read_only: bool = True,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Make a container's mounts ready.

    Args:
        rootfs: where its root file system is mounted, for what an empty volume begins with.
        staging: a directory for mounts of our own, in a mount namespace that ends with the start. A bind without the
            mounts below its source is made there, because crun 1.8 takes those along whatever it is told.
        recursive_read_only: whether the runtime knows the option "rro" (crun, and runc from 1.1).
    Returns:
        The mounts for the OCI runtime, and the same as docker's `Mounts`.
    Raises:
        BindSourceMissing, MountUnsupported, InvalidMount, CopyUpFailed: with the reason.
    """
    all_specs, paths = list(specs), list(image_volumes)
    if not all_specs and not paths:
        return [], []
    with root.transaction() as db:
        placed = claim(db, container_id, all_specs, paths)
    oci = []
    for spec, name in placed:
        if spec.kind == BIND:
            _check_bind(spec)
        elif name:
            volumes.make_directory(root, name)
            if spec.copy:
                from hardtack.volume.copyup import fill

                fill(volumes.directory(root, name), name, rootfs, spec.target)
        oci.append(_oci_mount(root, spec, name, recursive_read_only and _kernel() >= _MOUNT_SETATTR))
        if staging and spec.kind == BIND and not spec.recursive:
            oci[-1]["source"] = _stage(spec.source, f"{staging}/{len(oci)}")
    return oci, docker_mounts(root, placed)


def docker_mounts(root: Root, placed: Placed) -> list[dict[str, Any]]:
    """docker's `Mounts` of a container's document; --tmpfs is not among them, as in docker."""
    found = []
    for spec, name in placed:
        entry: dict[str, Any] = {"Type": spec.kind}
        if name:
            entry |= {"Name": name, "Source": volumes.mountpoint(root, name)}
        else:
            entry["Source"] = spec.source
        entry["Destination"] = spec.target
        if name:
            entry["Driver"] = "local"
        entry["Mode"] = spec.mode
        entry["RW"] = not spec.read_only
        entry["Propagation"] = (spec.propagation or "rprivate") if spec.kind == BIND else ""
        found.append(entry)
    return found


def drop(root: Root, container_id: str, anonymous: bool = False) -> list[str]:
    """Let go of a container's volumes.

    Args:
        anonymous: remove those without a name that nobody else uses, as `rm -v` and --rm do.
    Returns:
        The names of the removed volumes.
    """
    db = root.db
    query = "SELECT DISTINCT volume FROM volume_use WHERE container = ?"
    if db.execute(query, (container_id,)).fetchone() is None:
        return []
    removed, graves = [], []
    with root.transaction() as db:
        names = [row[0] for row in db.execute(query, (container_id,))]
        db.execute("DELETE FROM volume_use WHERE container = ?", (container_id,))
        for name in names if anonymous else ():
            used = db.execute("SELECT 1 FROM volume_use WHERE volume = ?", (name,)).fetchone()
            if used is None and volumes.find(db, name).anonymous:
                removed.append(name)
                graves.append(volumes.bury(db, root, name))
    for grave in graves:
        remove_tree(grave)
    return removed


def _check_bind(spec: MountSpec) -> None:
    if ("z" in spec.mode.split(",") or "Z" in spec.mode.split(",")) and os.path.exists(_SELINUX):
        raise MountUnsupported(f"the option z of {spec.source}", "labelling for SELinux is not there yet")
    try:
        os.stat(spec.source)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise InvalidMount(spec.source, (error.strerror or str(error)).lower()) from error
        if not spec.create or os.path.islink(spec.source):
            raise BindSourceMissing(spec.source) from None
        try:
            os.makedirs(spec.source, mode=0o755, exist_ok=True)
        except OSError as failure:
            why = f"cannot make the directory: {(failure.strerror or str(failure)).lower()}"
            raise InvalidMount(spec.source, why) from failure


def _stage(source: str, place: str) -> str:
    """Mount a source without what is mounted below it. Returns where."""
    os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(place, exist_ok=True)
    else:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    mount.mount(source, place, None, mount.MS_BIND)
    return place


def _oci_mount(root: Root, spec: MountSpec, name: str, recursive: bool) -> dict[str, Any]:
    """One mount of config.json. Source: OCI runtime-spec 1.1, config.md, "Linux mount options"."""
    if spec.kind == TMPFS:
        options = ["noexec", "nosuid", "nodev", *spec.options, "rprivate", "ro" if spec.read_only else "rw"]
        return {"destination": spec.target, "type": "tmpfs", "source": "tmpfs", "options": _last_word(options)}
    source = volumes.mountpoint(root, name) if name else spec.source
    options = ["rbind" if spec.recursive else "bind", spec.propagation or "rprivate"]
    options.append("ro" if spec.read_only else "rw")
    # Nothing is mounted below a file, and crun 1.8 opens the target of "rro" as a directory.
    below = spec.kind == BIND and spec.recursive and spec.read_only_below != "never" and os.path.isdir(source)
    if below and spec.read_only:
        if recursive:
            options[-1] = "rro"
        elif spec.read_only_below == "always":
            raise MountUnsupported("bind-recursive=readonly", "this kernel or this runtime cannot do it")
    return {"destination": spec.target, "type": "bind", "source": source, "options": options}


def _last_word(options: list[str]) -> list[str]:
    """Of two options that contradict each other the later one counts."""
    kept: list[str] = []
    for option in options:
        base = option.removeprefix("no") if option in ("noexec", "nosuid", "nodev") else option.partition("=")[0]
        kept = [other for other in kept if other not in (base, f"no{base}") and other.partition("=")[0] != base]
        kept.append(option)
    return kept


def _kernel() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int(minor)
