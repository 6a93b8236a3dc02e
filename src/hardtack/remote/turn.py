"""The right to fetch one blob, when other threads and processes may want the same one.

Who comes second waits for the first, as long as that one brings bytes and nothing else of the operation fails; one
that is stopped is named instead of waited for. A blob that is found whole is kept before it is relied on.
"""

from __future__ import annotations

import time

from hardtack.errors import TackError
from hardtack.linux.process import flock_holder
from hardtack.remote.errors import Cancelled
from hardtack.store.errors import BlobUnknown, ContentMissing, IngestBusy

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from hardtack.oci.digest import Digest
    from hardtack.store.blob import BlobStore
    from hardtack.store.ingest import Ingest

_SOON, _LATER = 0.01, 0.2  # seconds between two looks, first and in the end
_MOST = 100  # a blob is found and lost again so often only if somebody does it on purpose


class IngestStuck(TackError):
    """Another process has begun a blob and brings nothing more of it.

    Attributes:
        pid: the process, None when the kernel does not tell.
    """

    def __init__(self, digest: Digest, pid: int | None, seconds: float) -> None:
        who, what = f"process {pid}" if pid else "another process", f"{digest.algorithm}:{digest.short}…"
        super().__init__(
            f"{who} is storing {what} and has brought nothing of it for {seconds:.0f} seconds",
            f"Let {who} go on, or end it; then run the command again",
        )
        self.digest = digest
        self.pid = pid
        self.seconds = seconds


class Turn:
    """A with-block around an `Ingest`, entered when it is our turn or the blob is there.

    Args:
        keep: makes a blob known that was found whole; it may raise `ContentMissing`, and we look again.
        cancelled: when it is set, waiting ends.
        patience: seconds without a new byte until the one before us counts as stuck.
        waiting: called once when there is somebody before us.
    Raises:
        Cancelled, IngestStuck, on entering; and what `Ingest` and `keep` raise.
    """

    def __init__(
        self,
        blobs: BlobStore,
        digest: Digest,
        size: int,
        keep: Callable[[], None],
        cancelled: threading.Event,
        patience: float,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._blobs = blobs
        self._digest = digest
        self._size = size
        self._keep = keep
        self._cancelled = cancelled
        self._patience = patience
        self._waiting = waiting
        self._ingest: Ingest | None = None

    def __enter__(self) -> Ingest:
        for last in range(_MOST, -1, -1):
            ingest = self._taken()
            if not ingest.present:
                break
            try:
                self._keep()
                break
            except (BlobUnknown, ContentMissing):
                ingest.__exit__()
                if not last:
                    raise
        self._ingest = ingest
        return ingest

    def __exit__(self, *_: object) -> None:
        if self._ingest is not None:
            self._ingest.__exit__()

    def _taken(self) -> Ingest:
        held, since, pause = -1, time.monotonic(), _SOON
        while True:
            try:
                return self._blobs.ingest(self._digest, self._size, wait=False).__enter__()
            except IngestBusy as busy:
                now = time.monotonic()
                if held < 0:
                    self._waiting()
                if busy.held != held:
                    held, since = busy.held, now
                elif now - since > self._patience:
                    raise IngestStuck(self._digest, flock_holder(*busy.file), now - since) from None
            if self._cancelled.wait(pause):
                raise Cancelled
            pause = min(_LATER, pause * 2)
