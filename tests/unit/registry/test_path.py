"""A path is read from the right, whatever words a repository's name contains."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.registry.api.path import Kind, Target, split

WORDS = st.sampled_from(["a", "b1", "blobs", "uploads", "manifests", "tags", "list", "referrers", "x-y"])
NAMES = st.lists(WORDS, min_size=1, max_size=5).map("/".join)
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v2/", Target(Kind.BASE)),
        ("/v2", Target(Kind.BASE)),
        ("/v2/_catalog", Target(Kind.CATALOG)),
        ("/v2/a/tags/list", Target(Kind.TAGS, "a")),
        ("/v2/a/b/manifests/v1", Target(Kind.MANIFEST, "a/b", "v1")),
        (f"/v2/a/manifests/{DIGEST}", Target(Kind.MANIFEST, "a", DIGEST)),
        (f"/v2/a/manifests/{DIGEST.replace(':', '%3A')}", Target(Kind.MANIFEST, "a", DIGEST)),
        (f"/v2/a/blobs/{DIGEST}", Target(Kind.BLOB, "a", DIGEST)),
        ("/v2/a/blobs/uploads/", Target(Kind.UPLOADS, "a")),
        ("/v2/a/blobs/uploads", Target(Kind.UPLOADS, "a")),
        ("/v2/a/blobs/uploads/id", Target(Kind.UPLOAD, "a", "id")),
        (f"/v2/a/referrers/{DIGEST}", Target(Kind.REFERRERS, "a", DIGEST)),
    ],
)
def test_every_address_of_the_api(path: str, target: Target) -> None:
    assert split(path) == target


@pytest.mark.parametrize(
    "path", ["/", "/v1/", "/v2/a", "/v2/a/manifests/", "/v2/a/blobs/", "/v2/a/tags", "/v2/a/x/y", "v2/"]
)
def test_other_paths_are_no_addresses(path: str) -> None:
    assert split(path) is None


@settings(deadline=None)
@given(NAMES)
def test_a_name_may_contain_the_apis_words(name: str) -> None:
    assert split(f"/v2/{name}/manifests/v1") == Target(Kind.MANIFEST, name, "v1")
    assert split(f"/v2/{name}/tags/list") == Target(Kind.TAGS, name)
    assert split(f"/v2/{name}/blobs/{DIGEST}") == Target(Kind.BLOB, name, DIGEST)
    assert split(f"/v2/{name}/blobs/uploads/") == Target(Kind.UPLOADS, name)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_path_breaks_the_reading(path: str) -> None:
    split("/v2/" + path)
