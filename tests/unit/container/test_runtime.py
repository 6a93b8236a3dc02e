"""What was chosen is kept in one small file, whoever chooses at the same time."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hardtack.container.runtime import Runtime, _recall, _remember


def test_threads_that_keep_their_choice_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    kept = str(tmp_path / "chosen")
    found = Runtime("crun", sys.executable, "crun", why="it works")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: _remember(kept, found), range(400)))
    recalled = _recall(kept)
    assert recalled is not None and recalled.why == "it works"
    assert [path.name for path in tmp_path.iterdir()] == ["chosen"]
