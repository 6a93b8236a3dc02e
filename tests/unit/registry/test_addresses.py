"""Which page a path names, and which paths name none."""

from __future__ import annotations

import pytest

from hardtack.registry.names import RESERVED
from hardtack.registry.web.table import ADDRESSES

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/", {}),
        ("/login", {}),
        ("/account/", {}),
        ("/organisations/guild/teams", {"organisation": "guild"}),
        ("/admin/users/ada", {"user": "ada"}),
        ("/ada/app", {"repository": "ada/app"}),
        ("/a/b/c/d", {"repository": "a/b/c/d"}),
        ("/ada/app:v1", {"repository": "ada/app", "tag": "v1", "reference": "v1"}),
        (f"/ada/app@{DIGEST}", {"repository": "ada/app", "tag": "", "reference": DIGEST}),
        ("/ada/app/-/settings/webhooks/3", {"repository": "ada/app", "webhook": "3"}),
        (f"/ada/app/-/why/{DIGEST}", {"repository": "ada/app", "digest": DIGEST}),
    ],
)
def test_a_path_names_a_page(path: str, names: dict[str, str]) -> None:
    found = ADDRESSES.find(path)
    assert found is not None
    assert found[1] == names


@pytest.mark.parametrize(
    "path",
    ["/admin/none", "/login/x", "/account/x/y", "/ada/app/-/none", "/ada/app/-/", "/ada/app/-", "/-/settings",
     "/Ada/app", "/ada/app:", "/ada/app:a:b", "/ada/app@sha256:0", "/ada/app@", "/../etc", "/ada//app",
     "/ada/app/-/image", "/ada/../x/-/settings", "/admin/-/settings", "/organisations/a/b", "/v2/x",
     f"/ada/app:v1@{DIGEST}/-/settings"],
)  # fmt: skip
def test_other_paths_name_none(path: str) -> None:
    assert ADDRESSES.find(path) is None


def test_no_repository_can_have_the_name_of_a_page() -> None:
    for path in ADDRESSES.pages:
        first = path.split("/")[1]
        assert first in ("", "{repository}") or first in RESERVED, path


def test_every_page_has_a_guard_and_every_form_a_name() -> None:
    for path, page in ADDRESSES.pages.items():
        assert callable(page.guard), path
        assert all(do for do in page.forms), path
