"""A user without rights hears in one line what a command needs, before anything is fetched, drawn or made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hardtack.cli.main import main
from hardtack.container import information
from hardtack.store.root import Root

LINE = "only root can mount layers and start containers for now. Run it as root.\n"


@pytest.mark.parametrize(
    ("words", "doing", "code"),
    [
        (["pull", "oven"], "pull oven", 1),
        (["run", "--rm", "oven"], "run oven", 125),
        (["create", "oven"], "create a container", 1),
        (["build", "."], "build", 1),
        (["load", "-i", "oven.tar"], "load images", 1),
    ],
)
def test_one_line_says_what_the_command_needs(
    words: list[str],
    doing: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HARDTACK_ROOT", str(tmp_path / "root"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(words) == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"tack: cannot {doing}: {LINE}")
    assert not (tmp_path / "root").exists()


def test_info_does_not_tell_a_user_to_install_what_is_installed(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    facts = information.information(root)
    assert facts["DefaultRuntime"] == "none"
    assert facts["RuntimeReason"] == "only root can mount layers and start containers for now"
    assert not any("nstall" in warning for warning in facts["Warnings"])
