"""Registry clients of others behind one vocabulary: log in, push, pull, copy, delete, list, attach.

Each `Peer` is one program as one person, with a folder of its own for what it keeps. Those here talk to registries and
keep no images; those that do are in `peer_engines`. What a program cannot do is not in its `can`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

import pytest

Done = subprocess.CompletedProcess[str]
EVERYTHING = frozenset({"copy", "delete tag", "delete manifest", "tags", "catalog", "referrers", "indexes"})
ARTIFACT = "application/vnd.example.note"


def found(program: str) -> str:
    """A client's path, from $PEERS/bin or the PATH. Skips where there is none."""
    peer = Path(os.environ.get("PEERS", "/tmp/peers")) / "bin" / program
    path = str(peer) if os.access(peer, os.X_OK) else shutil.which(program)
    if path is None:
        pytest.skip(f"needs {program}, in the PATH or in $PEERS/bin")
    return path


def said(done: Done) -> str:
    """All that a program printed."""
    return done.stdout + done.stderr


class Peer:
    """A program and what somebody's words for its jobs are.

    Attributes:
        compresses_again: what it copies has another digest afterwards.

    Args:
        folder: where it keeps its configuration, credentials and what it pulls.
        host: of the registry.
        layout: an OCI layout with one image, tagged v1; what `push` pushes.
        ca: believe in this, over TLS; None for plain HTTP.
    """

    program: ClassVar[str]
    asks: ClassVar[tuple[str, ...]] = ("--version",)
    can: ClassVar[frozenset[str]] = EVERYTHING
    compresses_again: ClassVar[bool] = False

    def __init__(self, folder: Path, host: str, layout: Path, ca: Path | None = None) -> None:
        self.path = self.locate()
        self.folder, self.host, self.layout, self.plain = folder, host, layout, ca is None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "auth.json").write_text("{}")  # podman and buildah want it to exist
        kept = {"DOCKER_CONFIG": str(folder), "REGISTRY_AUTH_FILE": str(folder / "auth.json")}
        self.environment = {**os.environ, **kept, **({"SSL_CERT_FILE": str(ca)} if ca else {})}

    def locate(self) -> str:
        return found(self.program)

    def version(self) -> str:
        """As it says it is."""
        match = re.search(r"\d+\.\d+[.\d]*", said(self.call(*self.asks)))
        return match[0] if match else "?"

    def call(self, *words: str, given: str = "") -> Done:
        """Run it, whatever it ends with."""
        return subprocess.run(
            [*self.start(), *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=self.environment,
            cwd=self.folder,
        )

    def start(self) -> list[str]:
        return [self.path]

    def there(self, name: str) -> str:
        return f"{self.host}/{name}"

    def fresh(self) -> Path:
        """A place for something pulled, with nothing there."""
        shutil.rmtree(self.folder / "pulled", ignore_errors=True)
        return self.folder / "pulled"

    def held(self, name: str) -> str:
        """The digest of what was pulled last, as the program has it."""
        del name
        index = json.loads((self.folder / "pulled" / "index.json").read_text())
        return str(index["manifests"][0]["digest"])

    def login(self, user: str, secret: str) -> Done:
        raise NotImplementedError

    def push(self, name: str) -> Done:
        raise NotImplementedError

    def pull(self, name: str) -> Done:
        raise NotImplementedError

    def copy(self, source: str, target: str) -> Done:
        raise NotImplementedError

    def delete_tag(self, name: str) -> Done:
        raise NotImplementedError

    def delete_manifest(self, repository: str, digest: str) -> Done:
        raise NotImplementedError

    def tags(self, repository: str) -> Done:
        raise NotImplementedError

    def catalog(self) -> Done:
        raise NotImplementedError

    def attach(self, name: str) -> Done:
        """Push an artifact that refers to an image."""
        raise NotImplementedError

    def referrers(self, name: str) -> Done:
        raise NotImplementedError


class Skopeo(Peer):
    program = "skopeo"
    can = frozenset({"copy", "delete manifest", "tags", "indexes"})

    def _tls(self, which: str = "") -> list[str]:
        return [f"--{which}tls-verify=false"] if self.plain else []

    def _copy(self, source: str, target: str) -> Done:
        return self.call("copy", "-q", "--all", *self._tls("src-"), *self._tls("dest-"), source, target)

    def login(self, user: str, secret: str) -> Done:
        return self.call("login", *self._tls(), "-u", user, "--password-stdin", self.host, given=secret)

    def push(self, name: str) -> Done:
        return self._copy(f"oci:{self.layout}:v1", f"docker://{self.there(name)}")

    def pull(self, name: str) -> Done:
        return self._copy(f"docker://{self.there(name)}", f"oci:{self.fresh()}:v1")

    def copy(self, source: str, target: str) -> Done:
        return self._copy(f"docker://{self.there(source)}", f"docker://{self.there(target)}")

    def delete_manifest(self, repository: str, digest: str) -> Done:
        return self.call("delete", *self._tls(), f"docker://{self.there(repository)}@{digest}")

    def tags(self, repository: str) -> Done:
        return self.call("list-tags", *self._tls(), f"docker://{self.there(repository)}")


class Crane(Peer):
    program, asks = "crane", ("version",)
    can = EVERYTHING - {"referrers"}

    def _run(self, *words: str) -> Done:
        return self.call(*words, *(["--insecure"] if self.plain else []))

    def login(self, user: str, secret: str) -> Done:
        # It asks nobody whether that is right; so it has to show.
        kept = self.call("auth", "login", "-u", user, "--password-stdin", self.host, given=secret)
        return self.catalog() if kept.returncode == 0 else kept

    def push(self, name: str) -> Done:
        return self._run("push", str(self.layout), self.there(name))

    def pull(self, name: str) -> Done:
        return self._run("pull", "--format=oci", self.there(name), str(self.fresh()))

    def copy(self, source: str, target: str) -> Done:
        return self._run("copy", self.there(source), self.there(target))

    def delete_tag(self, name: str) -> Done:
        return self._run("delete", self.there(name))

    def delete_manifest(self, repository: str, digest: str) -> Done:
        return self._run("delete", f"{self.there(repository)}@{digest}")

    def tags(self, repository: str) -> Done:
        return self._run("ls", self.there(repository))

    def catalog(self) -> Done:
        return self._run("catalog", self.host)


class Oras(Peer):
    program, asks = "oras", ("version",)

    def _run(self, *words: str) -> Done:
        return self.call(*words, *(["--plain-http"] if self.plain else []))

    def login(self, user: str, secret: str) -> Done:
        return self.call(
            "login", *(["--plain-http"] if self.plain else []), "-u", user, "--password-stdin", self.host, given=secret
        )

    def _copy(self, source: list[str], target: list[str]) -> Done:
        return self.call("cp", *source, *target)

    def _side(self, which: str, name: str) -> list[str]:
        return [*([f"--{which}-plain-http"] if self.plain else []), self.there(name)]

    def push(self, name: str) -> Done:
        return self._copy(["--from-oci-layout", f"{self.layout}:v1"], self._side("to", name))

    def pull(self, name: str) -> Done:
        return self._copy(self._side("from", name), ["--to-oci-layout", f"{self.fresh()}:v1"])

    def copy(self, source: str, target: str) -> Done:
        return self._copy(self._side("from", source), self._side("to", target))

    def delete_tag(self, name: str) -> Done:
        return self._run("manifest", "delete", "-f", self.there(name))

    def delete_manifest(self, repository: str, digest: str) -> Done:
        return self._run("manifest", "delete", "-f", f"{self.there(repository)}@{digest}")

    def tags(self, repository: str) -> Done:
        return self._run("repo", "tags", self.there(repository))

    def catalog(self) -> Done:
        return self._run("repo", "ls", self.host)

    def attach(self, name: str) -> Done:
        (self.folder / "note.txt").write_text("a note")
        return self._run("attach", "--artifact-type", ARTIFACT, self.there(name), "note.txt")

    def referrers(self, name: str) -> Done:
        return self._run("discover", "--format", "json", self.there(name))


class Regctl(Peer):
    program, asks = "regctl", ("version",)

    def __init__(self, folder: Path, host: str, layout: Path, ca: Path | None = None) -> None:
        super().__init__(folder, host, layout, ca)
        self.environment["REGCTL_CONFIG"] = str(folder / "regctl.json")
        self.call("registry", "set", "--tls", "disabled" if self.plain else "enabled", host)

    def login(self, user: str, secret: str) -> Done:
        return self.call("registry", "login", "-u", user, "--pass-stdin", self.host, given=secret)

    def push(self, name: str) -> Done:
        return self.call("image", "copy", f"ocidir://{self.layout}:v1", self.there(name))

    def pull(self, name: str) -> Done:
        return self.call("image", "copy", self.there(name), f"ocidir://{self.fresh()}:v1")

    def copy(self, source: str, target: str) -> Done:
        return self.call("image", "copy", self.there(source), self.there(target))

    def delete_tag(self, name: str) -> Done:
        return self.call("tag", "delete", self.there(name))

    def delete_manifest(self, repository: str, digest: str) -> Done:
        return self.call("manifest", "delete", f"{self.there(repository)}@{digest}")

    def tags(self, repository: str) -> Done:
        return self.call("tag", "ls", self.there(repository))

    def catalog(self) -> Done:
        return self.call("repo", "ls", self.host)

    def attach(self, name: str) -> Done:
        return self.call("artifact", "put", "--artifact-type", ARTIFACT, "--subject", self.there(name), given="a note")

    def referrers(self, name: str) -> Done:
        return self.call("artifact", "list", self.there(name), "--format", "body")
