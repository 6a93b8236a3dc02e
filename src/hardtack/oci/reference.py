"""References: how people name images, `[domain/]path[:tag][@digest]`, with Docker's short forms.

`Reference.parse` accepts exactly the distribution grammar and brings every spelling to one canonical form. Whether
the image exists is not its business. A hand scanner: this module is on the path of every command that names an image.

Source: distribution/reference 0.6, reference.go, "Grammar", and normalize.go.
"""

from __future__ import annotations

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidDigest, InvalidReference, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

DEFAULT_DOMAIN = "docker.io"
_LEGACY_DOMAIN = "index.docker.io"
_API_HOST = "registry-1.docker.io"
_OFFICIAL = "library/"
_PATH_LIMIT = 255
_TAG_LIMIT = 128
_TEXT_LIMIT = 1024  # domain 255 + path 255 + tag 128 + sha512 and separators, rounded up

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_ALNUM = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TAG = _ALNUM | frozenset("_.-")
_HOST = _ALNUM | frozenset("-")
_IPV6 = frozenset("0123456789abcdefABCDEF:")
_HEX = frozenset("0123456789abcdef")
_DIGITS = frozenset("0123456789")


class Reference:
    """A valid name of an image; immutable, hashable, equal by its canonical text.

    Attributes:
        domain: the registry as people write it, with its port; `docker.io` for Docker Hub.
        path: the repository inside the registry, `library/nginx`.
        tag: "" when there is none.
        digest: None when there is none.
    """

    __slots__ = ("digest", "domain", "path", "tag")
    domain: Final[str]
    path: Final[str]
    tag: Final[str]
    digest: Final[Digest | None]

    def __init__(self, domain: str, path: str, tag: str = "", digest: Digest | None = None) -> None:
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference as docker would.

        Args:
            text: for example `nginx`, `user/app:1.2`, `[::1]:5000/a/b@sha256:…`.
        Returns:
            The canonical reference; no tag is added, see `tagged`.
        Raises:
            InvalidReference: with the reason, and for an upper-case repository or a bare image id what to do.
        """
        if not isinstance(text, str) or not text:
            raise InvalidReference(text, "it is empty" if text == "" else "not text")
        if len(text) > _TEXT_LIMIT:
            raise InvalidReference(text, f"longer than {_TEXT_LIMIT} characters")
        if len(text) == 64 and _HEX.issuperset(text):
            raise InvalidReference(text, "64 hexadecimal digits are an image id, not a name")
        name, at, encoded = text.partition("@")
        digest = _digest(text, encoded) if at else None
        domain, rest = _split_domain(name)
        path, colon, tag = rest.partition(":")
        _check_domain(text, domain)
        _check_path(text, path)
        if colon:
            _check_tag(text, tag)
        return cls(domain, path, tag, digest)

    @property
    def repository(self) -> str:
        """Domain and path, `docker.io/library/nginx`."""
        return f"{self.domain}/{self.path}"

    def __str__(self) -> str:
        return self._suffixed(self.repository)

    def _suffixed(self, name: str) -> str:
        if self.tag:
            name = f"{name}:{self.tag}"
        return f"{name}@{self.digest}" if self.digest else name

    def familiar_repository(self) -> str:
        """The shortest form that means the same repository: `nginx`, `user/app`, `localhost:5000/app`."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        path = self.path
        first, slash, rest = path.partition("/")
        if first == "library" and "/" not in rest:
            return path if len(rest) == 64 and _HEX.issuperset(rest) else rest
        if slash and (first == "localhost" or "." in first):
            return self.repository  # cut off, the first part would read as a domain
        return path

    def familiar(self) -> str:
        """The short form as docker prints it, with tag and digest."""
        return self._suffixed(self.familiar_repository())

    def with_tag(self, tag: str) -> Reference:
        """The same repository under another tag, without a digest.

        Raises:
            InvalidReference: no tag by the grammar.
        """
        _check_tag(tag, tag)
        return Reference(self.domain, self.path, tag)

    def with_digest(self, digest: Digest) -> Reference:
        """The same repository at a digest, without a tag."""
        return Reference(self.domain, self.path, "", digest)

    def tagged(self) -> Reference:
        """Itself, or with the tag `latest` when it has neither tag nor digest."""
        if self.tag or self.digest:
            return self
        return Reference(self.domain, self.path, "latest")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reference):
            return NotImplemented
        return (self.domain, self.path, self.tag, self.digest) == (
            other.domain,
            other.path,
            other.tag,
            other.digest,
        )

    def __hash__(self) -> int:
        return hash((self.domain, self.path, self.tag, self.digest))

    def __repr__(self) -> str:
        return f"Reference({str(self)!r})"


def api_host(domain: str) -> str:
    """The host (and port) whose distribution API serves a domain."""
    return _API_HOST if domain == DEFAULT_DOMAIN else domain


def is_tag(text: str) -> bool:
    """Whether the text is a tag by the grammar."""
    return 0 < len(text) <= _TAG_LIMIT and text[0] not in ".-" and _TAG.issuperset(text)


def is_path(text: str) -> bool:
    """Whether the text is a repository's path by the grammar, as registries check it."""
    return len(text) <= _PATH_LIMIT and all(_is_component(part) for part in text.split("/"))


def is_domain(text: str) -> bool:
    """Whether the text is a host, an address or a bracketed IPv6 address, with or without a port."""
    return not _domain_fault(text)


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, _OFFICIAL + name
    if first == _LEGACY_DOMAIN:
        first = DEFAULT_DOMAIN
    elif not (first == "localhost" or "." in first or ":" in first or first.lower() != first):
        return DEFAULT_DOMAIN, name
    if first == DEFAULT_DOMAIN and "/" not in rest:
        rest = _OFFICIAL + rest
    return first, rest


def _check_domain(text: str, domain: str) -> None:
    fault = "" if domain == DEFAULT_DOMAIN else _domain_fault(domain)
    if fault:
        raise InvalidReference(text, fault)


def _domain_fault(domain: str) -> str:
    if len(domain) > 255:
        return "the registry's name is longer than 255 characters"
    if domain.startswith("["):
        host, bracket, port = domain[1:].partition("]")
        if not bracket or not host or not _IPV6.issuperset(host) or (port and port[0] != ":"):
            return "the IPv6 address needs the form [address]:port"
        colon, port = port[:1], port[1:]
    else:
        host, colon, port = domain.partition(":")
        for label in host.split("."):
            if not label or label[0] == "-" or label[-1] == "-" or not _HOST.issuperset(label):
                return f"{shown(domain)} is no host name"
    if colon and (not port or not _DIGITS.issuperset(port) or len(port) > 5 or int(port) > 65535):
        return f"{shown(port)} is no port"
    return ""


def _check_path(text: str, path: str) -> None:
    if len(path) > _PATH_LIMIT:
        raise InvalidReference(text, f"the repository name is longer than {_PATH_LIMIT} characters")
    for part in path.split("/"):
        if _is_component(part):
            continue
        if not part:
            raise InvalidReference(text, "a part of the name is empty")
        if part.lower() != part and _is_component(part.lower()):
            reason = f"repository name ({path.removeprefix(_OFFICIAL)}) must be lowercase"
            raise InvalidReference(text, reason, f"Write it in lower case: {path.removeprefix(_OFFICIAL).lower()}")
        raise InvalidReference(
            text, f"{shown(part)} is no part of a name: letters a-z and digits, between them . _ __ or dashes"
        )


def _is_component(part: str) -> bool:
    if _LOWER.issuperset(part):
        return part != ""
    if part[0] not in _LOWER or part[-1] not in _LOWER:
        return False
    separator = ""
    for character in part:
        if character in _LOWER:
            if separator and separator not in (".", "_", "__") and separator.strip("-"):
                return False
            separator = ""
        elif character in "._-":
            separator += character
        else:
            return False
    return True


def _check_tag(text: str, tag: str) -> None:
    if is_tag(tag):
        return
    if not tag:
        raise InvalidReference(text, "the tag is empty")
    if len(tag) > _TAG_LIMIT:
        raise InvalidReference(text, f"the tag is longer than {_TAG_LIMIT} characters")
    raise InvalidReference(text, "a tag has letters, digits, _ . - and begins with none of . and -")


def _digest(text: str, encoded: str) -> Digest:
    try:
        return Digest(encoded)
    except InvalidDigest as error:
        raise InvalidReference(text, f"its digest is malformed, {error.reason}") from None
