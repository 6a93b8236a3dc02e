"""Paths under /v2/, queries, and the Link that leads to the next page."""

from __future__ import annotations

from urllib.parse import quote, unquote

from fuzz.harness import DIGEST, Harness, can_be_told, text_of
from hardtack.registry.access import EVERYBODY
from hardtack.registry.api.paging import PAGE_LIMIT, next_link, page_size
from hardtack.registry.api.path import Kind, Target, split
from hardtack.registry.errors import RegistryError
from hardtack.registry.service import Call

_PARAMETERS = ("n", "last", "artifactType", "tag", "mount", "from", "digest", "digest-algorithm")


def written(target: Target) -> str:
    """The one address that a target is written as."""
    name = quote(target.repository, safe="/")
    reference = quote(target.reference, safe="")
    return {
        Kind.BASE: "/v2/",
        Kind.CATALOG: "/v2/_catalog",
        Kind.TAGS: f"/v2/{name}/tags/list",
        Kind.MANIFEST: f"/v2/{name}/manifests/{reference}",
        Kind.BLOB: f"/v2/{name}/blobs/{reference}",
        Kind.UPLOADS: f"/v2/{name}/blobs/uploads/",
        Kind.UPLOAD: f"/v2/{name}/blobs/uploads/{reference}",
        Kind.REFERRERS: f"/v2/{name}/referrers/{reference}",
    }[target.kind]


def path(data: bytes) -> None:
    text = text_of(data)
    if not text.isascii():
        return  # the server's parser lets no other characters through unescaped
    target = split(text)
    if target is None:
        return
    assert text.startswith("/v2") or unquote(text).startswith("/v2")
    assert "/" not in target.reference
    assert not target.repository or target.kind not in (Kind.BASE, Kind.CATALOG)
    assert split(written(target)) == target


def query(data: bytes) -> None:
    text = text_of(data)
    if not text.isascii() or not text.isprintable():
        return
    call = Call(None, None, EVERYBODY, "a", "b", text)  # type: ignore[arg-type]
    for name in _PARAMETERS:
        try:
            value = call.parameter(name)
        except RegistryError as error:
            can_be_told(error)
            continue
        assert value is None or name in unquote(text)
        if value is not None:
            value.encode()  # no database and no answer takes half a surrogate
            assert "\0" not in value, "PostgreSQL has no text with a zero in it"


def page(data: bytes) -> None:
    text = text_of(data)
    expected = text == "" or (text.isascii() and text.isdigit())
    try:
        size = page_size(text)
    except RegistryError as error:
        assert not expected
        can_be_told(error)
        return
    assert expected
    assert size == (min(int(text), PAGE_LIMIT) if text and len(text) < 4000 else PAGE_LIMIT)


def link(data: bytes) -> None:
    """What the Link says comes back as the same parameters, and nothing in it ends the header early."""
    last = data.decode("utf-8", "replace").replace("\0", "")
    header = next_link("/v2/a/b/tags/list", 7, last, {"artifactType": last})
    assert header.isascii()
    assert header.isprintable()
    address, _, rest = header.partition(">")
    assert rest == '; rel="next"'
    target, _, text = address.removeprefix("<").partition("?")
    assert split(target) == Target(Kind.TAGS, "a/b")
    call = Call(None, None, EVERYBODY, "a/b", "", text)  # type: ignore[arg-type]
    assert [call.parameter(name) for name in ("n", "last", "artifactType")] == ["7", last, last]


HARNESSES = {
    "path": Harness(
        path,
        tuple(
            text.encode()
            for text in (
                "/v2/",
                "/v2/_catalog",
                "/v2/a/tags/list",
                f"/v2/a/b/manifests/{DIGEST}",
                "/v2/a/blobs/uploads/x",
                "/v2/a/blobs/uploads//",
                "/v2/blobs/uploads/blobs/uploads/",
                "/v2/a%2fb/manifests/x%2Fy",
                "/v2/%2e%2e/manifests/v1",
                "/v2/a/referrers/%",
                "/v2//manifests/a",
                "/v2/tags/list",
                "//v2/a/tags/list",
            )
        ),
    ),
    "query": Harness(
        query,
        (
            b"n=5&last=v1",
            b"tag=a&tag=b",
            b"mount=" + DIGEST.encode() + b"&from=a/b",
            b"n",
            b"=&=&n=1;last=2",
            b"&" * 300,
        ),
    ),
    "page": Harness(page, (b"", b"0", b"1000", b"1001", b"-1", b"1e3", b"\xd9\xa3", b"9" * 5000)),
    "link": Harness(link, (b"v1", b'a>"; rel="x', b"a\r\nSet-Cookie: x", b"%00", b"\xe2\x80\xae", b"a&last=b#c")),
}
