"""What may come out of a decompression: anything up to a size, more only at a ratio that honest layers have."""

from __future__ import annotations

import pytest

from hardtack.store.layer.decompress import Bound
from hardtack.store.layer.errors import LayerTooLarge

GIB = 1 << 30


def test_the_best_that_gzip_can_do_is_stopped_once_it_is_large() -> None:
    bound = Bound()
    bound.went = 40 << 20
    bound.check(8 * GIB)
    with pytest.raises(LayerTooLarge):
        bound.check(GIB)


def test_a_large_layer_of_an_honest_ratio_passes() -> None:
    bound = Bound()
    bound.went = 20 * GIB
    bound.check(200 * GIB)


def test_the_limit_holds_whatever_the_ratio() -> None:
    bound = Bound(limit=100)
    bound.went = 1000
    with pytest.raises(LayerTooLarge):
        bound.check(101)
