"""Where real clients meet a registry with accounts: who comes, what is there, and a table of what went well."""

from __future__ import annotations

import json
import secrets
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import trustme

from hardtack.registry.accounts.accounts import Accounts
from support.accounts import SHELL, administer, basic, grant, make_token, make_users, password_of
from support.daemons import Docker as Daemon
from support.layouts import Layout
from support.our_registry import Answer, Client, OurRegistry, our_registry
from support.peer_engines import Buildah, Docker, Podman, Tack
from support.peers import Crane, Oras, Peer, Regctl, Skopeo, said
from support.tars import files_tar
from support.world import take_down

PEERS: tuple[type[Peer], ...] = (Docker, Podman, Skopeo, Buildah, Crane, Oras, Regctl, Tack)
RIGHTS = {"ci": "write", "reader": "read", "pusher": "push,tag-create,tag-update"}
"""What the robots of each user are called, and what they may in the user's namespace."""
P = TypeVar("P", bound=Peer)


class Admin(Client):
    """The registry's admin at its API."""

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return super().__call__(method, path, body, Authorization=basic("root"), **headers)

    def ask(self, method: str, path: str, **document: Any) -> Any:
        """One request to the JSON API."""
        answer = self(method, f"/api/v1/{path}", json.dumps(document))
        assert answer.status in (200, 201, 204), answer
        return answer.json() if answer.body else None

    def upload(self, layout: Path, repository: str, tag: str = "v1") -> str:
        """Put what a layout has there; returns its digest."""
        (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
        return self._upload(layout, repository, entry, tag)

    def _upload(self, layout: Path, repository: str, entry: dict[str, Any], reference: str) -> str:
        raw = (layout / "blobs" / "sha256" / entry["digest"][7:]).read_bytes()
        document = json.loads(raw)
        for child in document.get("manifests", ()):
            self._upload(layout, repository, child, child["digest"])
        for blob in (document["config"], *document["layers"]) if "config" in document else ():
            self.push_blob(repository, (layout / "blobs" / "sha256" / blob["digest"][7:]).read_bytes())
        return self.push_manifest(repository, reference, raw, entry["mediaType"])


class Layouts(NamedTuple):
    """An image, another one, and an index of two."""

    image: Path
    other: Path
    index: Path

    @classmethod
    def write(cls, folder: Path) -> Layouts:
        layers = [files_tar({"hello": b"hello from the first layer\n"}), files_tar({"more": b"and more\n"})]
        made = [Layout(folder / name) for name in cls._fields]
        made[0].image(layers, "v1")
        made[1].image(layers[:1], "v1")
        each = {f"linux/{a}": made[2].image(layers, architecture=a, list_it=False) for a in ("amd64", "arm64")}
        made[2].several(each, "v1")
        return cls(*(layout.path for layout in made))


class Stage:
    """A running registry with a user, a token and robots per client, all of the client's name.

    Attributes:
        admin: its admin.
        daemon: of docker, where there is one.
    """

    def __init__(self, registry: OurRegistry, folder: Path, layouts: Layouts, authority: Authority | None) -> None:
        self.registry, self.folder, self.layouts = registry, folder, layouts
        self.ca = authority and authority.ca
        self.admin = Admin(registry.host, trust=authority.trust if authority else None)
        self.daemon: Daemon | None = None
        self._known: dict[tuple[str, str], Peer] = {}
        self._secrets: dict[str, dict[str, tuple[str, str]]] = {}

    def secret(self, user: str, kind: str) -> tuple[str, str]:
        """What somebody logs in with: a name and a secret, by `password`, `token`, or a robot (`RIGHTS`)."""
        if kind == "password":
            return user, password_of(user)
        known = self._secrets.setdefault(user, {})
        if kind not in known:
            known[kind] = self._make(user, kind)
        return known[kind]

    def _make(self, user: str, kind: str) -> tuple[str, str]:
        if kind == "token":
            return user, make_token(self.registry.root, user)[0]
        rights = (grant(f"{user}/**", RIGHTS[kind]),)

        async def make(accounts: Accounts) -> tuple[str, str]:
            secret, robot = await accounts.robots.create(SHELL, user, kind, rights)
            return robot.name, secret

        return administer(self.registry.root, make)

    def peer(self, kind: type[P], name: str) -> P:
        """A client that has not logged in."""
        made = kind(self.folder / f"{kind.program}-{name}", self.registry.host, self.layouts.image, self.ca)
        if isinstance(made, Docker):
            assert self.daemon is not None
            made.socket = self.daemon.socket
        return made

    def logged_in(self, kind: type[P], secret: str = "password") -> Peer:
        """A client that has, once for all tests."""
        if (kind.program, secret) not in self._known:
            made = self.peer(kind, secret)
            done = made.login(*self.secret(kind.program, secret))
            assert done.returncode == 0, said(done)
            self._known[kind.program, secret] = made
        return self._known[kind.program, secret]

    def served(self, name: str) -> str:
        """The digest that a name has; "" when it is not there."""
        repository, _, tag = name.rpartition(":")
        answer = self.admin("HEAD", f"/v2/{repository}/manifests/{tag}")
        return answer.headers.get("docker-content-digest", "") if answer.status == 200 else ""


class Authority:
    """A certificate authority that nobody else knows, and what a server shows."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca, self.certificate, self.key = folder / "ca.pem", folder / "tls.pem", folder / "tls.key"
        authority.cert_pem.write_to_path(str(self.ca))
        issued = authority.issue_cert("localhost", "127.0.0.1")
        self.certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(self.key))
        self.trust = ssl.create_default_context(cafile=str(self.ca))

    def flags(self) -> list[str]:
        return ["--tls-cert", str(self.certificate), "--tls-key", str(self.key)]


@contextmanager
def _folder() -> Iterator[str]:
    """A short name that may be part of a reference: images of the layout in it are called by it."""
    name = Path(tempfile.gettempdir(), f"peers-{secrets.token_hex(4)}")
    name.mkdir(mode=0o700)
    try:
        yield str(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


@contextmanager
def stage(*options: str, authority: Authority | None = None) -> Iterator[Stage]:
    """Two workers, a user per client, bob and the admin root, in a folder as short as podman wants it. Costs 2 s."""
    with _folder() as name:
        try:
            with _stage(Path(name), options, authority) as made:
                yield made
        finally:
            take_down(name)


@contextmanager
def _stage(folder: Path, options: tuple[str, ...], authority: Authority | None) -> Iterator[Stage]:
    root = folder / "root"
    make_users(root, *(peer.program for peer in PEERS), "bob", admins=("root",))
    layouts = Layouts.write(folder)
    flags = authority.flags() if authority else []
    trust = authority.trust if authority else None
    with our_registry(root, *flags, *options, trust=trust) as running:
        yield Stage(running, folder, layouts, authority)


class Matrix:
    """What each client did, as the table of docs/registry/clients.md."""

    columns = ("login", "push", "pull", "copy", "delete", "referrers", "anonymous", "refusals", "TLS")

    def __init__(self) -> None:
        self._done: dict[tuple[str, str], int] = {}
        self._versions: dict[str, str] = {}

    def note(self, peer: Peer, column: str) -> None:
        """Count one thing that went as it should."""
        self._done[peer.program, column] = self._done.get((peer.program, column), 0) + 1
        if peer.program not in self._versions:
            self._versions[peer.program] = peer.version()

    def table(self) -> str:
        lines = [" | ".join(("| client", "version", *self.columns)) + " |", "| --- " * (len(self.columns) + 2) + "|"]
        for name in (peer.program for peer in PEERS if peer.program in self._versions):
            cells = [str(self._done.get((name, column), "–")) for column in self.columns]
            lines.append(" | ".join((f"| {name}", self._versions[name], *cells)) + " |")
        return "\n".join(lines)
