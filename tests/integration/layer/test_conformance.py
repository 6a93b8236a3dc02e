"""What every driver makes of a tar, hard ones above all: the same tree, or the same refusal and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.store.layer import LayerStore
from hardtack.store.layer.errors import BadTar
from hardtack.store.layer.writer import Layer
from hardtack.store.root import Root
from support.nasty import ACCEPTED, REFUSED
from support.trees import facts

StoreTar = Callable[[bytes], Layer]


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_hard_tar_becomes_the_tree_it_means(case: str, store_tar: StoreTar, tree_of: Callable[[Layer], str]) -> None:
    tar, expected = ACCEPTED[case]
    tree = os.fsencode(tree_of(store_tar(tar)))
    for path, wanted in expected.items():
        full = os.path.normpath(os.path.join(tree, path))
        if wanted is None:
            assert not os.path.lexists(full), path
            continue
        found = facts(full, content=False)
        if "read" in wanted:
            found["read"] = Path(os.fsdecode(full)).read_bytes()
            found["size"] = len(found["read"])
        assert {key: found.get(key) for key in wanted} == wanted, path


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_tar_is_refused_and_leaves_nothing(case: str, store_tar: StoreTar, root: Root) -> None:
    tar, why = REFUSED[case]
    with pytest.raises(BadTar, match=why):
        store_tar(tar)
    assert not [name for name in os.listdir(f"{root.path}/layers") if name.startswith(".")]
    assert not root.db.execute("SELECT 1 FROM layer").fetchall()


def test_nothing_outside_is_touched_by_names_that_try(store_tar: StoreTar, layers: LayerStore, tmp_path: Path) -> None:
    from support.rawtar import file, symlink, tar

    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("as it was")
    escape = b"../" * 30 + str(outside).encode().lstrip(b"/")
    members = [symlink(b"a", escape), file(b"a/kept", b"changed"), file(b"a/new", b"1"), file(b"a/.wh.kept")]
    members += [symlink(b"b", str(outside).encode()), file(b"b/kept", b"changed"), file(b"b", b"plain")]
    try:
        store_tar(tar(*members))
    except BadTar:  # a link target that is too long for this test's directory
        pytest.skip("the temporary directory has too long a name")
    assert sorted(os.listdir(outside)) == ["kept"]
    assert (outside / "kept").read_text() == "as it was"
    assert layers.root.path
