"""`RUN --mount=…`: one mount as written, its rules, and nothing of how it is made.

Variables may stand in every value but `from`, so a mount is read when its instruction runs; what can be checked
before that is checked when the file is parsed.
"""

from __future__ import annotations

from hardtack.build.dockerfile.text import csv_fields, nearest
from hardtack.build.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
SHARING = ("shared", "private", "locked")
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_NAMES = {
    "type": "type", "from": "origin", "source": "source", "src": "source", "target": "target", "dst": "target",
    "destination": "target", "readonly": "readonly", "ro": "readonly", "readwrite": "readwrite", "rw": "readwrite",
    "required": "required", "size": "size", "id": "id", "sharing": "sharing", "mode": "mode", "uid": "uid",
    "gid": "gid", "env": "env",
}  # fmt: skip
_SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Mount:
    """A mount of one RUN.

    Attributes:
        type: of TYPES; `origin`: the `from=` stage or image, "" for the context.
        source, target: paths as written; `readonly`: already with its default by type.
        id: of a cache or secret, "" when it follows from the target; `sharing`: of SHARING.
        size: of a tmpfs in bytes, 0 for no limit; `mode`, `uid`, `gid`: None unless given.
        env: the variable a secret is given in, "" for its id's name, None for a file.
    """

    __slots__ = (
        "env", "gid", "id", "mode", "origin", "readonly", "required", "sharing", "size", "source", "target", "type",
        "uid",
    )  # fmt: skip

    def __init__(self) -> None:
        self.type = "bind"
        self.origin = ""
        self.source = ""
        self.target = ""
        self.readonly = True
        self.required = False
        self.size = 0
        self.id = ""
        self.sharing = ""
        self.mode: int | None = None
        self.uid: int | None = None
        self.gid: int | None = None
        self.env: str | None = None


def check_mount(text: str) -> str:
    """Check what can be known of a mount before its variables have values.

    Returns:
        The name after `from=`, "" without one.
    Raises:
        DockerfileError: an unknown key, a `from` with a variable in it.
    """
    origin = ""
    for key, value in _pairs(text):
        if _NAMES[key] == "origin":
            origin = value or ""
            if "$" in origin[:-1]:
                raise DockerfileError(
                    "'from' of a mount takes no variables", hint="Name a stage with FROM … AS and use that"
                )
    return origin


def parse_mount(text: str, expand: Callable[[str], str]) -> Mount:
    """Read a mount with its variables.

    Args:
        text: the value of the flag.
        expand: replaces the variables of one value.
    Raises:
        DockerfileError: what the type of the mount does not allow. Source: Dockerfile reference, RUN --mount.
    """
    mount = Mount()
    written: dict[str, str | None] = {}
    for key, raw in _pairs(text):
        name = _NAMES[key]
        value = raw if raw is None or name == "origin" else expand(raw)
        if value is None and name not in ("readonly", "readwrite", "required"):
            raise DockerfileError(f"{key!r} of a mount needs a value: {key}=…")
        written[name] = value
        if name == "type":
            mount.type = _one_of("mount type", value or "", TYPES)
        elif name in ("origin", "source", "target", "id", "env"):
            setattr(mount, name, value)
        elif name == "sharing":
            mount.sharing = _one_of("sharing", value or "", SHARING)
        elif name == "size":
            mount.size = _size(value or "")
        elif name in ("mode", "uid", "gid"):
            setattr(mount, name, _number(name, value or ""))
        else:
            state = value is None or _boolean(key, value)
            if name == "required":
                mount.required = state
            else:
                mount.readonly = state == (name == "readonly")
    if "readonly" not in written and "readwrite" not in written:
        mount.readonly = mount.type not in ("cache", "tmpfs")
    _check(mount, written)
    return mount


def _pairs(text: str) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for field in csv_fields(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        if key not in _NAMES:
            guess = nearest(key, _NAMES)
            raise DockerfileError(
                f"unknown key {key[:40]!r} of a mount" + (f" (did you mean {guess}?)" if guess else "")
            )
        pairs.append((key, value if equals else None))
    return pairs


def _check(mount: Mount, written: dict[str, str | None]) -> None:
    kind = mount.type
    allowed = {
        "required": ("secret", "ssh"), "size": ("tmpfs",), "sharing": ("cache",), "env": ("secret",),
        "mode": ("secret", "ssh", "cache"), "uid": ("secret", "ssh", "cache"), "gid": ("secret", "ssh", "cache"),
        "origin": ("bind", "cache"),
    }  # fmt: skip
    for name, kinds in allowed.items():
        if name in written and kind not in kinds:
            shown = "from" if name == "origin" else name
            raise DockerfileError(f"{shown!r} is not for a mount of type {kind}")
    if kind == "secret":
        if not (mount.source or mount.target or mount.id):
            raise DockerfileError("a secret mount needs an id, a source or a target")
        if mount.source and mount.id:
            raise DockerfileError("a secret mount takes an id or a source, not both")
    elif kind != "ssh" and not mount.target:
        raise DockerfileError(f"a {kind} mount needs a target")


def _one_of(what: str, value: str, known: tuple[str, ...]) -> str:
    if value.lower() in known:
        return value.lower()
    guess = nearest(value, known)
    raise DockerfileError(f"unknown {what} {value[:40]!r}" + (f" (did you mean {guess}?)" if guess else ""))


def _boolean(key: str, value: str) -> bool:
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise DockerfileError(f"{key!r} of a mount is true or false, not {value[:40]!r}")


def _number(name: str, value: str) -> int:
    digits, base = ("01234567", 8) if name == "mode" else ("0123456789", 10)
    if not value or len(value) > 12 or value.strip(digits) or int(value, base) >= 1 << 32:
        raise DockerfileError(f"{value[:40]!r} is no {name}")
    return int(value, base)


def _size(value: str) -> int:
    bare = value.lower().removesuffix("ib").removesuffix("b")
    number = bare.rstrip("kmgt")
    unit = _SIZES.get(bare[len(number) :])
    whole, _, fraction = number.strip().partition(".")
    if unit is None or not whole.isdecimal() or len(number) > 15 or (fraction and not fraction.isdecimal()):
        raise DockerfileError(f"{value[:40]!r} is no size", hint="Write it like 64m or 1g")
    return int(float(number) * unit)
