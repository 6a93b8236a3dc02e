"""What a pull decides: which layers, in which order, which bytes of an answer."""

from __future__ import annotations

import pytest

from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.manifest import Manifest
from hardtack.remote.plan import LayersDoNotFit, NotAnImage, StartOver, bytes_to_skip, check_image, plan_layers


def digest(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


def layer(number: int, size: int, media_type: str = mediatypes.OCI_LAYER_GZIP) -> Descriptor:
    return Descriptor(media_type, digest(number), size)


def test_missing_layers_come_largest_first_and_each_once() -> None:
    layers = [layer(1, 10), layer(2, 30), layer(3, 20), layer(2, 30), layer(4, 5)]
    diff_ids = [digest(n) for n in (101, 102, 103, 102, 104)]
    there, missing = plan_layers(layers, diff_ids, lambda diff_id: diff_id == digest(104))
    assert [task.descriptor.digest for task in missing] == [digest(2), digest(3), digest(1)]
    assert [task.diff_id for task in there] == [digest(104)]


def test_the_same_tar_in_two_compressions_is_made_once() -> None:
    _, missing = plan_layers([layer(1, 10), layer(2, 11)], [digest(9), digest(9)], lambda _: False)
    assert [task.descriptor.digest for task in missing] == [digest(1)]


def test_a_config_that_names_other_layers_is_refused() -> None:
    with pytest.raises(LayersDoNotFit, match="1 layers where its config has 2"):
        plan_layers([layer(1, 10)], [digest(1), digest(2)], lambda _: False)


@pytest.mark.parametrize(
    ("config", "layers", "said"),
    [
        ("application/vnd.cncf.helm.config.v1+json", [], "config has the unknown"),
        (mediatypes.OCI_EMPTY, [], "config has the unknown"),
        (mediatypes.OCI_CONFIG, [layer(1, 1, "application/x-what")], "layer has the unknown"),
    ],
)
def test_an_artifact_is_told_from_an_image(config: str, layers: list[Descriptor], said: str) -> None:
    manifest = Manifest(b"", mediatypes.OCI_MANIFEST, digest(1), Descriptor(config, digest(2), 2), tuple(layers))
    with pytest.raises(NotAnImage, match=said):
        check_image(manifest)


@pytest.mark.parametrize(
    ("status", "content_range", "announced", "offset", "expected"),
    [
        (200, None, 100, 0, 0),
        (200, None, None, 0, 0),
        (200, None, 100, 40, 40),
        (206, "bytes 40-99/100", 60, 40, 0),
        (206, "bytes 40-99/*", 60, 40, 0),
        (206, "bytes 30-99/100", 70, 40, 10),
        (206, "bytes 40-59/100", 20, 40, 0),
        (206, "bytes 0-99/100", 100, 0, 0),
    ],
)
def test_bytes_that_are_held_already_are_skipped(
    status: int, content_range: str | None, announced: int | None, offset: int, expected: int
) -> None:
    assert bytes_to_skip(status, content_range, announced, offset, 100) == expected


@pytest.mark.parametrize(
    ("status", "content_range", "announced", "offset", "said"),
    [
        (200, None, 99, 0, "announces 99 bytes where 100"),
        (200, None, 60, 40, "announces 60 bytes where 100"),
        (206, None, 60, 40, "without saying which"),
        (206, "bytes 50-99/100", 50, 40, "from 50 of 100"),
        (206, "bytes 40-98/99", 59, 40, "from 40 of 99"),
        (416, None, None, 0, "refuses"),
    ],
)
def test_an_answer_that_contradicts_the_descriptor_is_refused(
    status: int, content_range: str | None, announced: int | None, offset: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        bytes_to_skip(status, content_range, announced, offset, 100)


def test_a_range_that_cannot_be_satisfied_means_to_start_over() -> None:
    with pytest.raises(StartOver):
        bytes_to_skip(416, "bytes */50", 0, 40, 100)
