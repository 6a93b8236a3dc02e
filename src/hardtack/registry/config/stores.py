"""[metadata] and [blobs]: which database and which storage, when it is not the folder of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hardtack.registry.config.options import FLAG, NO_SECRET, SECRET, TEXT, URL, duration, option

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class MetadataSection:
    """The database."""

    url: str = option(
        SECRET,
        NO_SECRET,
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE; empty for SQLite in the data folder; a change needs a restart",
        sample='"postgresql://registry@db.example.org/registry"',
    )

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, by key."""
        if self.url and not self.url.startswith(("postgresql://", "postgres://")):
            yield "url", "must begin with postgresql://"


@dataclass(frozen=True, slots=True)
class BlobsSection:
    """The storage of blobs."""

    s3: str = option(
        TEXT,
        "",
        "s3://BUCKET/PREFIX of an S3-compatible store; empty for files in the data folder; a change needs a restart",
        sample='"s3://registry/blobs"',
    )
    endpoint: str = option(URL, "", "Address of a store that is not Amazon's", sample='"https://objects.example.org"')
    region: str = option(TEXT, "", "The store's region", sample='"eu-central-1"')
    access_key: str = option(
        TEXT, "", "Its access key; without one the environment and the machine's role are asked", sample='"registry"'
    )
    secret_key: str = option(SECRET, NO_SECRET, "The secret that belongs to the access key")
    redirect: bool = option(
        FLAG, False, "Send clients to the store for large blobs, instead of passing the bytes through this process"
    )
    redirect_endpoint: str = option(
        URL, "", "The store's address as clients know it, when it is another than the registry's own"
    )
    redirect_life: float = option(
        duration(1, 604_800), 1200.0, "How long an address that a client is sent to is good for"
    )

    def problems(self) -> Iterator[tuple[str, str]]:
        """What does not fit together, by key."""
        parts = urlsplit(self.s3) if self.s3.isprintable() and "[" not in self.s3 else None
        if self.s3 and (parts is None or parts.scheme != "s3" or not parts.netloc):
            yield "s3", "must be s3://BUCKET or s3://BUCKET/PREFIX"
        if bool(self.access_key) != bool(self.secret_key):
            yield ("secret_key" if self.access_key else "access_key"), "is needed as well"
        for key in ("endpoint", "region", "access_key", "redirect_endpoint"):
            if getattr(self, key) and not self.s3:
                yield key, "means nothing without s3"
