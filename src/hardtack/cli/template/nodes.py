"""What a template is made of once it is parsed. Every node knows where it stood, for errors."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Node:
    """A part of a template: `position` and `end` in its text."""

    __slots__ = ("end", "position")

    def __init__(self, position: int, end: int) -> None:
        self.position = position
        self.end = end


class Text(Node):
    """Text that stands for itself."""

    __slots__ = ("text",)

    def __init__(self, position: int, end: int, text: str) -> None:
        super().__init__(position, end)
        self.text = text


class Literal(Node):
    """A string, number, truth value or nil."""

    __slots__ = ("value",)

    def __init__(self, position: int, end: int, value: Any) -> None:
        super().__init__(position, end)
        self.value = value


class Path(Node):
    """Fields of something: of the dot (`base` None), a variable's name, or another node in parentheses.

    `at` is where the last field stands.
    """

    __slots__ = ("at", "base", "fields")

    def __init__(
        self, position: int, end: int, base: Node | str | None, fields: list[str], at: int | None = None
    ) -> None:
        super().__init__(position, end)
        self.at = position if at is None else at
        self.base = base
        self.fields = fields


class Function(Node):
    """A function's name."""

    __slots__ = ("name",)

    def __init__(self, position: int, end: int, name: str) -> None:
        super().__init__(position, end)
        self.name = name


class Call(Node):
    """One command of a pipe: an operand and its arguments."""

    __slots__ = ("words",)

    def __init__(self, position: int, end: int, words: list[Node]) -> None:
        super().__init__(position, end)
        self.words = words


class Pipe(Node):
    """Commands, each given the value before it; may name its value."""

    __slots__ = ("calls", "declares", "names")

    def __init__(self, position: int, end: int, calls: list[Call], names: list[str], declares: bool) -> None:
        super().__init__(position, end)
        self.calls = calls
        self.names = names
        self.declares = declares


class Branch(Node):
    """`if`, `range` or `with`: a pipe, what to do, what else."""

    __slots__ = ("body", "kind", "other", "pipe")

    def __init__(self, position: int, end: int, kind: str, pipe: Pipe, body: list[Node], other: list[Node]) -> None:
        super().__init__(position, end)
        self.kind = kind
        self.pipe = pipe
        self.body = body
        self.other = other


class Jump(Node):
    """`break` or `continue`."""

    __slots__ = ("kind",)

    def __init__(self, position: int, end: int, kind: str) -> None:
        super().__init__(position, end)
        self.kind = kind
