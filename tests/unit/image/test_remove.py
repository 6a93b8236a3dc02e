"""What a removal may take: docker's rules as a table."""

from __future__ import annotations

import pytest

from hardtack.image.catalog import Entry
from hardtack.image.remove import ImageInUse, plan_removal
from hardtack.oci.digest import Digest
from hardtack.oci.reference import Reference
from hardtack.store.holders import ContainerUse
from hardtack.store.reference import ImageRow

ID = Digest("sha256:" + "abc" + "0" * 61)
MANIFEST = "sha256:" + "1" * 64
RUNNING = ContainerUse("r" * 64, "web", "running")
STOPPED = ContainerUse("5" * 64, "old", "exited")


def entry(*names: str, pulled: bool = False) -> Entry:
    found = Entry(ID)
    found.rows = [ImageRow(MANIFEST, ID, 1.0, 1.0)]
    found.references = [(Reference.parse(name), MANIFEST) for name in names]
    if pulled:
        found.origins = {(name.repository, MANIFEST) for name, _ in found.references}
    return found


@pytest.mark.parametrize(
    ("names", "text", "untagged", "image"),
    [
        (["app:1"], "app:1", ["app:1"], True),
        (["app:latest"], "app", ["app:latest"], True),
        (["app:1", "app:2"], "app:1", ["app:1"], False),
        (["app:1", "other:1"], "other:1", ["other:1"], False),
        (["app:1"], "abc", ["app:1"], True),
        (["app:1"], str(ID), ["app:1"], True),
        (["app:1"], MANIFEST, ["app:1"], True),
        ([], "abc", [], True),
        (["app:1", f"app@{MANIFEST}"], "app:1", ["app:1", f"app@{MANIFEST}"], True),
        (["app:1", f"app@{MANIFEST}"], f"app@{MANIFEST}", [f"app@{MANIFEST}"], False),
        (["app:1", f"app@{MANIFEST}", "other:1"], "app:1", ["app:1", f"app@{MANIFEST}"], False),
        (["app:1", f"app@{MANIFEST}"], "abc", ["app:1", f"app@{MANIFEST}"], True),
        (["app:1", "app:2"], f"app@{MANIFEST}", ["app:1", "app:2"], True),
        (["abc:latest"], "abc:latest", ["abc:latest"], True),
    ],
)
def test_a_name_goes_alone_and_takes_the_image_only_with_the_last(
    names: list[str], text: str, untagged: list[str], image: bool
) -> None:
    plan = plan_removal(entry(*names), text, [], force=False)
    assert (list(plan.untagged), plan.image) == (untagged, image)


def test_the_digest_that_a_pull_brought_is_listed_with_the_last_tag_of_its_repository() -> None:
    both = entry("app:1", "app:2", pulled=True)
    assert list(plan_removal(both, "app:1", [], force=False).untagged) == ["app:1"]
    last = entry("app:2", pulled=True)
    assert list(plan_removal(last, "app:2", [], force=False).untagged) == ["app:2", f"app@{MANIFEST}"]


@pytest.mark.parametrize("text", ["abc", str(ID)])
def test_an_id_with_several_names_must_be_forced(text: str) -> None:
    with pytest.raises(ImageInUse, match=r"conflict: unable to delete abc0{9} \(must be forced\) - .*multiple repos"):
        plan_removal(entry("app:1", "other:1"), text, [], force=False)
    plan = plan_removal(entry("app:1", "other:1"), text, [], force=True)
    assert plan.image
    assert len(plan.names) == 2


@pytest.mark.parametrize("user", [RUNNING, STOPPED])
def test_the_last_name_of_an_image_in_use_must_be_forced(user: ContainerUse) -> None:
    with pytest.raises(ImageInUse, match=rf'reference "app:1" \(must force\) - container {user.id[:12]}') as caught:
        plan_removal(entry("app:1"), "app:1", [user], force=False)
    assert caught.value.forcible


def test_one_of_several_names_may_go_while_the_image_is_in_use() -> None:
    plan = plan_removal(entry("app:1", "app:2"), "app:1", [RUNNING], force=False)
    assert (list(plan.untagged), plan.image) == (["app:1"], False)


def test_force_takes_the_name_but_never_the_image_of_a_running_container() -> None:
    plan = plan_removal(entry("app:1"), "app:1", [RUNNING], force=True)
    assert (list(plan.untagged), plan.image) == (["app:1"], False)
    assert plan_removal(entry("app:1"), "app:1", [STOPPED], force=True).image
    with pytest.raises(ImageInUse, match=r"cannot be forced.*running container") as caught:
        plan_removal(entry("app:1"), "abc", [RUNNING], force=True)
    assert not caught.value.forcible


def test_an_id_that_a_stopped_container_uses_must_be_forced() -> None:
    with pytest.raises(ImageInUse, match=r"must be forced.*stopped container"):
        plan_removal(entry("app:1"), "abc", [STOPPED], force=False)
    assert plan_removal(entry("app:1"), "abc", [STOPPED], force=True).image
