"""What can be wrong with the words of the field: one error per noun, the refused text and the reason as attributes."""

from __future__ import annotations

from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 120


def shown(text: object) -> str:
    """A stranger's text made fit for one line of an error: quoted, control characters escaped, cut at 120."""
    value = text if isinstance(text, str) else repr(text)
    if len(value) > _SHOWN:
        value = value[:_SHOWN] + "…"
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value) + '"'


class OciError(TackError):
    """The root of this family."""


class _Refused(OciError):
    noun = ""

    def __init__(self, text: object, reason: str, hint: str = "") -> None:
        super().__init__(f"invalid {self.noun} {shown(text)}: {reason}", hint)
        self.text = text if isinstance(text, str) else repr(text)
        self.reason = reason


class InvalidDigest(_Refused):
    """Text that is no digest of an algorithm that we verify."""

    noun = "digest"


class InvalidReference(_Refused):
    """Text that names no image. The message begins as docker's does, which scripts look for."""

    noun = "reference format:"


class InvalidPlatform(_Refused):
    """Text that is no os[/architecture[/variant]]."""

    noun = "platform"


class NoMatchingPlatform(OciError):
    """An index that has nothing for the wanted platform.

    Attributes:
        wanted: the platform asked for, as text.
        offered: the platforms of the index, as text.
    """

    def __init__(self, wanted: str, offered: Iterable[str], name: str = "the image") -> None:
        self.wanted = wanted
        self.offered = tuple(offered)
        listed = ", ".join(self.offered[:20]) or "none"
        super().__init__(
            f"no matching manifest for {wanted}: {name} offers {listed}", "Choose one of them with --platform"
        )


class _BadDocument(OciError):
    noun = ""

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(f"invalid {self.noun}: {where + ': ' if where else ''}{reason}")
        self.reason = reason
        self.where = where


class InvalidDescriptor(_BadDocument):
    """A descriptor with a missing or ill-typed field."""

    noun = "descriptor"


class InvalidManifest(_BadDocument):
    """Bytes that are no image manifest or index of a form that we know."""

    noun = "manifest"


class InvalidConfig(_BadDocument):
    """Bytes that are no image configuration."""

    noun = "image config"
