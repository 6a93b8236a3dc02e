"""Flags of docker's whose meaning we cannot keep are refused, never ignored."""

from __future__ import annotations

import pytest

from hardtack.cli.main import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pull", "--disable-content-trust=false", "a"], "cannot verify signatures"),
        (["push", "--disable-content-trust=false", "a"], "cannot verify signatures"),
        (["build", "--disable-content-trust=false", "."], "cannot verify signatures"),
        (["create", "--disable-content-trust=false", "a"], "cannot verify signatures"),
        (["rmi", "--platform", "linux/arm64", "a"], "cannot remove one platform"),
        (["manifest", "inspect", "list", "a"], "requires 1 argument"),
    ],
)
def test_what_we_cannot_do_is_refused_before_anything_is_done(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("refused") / "root"
    monkeypatch.setenv("HARDTACK_ROOT", str(place))
    assert main(words) != 0
    assert said in capsys.readouterr().err
    assert not place.exists()
