"""`--filter KEY=VALUE` of the list commands: read once, asked for each row.

Values of one key are alternatives, different keys must all hold; of labels all must hold.
Source: docker/cli, opts/filter.go.
"""

from __future__ import annotations

from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class InvalidFilter(TackError):
    """A filter that this command does not have, or that has no value."""

    def __init__(self, text: str, known: tuple[str, ...]) -> None:
        super().__init__(f"invalid filter '{text}'", f"Filters of this command: {', '.join(known)}, as KEY=VALUE")
        self.text = text


class Filters:
    """The filters of one command line.

    Args:
        texts: as they were given.
        known: the keys that the command has.
    Raises:
        InvalidFilter: something else.
    """

    __slots__ = ("known", "values")

    def __init__(self, texts: Iterable[str], known: tuple[str, ...]) -> None:
        self.known = known
        self.values: dict[str, list[str]] = {}
        for text in texts:
            key, equals, value = text.partition("=")
            key = key.strip().lower()
            if not equals or key not in known:
                raise InvalidFilter(text, known)
            self.values.setdefault(key, []).append(value.strip())

    def get(self, key: str) -> list[str]:
        """The values given for a key."""
        return self.values.get(key, [])

    def one_of(self, key: str, value: str) -> bool:
        """Whether the key was not given, or one of its values is this."""
        given = self.values.get(key)
        return given is None or value in given

    def contains(self, key: str, value: str) -> bool:
        """Whether the key was not given, or one of its values is a part of this."""
        given = self.values.get(key)
        return given is None or any(part in value for part in given)

    def flag(self, key: str, value: bool) -> bool:
        """Whether the key was not given, or says this truth.

        Raises:
            InvalidFilter: it says neither true nor false.
        """
        for given in self.values.get(key, ()):
            if given.lower() not in ("true", "1", "false", "0"):
                raise InvalidFilter(f"{key}={given}", self.known)
            if (given.lower() in ("true", "1")) != value:
                return False
        return True

    def labels(self, labels: Mapping[str, str]) -> bool:
        """Whether every `label=KEY` or `label=KEY=VALUE` holds, and no `label!` does."""
        return all(_has(labels, given) for given in self.values.get("label", ())) and not any(
            _has(labels, given) for given in self.values.get("label!", ())
        )


def _has(labels: Mapping[str, str], given: str) -> bool:
    key, equals, value = given.partition("=")
    return key in labels and (not equals or labels[key] == value)
