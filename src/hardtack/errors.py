"""The root of every failure that a person can act on.

Each layer derives its own small family from `TackError` and carries the facts as attributes. The text follows
one form, "cannot X: why", and the hint says what to do. Edges turn the error into an exit code or an HTTP body.
"""

from __future__ import annotations


class TackError(Exception):
    """A failure with a cause that is known and, where there is one, a way out.

    Args:
        message: what failed and why, lower case, no full stop at the end.
        hint: what to do about it, one sentence, without the full stop.
    Attributes:
        exit_code: what the command exits with, as docker's: 1 refused, 125 engine, 126 not runnable, 127 not found.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}." if self.hint else self.message
