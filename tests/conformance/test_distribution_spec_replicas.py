"""The OCI's suite against three replicas on one PostgreSQL and one S3 server, without sticky sessions."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conformance.test_distribution_spec import run_suite, suite
from support.databases import postgres_url
from support.replicas import replicas


def test_the_suite_does_not_notice_that_there_are_three(tmp_path: Path) -> None:
    """Costs 15 s."""
    suite()
    with replicas(asyncio.run(postgres_url(tmp_path)), tmp_path) as three:
        counts, told = run_suite(three.proxy.host, tmp_path, "dev")
    print(f"\nconformance dev, three replicas: {counts}")
    assert counts["fail"] == counts["error"] == counts["skip"] == 0, told
    assert counts["pass"] >= 980
