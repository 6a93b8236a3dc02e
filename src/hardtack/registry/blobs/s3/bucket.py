"""The part of a bucket below one prefix: the few requests that the registry makes, with its own errors.

Botocore retries what may pass by itself, with growing pauses; every wait has an end. Integrity of what is written is
said by an MD5 that the store checks; the signature leaves the body out, since hashing it would hold up the event loop.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardtack.registry.blobs.s3.connecting import client
from hardtack.registry.blobs.s3.failures import Absent, translated
from hardtack.registry.blobs.s3.stream import Stream
from hardtack.registry.errors import RegistryError, StorageBroken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from typing import Self

    from hardtack.registry.blobs.s3.settings import S3Settings

_BATCH = 1000  # what one DeleteObjects takes
_QUICK = 64 << 10  # bytes that are hashed sooner than a thread is asked to
_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Entry:
    """An object in a listing.

    Attributes:
        key: without the prefix.
        age: seconds since it was written, by the store's own clock, at least 0.
    """

    key: str
    size: int
    age: float


class Bucket:
    """See the module. Keys are given and returned without the prefix; `close` it."""

    def __init__(self, settings: S3Settings, s3: Any, outside: Any, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._s3 = s3
        self._outside = outside
        self._stack = stack
        self._prefix = f"{settings.prefix}/" if settings.prefix else ""

    @classmethod
    async def connect(cls, settings: S3Settings) -> Self:
        """Make the connections of one event loop. Nothing is asked of the store yet."""
        async with AsyncExitStack() as stack:
            s3 = await stack.enter_async_context(client(settings, settings.endpoint))
            outside = s3
            if settings.redirect_endpoint:
                outside = await stack.enter_async_context(client(settings, settings.redirect_endpoint))
            return cls(settings, s3, outside, stack.pop_all())

    async def close(self) -> None:
        """End all connections."""
        await self._stack.aclose()

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._settings.bucket, "Key": self._prefix + key}

    async def exists(self) -> None:
        """Ask whether the bucket is there. Raises what the library raises."""
        await self._s3.head_bucket(Bucket=self._settings.bucket)

    # Objects

    async def put(self, key: str, data: bytes = b"", md5: bytes | None = None) -> None:
        """Write an object.

        Args:
            md5: of the data, when it is known.
        """
        async with translated("write an object"):
            await self._s3.put_object(
                **self._where(key), Body=data, ContentMD5=await _md5(data, md5), ContentType=_TYPE
            )

    async def size(self, key: str) -> int | None:
        """The length of an object; None when there is none."""
        try:
            async with translated("look at an object"):
                found = await self._s3.head_object(**self._where(key))
        except Absent:
            return None
        return int(found["ContentLength"])

    async def get(self, key: str, start: int = 0, count: int | None = None) -> Stream:
        """Begin to read an object, or `count` bytes of it. Raises Absent."""
        ranged = {} if count is None else {"Range": f"bytes={start}-{start + count - 1}"}
        async with translated("read an object"):
            return Stream(await self._s3.get_object(**self._where(key), **ranged), start, count)

    async def read(self, key: str, start: int = 0, count: int | None = None) -> bytes:
        """Bytes of an object that fit into memory. Raises Absent."""
        for left in (1, 0):
            try:
                return await (await self.get(key, start, count)).rest()
            except StorageBroken:
                if not left:
                    raise
        raise AssertionError

    async def copy(self, source: str, key: str) -> None:
        """Have the store copy an object of at most 5 GiB. Raises Absent."""
        async with translated("copy an object"):
            await self._s3.copy_object(
                **self._where(key), CopySource=self._where(source), MetadataDirective="REPLACE", ContentType=_TYPE
            )

    async def listing(self, prefix: str) -> AsyncIterator[Entry]:
        """Every object below a prefix, in the order of keys."""
        more: dict[str, str] = {}
        while True:
            async with translated("list objects"):
                page = await self._s3.list_objects_v2(
                    Bucket=self._settings.bucket, Prefix=self._prefix + prefix, **more
                )
            now = _moment(page)
            for found in page.get("Contents", ()):
                age = max(0.0, now - found["LastModified"].timestamp())
                yield Entry(found["Key"][len(self._prefix) :], int(found["Size"]), age)
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, those given first first; that some are not there does not matter.

        Raises:
            StorageBroken: some remain.
        """
        every = list(keys)
        for start in range(0, len(every), _BATCH):
            batch = [{"Key": self._prefix + key} for key in every[start : start + _BATCH]]
            async with translated("delete objects"):
                answer = await self._s3.delete_objects(
                    Bucket=self._settings.bucket, Delete={"Objects": batch, "Quiet": True}
                )
            refused = [error for error in answer.get("Errors", ()) if error.get("Code") != "NoSuchKey"]
            if refused:
                word = str(refused[0].get("Code", ""))[:60]
                raise StorageBroken(f"cannot delete {len(refused)} objects: the object store answered {word}")

    async def address(self, key: str) -> str:
        """An address under which anybody may read an object for a while."""
        return str(
            await self._outside.generate_presigned_url(
                "get_object", Params=self._where(key), ExpiresIn=self._settings.redirect_life
            )
        )

    # Objects made of parts

    async def assemble(self, key: str) -> str:
        """Begin an object made of parts; it is not there before `complete`. Returns the assembly's id."""
        async with translated("begin a multipart upload"):
            begun = await self._s3.create_multipart_upload(**self._where(key), ContentType=_TYPE)
        return str(begun["UploadId"])

    async def put_part(self, key: str, assembly: str, number: int, data: bytes) -> str:
        """Write a part. Returns its tag."""
        async with translated("write a part"):
            made = await self._s3.upload_part(
                **self._where(key), UploadId=assembly, PartNumber=number, Body=data, ContentMD5=await _md5(data)
            )
        return str(made["ETag"])

    async def copy_part(self, key: str, assembly: str, number: int, source: str, span: tuple[int, int] | None) -> str:
        """Have the store copy an object, or a span of it, into a part. Returns its tag. Raises Absent."""
        ranged = {} if span is None else {"CopySourceRange": f"bytes={span[0]}-{span[0] + span[1] - 1}"}
        async with translated("copy a part"):
            made = await self._s3.upload_part_copy(
                **self._where(key), UploadId=assembly, PartNumber=number, CopySource=self._where(source), **ranged
            )
        return str(made["CopyPartResult"]["ETag"])

    async def complete(self, key: str, assembly: str, tags: Sequence[str]) -> None:
        """Make the parts, in order, the object. Raises Absent: no such assembly, any more."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        async with translated("complete a multipart upload"):
            await self._s3.complete_multipart_upload(
                **self._where(key), UploadId=assembly, MultipartUpload={"Parts": parts}
            )

    async def abort(self, key: str, assembly: str) -> None:
        """Throw an assembly away, as far as possible; one that remains is found by `unfinished`."""
        with contextlib.suppress(Absent, RegistryError):
            async with translated("abort a multipart upload"):
                await self._s3.abort_multipart_upload(**self._where(key), UploadId=assembly)

    async def unfinished(self, prefix: str) -> AsyncIterator[tuple[str, str, float]]:
        """Assemblies below a prefix: key, id, seconds since they began."""
        more: dict[str, str] = {}
        while True:
            async with translated("list multipart uploads"):
                page = await self._s3.list_multipart_uploads(
                    Bucket=self._settings.bucket, Prefix=self._prefix + prefix, **more
                )
            now = _moment(page)
            for found in page.get("Uploads", ()):
                age = max(0.0, now - found["Initiated"].timestamp())
                yield found["Key"][len(self._prefix) :], found["UploadId"], age
            if not page.get("IsTruncated"):
                return
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


async def _md5(data: bytes, known: bytes | None = None) -> str:
    if known is None:
        known = _digest(data) if len(data) <= _QUICK else await asyncio.to_thread(_digest, data)
    return base64.b64encode(known).decode()


def _digest(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _moment(answer: Mapping[str, Any]) -> float:
    """The store's clock, to the second; ours where it does not tell."""
    from email.utils import parsedate_to_datetime
    from time import time

    try:
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return time()
