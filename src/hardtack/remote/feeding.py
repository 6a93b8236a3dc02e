"""Bytes on their way from the network to the layer that is being made of them, while nobody knows yet what they are."""

from __future__ import annotations

from hardtack.store.errors import StoreFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.store.ingest import Ingest
    from hardtack.store.layer.apply import Apply


class Feeding:
    """Hands bytes on to a layer that is being made, and remembers when that failed.

    Bytes are not verified before the last one is here. If making the layer fails half way, the download goes on, and
    the digest says in the end whether the bytes were wrong or the layer itself is.
    """

    def __init__(self, sink: Callable[[], Apply] | None) -> None:
        self._apply = sink() if sink else None
        self._error: Exception | None = None

    def replay(self, ingest: Ingest) -> None:
        if self._apply is not None:
            for chunk in ingest.replay():
                self.feed(chunk)

    def feed(self, chunk: bytes) -> None:
        if self._apply is None or self._error is not None:
            return
        try:
            self._apply.feed(chunk)
        except StoreFull:
            raise
        except Exception as error:  # noqa: BLE001  kept, and raised by result() if the bytes were the right ones
            self._error = error
            self._apply.abort()

    def result(self) -> Apply | None:
        if self._error is not None:
            raise self._error
        return self._apply

    def abort(self) -> None:
        if self._apply is not None and self._error is None:
            self._apply.abort()
