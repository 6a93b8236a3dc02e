"""What an object store's refusals mean to the registry: a missing object, a full store, or a broken one.

Whatever may pass by itself was tried again by botocore before it arrives here.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import ClientError as HttpError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from hardtack.registry.errors import StorageBroken, StorageFull, StorageUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger("hardtack.registry")

_ABSENT = frozenset(("NoSuchKey", "NotFound", "404"))
_FULL = frozenset(
    (
        *("QuotaExceeded", "BucketQuotaExceeded", "XMinioAdminBucketQuotaExceeded", "StorageQuotaExceeded"),
        *("XMinioStorageFull", "StorageFull", "DiskFull", "InsufficientStorage", "InsufficientCapacity"),
        *("NotEnoughSpace", "NoSpaceLeft"),
    )
)
"""Codes of stores without room: Ceph, MinIO and others each have their own word; Amazon has none."""
_FULL_STATUS = 507
_LATER_STATUS = frozenset((408, 429, 500, 502, 503, 504))
_STORE = "object store"
_PATIENCE = 180.0  # for one request with all its repetitions; the library does not limit the sending of a body


class Absent(Exception):
    """There is no such object, or (multipart) no such assembly."""


def code_of(error: ClientError) -> tuple[str, int]:
    """The store's word for what is wrong, and the HTTP status."""
    word = str(error.response.get("Error", {}).get("Code", ""))
    return word, int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def failure(error: Exception, doing: str) -> Exception:
    """The registry's error for the library's.

    Args:
        doing: what was tried, as in "write a part".
    Returns:
        Absent, StorageFull, StorageUnreachable or StorageBroken.
    """
    if isinstance(error, ClientError):
        code, status = code_of(error)
        if code in _ABSENT or code == "NoSuchUpload":
            return Absent(doing)
        if code in _FULL or status == _FULL_STATUS:
            return StorageFull()
        if status in _LATER_STATUS:
            return StorageUnreachable(f"cannot {doing}: it answered {code[:60] or 'nothing'} ({status})", _STORE)
        if code == "NoSuchBucket":
            return StorageBroken(f"cannot {doing}: the bucket is gone")
        return StorageBroken(f"cannot {doing}: the object store answered {code[:60] or 'nothing'} ({status})")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StorageBroken(f"cannot {doing}: there are no credentials for the object store")
    if isinstance(error, TimeoutError | ReadTimeoutError | ConnectTimeoutError):
        return StorageUnreachable(f"cannot {doing}: it did not answer in time", _STORE)
    return StorageUnreachable(f"cannot {doing}: there is no connection, or it broke off", _STORE)


LIBRARY_ERRORS = (ClientError, BotoCoreError, HttpError, TimeoutError, OSError)
"""Everything that aiobotocore lets through when a request fails."""


@asynccontextmanager
async def translated(doing: str) -> AsyncIterator[None]:
    """Turn the library's errors inside the block into ours, and end it after a while; the log keeps what was said.

    Raises:
        Absent, StorageFull, StorageUnreachable, StorageBroken.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except LIBRARY_ERRORS as error:
        meaning = failure(error, doing)
        if not isinstance(meaning, Absent):
            log.warning("%s: %s: %s", meaning.args[0], type(error).__name__, error)
        raise meaning from error
