"""The three standard streams as commands see them: text, never failing on a character, aware of terminals.

Output is UTF-8 whatever the locale says, as docker's is. Bytes that came in as file names or arguments go out as the
same bytes. A stream that was closed before we started reads as empty and swallows what is written.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_ERRORS = "hardtack"


def _unwritable(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = ord(error.object[error.start])
    if 0xDC80 <= character <= 0xDCFF:  # surrogateescape: a byte of a name that is not UTF-8
        return bytes((character - 0xDC00,)), error.start + 1
    return b"\xef\xbf\xbd", error.start + 1  # U+FFFD; as text the codec would refuse it


class Streams:
    """Standard output, error and input.

    Attributes:
        out, err, stdin: text files; bytes are at their `buffer`.
    """

    __slots__ = ("err", "out", "stdin")

    def __init__(self) -> None:
        import _codecs

        _codecs.register_error(_ERRORS, _unwritable)
        self.out = _writable(sys.stdout)
        self.err = _writable(sys.stderr)
        self.stdin = sys.stdin if sys.stdin is not None else open("/dev/null", encoding="utf-8")

    @property
    def out_is_terminal(self) -> bool:
        """Whether somebody looks at the output."""
        return self.out.isatty()

    @property
    def err_is_terminal(self) -> bool:
        """Whether somebody looks at the errors."""
        return self.err.isatty()

    @property
    def in_is_terminal(self) -> bool:
        """Whether somebody types."""
        return self.stdin.isatty()


def _writable(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open("/dev/null", "w", encoding="utf-8")
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors=_ERRORS)
    return stream
