"""The words of -v, --mount and --tmpfs become `MountSpec` values.

Pure. Every option is either honoured later or refused here; none is dropped. Source: docker's references of `run`,
"Volumes", "Bind mounts" and "tmpfs mounts"; moby, volume/mounts.
"""

from __future__ import annotations

from hardtack.volume.errors import InvalidMount, MountUnsupported
from hardtack.volume.spec import (
    BIND,
    PROPAGATIONS,
    TMPFS,
    VOLUME,
    MountSpec,
    check_driver,
    check_name,
    check_propagation,
    check_source,
    check_target,
)

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_CONSISTENCIES = ("consistent", "cached", "delegated", "default")
"""How far behind a view may lag. One kernel has one view, which is the strictest of them."""

_RECURSIONS = {"enabled": "", "writable": "never", "readonly": "always"}
"""What a read-only bind does to the mounts below its source."""

_UNITS = {"": 0, "b": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30, "gb": 30, "gib": 30}
_TMPFS_FLAGS = (
    "ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async", "dirsync", "atime", "noatime",
    "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime", "mand", "nomand",
)  # fmt: skip
_TMPFS_VALUES = ("size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "mpol")


def parse_volume(text: str, cwd: str = "/") -> MountSpec:
    """Read one value of -v: [SOURCE:]TARGET[:OPTION,…].

    Args:
        cwd: where a source that begins with "." starts.
    Raises:
        InvalidMount, InvalidVolumeName, MountUnsupported: with the reason.
    """
    parts = text.split(":")
    if not text or len(parts) > 3 or "" in parts[:2]:
        raise InvalidMount(text or '""', "the form is [SOURCE:]TARGET[:OPTIONS]")
    if len(parts) == 1:
        return MountSpec(VOLUME, "", check_target(text, parts[0]))
    source, target = parts[0], parts[1]
    if len(parts) == 2 and source.startswith("/") and all(_is_mode(word) for word in target.split(",")):
        raise InvalidMount(text, "an anonymous volume takes no options")
    if source.startswith("."):
        source = f"{cwd}/{source}"
    target = check_target(text, target)
    if source.startswith("/"):
        spec = MountSpec(BIND, check_source(text, source), target)
        spec.create = True
    else:
        spec = MountSpec(VOLUME, check_name(source), target)
    spec.mode = parts[2] if len(parts) == 3 else ""
    if spec.mode:
        _read_mode(spec, text)
    return spec


def parse_mount(text: str, cwd: str = "/") -> MountSpec:
    """Read one value of --mount: key=value pairs between commas, quoted as in CSV.

    Args:
        cwd: where a bind's source that begins with "." starts.
    Raises:
        InvalidMount, InvalidVolumeName, MountUnsupported: with the reason.
    """
    pairs = [_pair(text, field) for field in _fields(text)]
    kind = [value for key, value in pairs if key == "type"]
    spec = MountSpec(kind[-1].lower() if kind else VOLUME, "", "")
    if spec.kind not in (BIND, VOLUME, TMPFS):
        raise MountUnsupported(f"mount type {spec.kind or '(empty)'}", "here it is one of bind, volume, tmpfs")
    own = {BIND: _set_bind, VOLUME: _set_volume, TMPFS: _set_tmpfs}
    for key, value in pairs:
        family = key.partition("-")[0]
        if key == "type":
            continue
        if family not in own:
            _set_common(spec, text, key, value)
        elif family == spec.kind:
            own[family](spec, text, key, value)
        else:
            raise InvalidMount(text, f"{key} does not go with type {spec.kind}")
    if not spec.target:
        raise InvalidMount(text, "a target is required")
    spec.target = check_target(text, spec.target)
    _check_mount(spec, text, cwd)
    return spec


def parse_tmpfs(target: str, options: str = "") -> MountSpec:
    """Read one value of --tmpfs, or an entry of HostConfig.Tmpfs: a path and options as mount(8) has them.

    Raises:
        InvalidMount: with the reason.
    """
    spec = MountSpec(TMPFS, "", check_target(target, target))
    for option in options.split(",") if options else ():
        name, equals, value = option.partition("=")
        if option not in _TMPFS_FLAGS and not (equals and value and name in _TMPFS_VALUES):
            raise InvalidMount(f"{target}:{options}", f"{option or 'an empty option'} is no option of tmpfs")
        if option in ("ro", "rw"):
            spec.read_only = option == "ro"
        else:
            spec.options.append(option)
    return spec


def parse_size(text: str, value: str) -> int:
    """A number of bytes, with a unit or without: 64m, 1GiB.

    Raises:
        InvalidMount: it is none, or negative.
    """
    lowered = value.strip().lower()
    digits = lowered.rstrip("bgikmt ")
    unit = lowered[len(digits) :].strip()
    whole, dot, fraction = digits.partition(".")
    decimal = whole.isdecimal() and whole.isascii() and (not dot or (fraction.isdecimal() and fraction.isascii()))
    if not decimal or unit not in _UNITS or len(digits) > 20:
        raise InvalidMount(text, f"{value} is no size")
    return int(float(digits) * (1 << _UNITS[unit]))


def _is_mode(word: str) -> bool:
    return word in ("ro", "rw", "z", "Z", "nocopy", *PROPAGATIONS, *_CONSISTENCIES)


def _read_mode(spec: MountSpec, text: str) -> None:
    """The third part of -v; each group of words may occur once. Source: moby, linux parser, ValidMountMode."""
    seen: set[str] = set()
    for word in spec.mode.split(","):
        if word in ("ro", "rw"):
            group = "ro or rw"
            spec.read_only = word == "ro"
        elif word in ("z", "Z"):
            group = "z or Z"  # carried in `mode`; what it needs of the host is decided when it is mounted
        elif word == "nocopy" and spec.kind == VOLUME:
            group = "nocopy"
            spec.copy = False
        elif word in PROPAGATIONS and spec.kind == BIND:
            group = "propagation"
            spec.propagation = check_propagation(text, word)
        elif word in _CONSISTENCIES:
            group = "consistency"
        else:
            raise InvalidMount(text, f"{word or 'an empty word'} is no option of a {spec.kind} mount")
        if group in seen:
            raise InvalidMount(text, f"the option {group} is given twice")
        seen.add(group)


def _fields(text: str) -> list[str]:
    """The fields of one line of CSV. Source: RFC 4180."""
    fields: list[str] = []
    position, end = 0, len(text)
    while position <= end:
        if text[position : position + 1] != '"':
            stop = text.find(",", position)
            stop = end if stop < 0 else stop
            fields.append(text[position:stop])
        else:
            value, stop = "", position + 1
            while True:
                quote = text.find('"', stop)
                if quote < 0:
                    raise InvalidMount(text, "a quotation mark is not closed")
                value += text[stop:quote]
                stop = quote + 1
                if text[stop : stop + 1] != '"':
                    break
                value, stop = value + '"', stop + 1
            if stop < end and text[stop] != ",":
                raise InvalidMount(text, "something follows a closing quotation mark")
            fields.append(value)
        position = stop + 1
    return fields


def _pair(text: str, field: str) -> tuple[str, str]:
    key, equals, value = field.strip().partition("=")
    key = key.lower()
    if not equals:
        if key not in ("readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"):
            raise InvalidMount(text, f"{field or 'an empty field'} must be a key=value pair")
        value = "true"
    return key, value


def _boolean(text: str, value: str) -> bool:
    if value not in _TRUE and value not in _FALSE:
        raise InvalidMount(text, f"{value} is neither true nor false")
    return value in _TRUE


def _set_common(spec: MountSpec, text: str, key: str, value: str) -> None:
    if key in ("source", "src"):
        spec.source = value
    elif key in ("target", "destination", "dst"):
        spec.target = value
    elif key in ("readonly", "ro"):
        spec.read_only = _boolean(text, value)
    elif key != "consistency":
        raise InvalidMount(text, f"unexpected key {key}")
    elif value not in _CONSISTENCIES:
        raise InvalidMount(text, f"{value} is no consistency")


def _set_bind(spec: MountSpec, text: str, key: str, value: str) -> None:
    if key == "bind-propagation":
        spec.propagation = check_propagation(text, value)
    elif key == "bind-nonrecursive":
        spec.recursive = not _boolean(text, value)
    elif key == "bind-create-src":
        spec.create = _boolean(text, value)
    elif key != "bind-recursive":
        raise InvalidMount(text, f"unexpected key {key}")
    elif value in _RECURSIONS:
        spec.read_only_below = _RECURSIONS[value]
    else:
        spec.recursive = value != "disabled" and _boolean(text, value)


def _set_volume(spec: MountSpec, text: str, key: str, value: str) -> None:
    name, _, content = value.partition("=")
    if key == "volume-nocopy":
        spec.copy = not _boolean(text, value)
    elif key == "volume-label":
        spec.labels[name] = content
    elif key == "volume-driver":
        check_driver(value, {})
    elif key == "volume-opt":
        check_driver("local", {name: content})
    elif key == "volume-subpath":
        raise MountUnsupported(key, "it is not there yet")
    else:
        raise InvalidMount(text, f"unexpected key {key}")


def _set_tmpfs(spec: MountSpec, text: str, key: str, value: str) -> None:
    if key == "tmpfs-size":
        spec.options.append(f"size={parse_size(text, value)}")
    elif key != "tmpfs-mode":
        raise InvalidMount(text, f"unexpected key {key}")
    elif not value or value.strip("01234567") or int(value, 8) > 0o7777:
        raise InvalidMount(text, f"{value or 'nothing'} is no octal mode")
    else:
        spec.options.append(f"mode={int(value, 8):o}")


def _check_mount(spec: MountSpec, text: str, cwd: str) -> None:
    if spec.kind == BIND:
        if not spec.source:
            raise InvalidMount(text, "a bind needs a source")
        if spec.source.startswith("."):
            spec.source = f"{cwd}/{spec.source}"
        spec.source = check_source(text, spec.source)
        if spec.read_only_below and not spec.read_only:
            raise InvalidMount(text, "that value of bind-recursive needs readonly")
        if spec.read_only_below == "always" and spec.propagation not in ("", "rprivate"):
            raise InvalidMount(text, "bind-recursive=readonly needs the propagation rprivate")
    elif spec.kind == VOLUME:
        spec.source = check_name(spec.source) if spec.source else ""
    elif spec.source:
        raise InvalidMount(text, "a tmpfs has no source")
