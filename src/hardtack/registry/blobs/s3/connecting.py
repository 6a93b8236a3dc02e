"""A client of the S3 library, set up so that every wait has an end and nothing is asked that only Amazon has."""

from __future__ import annotations

import base64
import functools
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.blobs.s3.settings import S3Settings

_CONNECT_TIME = 5
_READ_TIME = 30  # without a byte; copying a piece takes the store a fraction of that
_ATTEMPTS = 4
_CONNECTIONS = 8192  # each download that passes through us has one while it lasts; clients are limited already


@asynccontextmanager
async def client(settings: S3Settings, endpoint: str) -> AsyncIterator[Any]:
    """A client, as long as the block lasts."""
    config = AioConfig(
        signature_version="s3v4",
        connect_timeout=_CONNECT_TIME,
        read_timeout=_READ_TIME,
        max_pool_connections=_CONNECTIONS,
        retries={"mode": "standard", "max_attempts": _ATTEMPTS},
        s3={"addressing_style": "path" if endpoint else "auto", "payload_signing_enabled": False},
        # Checksums in trailers are known to few stores besides Amazon's; our MD5 is known to all.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        parameter_validation=False,
        user_agent_extra="hardtack",
    )
    async with _session().create_client(
        "s3",
        region_name=settings.signing_region,
        endpoint_url=endpoint or None,
        aws_access_key_id=settings.access_key or None,
        aws_secret_access_key=settings.secret_key or None,
        config=config,
    ) as made:
        made.meta.events.register("before-call.s3.DeleteObjects", _with_md5)
        made.meta.events.register_last("before-call.s3", _without_waiting)
        yield made


@functools.cache
def _session() -> Any:
    # Holds the service's description, which takes longer to read than everything else here.
    return get_session()


def _with_md5(params: dict[str, Any], **_: object) -> None:
    # Without Content-MD5 older stores refuse to delete several objects at once; botocore sends only a newer checksum.
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()


def _without_waiting(params: dict[str, Any], **_: object) -> None:
    # "Expect: 100-continue" costs a round trip for each piece, and the wait for its answer has no end.
    params["headers"].pop("Expect", None)
