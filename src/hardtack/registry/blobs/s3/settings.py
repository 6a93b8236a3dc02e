"""Which store, which bucket, whose credentials: checked before anything is asked of the network.

This module needs no S3 library, so the configuration can be read without one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hardtack.registry.errors import CannotServe

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")
_PREFIX_LIMIT = 512  # a key has at most 1,024 bytes, and ours need up to 160
_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3Settings:
    """A place for blobs in an object store.

    Attributes:
        bucket: it has to exist.
        prefix: what all keys begin with, without slashes at its ends; "" for none.
        endpoint: address of a store that is not Amazon's; such a one is asked with the bucket in the path.
        region: without one it is botocore's choice, or `us-east-1` where there is an endpoint.
        access_key: with its secret_key; without both, botocore looks where it always does (environment, files, role).
        redirect: send clients to the store for large blobs.
        redirect_endpoint: the store's address as clients know it, when it is another one than ours.
        redirect_life: seconds that such an address is good for.
    Raises:
        CannotServe: something that cannot be.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    redirect: bool = False
    redirect_endpoint: str = ""
    redirect_life: int = 1200

    def __post_init__(self) -> None:
        if _BUCKET.fullmatch(self.bucket) is None or ".." in self.bucket:
            raise CannotServe(
                f'cannot keep blobs in S3: "{self.bucket[:80]}" is no bucket\'s name',
                "Names have 3 to 63 lower-case letters, digits, dots and dashes",
            )
        if self.prefix and not _is_prefix(self.prefix):
            raise CannotServe(
                f'cannot keep blobs in S3: "{self.prefix[:80]}" is no prefix',
                "Give names separated by single slashes, as in s3://bucket/team/registry",
            )
        for address in (self.endpoint, self.redirect_endpoint):
            if address and not _is_address(address):
                raise CannotServe(
                    f'cannot keep blobs in S3: "{address[:80]}" is no address of a store',
                    "Give http:// or https://, a host and maybe a port",
                )
        if bool(self.access_key) != bool(self.secret_key):
            raise CannotServe("cannot keep blobs in S3: an access key and its secret belong together", "Give both")
        if not 1 <= self.redirect_life <= 604_800:
            raise CannotServe("cannot keep blobs in S3: redirects last between a second and seven days")

    @property
    def signing_region(self) -> str | None:
        """The region to sign for; None leaves it to botocore."""
        return self.region or (_DEFAULT_REGION if self.endpoint else None)

    @property
    def place(self) -> str:
        """Where blobs are, for people."""
        at = f" at {self.endpoint}" if self.endpoint else ""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/") + at


def parse(text: str) -> tuple[str, str]:
    """Read `s3://BUCKET` or `s3://BUCKET/PREFIX`.

    Returns:
        Bucket and prefix, the latter without slashes at its ends; S3Settings judges both.
    Raises:
        CannotServe: another kind of address.
    """
    scheme, separator, rest = text.partition("://")
    if scheme.lower() != "s3" or not separator or not rest.isprintable() or "?" in rest or "#" in rest or "@" in rest:
        raise CannotServe(f'cannot keep blobs in "{text[:80]}": not of the form s3://BUCKET/PREFIX')
    bucket, _, prefix = rest.partition("/")
    return bucket, prefix.strip("/")


def _is_prefix(text: str) -> bool:
    names = text.split("/")
    return len(text) <= _PREFIX_LIMIT and _PREFIX.fullmatch(text) is not None and not {".", ".."} & set(names)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and parts.username is None
            and not parts.query
            and not parts.fragment
            and text.isprintable()
            and " " not in text
        )
    except ValueError:  # a port that is none, a bracket that is not closed
        return False
