"""Figures in the form that Prometheus reads; its own library writes it, imported when somebody asks.

Every worker answers for all, since the numbers lie in shared memory. What the database knows (bytes stored, uploads in
progress) is asked seldom: the larger the registry, the more seldom.

Source: Prometheus, "Exposition formats"; "Metric and label naming".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hardtack.registry.errors import RegistryError
from hardtack.registry.metadata.reading import totals
from hardtack.registry.metrics import BUCKETS, Count, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script
    from hardtack.registry.metrics import Totals
    from hardtack.registry.service import Service

_FRESH = 30.0
_SELDOM = 50  # a question that takes a second is asked every 50 seconds at most
_PREFIX = "hardtack_registry_"


class Exposition:
    """The figures of one registry."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stored: dict[str, int] = {}
        self._due = 0.0

    async def text(self, accept: str) -> tuple[bytes, str]:
        """All figures and their content type.

        Args:
            accept: the Accept header: Prometheus asks for one of its forms.
        """
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder

        await self._ask()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self._service.metrics.totals(), self._stored))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    async def _ask(self) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _FRESH  # others who ask meanwhile get what is known
        try:
            self._stored = await _stored(self._service.database)
        except RegistryError:
            self._stored = {}  # better no figure than an old one
        self._due = time.monotonic() + max(_FRESH, _SELDOM * (time.monotonic() - now))


async def _stored(database: Database) -> dict[str, int]:
    found = await database.browse(totals)
    uploads = await database.browse(_uploads)
    return {
        "repositories": found.repositories,
        "tags": found.tags,
        "blobs": found.blobs,
        "stored_bytes": found.size,
        "uploads_in_progress": uploads,
    }


_STORED = {
    "repositories": "Repositories",
    "tags": "Tags",
    "blobs": "Blobs in the storage",
    "stored_bytes": "Bytes of the blobs in the storage",
    "uploads_in_progress": "Uploads that were begun and have not ended",
}


def _uploads() -> Script[int]:
    rows = yield "SELECT count(*) FROM upload WHERE finished = 0", ()
    number: int = rows[0][0]
    return number


class _Collected:
    """What the library collects: the sums of a moment."""

    def __init__(self, sums: Totals, stored: dict[str, int]) -> None:
        self._sums = sums
        self._stored = stored

    def collect(self) -> Iterator[Any]:
        """Every family of figures."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        yield from self._requests()
        for count in Count:
            name, meaning = count.value
            yield CounterMetricFamily(_PREFIX + name, meaning, value=self._sums.count(count))
        for level in Level:
            name, meaning = level.value
            yield GaugeMetricFamily(_PREFIX + name, meaning, value=self._sums.level(level))
        for name, value in self._stored.items():
            yield GaugeMetricFamily(_PREFIX + name, _STORED[name], value=value)

    def _requests(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            f"{_PREFIX}requests", "Requests that were answered", labels=["method", "kind", "status"]
        )
        pulls = 0
        for method, kind, status, number in self._sums.requests():
            requests.add_metric([method, kind, str(status or "other")], number)
            pulls += number if (method, kind, status) == ("GET", "manifest", 200) else 0
        yield requests
        yield CounterMetricFamily(f"{_PREFIX}pulls", "Manifests that were fetched", value=pulls)
        received = CounterMetricFamily(f"{_PREFIX}received_bytes", "Bytes of requests' bodies", labels=["kind"])
        sent = CounterMetricFamily(f"{_PREFIX}sent_bytes", "Bytes of answers", labels=["kind"])
        for kind, into, out in self._sums.traffic():
            received.add_metric([kind], into)
            sent.add_metric([kind], out)
        yield received
        yield sent
        durations = HistogramMetricFamily(
            f"{_PREFIX}request_seconds", "From the head of a request to the end of its answer", labels=["kind"]
        )
        for kind, classes, total in self._sums.durations():
            durations.add_metric([kind], _cumulated(classes), total)
        yield durations


def _cumulated(classes: list[int]) -> list[tuple[str, float]]:
    sums, found = 0, []
    for end, number in zip([*map(str, BUCKETS), "+Inf"], classes, strict=True):
        sums += number
        found.append((end, float(sums)))
    return found
