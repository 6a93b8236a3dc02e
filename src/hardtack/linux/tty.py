"""Terminals: raw mode that is always given back, window sizes, the other end of a pseudoterminal.

`termios` is imported only where there is a terminal, so that the start path of others does not pay for it.
"""

from __future__ import annotations

import errno
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TIOCGWINSZ = 0x5413
_TIOCSWINSZ = 0x5414


def is_terminal(descriptor: int) -> bool:
    """Whether a descriptor is a terminal; a closed one is none."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def window_size(descriptor: int) -> tuple[int, int]:
    """Rows and columns of a terminal, (0, 0) when it does not know. Source: tty_ioctl(4)."""
    try:
        packed = fcntl.ioctl(descriptor, _TIOCGWINSZ, bytes(8))
    except OSError:
        return 0, 0
    return int.from_bytes(packed[0:2], "little"), int.from_bytes(packed[2:4], "little")


def set_window_size(descriptor: int, rows: int, columns: int) -> None:
    """Tell a pseudoterminal its size; its foreground processes get SIGWINCH."""
    packed = rows.to_bytes(2, "little") + columns.to_bytes(2, "little") + bytes(4)
    try:
        fcntl.ioctl(descriptor, _TIOCSWINSZ, packed)
    except OSError as error:
        if error.errno not in (errno.EIO, errno.ENOTTY):
            raise


class RawMode:
    """A with-block in which a terminal passes every key on untouched; what it was before comes back afterwards.

    Args:
        descriptor: what is no terminal is left alone.
    """

    __slots__ = ("_before", "_descriptor")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None

    def __enter__(self) -> RawMode:
        if is_terminal(self._descriptor):
            import termios

            self._before = termios.tcgetattr(self._descriptor)
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, _raw(self._before))
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Give the terminal its old mode back; again does no harm."""
        before, self._before = self._before, None
        if before is None:
            return
        import termios

        try:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)
        except termios.error:
            pass  # it went away


def _raw(before: list[Any]) -> list[Any]:
    """What cfmakeraw(3) makes of a mode, output processing kept off as docker has it."""
    import termios

    mode = [*before[:6], list(before[6])]
    mode[0] &= ~(
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    mode[1] &= ~termios.OPOST
    mode[2] = mode[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    return mode
