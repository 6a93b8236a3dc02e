"""Which images a pruning takes."""

from __future__ import annotations

import pytest

from hardtack.image.catalog import Entry
from hardtack.image.listing import Listed
from hardtack.image.prune import choose
from hardtack.oci.config import ImageConfig
from hardtack.oci.digest import Digest
from hardtack.oci.reference import Reference
from hardtack.store.reference import ImageRow


def image(number: int, created: str, used: float, name: str = "", label: str = "") -> Listed:
    ident = Digest(f"sha256:{number:064x}")
    manifest = f"sha256:{number + 1000:064x}"
    entry = Entry(ident)
    entry.rows = [ImageRow(manifest, ident, 0.0, used)]
    entry.references = [(Reference.parse(name), manifest)] if name else []
    labels = f'"config":{{"Labels":{{"{label}":"1"}}}},' if label else ""
    raw = f'{{"created":"{created}","os":"linux",{labels}"rootfs":{{"type":"layers","diff_ids":[]}}}}'
    return Listed(entry, ImageConfig.parse(raw.encode()))


OLD_IDLE = image(1, "2020-01-01T00:00:00Z", 1_000.0)
OLD_BUSY = image(2, "2020-01-01T00:00:00Z", 2_000_000_000.0)
NEW = image(3, "2030-01-01T00:00:00Z", 1_000.0)
NAMED = image(4, "2020-01-01T00:00:00Z", 1_000.0, "app:1")
LABELLED = image(5, "2020-01-01T00:00:00Z", 1_000.0, label="keep")
ALL = [OLD_IDLE, OLD_BUSY, NEW, NAMED, LABELLED]


@pytest.mark.parametrize(
    ("everything", "filters", "numbers"),
    [
        (False, {}, [1, 2, 3, 5]),
        (True, {}, [1, 2, 3, 4, 5]),
        (False, {"until": ["2025-01-01"]}, [1, 2, 5]),
        (True, {"until": ["2019-01-01"]}, []),
        (False, {"unused-since": ["2025-01-01"]}, [1, 3, 5]),
        (False, {"unused-since": ["2025-01-01"], "until": ["2025-01-01"]}, [1, 5]),
        (False, {"label": ["keep"]}, [5]),
        (False, {"label!": ["keep"]}, [1, 2, 3]),
    ],
)
def test_images_are_chosen_by_name_age_use_and_label(
    everything: bool, filters: dict[str, list[str]], numbers: list[int]
) -> None:
    chosen = choose(ALL, set(), everything, filters)
    assert [int(item.entry.id.hex, 16) for item in chosen] == numbers


@pytest.mark.parametrize("by", ["id", "digest"])
def test_an_image_that_a_container_was_made_from_stays(by: str) -> None:
    used = OLD_IDLE.entry.id if by == "id" else OLD_IDLE.entry.digest
    assert OLD_IDLE not in choose(ALL, {used}, True, {})
