"""`--chmod` and `--chown`: the rules of their values, and owners by name from the image's own files."""

from __future__ import annotations

import os
import stat

from hardtack.build.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Owner = tuple[int, int]
    Change = Callable[[int], int]  # st_mode to permission bits

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007}
_LARGEST_ID = (1 << 32) - 2
_FILE_LIMIT = 10 << 20


def parse_mode(text: str) -> Change:
    """Read `--chmod`: octal, or symbolic as chmod(1) takes it, without a umask.

    Returns:
        A function from a file's st_mode to its new permission bits.
    Raises:
        DockerfileError: neither.
    """
    if text.isascii() and text.isdigit():
        if text.strip("01234567") or len(text) > 8 or int(text, 8) > 0o7777:
            raise DockerfileError(f"--chmod={text[:40]} is no mode", hint="It is octal, up to 7777")
        mode = int(text, 8)
        return lambda _: mode
    clauses = [_clause(clause, text) for clause in text.split(",")]

    def change(mode: int) -> int:
        bits, folder = stat.S_IMODE(mode), stat.S_ISDIR(mode)
        for apply in clauses:
            bits = apply(bits, folder)
        return bits

    return change


def _clause(clause: str, whole: str) -> Callable[[int, bool], int]:
    """One `[ugoa]*([-+=][rwxXst]*)+`, or with one of ugo to copy from. Source: POSIX, chmod."""
    position = 0
    while position < len(clause) and clause[position] in "ugoa":
        position += 1
    who = clause[:position] or "a"
    mask = 0
    for letter in "ugo" if "a" in who else who:
        mask |= _WHO[letter]
    if "a" in who:
        mask |= 0o7000
    actions: list[tuple[str, str]] = []
    while position < len(clause) and clause[position] in "-+=":
        operator = clause[position]
        position += 1
        start = position
        while position < len(clause) and clause[position] in "rwxXstugo":
            position += 1
        letters = clause[start:position]
        if len(letters) > 1 and any(letter in "ugo" for letter in letters):
            break
        actions.append((operator, letters))
    if not actions or position != len(clause):
        raise DockerfileError(f"--chmod={whole[:40]} is no mode", hint="Write it like 755 or u=rwX,go=rX")

    def apply(bits: int, folder: bool) -> int:
        for operator, letters in actions:
            wanted = _wanted(letters, bits, folder) & mask
            if operator == "=":
                kept = 0o6000 if folder else 0  # set-id bits of folders stay, as with chmod(1)
                bits = bits & ~(mask & ~kept) | wanted
            else:
                bits = bits | wanted if operator == "+" else bits & ~wanted
        return bits

    return apply


def _wanted(letters: str, bits: int, folder: bool) -> int:
    if letters and letters in "ugo":
        three = bits >> {"u": 6, "g": 3, "o": 0}[letters] & 7
        return three << 6 | three << 3 | three
    wanted = 0
    for letter in letters:
        if letter == "X":
            wanted |= 0o111 if folder or bits & 0o111 else 0
        else:
            wanted |= {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}[letter]
    return wanted


def needs_names(text: str) -> bool:
    """Whether an owner is given by name, so that the image must be asked."""
    return any(part and not (part.isascii() and part.isdigit()) for part in text.split(":"))


def parse_owner(text: str, read: Callable[[str], str]) -> Owner:
    """Read `--chown=user[:group]`.

    Args:
        text: names or numbers; a number without a group is both, a name brings its group along.
        read: the content of a file of the image, "" when it is not there.
    Raises:
        DockerfileError: a name the image does not know, a number out of range.
    """
    user, colon, group = text.partition(":")
    uid, gid = _user(user, read)
    return uid, _group(group, read) if colon and group else gid


def _user(text: str, read: Callable[[str], str]) -> Owner:
    if not text:
        return 0, 0
    if text.isascii() and text.isdigit():
        return _number(text), _number(text)
    for line in read("etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) > 3 and fields[0] == text and fields[2].isdigit():
            return _number(fields[2]), _number(fields[3] if fields[3].isdigit() else "0")
    raise DockerfileError(f"the image knows no user {text[:60]!r}", hint="Create it before, or give its number")


def _group(text: str, read: Callable[[str], str]) -> int:
    if text.isascii() and text.isdigit():
        return _number(text)
    for line in read("etc/group").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == text and fields[2].isdigit():
            return _number(fields[2])
    raise DockerfileError(f"the image knows no group {text[:60]!r}", hint="Create it before, or give its number")


def _number(text: str) -> int:
    if len(text) > 10 or int(text) > _LARGEST_ID:
        raise DockerfileError(f"{text[:20]} is too large for an owner")
    return int(text)


def reader(root: int) -> Callable[[str], str]:
    """A function that reads small text files of a root file system, following links inside it only."""
    from hardtack.linux.openat2 import open_in_root

    def read(path: str) -> str:
        try:
            descriptor = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return ""
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            return os.read(descriptor, _FILE_LIMIT).decode("utf-8", "replace")
        finally:
            os.close(descriptor)

    return read
