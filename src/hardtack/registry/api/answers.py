"""Answers of the API: headers that all of them have, errors as the specification writes them.

This is the one place where an error becomes an HTTP status.

Source: OCI distribution-spec 1.1, "Error Codes".
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from hardtack.registry import errors
from hardtack.registry.accounts import errors as accounts
from hardtack.registry.api.paging import PageInvalid
from hardtack.registry.events import errors as webhooks
from hardtack.registry.upstream import errors as upstream

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION_HEADERS = {
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
    "Server": "hardtack",
}

_LATER = "60"  # seconds

_STATUS: dict[type[errors.RegistryError], int] = {
    errors.NameInvalid: 400,
    errors.TagInvalid: 400,
    errors.DigestInvalid: 400,
    errors.RepositoryUnknown: 404,
    errors.BlobUnknown: 404,
    errors.BlobInUse: 405,
    errors.ManifestUnknown: 404,
    errors.ManifestInvalid: 400,
    errors.ManifestTooLarge: 413,
    errors.ManifestBlobUnknown: 400,
    errors.UploadUnknown: 404,
    errors.UploadInvalid: 400,
    errors.UploadBusy: 409,
    errors.UploadOutOfOrder: 416,
    errors.SizeInvalid: 400,
    errors.Unauthorized: 401,
    errors.Denied: 403,
    errors.Unsupported: 405,
    errors.ReadOnly: 405,
    errors.NoSuchAddress: 404,
    errors.StorageFull: 507,
    errors.StorageBroken: 500,
    errors.StorageUnreachable: 503,
    errors.BadRequest: 400,
    errors.TooLarge: 413,
    errors.SettingInvalid: 400,
    errors.RepositoryExists: 409,
    errors.NotBuried: 404,
    errors.TagImmutable: 403,
    errors.QuotaExceeded: 403,
    webhooks.WebhookInvalid: 400,
    webhooks.WebhookUnknown: 404,
    accounts.AccountInvalid: 400,
    accounts.AccountUnknown: 404,
    accounts.AccountConflict: 409,
    accounts.TooManyFailures: 429,
    accounts.LoginFailed: 401,
    upstream.UpstreamFailed: 502,
    upstream.UpstreamDenied: 403,
    upstream.UpstreamLimited: 429,
    upstream.BelongsToUpstream: 403,
    PageInvalid: 400,
}


def _encode(value: object) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=str)  # digests are a kind of text that the encoder does not know
    except UnicodeEncodeError:
        # A refusal repeats what it refuses, and that may be half of a surrogate pair, which is no Unicode.
        return json.dumps(value, default=str).encode("ascii")


def status_of(error: errors.RegistryError) -> int:
    """The HTTP status of an error."""
    return _STATUS.get(type(error), 500)


def reply(
    status: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    content_type: str = "application/json",
) -> web.Response:
    """An answer whose body is at hand."""
    every = {**VERSION_HEADERS, **(headers or {})}
    if body:
        every["Content-Type"] = content_type
    return web.Response(status=status, body=body, headers=every)


def reply_json(value: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in JSON."""
    return reply(200, headers, _encode(value))


def failed(error: errors.RegistryError, headers: Mapping[str, str] | None = None) -> web.Response:
    """The answer to a request that was refused or could not be done."""
    every = dict(headers or {})
    if isinstance(error, errors.Unsupported):
        every["Allow"] = ", ".join(error.methods)
    elif isinstance(error, accounts.TooManyFailures | upstream.UpstreamLimited):
        every["Retry-After"] = str(max(1, math.ceil(error.wait)))
    elif isinstance(error, errors.ReadOnly):
        every.update({"Allow": "GET, HEAD", "Retry-After": _LATER})
    elif isinstance(error, errors.StorageUnreachable):
        every["Retry-After"] = "1"
    entry: dict[str, object] = {"code": error.code, "message": str(error)}
    if error.detail is not None:
        entry["detail"] = error.detail
    return reply(status_of(error), every, _encode({"errors": [entry]}))
