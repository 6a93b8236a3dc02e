"""The flags of instructions: which exist, of what kind, and their values. Unknown ones are refused by name."""

from __future__ import annotations

from hardtack.build.dockerfile.text import nearest
from hardtack.build.errors import DockerfileError

BOOL, STRING, LIST = "bool", "string", "list"

KNOWN: dict[str, dict[str, str]] = {
    "FROM": {"platform": STRING},
    "RUN": {"mount": LIST, "network": STRING, "security": STRING, "device": LIST},
    "COPY": {
        "from": STRING, "chown": STRING, "chmod": STRING, "link": BOOL, "parents": BOOL, "exclude": LIST,
    },
    "ADD": {
        "chown": STRING, "chmod": STRING, "link": BOOL, "keep-git-dir": BOOL, "checksum": STRING, "unpack": BOOL,
        "exclude": LIST,
    },
    "HEALTHCHECK": {
        "interval": STRING, "timeout": STRING, "start-period": STRING, "start-interval": STRING, "retries": STRING,
    },
}  # fmt: skip


class Flags:
    """The flags of one instruction, checked."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, list[str]]) -> None:
        self.values = values

    def text(self, name: str) -> str:
        """A string flag's value, "" when it was not given."""
        return self.values.get(name, [""])[0]

    def texts(self, name: str) -> list[str]:
        """All values of a repeatable flag."""
        return self.values.get(name, [])

    def switch(self, name: str) -> bool | None:
        """A boolean flag's value, None when it was not given."""
        values = self.values.get(name)
        return None if values is None else values[0] == "true"


def read_flags(keyword: str, words: list[str]) -> Flags:
    """Check the flags of an instruction.

    Raises:
        DockerfileError: unknown, given twice, without the value it needs, or with a value that is no boolean.
    """
    known = KNOWN.get(keyword, {})
    values: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word[2:].partition("=")
        kind = known.get(name)
        if kind is None:
            guess = nearest(name, known)
            raise DockerfileError(
                f"{keyword} has no flag --{name[:60]}" + (f" (did you mean --{guess}?)" if guess else "")
            )
        if name in values and kind != LIST:
            raise DockerfileError(f"--{name} is given twice")
        if kind == BOOL and not equals:
            value = "true"
        elif kind == BOOL:
            value = value.lower()
            if value not in ("true", "false"):
                raise DockerfileError(f"--{name} is true or false, not {value[:40]!r}")
        elif not equals:
            raise DockerfileError(f"--{name} needs a value: --{name}=…")
        values.setdefault(name, []).append(value)
    return Flags(values)
