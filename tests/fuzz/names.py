"""Names of repositories, tags, digests and upload sessions, against the grammar read one character at a time."""

from __future__ import annotations

import uuid

from fuzz.harness import DIGEST, LONG_DIGEST, Harness, can_be_told, text_of
from hardtack.registry.api.digests import digest_of
from hardtack.registry.errors import DigestInvalid, NameInvalid, TagInvalid
from hardtack.registry.names import NAME_LIMIT, RESERVED, check_repository, check_tag, is_tag, is_upload

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_WORD = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def _is_component(text: str) -> bool:
    """Runs of letters and digits, between them one dot, one or two underscores, or any number of dashes."""
    if not text or text[0] not in _LOWER or text[-1] not in _LOWER:
        return False
    between = ""
    for character in text:
        if character not in _LOWER:
            between += character
            continue
        if between and between not in (".", "_", "__") and between.strip("-"):
            return False
        between = ""
    return True


def repository(data: bytes) -> None:
    name = text_of(data)
    expected = (
        len(name) <= NAME_LIMIT and all(map(_is_component, name.split("/"))) and name.split("/")[0] not in RESERVED
    )
    try:
        assert check_repository(name) == name
    except NameInvalid as error:
        assert not expected
        can_be_told(error)
    else:
        assert expected


def tag(data: bytes) -> None:
    text = text_of(data)
    expected = 0 < len(text) <= 128 and text[0] in _WORD and all(c in _WORD or c in ".-" for c in text)
    assert is_tag(text) == expected
    try:
        assert check_tag(text) == text
    except TagInvalid as error:
        assert not expected
        can_be_told(error)
    else:
        assert expected


def digest(data: bytes) -> None:
    text = text_of(data)
    algorithm, _, encoded = text.partition(":")
    expected = {"sha256": 64, "sha512": 128}.get(algorithm) == len(encoded) and all(
        c in "0123456789abcdef" for c in encoded
    )
    try:
        found = digest_of(text)
    except DigestInvalid as error:
        assert not expected
        can_be_told(error)
        return
    assert expected
    assert (str(found), f"{found.algorithm}:{found.hex}") == (text, text)


def upload(data: bytes) -> None:
    text = text_of(data)
    try:
        parsed = uuid.UUID(text)
        expected = str(parsed) == text and parsed.version == 4 and parsed.variant == uuid.RFC_4122
    except ValueError:
        expected = False
    assert is_upload(text) == expected


_UPLOAD = b"7b9d4942-fd01-4ea2-89b8-5e7d33afb5e0"
HARNESSES = {
    "repository": Harness(repository, (b"library/busybox", b"a.b/c__d/e---f", b"v2/x", b"a_.b", b"a" * 256, b"A", b"")),
    "tag": Harness(tag, (b"latest", b"_1.0-rc.1", b".a", b"a" * 128, b"a" * 129, b"a\n", b"sha256-" + b"0" * 64)),
    "digest": Harness(digest, (DIGEST.encode(), LONG_DIGEST.encode(), DIGEST.upper().encode(), b"md5:0", b"sha256:")),
    "upload": Harness(upload, (_UPLOAD, _UPLOAD.upper(), _UPLOAD.replace(b"-", b""), b"{" + _UPLOAD + b"}", b"../x")),
}
