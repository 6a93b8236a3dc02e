"""Blobs come from registries into the store: in parallel, verified as they arrive, continued after a cut.

While bytes arrive they go to the partial blob and, for a layer, on to whoever makes it mountable, so that a pull ends
when the last bytes are verified. Mirrors are asked before the registry. What an image needs is decided above.
"""

from __future__ import annotations

import sys
import threading

from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.limits import DOCUMENT_LIMIT
from hardtack.progress import SILENT, Progress
from hardtack.remote.errors import (
    BadAnswer,
    Cancelled,
    DigestLie,
    RemoteError,
    TooLarge,
    Truncated,
    Unreachable,
)
from hardtack.remote.feeding import Feeding
from hardtack.remote.plan import StartOver, bytes_to_skip
from hardtack.remote.retry import RetryPolicy
from hardtack.remote.sources import sources_of
from hardtack.remote.together import run_together
from hardtack.remote.turn import Turn
from hardtack.store.content import Content
from hardtack.store.errors import DigestMismatch
from hardtack.store.layer.apply import Apply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hardtack.remote.plan import LayerTask
    from hardtack.remote.sources import Source
    from hardtack.remote.transport import Transport
    from hardtack.store.ingest import Ingest
    from hardtack.store.layer import LayerStore
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root

_CHUNK = 256 << 10
_PROGRESS = 64 << 10  # so many bytes since the last failure, and patience begins anew
_ONCE = RetryPolicy(attempts=1)
# Seconds. Threads come back from hashing, reading and gunzip, which run beside the interpreter, many thousand times in
# a pull; with Python's usual 5 ms each may wait that long for a thread that reads tar headers.
_SWITCH = 0.0005
_MIRROR_ATTEMPTS = 2


class Fetcher:
    """Brings blobs of one repository into one store.

    Args:
        sources: where to ask, in order; the last one is the repository itself.
        lease: keeps what was fetched until an image does.
        progress: hears of each blob by its digest.
        cancelled: set when another part of the operation has failed; a failure of our own sets it too.
    """

    def __init__(
        self,
        root: Root,
        sources: Sequence[Source],
        transport: Transport,
        lease: Lease,
        progress: Progress = SILENT,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._root = root
        self._content = Content(root)
        self._sources = sources
        self._transport = transport
        self._lease = lease
        self._progress = progress
        self._policy = transport.config.retry
        self._cancelled = cancelled or threading.Event()
        self.fetched = 0  # bytes that came over the network, more or less: threads add to it without a lock

    def document(self, descriptor: Descriptor, what: str) -> bytes:
        """A small blob such as a config, from the store or fetched and stored.

        Raises:
            TooLarge: it claims more than a document may have.
        """
        if descriptor.size > DOCUMENT_LIMIT:
            raise TooLarge(self._sources[-1].host, what, DOCUMENT_LIMIT, descriptor.size)
        if not self._content.has(descriptor.digest):
            if descriptor.data is not None:
                self.take(descriptor.data, descriptor.media_type, descriptor.digest)
            else:
                self.blob(descriptor, what)
        return self._root.blobs.read(descriptor.digest, DOCUMENT_LIMIT)

    def take(self, data: bytes, media_type: str, digest: Digest) -> None:
        """Store bytes that are here already under the digest that they have."""
        descriptor = Descriptor(media_type, digest, len(data))
        with self._turn(descriptor) as ingest:
            if not ingest.present:
                ingest.discard()
                ingest.write(data)
                ingest.commit()
                self._register(descriptor)

    def blob(self, descriptor: Descriptor, what: str = "") -> None:
        """Fetch one blob unless it is held."""
        with self._turn(descriptor) as ingest:
            if not ingest.present:
                self._complete(ingest, descriptor, what or named("blob", descriptor.digest), None)
                self._register(descriptor)

    def layers(self, tasks: Iterable[LayerTask], store: LayerStore, threads: int) -> None:
        """Fetch layers and make them mountable, several at once.

        Raises:
            The first failure of any; the others stop, and what arrived is kept.
        """
        jobs = [lambda task=task: self._layer(task, store) for task in tasks]
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH)
        try:
            run_together(jobs, threads, self._cancelled, self._transport.abort)
        finally:
            sys.setswitchinterval(before)

    def _layer(self, task: LayerTask, store: LayerStore) -> None:
        descriptor = task.descriptor
        item, what = str(descriptor.digest), named("layer", descriptor.digest)

        def sink() -> Apply:
            return Apply(store, descriptor.media_type, task.diff_id)

        with self._turn(descriptor) as ingest:
            if ingest.present and store.has(task.diff_id):  # somebody else fetched it while we waited
                self._progress.finish(item, "Already exists")
                return
            apply = None
            try:
                if ingest.present:
                    apply = sink()
                    self._replay(ingest, apply)
                else:
                    self._progress.begin(item, "Downloading", descriptor.size)
                    apply = self._complete(ingest, descriptor, what, sink)
                    self._register(descriptor)
                self._progress.begin(item, "Extracting")
                assert apply is not None
                apply.finish(self._lease)
                self._content.pair(descriptor.digest, task.diff_id)
            except BaseException:
                if apply is not None:
                    apply.abort()
                raise
        self._progress.finish(item, "Pull complete")

    def _turn(self, descriptor: Descriptor) -> Turn:
        config = self._transport.config
        silence = config.stall_timeout + config.connect_timeout + config.retry.cap
        return Turn(
            self._root.blobs,
            descriptor.digest,
            descriptor.size,
            lambda: self._register(descriptor),
            self._cancelled,
            silence * config.retry.attempts,  # whoever is before us gives up sooner, if it lives
            lambda: self._progress.begin(str(descriptor.digest), "Waiting for another process"),
        )

    def _register(self, descriptor: Descriptor) -> None:
        self._content.register(descriptor.digest, descriptor.size, descriptor.media_type, None, self._lease)

    def _replay(self, ingest: Ingest, apply: Apply) -> None:
        with self._root.blobs.open(ingest.digest) as file:
            while chunk := file.read(_CHUNK):
                self._check()
                apply.feed(chunk)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def _complete(
        self, ingest: Ingest, descriptor: Descriptor, what: str, sink: Callable[[], Apply] | None
    ) -> Apply | None:
        """Fetch what is missing and commit. Once more from the first byte where the held ones proved wrong."""
        sources = sources_of(descriptor, self._sources, self._transport)
        restarted = False
        while True:
            feeding = Feeding(sink)
            resumed = ingest.offset > 0
            try:
                feeding.replay(ingest)
                self._progress.advance(str(descriptor.digest), ingest.offset)
                self._download(ingest, descriptor, what, feeding, sources)
                ingest.commit()
                return feeding.result()
            except DigestMismatch as error:
                feeding.abort()
                if not resumed and len(sources) == 1:
                    raise DigestLie(sources[-1].host, what, error.expected, error.actual) from None
            except StartOver:
                feeding.abort()
                if restarted:
                    raise BadAnswer(sources[-1].host, f"it does not continue {what}, again and again") from None
                restarted = True
                ingest.discard()
            except BaseException:
                feeding.abort()
                raise
            sources = sources[-1:]
            self._progress.begin(str(descriptor.digest), "Downloading", descriptor.size)

    def _download(
        self, ingest: Ingest, descriptor: Descriptor, what: str, feeding: Feeding, sources: Sequence[Source]
    ) -> None:
        """Bring the blob to its full length, from one source after the other."""
        for source in sources:
            final = source is sources[-1]
            try:
                self._download_from(source, final, ingest, descriptor, what, feeding)
                return
            except RemoteError as error:
                if final or isinstance(error, Cancelled):
                    raise

    def _download_from(
        self, source: Source, final: bool, ingest: Ingest, descriptor: Descriptor, what: str, feeding: Feeding
    ) -> None:
        failures, mark = 0, ingest.offset
        while ingest.offset < descriptor.size:
            try:
                self._stretch(source, ingest, descriptor, what, feeding)
            except RemoteError as error:
                self._check()
                if ingest.offset - mark >= _PROGRESS:
                    failures, mark = 0, ingest.offset
                failures += 1
                wait = self._policy.delay(failures, error, self._transport.jitter())
                if wait is None or (not final and failures >= _MIRROR_ATTEMPTS):
                    raise
                self._cancelled.wait(wait)

    def _stretch(self, source: Source, ingest: Ingest, descriptor: Descriptor, what: str, feeding: Feeding) -> None:
        """One request: everything from where we are to the end, or to the cut."""
        size = descriptor.size
        item = str(descriptor.digest)
        with source.open(descriptor.digest, ingest.offset, what, _ONCE) as answer:
            if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise BadAnswer(source.host, f"it encodes {what} once more on the way")
            try:
                skip = bytes_to_skip(
                    answer.status, answer.headers.get("Content-Range"), answer.announced, ingest.offset, size
                )
            except ValueError as error:
                raise BadAnswer(source.host, f"for {what} {error}") from None
            while ingest.offset < size:
                self._check()
                try:
                    chunk = answer.read_some(min(_CHUNK, skip or size - ingest.offset), what)
                except (Truncated, Unreachable):
                    chunk = b""
                if not chunk:
                    raise Truncated(source.host, what, ingest.offset, size)
                self.fetched += len(chunk)
                if skip:
                    skip -= len(chunk)
                    continue
                ingest.write(chunk)
                feeding.feed(chunk)
                self._progress.advance(item, len(chunk))


def named(kind: str, digest: Digest) -> str:
    """A blob in words short enough for a message: `layer sha256:ab12cd34ef56…`."""
    return f"{kind} {digest.algorithm}:{digest.short}…"
