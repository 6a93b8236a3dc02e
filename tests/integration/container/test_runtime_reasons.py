"""A runtime that cannot even be started says why, in the place where its own words would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardtack.container import enclosure, runtime
from hardtack.container.refusals import last_error
from hardtack.store.root import Root


def test_what_keeps_a_runtime_from_starting_is_found_in_its_log(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(22, "Invalid argument", "/")

    monkeypatch.setattr(enclosure, "Enclosure", refused)
    log = str(tmp_path / "log")
    code = runtime._call(root, runtime.Runtime("crun", "/usr/bin/crun", "crun", "1"), ["list"], log)
    assert code == 125
    assert "Invalid argument" in last_error(log)
