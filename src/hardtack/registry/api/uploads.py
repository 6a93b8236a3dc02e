"""`/v2/<name>/blobs/uploads/…`: blobs in, in every form that clients know, and mounts from other repositories.

A session belongs to one repository and one caller. Chunks come in order or get 416. A blob becomes visible only after
its digest was verified and its bytes are on disk; then the final PUT may be repeated and says the same again.

Source: OCI distribution-spec 1.1, "Pushing blobs", "Mounting a blob from another repository", "Cancel a blob upload".
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from hardtack.registry.access import Action, mounts
from hardtack.registry.api import bodies, ranges, siphon
from hardtack.registry.api.answers import failed, reply
from hardtack.registry.api.digests import digest_of
from hardtack.registry.api.pulse import beating
from hardtack.registry.errors import (
    DigestInvalid,
    NameInvalid,
    QuotaExceeded,
    SizeInvalid,
    StorageFull,
    UploadBusy,
    UploadInvalid,
    UploadOutOfOrder,
    UploadUnknown,
)
from hardtack.registry.metadata import quotas
from hardtack.registry.names import check_repository, is_upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from aiohttp import web

    from hardtack.oci.digest import Digest
    from hardtack.registry.blobs.interface import Appender
    from hardtack.registry.metadata.quotas import Room
    from hardtack.registry.metadata.rows import Upload
    from hardtack.registry.service import Call

_PATIENCE = 10.0
_PAUSE = 0.05
_MOUNT_CANDIDATES = 1000
_ALGORITHMS = ("sha256", "sha512")


async def post(call: Call) -> web.StreamResponse:
    """Begin an upload, or do it at once: a mount, or a blob in the body."""
    if (mount := call.parameter("mount")) is not None and await _mounted(call, digest_of(mount)):
        return _created(call, digest_of(mount))
    room = await _room(call)
    if room is not None:
        room.take(0)
    upload = str(uuid.uuid4())
    given = call.parameter("digest")
    if given is not None and bodies.exists(call.request):
        return await _whole(call, upload, digest_of(given))
    algorithm = _algorithm(call)
    await call.service.blobs.begin(upload)
    await call.service.metadata.begin_upload(upload, call.repository, call.caller.name)
    headers = _state(call, upload, 0, algorithm)
    if call.service.blobs.chunk_min:
        headers["OCI-Chunk-Min-Length"] = str(call.service.blobs.chunk_min)
    return reply(202, headers)


async def _mounted(call: Call, digest: Digest) -> bool:
    """Link a blob from a repository that the caller may pull from. Without one it becomes an ordinary upload."""
    metadata = call.service.metadata
    source = call.parameter("from")
    if source:
        try:
            check_repository(source)
        except NameInvalid:
            return False
        if not await call.service.permits(call.caller, Action.PULL, source):
            return False
        return await metadata.mount(call.repository, digest, source)
    after = ""
    for _ in range(_MOUNT_CANDIDATES // 100):
        names = await metadata.linked_in(digest, after, 100)
        for name, visibility in names:
            if mounts(call.caller, name, visibility) and await metadata.mount(call.repository, digest, name):
                return True
        if len(names) < 100:
            return False
        after = names[-1][0]
    return False


async def _whole(call: Call, upload: str, digest: Digest) -> web.StreamResponse:
    async def claim() -> None:  # there is no session to be touched; the true size comes at the end
        await call.service.metadata.claim(upload, call.repository, call.caller.name, digest, 0)

    await call.service.blobs.begin(upload)
    try:
        async with (
            beating(claim, call.service.limits),
            call.service.blobs.append(upload, 0, digest.algorithm) as appender,
        ):
            await _receive(call, appender, call.request.content_length)
            await _finish(call, upload, digest, appender, opened=False)
    except BaseException:
        await call.service.blobs.discard(upload)
        await call.service.metadata.cancel_upload(upload)
        raise
    return _created(call, digest)


async def patch(call: Call) -> web.StreamResponse:
    """Take in a chunk, or a stream of unknown length."""
    session = await _session(call)
    if session.finished:
        raise UploadUnknown(session.id)
    start, length = _chunk(call)
    try:
        async with _alive(call, session), _appending(call, session, start, _algorithm(call)) as appender:
            await _receive(call, appender, length)
            offset = appender.offset
    except UploadOutOfOrder as error:
        return failed(error, _state(call, session.id, error.offset, _algorithm(call)))
    except (StorageFull, QuotaExceeded):
        await _give_up(call, session.id)
        raise
    await call.service.metadata.touch_upload(session.id)
    return reply(202, _state(call, session.id, offset, _algorithm(call)))


async def put(call: Call) -> web.StreamResponse:
    """End an upload, with or without a last chunk in the body; said twice, it answers the same."""
    session = await _session(call)
    digest = digest_of(call.parameter("digest"))
    start, length = _chunk(call)
    try:
        if session.finished:
            raise UploadUnknown(session.id)
        async with _alive(call, session), _appending(call, session, start, digest.algorithm) as appender:
            await _receive(call, appender, length)
            await _finish(call, session.id, digest, appender)
    except UploadUnknown:
        await _expect_repeat(call, digest)
    except UploadOutOfOrder as error:
        return failed(error, _state(call, session.id, error.offset, _algorithm(call)))
    except (DigestInvalid, StorageFull, QuotaExceeded):
        await _give_up(call, session.id)
        raise
    return _created(call, digest)


async def _give_up(call: Call, upload: str) -> None:
    """Forget an upload that cannot become a blob, and what came of it."""
    await call.service.blobs.discard(upload)
    await call.service.metadata.cancel_upload(upload)


async def _expect_repeat(call: Call, digest: Digest) -> None:
    """Accept a final PUT whose upload is finished already, when it was for this digest and the blob is still there.

    Raises:
        UploadUnknown: it was not.
    """
    metadata = call.service.metadata
    session = await metadata.upload(call.reference)
    done = session is not None and session.finished and session.digest == digest
    if not done or await metadata.blob_size(call.repository, digest) is None:
        raise UploadUnknown(call.reference)
    async for _ in bodies.chunks(call.request):
        pass


async def get(call: Call) -> web.StreamResponse:
    """Tell how far an upload has come."""
    session = await _session(call)
    offset = None if session.finished else await call.service.blobs.received(session.id)
    if offset is None:
        raise UploadUnknown(session.id)
    return reply(204, _state(call, session.id, offset, _algorithm(call)))


async def delete(call: Call) -> web.StreamResponse:
    """Cancel an upload."""
    session = await _session(call)
    if session.finished:
        raise UploadUnknown(session.id)
    await call.service.metadata.cancel_upload(session.id)
    await call.service.blobs.discard(session.id)
    return reply(204)


async def _session(call: Call) -> Upload:
    """The session that a path names, when it is this repository's and this caller's. Raises UploadUnknown."""
    session = await call.service.metadata.upload(call.reference) if is_upload(call.reference) else None
    if session is None or session.repository != call.repository or session.who != call.caller.name:
        raise UploadUnknown(call.reference)
    return session


def _algorithm(call: Call) -> str:
    """What the client says it will make the digest with; a hint for hashing early, checked at the end."""
    algorithm = call.parameter("digest-algorithm") or "sha256"
    if algorithm not in _ALGORITHMS:
        raise DigestInvalid(f"only {' and '.join(_ALGORITHMS)} are supported")
    return algorithm


def _chunk(call: Call) -> tuple[int | None, int | None]:
    """Where the body belongs and how long it is, as far as the client says.

    Raises:
        UploadInvalid: a Content-Range that cannot be read.
        SizeInvalid: one that contradicts the Content-Length.
    """
    length = call.request.content_length
    header = call.request.headers.get("Content-Range")
    if header is None:
        return None, length
    found = ranges.chunk(header)
    if found is None:
        raise UploadInvalid("Content-Range must be FIRST-LAST, both included")
    first, last = found
    size = last - first + 1
    if length is not None and length != size:
        raise SizeInvalid(f"Content-Range spans {size} bytes, Content-Length says {length}")
    return first, size


@asynccontextmanager
async def _appending(call: Call, session: Upload, start: int | None, algorithm: str) -> AsyncIterator[Appender]:
    """The right to write, waited for a while when an earlier request of the same upload still has it."""
    async with AsyncExitStack() as stack:
        waited = 0.0
        while True:
            try:
                appender = await stack.enter_async_context(call.service.blobs.append(session.id, start, algorithm))
                break
            except UploadBusy:
                if waited >= _PATIENCE:
                    raise
            await asyncio.sleep(_PAUSE)
            waited += _PAUSE
        yield appender


def _alive(call: Call, session: Upload) -> AbstractAsyncContextManager[None]:
    """Show that a session lives as long as a request works on it."""
    return beating(lambda: call.service.metadata.touch_upload(session.id), call.service.limits)


async def _room(call: Call) -> Room | None:
    """What the quota of the repository's namespace leaves; None without one."""
    return await call.service.database.read(quotas.room, call.repository)


async def _receive(call: Call, appender: Appender, length: int | None = None) -> None:
    """Append the body.

    Raises:
        SizeInvalid: it is not as long as it was said to be.
        QuotaExceeded: there is no room for it; told before anything is read where the length is known.
    """
    room = await _room(call)
    if room is not None:
        room.take(appender.offset + (length or 0))
    if await siphon.drained(call, appender, length):
        return
    received = 0
    async for chunk in bodies.chunks(call.request):
        received += len(chunk)
        if length is not None and received > length:
            break
        if room is not None:
            room.take(appender.offset + len(chunk))
        await appender.write(chunk)
    if length is not None and received != length:
        raise SizeInvalid(f"{received} bytes came where {length} were announced")


async def _finish(call: Call, upload: str, digest: Digest, appender: Appender, opened: bool = True) -> None:
    """Claim, publish, link: in this order nothing is visible too early, and nothing is collected too early."""
    metadata, repository = call.service.metadata, call.repository
    await metadata.claim(upload, repository, call.caller.name, digest, appender.offset, opened)
    size = await appender.publish(digest)
    await metadata.finish_upload(upload, repository, digest, size)


def _created(call: Call, digest: Digest) -> web.Response:
    location = f"/v2/{call.repository}/blobs/{digest}"
    return reply(201, {"Location": location, "Docker-Content-Digest": str(digest)})


def _state(call: Call, upload: str, offset: int, algorithm: str) -> dict[str, str]:
    location = f"/v2/{call.repository}/blobs/uploads/{upload}"
    if algorithm != "sha256":
        location += f"?digest-algorithm={algorithm}"
    return {"Location": location, "Range": ranges.held(offset), "Docker-Upload-UUID": upload}
