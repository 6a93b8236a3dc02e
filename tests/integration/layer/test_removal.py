"""Removing what somebody else is removing too."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from hardtack.store.layer import removal
from hardtack.store.layer.remove import remove_tree
from hardtack.store.root import Root

STRAY = f"sha256:{'ab' * 32}"


def stray(root: Root) -> Path:
    """The directory of a layer that no row knows."""
    path = Path(root.path, "layers", "sha256", STRAY[7:])
    path.mkdir(parents=True)
    (path / "layer.tar").write_bytes(b"x")
    return path


def test_several_remove_one_tree_and_nothing_stays(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    for number in range(5):
        tree = tmp_path / f"tree{number}"
        for name in range(120):
            (tree / f"{name}" / "below").mkdir(parents=True)
            (tree / f"{name}" / "below" / "file").write_bytes(b"")
        together = threading.Barrier(4)

        def remove(path: str = str(tree), together: threading.Barrier = together) -> None:
            together.wait()
            try:
                remove_tree(path)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=remove) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert os.listdir(tmp_path) == []


def test_a_layer_that_another_collection_removes_first_is_no_failure(
    root: Root, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = stray(root)

    def holders(*_: Any) -> list[str]:
        os.rename(path, tmp_path / "gone")
        return []

    monkeypatch.setattr(removal.mounting, "holders", holders)
    assert removal.remove_layer(root, STRAY) is False


def test_a_stray_layer_that_another_collection_removes_while_it_is_measured_is_no_failure(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray(root)
    ordinary = removal.size_of

    def size_of(path: str) -> int:
        removal.remove_layer(root, STRAY)
        return ordinary(path)

    monkeypatch.setattr(removal, "size_of", size_of)
    assert list(removal.sweep(root)) == []
