"""Digests: the names of content, `algorithm:hex`.

A `Digest` that exists is well formed, so it may become a path. Whether bytes match it is said by whoever hashes them.
"""

from __future__ import annotations

from hardtack.oci.errors import InvalidDigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash as Hash

LENGTHS = {"sha256": 64, "sha512": 128}
_NO_HEX = dict.fromkeys(b"0123456789abcdef")  # a translation that leaves only what is no digit


class Digest(str):
    """A well-formed digest; equal to its text, usable wherever text is.

    Raises:
        InvalidDigest: an unknown algorithm, a wrong length, or anything but lower-case hexadecimal digits.

    Source: OCI image-spec 1.1, descriptor.md, "Digests".
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Digest:
        if type(text) is cls:
            return text
        if not isinstance(text, str):
            raise InvalidDigest(text, "not text")
        algorithm, colon, encoded = text.partition(":")
        if not colon:
            raise InvalidDigest(text, "no algorithm in front, as in sha256:…")
        length = LENGTHS.get(algorithm)
        if length is None:
            raise InvalidDigest(text, "only sha256 and sha512 are supported")
        if len(encoded) != length:
            raise InvalidDigest(text, f"{algorithm} has {length} digits, these are {len(encoded)}")
        if encoded.translate(_NO_HEX):
            raise InvalidDigest(text, "digits must be 0-9 and a-f")
        return str.__new__(cls, text)

    @property
    def algorithm(self) -> str:
        """`sha256` or `sha512`."""
        return self[: self.index(":")]

    @property
    def hex(self) -> str:
        """The digits alone."""
        return self[self.index(":") + 1 :]

    @property
    def short(self) -> str:
        """The first twelve digits, as people read them."""
        return self.hex[:12]

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Digest:
        """The digest of bytes at hand."""
        running = hasher(algorithm)
        running.update(data)
        return str.__new__(cls, f"{algorithm}:{running.hexdigest()}")


def hasher(algorithm: str = "sha256") -> Hash:
    """A running hash.

    Raises:
        InvalidDigest: an algorithm that we do not verify.
    """
    if algorithm not in LENGTHS:
        raise InvalidDigest(algorithm, "only sha256 and sha512 are supported")
    import hashlib

    return hashlib.sha512() if algorithm == "sha512" else hashlib.sha256()
