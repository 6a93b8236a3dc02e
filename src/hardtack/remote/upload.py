"""Blobs go from the store to a registry: not at all if they are there, mounted if a neighbour has them, else sent.

A large blob is one PATCH, sent by the kernel straight from its file, then a PUT that names its digest. After a cut
the registry is asked how much it holds and the rest is sent. Manifests and their order are decided above.

Source: OCI distribution-spec 1.1, "Pushing Blobs".
"""

from __future__ import annotations

import threading
from urllib.parse import urlencode

from hardtack.progress import SILENT, Progress
from hardtack.remote.body import FileBody
from hardtack.remote.errors import BadAnswer, Cancelled, Denied, DigestLie, NotFound, Refused, RemoteError, Unauthorized
from hardtack.remote.headers import parse_upload_range
from hardtack.remote.origin import resolve
from hardtack.remote.retry import RetryPolicy
from hardtack.remote.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from hardtack.oci.digest import Digest
    from hardtack.remote.connection import Answer
    from hardtack.remote.origin import Origin
    from hardtack.remote.repository import Repository
    from hardtack.store.blob import BlobStore

_SMALL = 1 << 20  # up to here one PUT carries the blob; there is nothing worth continuing after a cut
_ONCE = RetryPolicy(attempts=1)
_OCTETS = "application/octet-stream"
_MOUNTS = 3  # repositories tried as the source of a mount

EXISTS = "Layer already exists"
PUSHED = "Pushed"


class Session:
    """An upload that a registry has opened: where its next request goes."""

    __slots__ = ("origin", "target")

    def __init__(self, origin: Origin, target: str) -> None:
        self.origin = origin
        self.target = target


class Uploader:
    """Puts blobs of one store into one repository.

    Args:
        progress: hears of each blob by its digest.
        cancelled: set when another part of the push has failed.
    """

    def __init__(
        self,
        repository: Repository,
        blobs: BlobStore,
        progress: Progress = SILENT,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._repository = repository
        self._blobs = blobs
        self._progress = progress
        self._cancelled = cancelled or threading.Event()
        self._transport = repository.client.transport
        self._host = repository.client.domain

    def push(self, digest: Digest, size: int, neighbours: Sequence[str] = ()) -> str:
        """See that the repository has a blob.

        Args:
            neighbours: paths of repositories of the same registry that are said to hold it.
        Returns:
            In docker's words what was done: "Layer already exists", "Mounted from x" or "Pushed".
        Raises:
            BlobUnknown: it is not there and we do not hold it.
            RemoteError: the registry does not take it.
        """
        if self._repository.has_blob(digest):
            return EXISTS
        session: Session | None = None
        for neighbour in list(neighbours)[:_MOUNTS]:
            mounted, session = self._mount(digest, neighbour)
            if mounted:
                return f"Mounted from {neighbour}"
            if session is not None:
                break
        with self._blobs.open(digest) as file:
            self._send(digest, size, file, session)
        return PUSHED

    def _mount(self, digest: Digest, neighbour: str) -> tuple[bool, Session | None]:
        """Ask for a mount. A registry that does not want to opens an ordinary upload instead, which we then use."""
        query = urlencode({"mount": digest, "from": neighbour})
        request = self._request("POST", (201, 202))
        request.target += f"?{query}"
        request.scopes = request.scopes | {f"repository:{neighbour}:pull"}
        try:
            with self._repository.client.send(request) as answer:
                if answer.status == 201:
                    return True, None
                return False, self._session(answer)
        except (Unauthorized, Denied, NotFound, Refused):
            return False, None  # no right to read there: an ordinary upload will do

    def _send(self, digest: Digest, size: int, file: BinaryIO, session: Session | None) -> None:
        policy = self._transport.config.retry
        failures, offset, best = 0, 0, 0
        self._progress.begin(str(digest), "Pushing", size)
        while True:
            try:
                if session is None:
                    session, offset = self._open(), 0
                if size > _SMALL and offset < size:
                    session = self._patch(session, digest, size, offset, file)
                    offset = size
                self._finish(session, digest, size, offset, file)
                return
            except (NotFound, Refused) as error:
                # The session is gone, or holds something else than we believe: a new one, but not for ever.
                if failures or not (isinstance(error, NotFound) or error.status == 416):
                    raise
                if self._repository.has_blob(digest):
                    return  # the session is gone because it did its work
                failures, session = 1, None
            except RemoteError as error:
                failures += 1
                wait = policy.delay(failures, error, self._transport.jitter())
                if wait is None or self._cancelled.wait(wait):
                    raise
                if self._repository.has_blob(digest):
                    return  # the last answer was lost, not the blob
                session, offset = self._status(session)
                if offset > best:
                    failures, best = 0, offset
                self._progress.begin(str(digest), "Pushing", size)
                self._progress.advance(str(digest), offset)

    def _open(self) -> Session:
        with self._repository.client.send(self._request("POST", (202,))) as answer:
            return self._session(answer)

    def _patch(self, session: Session, digest: Digest, size: int, offset: int, file: BinaryIO) -> Session:
        headers = {"Content-Type": _OCTETS}
        if offset:
            headers["Content-Range"] = f"{offset}-{size - 1}"
        request = self._at(session, "PATCH", (202, 204), headers)
        request.body = FileBody(file, offset, size - offset, self._sent(digest))
        with self._repository.client.send(request, _ONCE) as answer:
            return self._session(answer)

    def _finish(self, session: Session, digest: Digest, size: int, offset: int, file: BinaryIO) -> None:
        request = self._at(session, "PUT", (201, 204), {"Content-Type": _OCTETS})
        request.target += ("&" if "?" in request.target else "?") + urlencode({"digest": digest})
        if offset < size:
            request.body = FileBody(file, offset, size - offset, self._sent(digest))
        with self._repository.client.send(request, _ONCE) as answer:
            claimed = answer.headers.get("Docker-Content-Digest")
        if claimed and claimed.partition(":")[0] == digest.algorithm and claimed != digest:
            raise DigestLie(self._host, f"blob {digest}", digest, claimed)

    def _status(self, session: Session | None) -> tuple[Session | None, int]:
        """How much of an upload the registry holds; no session when it does not say, and all begins anew."""
        if session is None:
            return None, 0
        try:
            with self._repository.client.send(self._at(session, "GET", (200, 204)), _ONCE) as answer:
                held = parse_upload_range(answer.headers.get("Range") or "")
                return (None, 0) if held is None else (self._session(answer, session), held)
        except RemoteError:
            return None, 0

    def _sent(self, digest: Digest) -> _Counter:
        return _Counter(self._progress, str(digest), self._cancelled)

    def _session(self, answer: Answer, before: Session | None = None) -> Session:
        location = answer.headers.get("Location")
        if not location:
            if before is None:
                raise BadAnswer(self._host, "it opens an upload without saying where")
            return before
        try:
            return Session(*resolve(answer.origin, answer.target, location))
        except ValueError as error:
            raise BadAnswer(self._host, str(error)) from None

    def _request(self, method: str, expected: tuple[int, ...]) -> Request:
        target = f"/v2/{self._repository.path}/blobs/uploads/"
        what = f"upload to {self._repository.path}"
        return Request(method, target, what, expected, scopes=self._repository.scopes)

    def _at(
        self, session: Session, method: str, expected: tuple[int, ...], headers: dict[str, str] | None = None
    ) -> Request:
        request = self._request(method, expected)
        request.origin, request.target = session.origin, session.target
        request.headers = headers or {}
        return request


class _Counter:
    """Called with the bytes that went out; stops the upload when another part has failed."""

    __slots__ = ("_cancelled", "_item", "_progress")

    def __init__(self, progress: Progress, item: str, cancelled: threading.Event) -> None:
        self._progress = progress
        self._item = item
        self._cancelled = cancelled

    def __call__(self, count: int) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self._progress.advance(self._item, count)
