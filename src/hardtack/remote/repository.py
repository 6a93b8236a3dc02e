"""One repository by the distribution API's nouns: manifests, blobs, tags, referrers.

What is returned from here was checked as far as it can be at this point: a manifest's bytes have the digest that was
asked for and that the registry claims. Blobs come as streams; whoever reads them verifies them.

Source: OCI distribution-spec 1.1.
"""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidDigest
from hardtack.oci.limits import DOCUMENT_LIMIT
from hardtack.oci.manifest import parse_manifest
from hardtack.oci.reference import is_tag
from hardtack.remote.body import Body
from hardtack.remote.errors import BadAnswer, DigestLie, NotFound, SchemaOne, TooLarge
from hardtack.remote.headers import next_link
from hardtack.remote.origin import resolve
from hardtack.remote.transport import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.remote.client import RegistryClient
    from hardtack.remote.connection import Answer
    from hardtack.remote.origin import Origin
    from hardtack.remote.retry import RetryPolicy

LIST_LIMIT = 4 << 20
_PAGES_LIMIT = 16 << 20  # all pages of one list together: a hundred thousand of the longest tags
_ACCEPT = ", ".join(mediatypes.ACCEPT)
_SCHEMA_ONE = (mediatypes.DOCKER_SCHEMA1, mediatypes.DOCKER_SCHEMA1_SIGNED)
_MOST_PAGES = 10_000


class Repository:
    """One repository of a registry.

    Attributes:
        name: "host/path", as `origin` rows have it.
    """

    def __init__(self, client: RegistryClient, path: str, push: bool = False) -> None:
        self.client = client
        self.path = path
        self.name = f"{client.domain}/{path}"
        self.scopes = frozenset((f"repository:{path}:{'pull,push' if push else 'pull'}",))

    def head(self, name: str) -> Descriptor | None:
        """What a tag or digest points at, without fetching it; None when it is not there.

        Raises:
            BadAnswer: the registry does not say the digest.
        """
        request = self._request("HEAD", f"manifests/{_encoded(name)}", f"manifest {self._named(name)}", (200, 404))
        request.headers["Accept"] = _ACCEPT
        with self.client.send(request) as answer:
            if answer.status == 404:
                return None
            media_type = _media_type(answer)
            text = answer.headers.get("Docker-Content-Digest")
            size = answer.announced
        if text is None or size is None:
            return self._described(name)  # a registry that answers HEAD without the facts: look at the thing itself
        return Descriptor(media_type or mediatypes.OCI_MANIFEST, self._digest(text), size)

    def manifest(self, name: str) -> tuple[bytes, str, Digest]:
        """Fetch a manifest or an index.

        Args:
            name: a tag, or a digest that the bytes then have.
        Returns:
            The bytes verbatim, their media type, their digest.
        Raises:
            NotFound: it is not there.
            DigestLie: the bytes are others than asked for, or than the registry claims.
            SchemaOne: the registry has it in the old form only.
            TooLarge: more than 4 MiB.
        """
        what = f"manifest {self._named(name)}"
        request = self._request("GET", f"manifests/{_encoded(name)}", what)
        request.headers["Accept"] = _ACCEPT
        with self.client.send(request) as answer:
            raw = answer.body(DOCUMENT_LIMIT, what)
            media_type = _media_type(answer)
            claimed = answer.headers.get("Docker-Content-Digest")
        if media_type in _SCHEMA_ONE:
            raise SchemaOne(self.client.domain, self._named(name))
        digest = self._verified(raw, name, claimed, what)
        if media_type not in mediatypes.ACCEPT:
            media_type = self._sniffed(raw, media_type, name)
        return raw, media_type, digest

    def blob(self, digest: str, offset: int = 0, what: str = "", policy: RetryPolicy | None = None) -> Answer:
        """Open a blob for reading; the caller closes the answer and verifies what it reads.

        Args:
            offset: from which byte on; the server may ignore it (200) or refuse it (416), which the caller looks at.
            policy: when to try again; as configured when not given.
        """
        request = self._request("GET", f"blobs/{digest}", what or f"blob {digest}", (200, 206, 416))
        request.headers["Accept-Encoding"] = "identity"
        if offset:
            # No If-Range: the name of a blob is its content, so whatever the server calls this version of it,
            # other bytes would be found out by the digest.
            request.headers["Range"] = f"bytes={offset}-"
        return self.client.send(request, policy)

    def small_blob(self, descriptor: Descriptor, what: str) -> bytes:
        """Fetch a document such as a config into memory, verified.

        Raises:
            TooLarge: it has more bytes than its descriptor says, or than a document may have.
            DigestLie: they are others.
        """
        with self.blob(descriptor.digest, what=what) as answer:
            raw = answer.body(min(descriptor.size, DOCUMENT_LIMIT), what)
        actual = Digest.of(raw, descriptor.digest.algorithm)
        if actual != descriptor.digest:
            raise DigestLie(self.client.domain, what, descriptor.digest, actual)
        return raw

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has a blob."""
        request = self._request("HEAD", f"blobs/{digest}", f"blob {digest}", (200, 404))
        with self.client.send(request) as answer:
            return answer.status == 200

    def push_manifest(self, name: str, raw: bytes, media_type: str) -> Digest:
        """Store a manifest under a tag or its digest.

        Returns:
            Its digest.
        Raises:
            DigestLie: the registry says that it stored something else.
        """
        request = self._request("PUT", f"manifests/{_encoded(name)}", f"manifest {self._named(name)}", (200, 201, 202))
        request.headers["Content-Type"] = media_type
        request.body = Body(raw)
        with self.client.send(request) as answer:
            claimed = answer.headers.get("Docker-Content-Digest")
            answer.body(LIST_LIMIT)
        digest = Digest.of(raw)
        if claimed and claimed.startswith("sha256:") and claimed != digest:
            raise DigestLie(self.client.domain, f"manifest {self._named(name)}", digest, claimed)
        return digest

    def tags(self) -> list[str]:
        """Every tag, page by page, in the registry's order.

        Raises:
            NotFound: there is no such repository.
        """
        found: list[str] = []
        for page in self._pages(f"/v2/{self.path}/tags/list", f"repository {self.path}"):
            names = page.get("tags") or []
            if not isinstance(names, list):
                raise BadAnswer(self.client.domain, "its list of tags is none")
            found += [name for name in names if isinstance(name, str) and is_tag(name)]
        return list(dict.fromkeys(found))

    def referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor]:
        """What refers to a manifest: signatures, attestations, other artifacts.

        Falls back to the tag that clients keep where a registry has no such API.
        Source: OCI distribution-spec 1.1, "Listing Referrers", "Referrers Tag Schema".
        """
        query = "?" + urlencode({"artifactType": artifact_type}) if artifact_type else ""
        found: list[Descriptor] = []
        try:
            for page in self._pages(f"/v2/{self.path}/referrers/{digest}{query}", f"referrers of {digest}"):
                found += self._listed(page)
        except NotFound:
            try:
                raw = self.manifest(str(digest).replace(":", "-"))[0]
            except NotFound:
                return []
            found = self._listed(json.loads(raw))
        return [entry for entry in found if not artifact_type or entry.artifact_type == artifact_type]

    def delete(self, name: str) -> None:
        """Delete a tag, or the manifest with a digest."""
        request = self._request("DELETE", f"manifests/{_encoded(name)}", f"manifest {self._named(name)}", (200, 202))
        self.client.send(request).close()

    def _pages(self, target: str, what: str) -> list[dict[str, Any]]:
        pages: list[dict[str, Any]] = []
        seen: set[str] = set()
        left = _PAGES_LIMIT
        home = self.client.authorizer.origin
        while target not in seen:
            seen.add(target)
            with self.client.send(Request("GET", target, what, scopes=self.scopes)) as answer:
                data = answer.body(LIST_LIMIT, what)
                links = answer.headers.get_all("Link") or []
            left -= len(data)
            if left < 0:
                raise TooLarge(self.client.domain, f"all pages of {what}", _PAGES_LIMIT)
            try:
                page = json.loads(data)
            except (ValueError, RecursionError):
                page = None
            if not isinstance(page, dict):
                raise BadAnswer(self.client.domain, f"its answer for {what} is no JSON object")
            pages.append(page)
            if len(pages) > _MOST_PAGES:
                raise TooLarge(self.client.domain, f"the number of pages of {what}", _MOST_PAGES)
            following = self._next_page(home, target, links, what)
            if following is None:
                break
            target = following
        return pages

    def _next_page(self, home: Origin, target: str, links: list[str], what: str) -> str | None:
        try:
            link = next_link(links)
            if not link:
                return None
            origin, following = resolve(home, target, link)
        except ValueError as error:
            raise BadAnswer(self.client.domain, f"its link to the next page of {what} is malformed, {error}") from None
        if origin != home:
            raise BadAnswer(self.client.domain, f"the next page of {what} is on another server")
        return following

    def _listed(self, page: Any) -> list[Descriptor]:
        entries = page.get("manifests") if isinstance(page, dict) else None
        if not isinstance(entries, list):
            raise BadAnswer(self.client.domain, "its list of referrers is none")
        return [Descriptor.from_json(entry) for entry in entries]

    def _described(self, name: str) -> Descriptor:
        raw, media_type, digest = self.manifest(name)
        return Descriptor(media_type, digest, len(raw))

    def _verified(self, raw: bytes, name: str, claimed: str | None, what: str) -> Digest:
        host = self.client.domain
        wanted = Digest(name) if ":" in name else None
        said = self._digest(claimed) if claimed else None
        digest = wanted or said or Digest.of(raw)
        for digest_expected in filter(None, (wanted, said)):
            actual = Digest.of(raw, digest_expected.algorithm)
            if actual != digest_expected:
                raise DigestLie(host, what, digest_expected, actual)
        return digest

    def _sniffed(self, raw: bytes, said: str, name: str) -> str:
        """The media type by the bytes themselves, where the registry calls them something general or wrong."""
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise BadAnswer(self.client.domain, f"it sent {said or 'something'} where a manifest was asked for")
        if value.get("schemaVersion") == 1 or "fsLayers" in value:
            raise SchemaOne(self.client.domain, self._named(name))
        return parse_manifest(raw).media_type

    def _digest(self, text: str) -> Digest:
        try:
            return Digest(text.strip())
        except InvalidDigest as error:
            raise BadAnswer(self.client.domain, f"its Docker-Content-Digest is malformed, {error.reason}") from None

    def _named(self, name: str) -> str:
        return f"{self.path}@{name}" if ":" in name else f"{self.path}:{name}"

    def _request(self, method: str, tail: str, what: str, expected: tuple[int, ...] = (200,)) -> Request:
        return Request(method, f"/v2/{self.path}/{tail}", what, expected, scopes=self.scopes)


def _encoded(name: str) -> str:
    return quote(name, safe=":")


def _media_type(answer: Answer) -> str:
    return (answer.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
