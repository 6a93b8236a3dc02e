"""One step that may make a layer, planned: its keys, its words, and how it fills the upper directory."""

from __future__ import annotations

from hardtack.build.dockerfile import expand
from hardtack.build.dockerfile.instructions import Run
from hardtack.build.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.build.dockerfile.instructions import Instruction
    from hardtack.build.session import Vertex
    from hardtack.build.state import State

    Fill = Callable[[str, str, Vertex], None]
    """Takes the upper directory, a work directory for overlayfs, and the step's place in the progress."""


class Work:
    """A planned step.

    Attributes:
        keys: cache keys known already, the first one looked up first.
        second: gives a further key when the first is unknown, at the cost of reading files; None without.
        history: the line of the image's history; `fill`: carries it out.
        below: the layers that it is carried out on.
    """

    __slots__ = ("below", "fill", "history", "keys", "second")

    def __init__(
        self, key: str, history: str, fill: Fill, below: list[str], second: Callable[[], str] | None = None
    ) -> None:
        self.keys = [key]
        self.below = below
        self.history = history
        self.fill = fill
        self.second = second


def shown(instruction: Instruction, state: State, escape: str) -> str:
    """An instruction as the progress shows it: variables that are set replaced, the rest as written."""
    keyword, _, rest = instruction.source.partition(" ")
    text = f"{keyword.upper()} {rest}"
    if isinstance(instruction, Run) and len(instruction.heredocs) == 1:
        first, _, more = instruction.heredocs[0].content.strip().partition("\n")
        text += f" ({first}{'...' if more else ''})"
    try:
        return expand(text, state.variables, escape, keep_quotes=True, keep_escapes=True, keep_unset=True).text
    except DockerfileError:
        return text
