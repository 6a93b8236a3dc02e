"""Blobs as files: `blobs/…` as the store has them, unfinished uploads in `uploads/<id>`, removed ones in `trash/`,
damaged ones in `quarantine/`.

Bytes are hashed as they arrive, in threads, while the next ones come in. The running hash stays with the worker that
has it; a worker that goes on with another one's upload hashes the file once more at the end. A lock on the file lets
one request at a time write to an upload. What remains of an upload after a death is its file, whose length says how
far it got.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
import uuid
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from hardtack.oci.digest import Digest
from hardtack.registry.blobs.adopting import share
from hardtack.registry.blobs.appending import FileAppender, Running
from hardtack.registry.blobs.failures import failure
from hardtack.registry.blobs.folders import empty, moved, names, older, sizes
from hardtack.registry.blobs.splicing import SUPPORTED
from hardtack.registry.blobs.threads import settled
from hardtack.registry.errors import (
    BlobUnknown,
    StorageBroken,
    UploadBusy,
    UploadOutOfOrder,
    UploadUnknown,
)
from hardtack.registry.names import is_upload
from hardtack.registry.threads import Threads
from hardtack.store.blob import BlobStore
from hardtack.store.disk import sync_path
from hardtack.store.errors import BlobTooLarge
from hardtack.store.errors import BlobUnknown as NoSuchFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

T = TypeVar("T")

_THREADS = 8
_HASHERS = 4
_RUNNING_LIMIT = 1024
_PLENTY, _LITTLE = 10 << 30, 64 << 20  # bytes free with which there is room, and with which there is none
_CHUNK = 256 << 10


class FileBlobs:
    """See `blobs.interface.Blobs`.

    Args:
        path: the registry's root.
    Attributes:
        hashers: threads that hash what others write.
    """

    chunk_min = 0
    can_splice = SUPPORTED

    def __init__(self, path: str) -> None:
        self._store = BlobStore(path)
        self._uploads = f"{path}/uploads"
        self._trash = f"{path}/trash"
        self._quarantine = f"{path}/quarantine"
        for folder in (self._uploads, self._trash, f"{path}/blobs"):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self._threads = Threads(_THREADS, "registry-blobs")
        # Apart from the others, which wait for them.
        self.hashers = ThreadPoolExecutor(_HASHERS, "registry-hashes")
        self._running: OrderedDict[str, Running] = OrderedDict()

    async def check(self) -> None:
        for folder in (self._uploads, self._trash):
            await self.run(os.stat, folder)

    async def close(self) -> None:
        self._threads.close()
        self.hashers.shutdown()

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """Do file work in a thread. It is waited for even when the caller is cancelled, since it uses descriptors.

        Raises:
            StorageFull, StorageBroken: in place of OSError.
        """
        try:
            return await settled(self._threads.run(work, *args))
        except OSError as error:
            raise failure(error) from error

    # Uploads

    async def begin(self, upload: str) -> None:
        try:
            # In the event loop: making an empty file is quicker than asking a thread to.
            os.close(os.open(self._path(upload), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise failure(error) from error

    async def received(self, upload: str) -> int | None:
        try:
            return os.stat(self._path(upload)).st_size
        except FileNotFoundError:
            return None

    @asynccontextmanager
    async def append(
        self, upload: str, start: int | None = None, algorithm: str = "sha256"
    ) -> AsyncIterator[FileAppender]:
        path = self._path(upload)
        descriptor = _open_locked(upload, path)
        try:
            offset = os.fstat(descriptor).st_size
            if start is not None and start != offset:
                raise UploadOutOfOrder(upload, offset)
            running = self._running.pop(upload, None)
            if offset == 0:
                running = Running(algorithm, hashlib.new(algorithm), 0)
            elif running is not None and running.offset != offset:
                running = None
            appender = FileAppender(self, path, descriptor, offset, running)
            try:
                try:
                    yield appender
                except BaseException:
                    await appender.flush_quietly()
                    raise
                await appender.flush()
            finally:
                self._keep(upload, appender)
        finally:
            os.close(descriptor)

    def _keep(self, upload: str, appender: FileAppender) -> None:
        if appender.running is not None and not appender.gone:
            self._running[upload] = appender.running
            while len(self._running) > _RUNNING_LIMIT:
                self._running.popitem(last=False)

    async def peek(self, upload: str, start: int, count: int) -> bytes:
        """Bytes of an unfinished upload that are in its file already, at most so many; b"" when none are."""
        return await self.run(_peek, self._path(upload), start, count)

    async def discard(self, upload: str) -> bool:
        self._running.pop(upload, None)
        try:
            await self.run(os.unlink, self._path(upload))
        except StorageBroken:
            return False
        return True

    async def abandoned(self, idle: float) -> list[str]:
        return await self.run(older, self._uploads, time.time() - idle)

    def publish(self, path: str, descriptor: int, digest: Digest, size: int) -> None:
        """Turn a verified file into the blob, or drop it when the blob is there. Durable on return; blocking."""
        if self._store.size(digest) == size:
            os.unlink(path)
            sync_path(os.path.dirname(self._store.path_of(digest)))  # whoever made it may not have come that far
        else:
            os.fsync(descriptor)
            self._store.publish(path, digest)

    # Blobs

    async def open(self, digest: Digest, part: tuple[int, int] | None = None) -> FileBlob:  # noqa: ARG002
        try:
            descriptor = os.open(self._store.path_of(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise BlobUnknown(digest) from None
        except OSError as error:
            raise failure(error) from error
        return FileBlob(self, descriptor)

    async def read(self, digest: Digest, limit: int) -> bytes:
        try:
            return await self.run(self._store.read, digest, limit)
        except (NoSuchFile, BlobTooLarge):
            raise BlobUnknown(digest) from None

    async def remove(self, digests: Sequence[str]) -> None:
        # A rename is quick whatever the size; the space is freed outside of the transaction that waits for this.
        for digest in digests:
            try:
                os.rename(self._store.path_of(digest), f"{self._trash}/{digest}-{time.time_ns()}")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise failure(error) from error

    def is_tight(self) -> bool:
        disk = os.statvfs(self._trash)
        enough = min(disk.f_blocks * disk.f_frsize // 20, _PLENTY)
        return disk.f_bavail * disk.f_frsize < max(enough, _LITTLE)

    async def sweep(self) -> None:
        await self.run(empty, self._trash)

    async def set_aside(self, digest: Digest) -> bool:
        return await self.run(moved, self._store.path_of(digest), self._quarantine, f"{digest}-{time.time_ns()}")

    async def aside(self) -> list[str]:
        return await self.run(names, self._quarantine)

    async def adopt(self, descriptor: int, digest: Digest, link: bool) -> bool:
        """Take in a file of another folder without copying its bytes, where that is possible.

        Args:
            link: it may be the same file afterwards.
        Raises:
            DigestInvalid: it is not that blob; StorageFull, StorageBroken.
        """
        path = self._path(str(uuid.uuid4()))
        shared = await self.run(share, descriptor, digest, path, link)
        if shared:
            await self.run(self._store.publish, path, digest)
        return shared

    async def listing(self) -> AsyncIterator[tuple[str, int]]:
        digests = iter(self._store)
        while batch := await self.run(sizes, self._store, digests):
            for digest, size in batch:
                if size is not None:
                    yield digest, size

    def _path(self, upload: str) -> str:
        if not is_upload(upload):
            raise UploadUnknown(upload)
        return f"{self._uploads}/{upload}"


class FileBlob:
    """See `blobs.interface.OpenBlob`."""

    def __init__(self, blobs: FileBlobs, descriptor: int) -> None:
        self._blobs = blobs
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def descriptor(self) -> int | None:
        return self._descriptor

    def location(self) -> str:
        return ""

    async def chunks(self, start: int, count: int) -> AsyncIterator[bytes]:
        end = start + count
        while start < end:
            chunk = await self._blobs.run(os.pread, self._descriptor, min(_CHUNK, end - start), start)
            if not chunk:
                raise StorageBroken("a blob's file is shorter than it was")
            start += len(chunk)
            yield chunk

    def close(self) -> None:
        os.close(self._descriptor)


def _open_locked(upload: str, path: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise UploadUnknown(upload) from None
    except OSError as error:
        raise failure(error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink == 0 or not os.path.exists(path):
            raise UploadUnknown(upload)  # published or discarded between open and lock
        os.lseek(descriptor, 0, os.SEEK_END)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.EACCES):
            raise UploadBusy(upload) from None
        raise
    return descriptor


def _peek(path: str, start: int, count: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(descriptor, count, start)
    finally:
        os.close(descriptor)
