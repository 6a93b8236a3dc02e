"""What the registry asks of a database, embedded or served: to run scripts in transactions, and to be alone at times.

Everything that is stored besides blobs goes through this; `metadata.script` says what a script is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import ParamSpec

    from hardtack.registry.metadata.script import Script

    P = ParamSpec("P")

T = TypeVar("T")


class Database(Protocol):
    """One registry's database, as one event loop uses it. Any number of processes have it open."""

    async def read(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Ask something short, that an index answers."""
        ...

    async def browse(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Ask something that may take a while. All its statements see one state; it may have effects, each of which
        is quick, and may be begun again."""
        ...

    def at_once(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T | None:
        """Ask where it needs no waiting; a database that always has to wait says None."""
        ...

    async def write(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Change something, in one transaction. What has returned is durable and seen by every later `read`.

        Raises:
            what the script raises, and then nothing of it is left; StorageFull, StorageBroken.
        """
        ...

    async def note(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """Change something that may be lost with the power, though with nothing less."""
        ...

    async def free(self, script: Callable[P, Script[T]], *values: P.args, **options: P.kwargs) -> T:
        """As `write`, for what frees space: possible on a full disk."""
        ...

    async def renumber(self, keys: Sequence[tuple[str, str]]) -> None:
        """Go on with numbers after those that were put into tables by hand; keys: table and column."""
        ...

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def alone(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Be the only one of all processes, on all machines, who does something; False when another one is.

        It ends with the block, with the process, or with the connection to the database.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and let go."""
        ...
