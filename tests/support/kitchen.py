"""A kitchen: a root with busybox in it, a folder to build from, and what came out in plain values."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hardtack.build.builder import build
from hardtack.build.options import Options, Secret
from hardtack.build.report import Watcher
from hardtack.image.find import Image, find
from hardtack.oci.reference import Reference
from hardtack.store.layer import LayerStore
from hardtack.store.root import Root
from support.world import mounts_below


class Recorder(Watcher):
    """Keeps what a build told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.names: dict[int, str] = {}
        self.outcomes: dict[int, str] = {}
        self.printed: dict[int, bytes] = {}
        self.warnings: list[str] = []

    def begin(self, number: int, name: str) -> None:
        with self.lock:
            self.names[number] = name

    def output(self, number: int, data: bytes) -> None:
        with self.lock:
            self.printed[number] = self.printed.get(number, b"") + data

    def end(self, number: int, outcome: str, seconds: float) -> None:
        with self.lock:
            self.outcomes[number] = outcome

    def warn(self, line: str) -> None:
        self.warnings.append(line)

    def steps(self) -> dict[str, str]:
        """Outcomes by what stands after the bracket, without the internal ones."""
        return {
            name.partition("] ")[2]: self.outcomes.get(number, "")
            for number, name in self.names.items()
            if name.startswith("[") and not name.startswith("[internal]")
        }

    def text(self, word: str = "") -> str:
        """What the steps whose name holds a word have printed."""
        return b"".join(self.printed.get(n, b"") for n, name in self.names.items() if word in name).decode()


class Dish:
    """What a build gave: the image and what was told meanwhile."""

    def __init__(self, root: Root, image: Image, told: Recorder) -> None:
        self.root = root
        self.image = image
        self.told = told

    @property
    def config(self) -> dict[str, Any]:
        return self.image.config.config

    @property
    def steps(self) -> dict[str, str]:
        return self.told.steps()

    def layer_files(self, number: int = -1) -> list[str]:
        """The names in one layer."""
        diff = self.image.config.diff_ids[number]
        return sorted(member.path.decode() for member in LayerStore(self.root).listing(diff) if member.path)

    def tree(self) -> dict[str, tuple[str, int, int, int, str]]:
        """The root file system: path to (kind, mode, uid, gid, content or target)."""
        name = f"look-{os.urandom(4).hex()}"
        place = Path(self.root.path) / name
        place.mkdir()
        layers = LayerStore(self.root)
        layers.mount(self.image.config.diff_ids, str(place), holder=name)
        try:
            return dict(_walk(place))
        finally:
            subprocess.run(["umount", "-l", place], check=False)
            place.rmdir()
            layers.release(name)


def _walk(top: Path) -> Iterator[tuple[str, tuple[str, int, int, int, str]]]:
    for folder, folders, names in os.walk(top):
        for name in (*folders, *names):
            path = Path(folder) / name
            found = path.lstat()
            kind = stat.filemode(found.st_mode)[0]
            content = ""
            if kind == "l":
                content = os.readlink(path)
            elif kind == "-" and found.st_size < 100_000:
                content = path.read_bytes().decode("utf-8", "replace")
            yield str(path.relative_to(top)), (kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, content)


class Kitchen:
    """A place to build in."""

    def __init__(self, root: Root, context: Path) -> None:
        self.root = root
        self.context = context

    def write(self, name: str, content: str | bytes = "", mode: int = 0o644) -> Path:
        path = self.context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def options(self, **wanted: Any) -> Options:
        options = Options(str(self.context))
        options.tags = [Reference.parse("test/dish:1")]
        for name, value in wanted.items():
            setattr(options, name, value)
        options.secrets = {ident: Secret(ident, *source) for ident, source in wanted.get("secrets", {}).items()}
        return options

    def build(self, dockerfile: str | None = None, **wanted: Any) -> Dish:
        """Build the context; the Dockerfile is written first when it is given."""
        if dockerfile is not None:
            self.write("Dockerfile", dockerfile)
        told = wanted.pop("watcher", Recorder())
        options = self.options(**wanted)
        built = build(self.root, options, watcher=told)
        return Dish(self.root, find(self.root, str(built.digest)), told)

    def fails(self, dockerfile: str, kind: type[BaseException], match: str | None = None, **wanted: Any) -> Any:
        """Build and expect it to fail; the error."""
        with pytest.raises(kind, match=match) as caught:
            self.build(dockerfile, **wanted)
        return caught.value

    def leftovers(self) -> list[str]:
        """What a build must not leave: scratch, mounts, holds on layers, leases."""
        found = [*mounts_below(self.root.path), *mounts_below(self.root.run)]
        work = Path(self.root.path) / "build" / "work"
        found += [str(path) for path in work.iterdir()] if work.exists() else []
        found += [str(path) for path in (Path(self.root.run) / "containers").iterdir()]
        found += [str(path) for path in Path(self.root.run).glob("build-*")]
        found += [str(row) for row in self.root.db.execute("SELECT * FROM lease")]
        found += [str(path) for path in (Path(self.root.run) / "layers").glob("*/users/*")]
        return found
