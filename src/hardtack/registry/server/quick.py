"""The quick lane: a request for a manifest, whole in one packet and with nothing unusual in it, is answered at once.

Most of a registry's requests are that. What is left out here is machinery, never a rule: the caller must be allowed
the same action, and the manifest comes out of the same query. Whatever is not plainly such a request, or is not found,
goes the ordinary way, which knows all the rest.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp.helpers import rfc822_formatted_time

from hardtack.registry.access import Action, allowed
from hardtack.registry.api.answers import VERSION_HEADERS
from hardtack.registry.api.manifests import headers_of
from hardtack.registry.server.hosts import is_local

if TYPE_CHECKING:
    from hardtack.registry.access import Caller
    from hardtack.registry.metadata.rows import StoredManifest
    from hardtack.registry.service import Service

_END = b"\r\n\r\n"
_HEAD_LIMIT = 4096
_REMEMBERED = 512
_AUTHORIZATION = re.compile(rb"(?:^|\r\n)([Aa]uthorization: ([\x21-\x7e]+(?: [\x21-\x7e]+)*)\r\n)")
_MANIFESTS = "/manifests/"
# Headers that change what the answer must be, or say that more of the request follows.
_UNUSUAL = frozenset(
    (
        *(b"authorization", b"content-length", b"expect", b"if-match", b"if-none-match", b"transfer-encoding"),
        *(b"upgrade", b"proxy-connection"),
    )
)
_HEADERS_LIMIT = 64
# Whatever the ordinary way refuses must not be answered here: a proxy that reads a bare line feed as the end of a line
# would see a body where we see the next request. Source: RFC 9110, sections 5.5 and 5.6.2; RFC 9112, section 2.2.
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")


def is_whole(data: bytes) -> bool:
    """Whether data are the heads of exactly one request, from its beginning to its end; a body may still follow."""
    return data.endswith(_END) and data.find(_END) == len(data) - len(_END)


class QuickLane:
    """Answers what it can answer at once.

    Args:
        local_only: answer only to addresses and localhost.
    Attributes:
        who: the name of the caller who was answered last.
    """

    def __init__(self, service: Service, local_only: bool) -> None:
        self._service = service
        self._local_only = local_only
        self.who = ""
        # Clients send the same headers again and again: what was found about them is remembered, by their bytes.
        self._plain: dict[bytes, bool] = {}

    def answer(self, data: bytes, number: str) -> bytes | None:
        """The whole response to a request, or None when the ordinary way has to take it.

        Args:
            data: for which `is_whole` holds.
            number: of the request.
        """
        line, _, headers = data.partition(b"\r\n")
        words = line.split(b" ")
        headers, authorization = _apart(headers)
        if len(words) != 3 or words[2] != b"HTTP/1.1" or not self._is_plain(headers):
            return None
        method, target = words[0], words[1]
        if method not in (b"GET", b"HEAD") or not target.startswith(b"/v2/"):
            return None
        caller = self._caller(authorization)
        if caller is None:
            return None
        found = self._find(target, caller, method == b"GET")
        if found is None:
            return None
        self.who = caller.name
        head = _head(found, number)
        return head if method == b"HEAD" else head + found.raw

    def _caller(self, authorization: bytes) -> Caller | None:
        if not authorization:
            return self._service.gate.anonymous()
        return self._service.gate.at_once(authorization.decode()) if authorization.isascii() else None

    def is_plain(self, headers: bytes) -> bool:
        """Whether a block of headers says nothing that matters here besides who sends it, and nothing of a body."""
        return self._is_plain(_apart(headers)[0])

    def _is_plain(self, headers: bytes) -> bool:
        plain = self._plain.get(headers)
        if plain is None:
            if len(headers) > _HEAD_LIMIT:
                return False
            plain = self._look(headers)
            if len(self._plain) >= _REMEMBERED:
                self._plain.clear()
            self._plain[headers] = plain
        return plain

    def _look(self, headers: bytes) -> bool:
        names = set()
        lines = headers[: -len(_END)].split(b"\r\n")
        if len(lines) > _HEADERS_LIMIT:
            return False
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None:
                return False
            name, value = match[1].lower(), match[2]
            if name in _UNUSUAL or name in names:
                return False
            names.add(name)
            if name == b"connection" and value.strip().lower() != b"keep-alive":
                return False
            if name == b"host" and self._local_only and not is_local(value.decode("latin-1")):
                return False
        return b"host" in names

    def _find(self, target: bytes, caller: Caller, pulls: bool) -> StoredManifest | None:
        path = target.decode("latin-1")
        repository, noun, reference = path[4:].rpartition(_MANIFESTS)
        # Only valid names are stored, so a name that is found was valid, except those of deleted repositories, which
        # begin with a tilde; escapes and queries go the ordinary way.
        if not noun or "%" in path or "?" in path or "/" in reference or repository.startswith("~"):
            return None
        upstreams = self._service.upstreams
        if upstreams is not None and not upstreams.is_current(repository, reference):
            return None
        found = self._service.metadata.manifest_at_once(repository, reference)
        if found is None or not allowed(caller, Action.PULL, repository, found.visibility):
            return None
        if pulls:
            self._service.pulls.count(repository, reference, found.digest)
        return found


def _apart(headers: bytes) -> tuple[bytes, bytes]:
    """A block of headers without its Authorization, and the value of that; no secret is kept with what is remembered.

    A second one, or one with unusual spaces, stays where it is, and makes the block one that is not answered here.
    """
    match = _AUTHORIZATION.search(headers) if b"uthorization: " in headers else None
    if match is None:
        return headers, b""
    return headers[: match.start(1)] + headers[match.end(1) :], match[2]


_FIXED = "".join(f"{name}: {value}\r\n" for name, value in VERSION_HEADERS.items())


@lru_cache(maxsize=1024)
def _named(digest: str, media_type: str, size: int) -> str:
    """What the head says of a manifest; the same again and again while it is pulled."""
    named = "".join(f"{name}: {value}\r\n" for name, value in headers_of(digest).items())
    return f"HTTP/1.1 200 OK\r\n{_FIXED}{named}Content-Type: {media_type}\r\nContent-Length: {size}\r\n"


def _head(found: StoredManifest, number: str) -> bytes:
    named = _named(found.digest, found.media_type, len(found.raw))
    return f"{named}Date: {rfc822_formatted_time()}\r\nX-Request-Id: {number}\r\n\r\n".encode("latin-1")
