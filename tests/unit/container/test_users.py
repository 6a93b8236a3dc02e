"""Users and groups as the image's own files have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.container.users import UserUnknown, find_user, resolve

PASSWD = "root:x:0:0:root:/root:/bin/sh\nbaker:x:1000:100:Baker:/home/baker:/bin/sh\nbroken\nodd:x:abc:1::/:\n"
GROUP = "root:x:0:\nusers:x:100:\noven:x:50:baker,root\nwheel:x:10:root\nbroken\n"


@pytest.mark.parametrize(
    ("text", "uid", "gid", "gids", "home"),
    [
        ("", 0, 0, [0, 50, 10], "/root"),
        ("root", 0, 0, [0, 50, 10], "/root"),
        ("0", 0, 0, [0, 50, 10], "/root"),
        ("baker", 1000, 100, [100, 50], "/home/baker"),
        ("1000", 1000, 100, [100, 50], "/home/baker"),
        ("baker:oven", 1000, 50, [50], "/home/baker"),
        ("baker:77", 1000, 77, [77], "/home/baker"),
        ("4242", 4242, 0, [0], "/"),
        ("4242:4343", 4242, 4343, [4343], "/"),
        (":oven", 0, 50, [50], "/root"),
    ],
)
def test_every_form_of_a_user_is_resolved(text: str, uid: int, gid: int, gids: list[int], home: str) -> None:
    user = resolve(PASSWD, GROUP, text)
    assert (user.uid, user.gid, user.gids, user.home) == (uid, gid, gids, home)
    assert user.gid in user.gids, "CVE-2022-36109"


@pytest.mark.parametrize("text", ["nobody", "baker:nothing", "99999999999", "-1", "odd", "2147483648"])
def test_what_is_not_there_is_an_error(text: str) -> None:
    with pytest.raises(UserUnknown):
        resolve(PASSWD, GROUP, text)


def test_groups_are_added_by_name_and_number() -> None:
    assert resolve(PASSWD, GROUP, "baker", ["wheel", "5"]).gids == [100, 50, 10, 5]


@given(st.text(), st.text(), st.text(max_size=20))
def test_no_file_of_an_image_makes_it_fail_otherwise(passwd: str, group: str, text: str) -> None:
    try:
        user = resolve(passwd, group, text)
    except UserUnknown:
        return
    assert 0 <= user.uid < 1 << 40 and user.gid in user.gids


def test_links_stay_inside_the_root_and_devices_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "secret").write_text("thief:x:1:1::/:\n")
    (tmp_path / "root/etc/passwd").symlink_to("../../secret")
    os.mkfifo(tmp_path / "root/etc/group")
    directory = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    try:
        with pytest.raises(UserUnknown):
            find_user(directory, "thief")
        assert find_user(directory, "").uid == 0
    finally:
        os.close(directory)
