"""Platforms: which machine an image is for, and which of several images this machine should take.

Spellings are normalised and candidates ranked as containerd does, so that the same index gives the same image here
and there. The rules are data: what else a machine can run is a list of platforms, best first.

Source: containerd/platforms 1.0, platforms.go, database.go, compare.go.
"""

from __future__ import annotations

from hardtack.oci.errors import InvalidPlatform, NoMatchingPlatform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Final

    from hardtack.oci.descriptor import Descriptor

_OPERATING_SYSTEMS = frozenset(
    [
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "illumos",
        "ios",
        "js",
        "linux",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "windows",
    ]
)
_ARCHITECTURES = frozenset(
    [
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mipsle",
        "mips64",
        "mips64le",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "wasm",
    ]
)
_SPELLINGS = {
    "i386": ("386", None),
    "x86_64": ("amd64", None),
    "x86-64": ("amd64", None),
    "aarch64": ("arm64", None),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_MACHINES = {  # uname -m
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armv5tel": ("arm", "v5"),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "loongarch64": ("loong64", ""),
}
_PART = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.-")


class Platform:
    """An operating system, an architecture and what else distinguishes machines; normalised, immutable.

    Attributes:
        os, architecture, variant: as Go spells them (`linux`, `arm`, `v7`); variant "" where it is implied.
        os_version, os_features: used by Windows images only.
    """

    __slots__ = ("architecture", "os", "os_features", "os_version", "variant")
    os: Final[str]
    architecture: Final[str]
    variant: Final[str]
    os_version: Final[str]
    os_features: Final[tuple[str, ...]]

    def __init__(
        self,
        os: str,
        architecture: str,
        variant: str = "",
        os_version: str = "",
        os_features: Iterable[str] = (),
    ) -> None:
        os = os.lower()
        self.os = "darwin" if os == "macos" else os
        self.architecture, self.variant = _normalise(architecture.lower(), variant.lower())
        self.os_version = os_version
        self.os_features = tuple(os_features)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `os`, `architecture`, `os/architecture` or `os/architecture/variant`.

        Raises:
            InvalidPlatform: an unknown single word, more than three parts, or characters that no part has.
        """
        parts = text.split("/") if isinstance(text, str) else []
        if not 1 <= len(parts) <= 3:
            raise InvalidPlatform(text, "the form is os/architecture/variant", "Write for example linux/arm64")
        for part in parts:
            if not part or not _PART.issuperset(part.lower()) or len(part) > 64:
                raise InvalidPlatform(text, "a part has letters, digits, _ . -", "Write for example linux/arm64")
        if len(parts) > 1:
            return cls(*parts)
        word = cls(text, "").os
        if word in _OPERATING_SYSTEMS:
            here = host()
            return cls(word, here.architecture, here.variant)
        if _normalise(text.lower(), "")[0] in _ARCHITECTURES:
            return cls("linux", text)
        raise InvalidPlatform(text, "no operating system or architecture that is known")

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Platform:
        """Read the `platform` object of a descriptor; absent fields are empty and match nothing.

        Raises:
            InvalidPlatform: a field of the wrong type or of more than 256 characters.
        """
        features = value.get("os.features") or ()
        if not isinstance(features, (list, tuple)) or len(features) > 64:
            raise InvalidPlatform(features, "os.features must be a short list")
        words = [value.get(key) or "" for key in ("os", "architecture", "variant", "os.version")]
        for word in (*words, *features):
            if not isinstance(word, str) or len(word) > 256:
                raise InvalidPlatform(word, "every field must be a short text")
        return cls(words[0], words[1], words[2], words[3], features)

    def to_json(self) -> dict[str, Any]:
        """The `platform` object of a descriptor."""
        value: dict[str, Any] = {"architecture": self.architecture, "os": self.os}
        if self.os_version:
            value["os.version"] = self.os_version
        if self.os_features:
            value["os.features"] = list(self.os_features)
        if self.variant:
            value["variant"] = self.variant
        return value

    def __str__(self) -> str:
        text = f"{self.os or 'unknown'}/{self.architecture or 'unknown'}"
        return f"{text}/{self.variant}" if self.variant else text

    def __repr__(self) -> str:
        return f"Platform({str(self)!r})"

    def _key(self) -> tuple[str, str, str, str, tuple[str, ...]]:
        return (self.os, self.architecture, self.variant, self.os_version, self.os_features)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Platform) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())


def _normalise(architecture: str, variant: str) -> tuple[str, str]:
    architecture, forced = _SPELLINGS.get(architecture, (architecture, None))
    if forced is not None:
        return architecture, forced
    if variant and variant[0].isdigit():
        variant = "v" + variant
    variant = variant.removesuffix(".0")
    if architecture == "amd64" and variant == "v1":
        return architecture, ""
    if architecture == "arm64" and variant == "v8":
        return architecture, ""
    if architecture == "arm" and not variant:
        return architecture, "v7"
    return architecture, variant


def host() -> Platform:
    """The platform of this machine, from uname; what an image is chosen for unless somebody says otherwise."""
    import posix
    import sys

    machine = posix.uname().machine
    if machine in _MACHINES:
        return Platform("linux", *_MACHINES[machine])
    if machine in ("mips", "mips64") and sys.byteorder == "little":
        machine += "el" if machine == "mips" else "le"
        machine = machine.replace("mipsel", "mipsle")
    return Platform("linux", machine)


def accepted(platform: Platform) -> list[tuple[str, str]]:
    """(architecture, variant) pairs that a machine can run, best first, itself included."""
    architecture, variant = platform.architecture, platform.variant
    found = [(architecture, variant)]
    level = int(variant[1:]) if variant[:1] == "v" and variant[1:].isdecimal() and len(variant) < 4 else 0
    if architecture == "amd64":
        found += [("amd64", f"v{n}" if n > 1 else "") for n in range(level - 1, 0, -1)]
        found.append(("386", ""))
    elif architecture == "arm":
        found += [("arm", f"v{n}") for n in range(level - 1, 4, -1)]
    elif architecture == "arm64":
        if variant:
            found += [("arm64", f"v{n}" if n > 8 else "") for n in range((level or 9) - 1, 7, -1)]
        found += [("arm", f"v{n}") for n in (8, 7, 6, 5)]
    return found


def choose(descriptors: Iterable[Descriptor], platform: Platform) -> list[Descriptor]:
    """The descriptors that a platform can run, best match first; equals keep their order.

    A descriptor that names no platform comes last: its config may still fit. Features that the image wants and the
    platform does not list rule it out; so does another `os.version` where both name one.
    """
    rank = {pair: index for index, pair in enumerate(accepted(platform))}
    found: list[tuple[int, int, Descriptor]] = []
    for index, descriptor in enumerate(descriptors):
        offered = descriptor.platform
        if offered is None:
            found.append((len(rank), index, descriptor))
            continue
        order = rank.get((offered.architecture, offered.variant))
        if order is None or offered.os != platform.os or not _fits_system(offered, platform):
            continue
        found.append((order, index, descriptor))
    found.sort(key=lambda item: item[:2])
    return [descriptor for _, _, descriptor in found]


def _fits_system(offered: Platform, wanted: Platform) -> bool:
    if offered.os_version and wanted.os_version and offered.os_version != wanted.os_version:
        return False
    return set(offered.os_features) <= set(wanted.os_features)


def choose_one(descriptors: Sequence[Descriptor], platform: Platform, name: str = "the image") -> Descriptor:
    """The best match.

    Raises:
        NoMatchingPlatform: with everything that was on offer.
    """
    found = choose(descriptors, platform)
    if found:
        return found[0]
    offered = [str(d.platform) for d in descriptors if d.platform is not None and d.platform.os != "unknown"]
    raise NoMatchingPlatform(str(platform), dict.fromkeys(offered), name)
