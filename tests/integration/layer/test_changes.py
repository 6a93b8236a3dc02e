"""`docker diff`: what a container has added, changed and deleted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from hardtack.store.layer import LayerStore
from hardtack.store.layer.writer import Layer
from support.rawtar import directory, file, tar
from support.world import mounts_below


def test_changes_are_named_with_their_parents(
    layers: LayerStore,
    store_tar: Callable[[bytes], Layer],
    stack: Callable[..., object],
    tmp_path: Path,
) -> None:
    low = store_tar(tar(file(b"etc/conf", b"1"), file(b"etc/gone", b"1"), file(b"srv/a", b"1"), file(b"x/old", b"1")))
    high = store_tar(tar(directory(b"opt"), file(b"srv/.wh.a"), file(b"srv/b", b"1")))
    with stack(low.diff_id, high.diff_id, upper=True) as top:  # type: ignore[attr-defined]
        (top / "etc" / "conf").write_text("2")
        (top / "etc" / "gone").unlink()
        (top / "srv" / "a").write_text("added, for a layer has deleted it")
        (top / "new").mkdir()
        (top / "new" / "file").write_text("x")
        subprocess.run(["rm", "-r", str(top / "x")], check=True)
        (top / "x").mkdir()
        (top / "x" / "young").write_text("1")
        (top / "passing").write_text("x")
        (top / "passing").unlink()
        os.chmod(top / "opt", 0o700)
    upper = next(tmp_path.glob("*-upper"))
    found = [repr(change) for change in layers.changes(str(upper), [low.diff_id, high.diff_id])]
    assert found == [
        "C /etc", "C /etc/conf", "D /etc/gone", "A /new", "A /new/file", "C /opt", "C /srv", "A /srv/a",
        "C /x", "D /x/old", "A /x/young",
    ]  # fmt: skip
    assert mounts_below(layers.root.path) == [] and mounts_below(layers.root.run) == []


def test_a_container_that_changed_nothing_has_no_changes(layers: LayerStore, tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    assert layers.changes(str(tmp_path / "upper"), []) == []
