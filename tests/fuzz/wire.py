"""Requests as a stranger might write them, byte for byte, and what a server says to them."""

from __future__ import annotations

import socket
from typing import NamedTuple

from hypothesis import strategies as st

from fuzz.harness import DIGEST, HOSTILE, LONG_DIGEST

UPLOAD = "7b9d4942-fd01-4ea2-89b8-5e7d33afb5e0"


class Said(NamedTuple):
    """A response; header names in lower case. Status 0 when none came."""

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(host: str, request: bytes, patience: float = 1.0) -> Said:
    """Send bytes and read one response, on a connection of its own that says it sends no more."""
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=patience) as sock:
        data = b""
        try:
            sock.sendall(request)
            while not _is_complete(data, request) and (chunk := sock.recv(1 << 20)):
                data += chunk
        except OSError:
            pass
    return _parsed(data)


def _is_complete(data: bytes, request: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    if head.startswith(b"HTTP/1.1 100"):
        return False
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(lengths) and (request.startswith(b"HEAD") or len(body) >= int(lengths[0].partition(b":")[2]))


def _parsed(data: bytes) -> Said:
    while data.startswith(b"HTTP/1.1 100"):
        data = data.partition(b"\r\n\r\n")[2]
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return Said(0, {}, data)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Said(int(first.split(" ")[1]), headers, body)


def escaped(piece: bytes) -> bytes:
    return b"".join(bytes([byte]) if 0x20 < byte < 0x7F else b"%%%02x" % byte for byte in piece)


ODD = st.sampled_from(HOSTILE) | st.binary(max_size=6)
_NAMES = st.sampled_from(
    [b"m/a", b"m/a", b"m/a", b"m/b", b"library", b"v2", b"M", b"a" * 300, b"m//a", b"../a", b"m/blobs/uploads"]
)
_REFERENCES = st.sampled_from(
    [
        b"v1",
        b"v1",
        b"v2",
        DIGEST.encode(),
        LONG_DIGEST.encode(),
        b"sha256-" + DIGEST[7:].encode(),
        UPLOAD.encode(),
        b"sha256:x",
    ]
)
_NOUNS = st.sampled_from([b"manifests", b"manifests", b"blobs", b"blobs/uploads", b"referrers", b"tags", b"x"])

_HEADERS = (
    *(b"Range", b"Content-Range", b"If-None-Match", b"If-Range", b"Authorization", b"Accept", b"Content-Type"),
    *(b"Expect", b"Connection", b"Cookie", b"Origin", b"X-Forwarded-For", b"Docker-Upload-UUID", b"Upgrade"),
    b"Proxy-Connection",
    *(b"accept ", b"X\x00Y", b"", b"X\nY", b" X", b"Host"),
)


def paths() -> st.SearchStrategy[bytes]:
    """Addresses of the API and of pages, most of them nearly right."""
    odd = ODD.map(escaped)
    api = st.builds(
        lambda name, noun, reference: b"/v2/" + name + b"/" + noun + b"/" + reference,
        _NAMES | odd,
        _NOUNS,
        _REFERENCES | odd,
    )
    page = st.builds(
        lambda name, mark, rest: b"/" + name + mark + rest,
        _NAMES,
        st.sampled_from([b":", b"@", b"/"]),
        _REFERENCES | odd,
    )
    fixed = st.sampled_from(
        [b"/v2/", b"/v2", b"/v2/_catalog", b"/v2/m/a/tags/list", b"/v2/m/a/blobs/uploads/", b"/", b"/robots.txt", b"*"]
    )
    return api | api | fixed | page


def queries() -> st.SearchStrategy[bytes]:
    """Parameters that some route reads, with values that it may not expect."""
    names = st.sampled_from(
        [b"n", b"last", b"artifactType", b"tag", b"mount", b"from", b"digest", b"digest-algorithm", b"q", b"before"]
    )
    values = (ODD | _REFERENCES | _NAMES | st.sampled_from([b"5", b"0", b"sha512", b"1e9"])).map(escaped)
    pairs = st.lists(st.builds(lambda name, value: name + b"=" + value, names, values), max_size=3)
    return pairs.map(lambda made: b"?" + b"&".join(made) if made else b"")


def headers(host: str) -> st.SearchStrategy[bytes]:
    """A block of header lines with the Host among them."""
    names = st.sampled_from(_HEADERS)
    plain = st.sampled_from(
        [
            b"bytes=0-1",
            b"bytes= -",
            b"0-4",
            b"*",
            b"Basic Og==",
            b"Bearer a.b.c",
            b"100-continue",
            b"keep-alive",
            b"close",
            b"x" * 5000,
        ]
    )
    lines = st.lists(st.builds(lambda name, value: name + b": " + value + b"\r\n", names, plain | ODD), max_size=3)
    return lines.map(lambda made: f"Host: {host}\r\n".encode() + b"".join(made))


METHODS = st.sampled_from(
    [b"GET", b"HEAD", b"GET", b"PUT", b"POST", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"get", b"G\x00T"]
)
BODIES = st.sampled_from(
    [
        b"",
        b"{}",
        b'{"schemaVersion":2,"manifests":[]}',
        b'{"schemaVersion":2,"config":{},"layers":[]}',
        b"\xff" * 50,
        b"[" * 3000,
    ]
) | st.binary(max_size=60)


@st.composite
def requests(draw: st.DrawFn, host: str, credentials: bytes = b"") -> bytes:
    """One request, with a body that is as long as said, or not.

    Args:
        credentials: a header line to send with it.
    """
    line = draw(METHODS) + b" " + draw(paths()) + draw(queries()) + b" HTTP/1.1\r\n"
    head, body = draw(headers(host)) + credentials, draw(BODIES)
    framing = draw(st.sampled_from(["none", "length", "length", "chunked", "short", "both", "nonsense"]))
    if framing in ("length", "both"):
        head += b"Content-Length: %d\r\n" % len(body)
    if framing == "short":
        head += b"Content-Length: %d\r\n" % (len(body) + 5)
    if framing in ("chunked", "both"):
        head += b"Transfer-Encoding: chunked\r\n"
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    if framing == "nonsense":
        head += draw(
            st.sampled_from(
                [b"Content-Length: -1\r\n", b"Content-Length: 1\r\nContent-Length: 2\r\n", b"Transfer-Encoding: x\r\n"]
            )
        )
    return line + head + b"\r\n" + (b"" if framing == "none" else body)


@st.composite
def plain_pulls(draw: st.DrawFn, host: str) -> bytes:
    """A pull of a manifest as the quick lane takes it, or with one thing about it that it must not take."""
    method = draw(st.sampled_from([b"GET", b"HEAD"]))
    path, space, version, end, block = b"/v2/m/a/manifests/v1", b" ", b"HTTP/1.1", b"\r\n", f"Host: {host}\r\n".encode()
    odd = draw(st.sampled_from(["header", "headers", "path", "line"]))
    if odd == "header":
        names = st.sampled_from([*_HEADERS, b"X"]) | st.builds(lambda piece: b"X" + piece, ODD)
        block += draw(names) + b":" + draw(ODD | st.builds(lambda piece: b"a" + piece + b"b", ODD)) + b"\r\n"
    elif odd == "headers":
        block = draw(headers(host))
    elif odd == "path":
        path = draw(paths() | ODD.map(lambda piece: path + piece))
    else:
        version = draw(st.sampled_from([b"HTTP/1.0", b"HTTP/1.1 ", b"http/1.1", b"HTTP/1.2", b"HTTP/11", b""]))
        space = draw(st.sampled_from([b" ", b"  ", b"\t"]))
        end = draw(st.sampled_from([b"\r\n", b"\n"]))
    return method + space + path + b" " + version + end + block + b"\r\n"
