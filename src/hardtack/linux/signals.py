"""Signals by name and number, as people write them: TERM, SIGTERM, term, 15, RTMIN+3.

`signal` of the standard library is not imported: it costs an enumeration, and names are all that is needed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import Any

    Handler = Callable[[int, Any], object] | int | None
else:
    import _signal

_NAMES = (  # noqa: SIM905  words to read
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU "
    "URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split()
"""Number 1 and up, on every architecture that Linux has but MIPS and SPARC. Source: signal(7)."""

_OTHER = {"IOT": 6, "CLD": 17, "POLL": 29}
RTMIN, RTMAX = 34, 64
"""glibc keeps two real-time signals for itself."""

HUP, INT, QUIT, KILL, TERM, CHLD, CONT, STOP, WINCH = 1, 2, 3, 9, 15, 17, 18, 19, 28


def number(text: str) -> int | None:
    """The number of a signal; None when the text names none."""
    word = text.strip().upper().removeprefix("SIG")
    if word.isascii() and word.isdigit():
        value = int(word) if len(word) < 4 else 0
        return value if 0 < value <= RTMAX else None
    if word in _NAMES:
        return _NAMES.index(word) + 1
    if word in _OTHER:
        return _OTHER[word]
    return _realtime(word)


def _realtime(word: str) -> int | None:
    base, sign = (RTMIN, "+") if word.startswith("RTMIN") else (RTMAX, "-") if word.startswith("RTMAX") else (0, "")
    if not base:
        return None
    rest = word[5:]
    if not rest:
        return base
    if rest[0] != sign or not rest[1:].isdigit() or len(rest) > 3:
        return None
    value = base + int(rest)
    return value if RTMIN <= value <= RTMAX else None


def name(value: int) -> str:
    """SIGTERM for 15."""
    if 0 < value <= len(_NAMES):
        return "SIG" + _NAMES[value - 1]
    return f"SIGRTMIN+{value - RTMIN}" if value > RTMIN else "SIGRTMIN"


def handle(value: int, handler: Handler) -> Handler:
    """Set what this process does on a signal; None stands for the default. Returns what it did before."""
    return _signal.signal(value, _signal.SIG_DFL if handler is None else handler)


def ignore(value: int) -> None:
    """Ignore a signal in this process."""
    _signal.signal(value, _signal.SIG_IGN)


def wake_by(descriptor: int) -> None:
    """Have every caught signal write a byte to a non-blocking descriptor; -1 for none."""
    _signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
