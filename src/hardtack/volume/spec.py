"""One mount that a container asks for, as a value that is valid once it exists, and its form in docker's documents."""

from __future__ import annotations

from hardtack.volume.errors import InvalidMount, InvalidVolumeName, MountUnsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BIND, VOLUME, TMPFS = "bind", "volume", "tmpfs"
PROPAGATIONS = ("private", "rprivate", "slave", "rslave", "shared", "rshared")

_NAME_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME_REST = _NAME_FIRST | frozenset("_.-")
_NAME_LIMIT = 255


class MountSpec:
    """What is to be seen where.

    Attributes:
        kind: bind, volume or tmpfs.
        source: a path of the host, the name of a volume ("" for an anonymous one), "" for tmpfs.
        target: the absolute, clean path inside.
        propagation: "" for the default, which is rprivate.
        recursive: for a bind, whether mounts below the source come along.
        read_only_below: for a read-only bind, "" makes mounts below read-only too where the kernel can, "never" leaves
            them, "always" insists.
        create: for a bind, whether a missing source becomes a directory.
        copy: for a volume, whether an empty one is filled with what the image has there.
        options: for tmpfs, those of the kernel; for a volume, those of its driver as "key=value".
        mode: as it stands in docker's `Mode`, "ro,z".
    """

    __slots__ = (
        "copy",
        "create",
        "kind",
        "labels",
        "mode",
        "options",
        "propagation",
        "read_only",
        "read_only_below",
        "recursive",
        "source",
        "target",
    )

    def __init__(self, kind: str, source: str, target: str) -> None:
        self.kind = kind
        self.source = source
        self.target = target
        self.read_only = False
        self.read_only_below = ""
        self.recursive = True
        self.propagation = ""
        self.create = False
        self.copy = True
        self.labels: dict[str, str] = {}
        self.options: list[str] = []
        self.mode = ""

    def _key(self) -> tuple[object, ...]:
        plain = (name for name in self.__slots__ if name not in ("labels", "options"))
        return (*(getattr(self, name) for name in plain), *sorted(self.labels.items()), *self.options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MountSpec) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"MountSpec({self.kind}, {self.source!r}, {self.target!r}, {'ro' if self.read_only else 'rw'})"


def check_target(text: str, target: str) -> str:
    """The clean form of a path inside the container.

    Raises:
        InvalidMount: it is empty, not absolute, or the root itself.
    """
    if not target.startswith("/"):
        raise InvalidMount(text, "the path inside the container has to be absolute")
    cleaned = clean(target)
    if cleaned == "/":
        raise InvalidMount(text, "the container's root itself cannot be a destination")
    if "\0" in cleaned:
        raise InvalidMount(text.replace("\0", "\\0"), "a path cannot hold a NUL character")
    return cleaned


def check_source(text: str, source: str) -> str:
    """The clean form of a path of the host.

    Raises:
        InvalidMount: it is not absolute.
    """
    if not source.startswith("/") or "\0" in source:
        raise InvalidMount(text.replace("\0", "\\0"), "the path on the host has to be absolute")
    return clean(source)


def check_name(name: str) -> str:
    """A volume's name.

    Raises:
        InvalidVolumeName: it has other characters than [a-zA-Z0-9][a-zA-Z0-9_.-]+, or too many.
    """
    if not 2 <= len(name) <= _NAME_LIMIT or name[0] not in _NAME_FIRST or not _NAME_REST.issuperset(name):
        raise InvalidVolumeName(name)
    return name


def clean(path: str) -> str:
    """An absolute path without empty parts, "." and "..", which cannot climb above "/"."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def from_document(entry: Any) -> MountSpec:
    """Read one entry of docker's HostConfig.Mounts, which may come from outside.

    Raises:
        InvalidMount, InvalidVolumeName, MountUnsupported: with the reason.
    Source: docker Engine API, Mount.
    """
    if not isinstance(entry, dict):
        raise InvalidMount(str(entry), "an entry of Mounts is an object")
    kind, shown = str(entry.get("Type") or VOLUME), str(entry.get("Target") or "")
    target = check_target(shown or "without Target", shown)
    source = str(entry.get("Source") or "")
    spec = MountSpec(kind, source, target)
    spec.read_only = bool(entry.get("ReadOnly"))
    if kind == BIND:
        spec.source = check_source(shown, source)
        _read_bind(spec, entry.get("BindOptions") or {})
    elif kind == VOLUME:
        spec.source = check_name(source) if source else ""
        _read_volume(spec, entry.get("VolumeOptions") or {})
    elif kind == TMPFS:
        _read_tmpfs(spec, shown, entry.get("TmpfsOptions") or {})
    else:
        raise MountUnsupported(f"mount type {kind}", "here it is one of bind, volume, tmpfs")
    return spec


def to_document(spec: MountSpec) -> dict[str, Any]:
    """The entry of HostConfig.Mounts from which `from_document` reads the same again."""
    entry: dict[str, Any] = {"Type": spec.kind, "Source": spec.source, "Target": spec.target}
    if spec.read_only:
        entry["ReadOnly"] = True
    if spec.kind == BIND:
        entry["BindOptions"] = {
            "Propagation": spec.propagation,
            "NonRecursive": not spec.recursive,
            "CreateMountpoint": spec.create,
            "ReadOnlyNonRecursive": spec.read_only_below == "never",
            "ReadOnlyForceRecursive": spec.read_only_below == "always",
        }
    elif spec.kind == VOLUME:
        entry["VolumeOptions"] = {"NoCopy": not spec.copy, "Labels": spec.labels}
        if spec.options:
            driver_options = dict(option.split("=", 1) for option in spec.options)
            entry["VolumeOptions"]["DriverConfig"] = {"Name": "local", "Options": driver_options}
    else:
        entry["TmpfsOptions"] = {"Options": [option.split("=", 1) for option in spec.options]}
    return entry


def check_propagation(text: str, value: str) -> str:
    """How mounts made later travel between host and container.

    Raises:
        InvalidMount: there is no such word.
        MountUnsupported: the container's mounts would have to reach the host.
    """
    if value not in PROPAGATIONS:
        raise InvalidMount(text, f"{value} is no propagation; {', '.join(PROPAGATIONS)} are")
    if value in ("shared", "rshared"):
        why = "containers are started in a mount namespace from which nothing travels back to the host"
        raise MountUnsupported(f"the propagation {value}", why, "rslave lets the host's mounts reach the container")
    return value


def _read_bind(spec: MountSpec, options: dict[str, Any]) -> None:
    if propagation := str(options.get("Propagation") or ""):
        spec.propagation = check_propagation(spec.target, propagation)
    spec.recursive = not options.get("NonRecursive")
    spec.create = bool(options.get("CreateMountpoint"))
    if options.get("ReadOnlyNonRecursive"):
        spec.read_only_below = "never"
    if options.get("ReadOnlyForceRecursive"):
        spec.read_only_below = "always"


def _read_volume(spec: MountSpec, options: dict[str, Any]) -> None:
    spec.copy = not options.get("NoCopy")
    spec.labels = {str(key): str(value) for key, value in (options.get("Labels") or {}).items()}
    if options.get("Subpath"):
        raise MountUnsupported("a volume's subpath", "it is not there yet")
    driver = options.get("DriverConfig") or {}
    check_driver(str(driver.get("Name") or "local"), driver.get("Options") or {})


def check_driver(name: str, options: dict[str, str]) -> None:
    """Refuse what the only volume driver cannot do.

    Raises:
        MountUnsupported: another driver, or options.
    """
    if name != "local":
        raise MountUnsupported(f"the volume driver {name}", "the only one is local")
    if options:
        why = "the local driver has none here yet"
        raise MountUnsupported(f"the volume option {next(iter(options))}", why, "Mount it on the host and use a bind")


def _read_tmpfs(spec: MountSpec, shown: str, options: dict[str, Any]) -> None:
    if spec.source:
        raise InvalidMount(shown, "a tmpfs has no source")
    if size := options.get("SizeBytes"):
        spec.options.append(f"size={int(size)}")
    if (mode := options.get("Mode")) is not None:
        spec.options.append(f"mode={int(mode):o}")
    for pair in options.get("Options") or ():
        spec.options.append("=".join(str(word) for word in pair))
