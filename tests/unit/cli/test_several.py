"""Failures of several things at once."""

from __future__ import annotations

import pytest

from hardtack.cli.several import each, finish
from hardtack.cli.streams import Streams
from hardtack.errors import TackError


def test_what_strangers_wrote_steers_no_terminal_in_any_of_several_failures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(name: str) -> None:
        raise TackError(f"no {name}")

    streams = Streams()
    failures = each(["a\x1b[2J", "b\x9b1m", "c"], fail, streams)
    with pytest.raises(TackError, match="no c"):
        finish(failures, streams)
    assert capsys.readouterr().err == "tack: no a\\x1b[2J\ntack: no b\\x9b1m\n"
