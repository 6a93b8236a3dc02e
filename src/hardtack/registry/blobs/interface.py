"""What the registry asks of a storage of blobs, whether it is a folder or an object store.

An upload is bytes in a growing row under an id; publishing verifies them against a digest, makes them durable and then
the blob of that digest. Nothing can be read before. The storage knows nothing of repositories: who may see which blob
is said by the metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from hardtack.oci.digest import Digest
    from hardtack.registry.blobs.splicing import Source


class OpenBlob(Protocol):
    """A blob about to be sent. Close it.

    Attributes:
        size: in bytes.
    """

    size: int

    def descriptor(self) -> int | None:
        """A file descriptor for sendfile, or None when the bytes are not in a local file."""
        ...

    def location(self) -> str:
        """An address to which the client may be sent instead, or ""."""
        ...

    def chunks(self, start: int, count: int) -> AsyncIterator[bytes]:
        """The bytes of a range."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Appender(Protocol):
    """The right to write to an upload, held by one request at a time.

    Attributes:
        offset: how many bytes the upload holds, those just written included.
    """

    offset: int

    async def write(self, chunk: bytes) -> None:
        """Append bytes; they may be on their way to the storage when this returns.

        Raises:
            StorageFull: the upload is gone, and its space free again.
            StorageBroken: the upload is gone as well, or goes on where `received` says.
        """
        ...

    async def splice(self, source: Source, count: int) -> int | None:
        """Append bytes straight from a socket, where the storage `can_splice`.

        Args:
            source: its descriptor, non-blocking, or what stands for it; the same in every call.
            count: at most so many.
        Returns:
            How many came; 0 when none are there yet, None when there will be no more.
        Raises:
            StorageFull, StorageBroken: as `write`.
        """
        ...

    async def publish(self, digest: Digest) -> int:
        """Verify that the upload is what a digest names, make it durable, and make it the blob.

        Returns:
            Its size in bytes; the blob can be read, and the upload is gone.
        Raises:
            DigestInvalid: it is something else; the upload is gone.
            StorageFull, StorageBroken: as `write`.
        """
        ...


class Blobs(Protocol):
    """See the module.

    Attributes:
        chunk_min: fewest bytes that a chunk other than the last may have; 0 when any will do.
        can_splice: uploads can be filled by the kernel, from a socket.
    """

    chunk_min: int
    can_splice: bool

    async def begin(self, upload: str) -> None:
        """Open an empty upload under a fresh id."""
        ...

    async def received(self, upload: str) -> int | None:
        """How many bytes an upload holds; None when there is none."""
        ...

    def append(
        self, upload: str, start: int | None = None, algorithm: str = "sha256"
    ) -> AbstractAsyncContextManager[Appender]:
        """Go on with an upload. What was written is in the storage when the block has ended without an error.

        Args:
            start: where the caller believes its end to be; None for "wherever it is".
            algorithm: what the digest is expected to be made with, so that bytes are hashed as they come.
        Raises:
            UploadUnknown, UploadBusy, UploadOutOfOrder; at the end of the block StorageFull, StorageBroken.
        """
        ...

    async def discard(self, upload: str) -> bool:
        """Throw an upload away. Returns whether it was there."""
        ...

    async def abandoned(self, idle: float) -> list[str]:
        """Uploads to which nothing was written for `idle` seconds."""
        ...

    async def open(self, digest: Digest, part: tuple[int, int] | None = None) -> OpenBlob:
        """A blob for sending.

        Args:
            part: first byte and length of what will be sent, if not all; any other may be asked for as well.
        Raises:
            BlobUnknown: there is none.
        """
        ...

    async def read(self, digest: Digest, limit: int) -> bytes:
        """A small blob whole.

        Raises:
            BlobUnknown: there is none, or it is larger than `limit`.
        """
        ...

    async def remove(self, digests: Sequence[str]) -> None:
        """Make blobs unreadable now; their space becomes free soon. Those that are not there do not matter."""
        ...

    def is_tight(self) -> bool:
        """Whether there is hardly any room left, so that what is only kept for convenience should go."""
        ...

    async def sweep(self) -> None:
        """Free the space of what was removed, and of what somebody who died left half-made."""
        ...

    async def set_aside(self, digest: Digest) -> bool:
        """Move a blob whose bytes are wrong to where nobody is served from. Returns whether it was there."""
        ...

    async def aside(self) -> list[str]:
        """Names of what was set aside."""
        ...

    def listing(self) -> AsyncIterator[tuple[str, int]]:
        """Every blob that is there, in the order of digests, with its size. What comes meanwhile may be missed."""
        ...

    async def check(self) -> None:
        """Find out whether the storage answers. Raises StorageBroken or OSError when it does not."""
        ...

    async def close(self) -> None:
        """Let go of threads and connections."""
        ...
