"""Who a container runs as: docker's `user[:group]`, looked up in the files of the image itself.

Paths are resolved by openat2 inside the root file system, so a link in the image leads nowhere else; files are read
up to a bound. Rules are those of docker: a name must be known, a number need not be.
"""

from __future__ import annotations

import os

from hardtack.container.errors import ContainerError
from hardtack.linux.openat2 import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE_LIMIT = 1 << 20
_LARGEST_ID = 2**31 - 1


class UserUnknown(ContainerError):
    """A name that the image's passwd or group file does not have."""

    exit_code = 125

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"unable to find {kind} {name}: no matching entries in {'passwd' if kind == 'user' else 'group'} file"
        )
        self.name = name


class User:
    """An identity inside a container.

    Attributes:
        gids: every group, the primary one included.
        home: its home directory, "/" when the image does not say.
        name: as passwd has it, or "".
    """

    __slots__ = ("gid", "gids", "home", "name", "uid")

    def __init__(self, uid: int, gid: int, gids: list[int], home: str, name: str) -> None:
        self.uid = uid
        self.gid = gid
        self.gids = gids
        self.home = home
        self.name = name

    def to_oci(self) -> dict[str, object]:
        """The OCI object `process.user`; the primary group is repeated there, CVE-2022-36109."""
        return {"uid": self.uid, "gid": self.gid, "additionalGids": self.gids}


def find_user(rootfs: int, text: str, further: Iterable[str] = ()) -> User:
    """Resolve a user inside a root file system.

    Args:
        rootfs: a descriptor of its directory.
        text: "", "name", "uid", "name:group", "uid:gid" …
        further: groups to add, names or numbers.
    Raises:
        UserUnknown: a name that is not there, or a number out of range.
    """
    return resolve(_read(rootfs, "etc/passwd"), _read(rootfs, "etc/group"), text, further)


def resolve(passwd: str, group: str, text: str, further: Iterable[str] = ()) -> User:
    """The same on the content of the two files: the rule without the reading."""
    wanted, _, wanted_group = text.partition(":")
    wanted = wanted or "0"
    uid, gid, home, name = _find_passwd(passwd, wanted)
    groups = [_split(line, 4) for line in group.splitlines()]
    if wanted_group:
        gid = _find_group(groups, wanted_group)
        gids = [gid]
    else:
        gids = [gid] + [
            int(entry[2]) for entry in groups if name and name in entry[3].split(",") and entry[2].isdigit()
        ]
    for extra in further:
        gids.append(_find_group(groups, extra))
    return User(uid, gid, list(dict.fromkeys(gids)), home or "/", name)


def _find_passwd(passwd: str, wanted: str) -> tuple[int, int, str, str]:
    number = _number("user", wanted)
    for line in passwd.splitlines():
        name, _, uid, gid, _, home, _ = _split(line, 7)
        if (name == wanted or (number is not None and uid == str(number))) and uid.isdigit():
            return int(uid), int(gid) if gid.isdigit() else 0, home, name
    if number is None:
        raise UserUnknown("user", wanted)
    return number, 0, "", ""


def _find_group(groups: list[list[str]], wanted: str) -> int:
    for entry in groups:
        if entry[0] == wanted and entry[2].isdigit():
            return int(entry[2])
    number = _number("group", wanted)
    if number is None:
        raise UserUnknown("group", wanted)
    return number


def _number(kind: str, text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 10 or int(text) > _LARGEST_ID:
        raise UserUnknown(kind, text)
    return int(text)


def _split(line: str, count: int) -> list[str]:
    """The fields of a line; missing ones are empty, as broken images have them."""
    fields = line.strip().split(":", count - 1)
    return fields + [""] * (count - len(fields))


def _read(rootfs: int, path: str) -> str:
    try:
        descriptor = open_in_root(rootfs, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.read(descriptor, _FILE_LIMIT).decode("utf-8", "replace")
    except OSError:  # a directory or a device where a file belongs
        return ""
    finally:
        os.close(descriptor)
