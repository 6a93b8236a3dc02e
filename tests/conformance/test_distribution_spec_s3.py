"""The OCI's suite once more, over an S3 server: an API that does not depend on where blobs are."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.test_distribution_spec import run_suite, suite
from hardtack.registry.config.document import Config
from hardtack.registry.config.options import Secret
from hardtack.registry.config.stores import BlobsSection
from support.registry_worker import registry_worker
from support.weed import weed


@pytest.mark.parametrize("redirect", [False, True], ids=["proxied", "redirected"])
def test_the_suite_finds_nothing_over_s3(tmp_path: Path, redirect: bool) -> None:
    """Costs 6 s."""
    suite()
    place = weed().settings()
    where = f"s3://{place.bucket}/{place.prefix}"
    blobs = BlobsSection(where, place.endpoint, "", place.access_key, Secret(place.secret_key), redirect)
    with registry_worker(tmp_path / "root", base=Config(blobs=blobs)) as worker:
        counts, told = run_suite(worker.host, tmp_path, "dev")
    assert counts["fail"] == counts["error"] == counts["skip"] == 0, told
    assert counts["pass"] >= 980
