"""What is secret stays out of what others read: the log of faults, the files of a backup."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from hardtack.registry.maintenance.backup import back_up
from hardtack.registry.server import app
from support.registry_worker import account, registry_worker


def test_a_fault_is_logged_without_what_may_be_secret_in_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("it broke")

    monkeypatch.setattr(app.accounts, "answer", broken)
    with caplog.at_level(logging.ERROR), registry_worker(tmp_path / "root") as worker:
        assert worker.client("GET", "/oidc/callback?code=hush&state=hushhush").status == 500
    assert "/oidc/callback" in caplog.text
    assert "hush" not in caplog.text


def test_a_backup_is_for_its_owner_alone_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir(mode=0o755)
    with registry_worker(tmp_path / "root", accounts=True) as worker:
        client, chief = worker.client, account(worker, "chief", admin=True)
        assert (
            client("POST", "/v2/chief/app/blobs/uploads/?mount=sha256:" + "0" * 64, Authorization=chief).status == 202
        )
        worker.run(back_up(worker.service.database, worker.service.blobs, str(tmp_path / "backup")))
    inside = [file for file in (tmp_path / "backup").rglob("*") if file.is_file()]
    assert len(inside) > 3
    assert {stat.S_IMODE(file.stat().st_mode) & 0o077 for file in inside} == {0}
