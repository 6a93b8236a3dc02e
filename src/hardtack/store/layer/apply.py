"""A compressed layer becomes mountable while it downloads: decompression and storing each run in a thread of their own.

`feed` takes chunks as they come from the network and returns at once unless the threads are far behind; `finish`
verifies the diff id and makes the layer known. A layer that is small never starts a thread.
"""

from __future__ import annotations

import queue
import threading

from hardtack.oci.mediatypes import is_layer
from hardtack.store.layer.decompress import Bound, ByContent
from hardtack.store.layer.errors import UnsupportedLayer
from hardtack.store.layer.member import DEFAULT_LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hardtack.oci.digest import Digest
    from hardtack.store.layer.layers import LayerStore
    from hardtack.store.layer.member import Limits
    from hardtack.store.layer.writer import Layer
    from hardtack.store.lease import Lease

_SMALL = 128 << 10  # compressed bytes that are not worth a thread
_WAITING_IN = 16
_WAITING_OUT = 16


class Apply:
    """One layer on its way in.

    Args:
        layers: where it goes.
        media_type: of the compressed blob; "" when it is not known.
        expected_diff: the diff id that the image's config names.
    Raises:
        UnsupportedLayer: the media type is that of something else.
    """

    def __init__(
        self, layers: LayerStore, media_type: str, expected_diff: Digest | None, limits: Limits | None = None
    ) -> None:
        if media_type and not is_layer(media_type):
            raise UnsupportedLayer(media_type)
        self._writer = layers.writer(expected_diff, limits)
        self._decompressor = ByContent(Bound((limits or DEFAULT_LIMITS).tar_bytes))
        self._small: list[bytes] = []
        self._held = 0
        self._pipe: _Pipe | None = None

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next compressed bytes.

        Raises:
            What decompressing or storing earlier ones met with: BadTar, BadCompression, LayerTooLarge, StoreFull.
        """
        data = bytes(chunk)
        if self._pipe is not None:
            self._pipe.put(data)
            return
        self._small.append(data)
        self._held += len(data)
        if self._held > _SMALL:
            self._pipe = _Pipe(self._decompressor.feed, self._writer.write)
            for held in self._small:
                self._pipe.put(held)
            self._small = []

    def finish(self, lease: Lease | None) -> Layer:
        """Wait for the threads, verify, make the layer known.

        Raises:
            DiffMismatch: the bytes are others than the config names; they are gone.
            TruncatedTar: the stream, or the tar in it, ends early.
        """
        try:
            if self._pipe is not None:
                self._pipe.close()
            for held in self._small:
                for piece in self._decompressor.feed(held):
                    self._writer.write(piece)
            self._decompressor.finish()
            return self._writer.commit(lease)
        finally:
            self.abort()

    def abort(self) -> None:
        """Stop the threads and throw away what is not committed. Repeating is harmless."""
        if self._pipe is not None:
            self._pipe.abort()
            self._pipe = None
        self._writer.abort()


class _Pipe:
    """Two threads with bounded queues: what `put` takes goes through `convert`, the results through `store`."""

    def __init__(self, convert: Callable[[bytes], Iterator[bytes]], store: Callable[[bytes], None]) -> None:
        self._in: queue.Queue[bytes | None] = queue.Queue(_WAITING_IN)
        self._out: queue.Queue[bytes | None] = queue.Queue(_WAITING_OUT)
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._convert, args=(convert,), daemon=True, name="layer-decompress"),
            threading.Thread(target=self._store, args=(store,), daemon=True, name="layer-store"),
        ]
        for thread in self._threads:
            thread.start()

    def put(self, data: bytes) -> None:
        """Hand on a chunk, or raise what a thread met with."""
        if self._error is not None:
            raise self._error
        self._in.put(data)

    def close(self) -> None:
        """Wait until everything went through, or raise what a thread met with."""
        self._in.put(None)
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def abort(self) -> None:
        """Let the threads run dry and end."""
        if self._threads[0].is_alive() or self._threads[1].is_alive():
            self._fail(InterruptedError("aborted"))
            self._in.put(None)
            for thread in self._threads:
                thread.join()

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error

    def _convert(self, convert: Callable[[bytes], Iterator[bytes]]) -> None:
        def run(data: Any) -> None:
            for piece in convert(data):
                if self._error is not None:
                    return
                self._out.put(piece)

        self._drain(self._in, run)
        self._out.put(None)

    def _store(self, store: Callable[[bytes], None]) -> None:
        self._drain(self._out, store)

    def _drain(self, source: queue.Queue[bytes | None], act: Callable[[bytes], None]) -> None:
        """Act on what comes until None does; after an error anywhere only take things away, so that nobody hangs."""
        while (data := source.get()) is not None:
            if self._error is None:
                try:
                    act(data)
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the caller waits
                    self._fail(error)
