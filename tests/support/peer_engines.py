"""Clients that keep images themselves, in the vocabulary of `peers`: docker, podman, buildah and our own tack.

They copy by pulling, naming and pushing; pulling a name that is kept already asks the registry again.
"""

from __future__ import annotations

import json
from pathlib import Path

from support.our_registry import TACK
from support.peers import Done, Peer, said
from support.tars import files_tar


class Engine(Peer):
    """Copies by its own store.

    Attributes:
        image: the name of the image that `push` pushes, once it was needed.
    """

    can = frozenset({"copy"})
    compresses_again = True
    image = ""

    def copy(self, source: str, target: str) -> Done:
        pulled = self.pull(source)
        return self.send(self.there(source), target) if pulled.returncode == 0 else pulled

    def push(self, name: str) -> Done:
        if not self.image:
            self.image = self.take_in()
        return self.send(self.image, name)

    def take_in(self) -> str:
        """Take the layout's image into the store; returns what it is called there."""
        raise NotImplementedError

    def send(self, image: str, name: str) -> Done:
        """Push an image of the store under a name."""
        raise NotImplementedError


class _Containers(Engine):
    """podman and buildah, which share most words."""

    def _tls(self) -> list[str]:
        return ["--tls-verify=false"] if self.plain else []

    def login(self, user: str, secret: str) -> Done:
        return self.call("login", *self._tls(), "-u", user, "--password-stdin", self.host, given=secret)

    def take_in(self) -> str:
        done = self.call("pull", "-q", f"oci:{self.layout}:v1")
        assert done.returncode == 0, said(done)
        return done.stdout.split()[-1]

    def send(self, image: str, name: str) -> Done:
        return self.call("push", "-q", *self._tls(), image, f"docker://{self.there(name)}")

    def pull(self, name: str) -> Done:
        # An image that is kept under another name keeps the digest that it had there.
        self.call("rmi", "--all", "--force")
        self.image = ""
        return self.call("pull", "-q", *self._tls(), self.there(name))


class Podman(_Containers):
    program = "podman"
    can = frozenset({"copy", "tags", "catalog"})

    def start(self) -> list[str]:
        store = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run"]
        return [self.path, *store, "--cgroup-manager", "cgroupfs", "--runtime", "runc"]

    def held(self, name: str) -> str:
        done = self.call("inspect", "--format", "{{.Digest}}", self.there(name))
        return done.stdout.strip()

    def tags(self, repository: str) -> Done:
        return self.call("search", "--list-tags", *self._tls(), self.there(repository))

    def catalog(self) -> Done:
        return self.call("search", *self._tls(), f"{self.host}/")


class Buildah(_Containers):
    program = "buildah"

    def start(self) -> list[str]:
        store = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run"]
        return [self.path, *store, "--storage-driver", "vfs"]

    def held(self, name: str) -> str:
        images = json.loads(self.call("images", "--json", self.there(name)).stdout)
        return str(images[0]["digest"])


class _Daemonlike(Engine):
    """docker, and tack, which takes docker's words."""

    def login(self, user: str, secret: str) -> Done:
        return self.call("login", "-u", user, "--password-stdin", self.host, given=secret)

    def take_in(self) -> str:
        # docker loads no OCI layouts before version 25.
        (self.folder / "image.tar").write_bytes(files_tar({"hello": self.program.encode()}))
        done = self.call("import", "image.tar", "taken-in:v1")
        assert done.returncode == 0, said(done)
        return "taken-in:v1"

    def send(self, image: str, name: str) -> Done:
        self.call("tag", image, self.there(name))
        return self.call("push", self.there(name))

    def pull(self, name: str) -> Done:
        return self.call("pull", "-q", self.there(name))

    def held(self, name: str) -> str:
        shown = self.call("image", "inspect", "--format", "{{json .RepoDigests}}", self.there(name))
        repository = self.there(name).rpartition(":")[0]
        (digest,) = [one.rpartition("@")[2] for one in json.loads(shown.stdout) if one.startswith(f"{repository}@")]
        return str(digest)


class Docker(_Daemonlike):
    """docker's client and a daemon of the tests' own behind `socket`, which needs no words about TLS on loopback."""

    program = "docker"
    socket: Path

    def locate(self) -> str:
        return "/usr/bin/docker" if Path("/usr/bin/docker").exists() else super().locate()

    def start(self) -> list[str]:
        return [self.path, "-H", f"unix://{self.socket}"]


class Tack(_Daemonlike):
    """Ours."""

    program = "tack"
    compresses_again = False

    def __init__(self, folder: Path, host: str, layout: Path, ca: Path | None = None) -> None:
        super().__init__(folder, host, layout, ca)
        self.environment |= {"HARDTACK_ROOT": str(folder / "root"), "HARDTACK_RUN": str(folder / "run")}

    def locate(self) -> str:
        return TACK
