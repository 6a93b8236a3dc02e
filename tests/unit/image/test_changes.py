"""`--change`: each instruction as a Dockerfile would mean it."""

from __future__ import annotations

from typing import Any

import pytest

from hardtack.image.changes import BadChange, apply_changes


@pytest.mark.parametrize(
    ("changes", "config"),
    [
        (['CMD ["sh", "-c", "x"]'], {"Cmd": ["sh", "-c", "x"]}),
        (["CMD echo $HOME"], {"Cmd": ["/bin/sh", "-c", "echo $HOME"]}),
        (["cmd []"], {"Cmd": []}),
        (["CMD [not json"], {"Cmd": ["/bin/sh", "-c", "[not json"]}),
        (['ENTRYPOINT ["/init"]'], {"Entrypoint": ["/init"]}),
        (["ENV a=1 b='2 3' c=\"4 5\""], {"Env": ["a=1", "b=2 3", "c=4 5"]}),
        (["ENV a one two"], {"Env": ["a=one two"]}),
        (["ENV a=1", "ENV b=${a}2 c=$a$a d='$a' e=\\$a"], {"Env": ["a=1", "b=12", "c=11", "d=$a", "e=$a"]}),
        (["ENV a=1 b=2", "ENV a=3"], {"Env": ["b=2", "a=3"]}),
        (["ENV a=b\\ c"], {"Env": ["a=b c"]}),
        (["EXPOSE 80 53/udp"], {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
        (["EXPOSE 8000-8002"], {"ExposedPorts": {"8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}}}),
        (["LABEL a=1 b.c=\"x y\""], {"Labels": {"a": "1", "b.c": "x y"}}),
        (["USER nobody:users"], {"User": "nobody:users"}),
        (["VOLUME /a /b"], {"Volumes": {"/a": {}, "/b": {}}}),
        (['VOLUME ["/a b"]'], {"Volumes": {"/a b": {}}}),
        (["WORKDIR app"], {"WorkingDir": "/app"}),
        (["WORKDIR /a", "WORKDIR b/../c"], {"WorkingDir": "/a/c"}),
        (["STOPSIGNAL SIGINT"], {"StopSignal": "SIGINT"}),
        (["ONBUILD RUN x"], {"OnBuild": ["RUN x"]}),
    ],
)  # fmt: skip
def test_a_change_is_made(changes: list[str], config: dict[str, Any]) -> None:
    assert apply_changes({}, changes) == config


@pytest.mark.parametrize(
    "change",
    [
        "",
        "RUN x",
        "FROM x",
        "COPY a b",
        "CMD",
        "ENV a",
        "ENV =1",
        "ENV a=1 b",
        "ENV a='1",
        "ENV a=${b:-c}",
        "EXPOSE 0",
        "EXPOSE 80/icmp",
        "EXPOSE 70000",
        "EXPOSE 90-80",
        "EXPOSE x",
        "USER a b",
        "VOLUME ['']",
        'VOLUME [""]',
        "ONBUILD ONBUILD RUN x",
        "ONBUILD FROM x",
    ],
)
def test_what_is_no_change_is_refused(change: str) -> None:
    if change == "VOLUME ['']":  # no JSON, so it is a path in words
        assert apply_changes({}, [change]) == {"Volumes": {"[]": {}}}
        return
    with pytest.raises(BadChange):
        apply_changes({}, [change])


def test_the_config_that_came_in_is_left_as_it_was() -> None:
    before = {"Env": ["a=1"], "Labels": {"x": "y"}, "Volumes": {"/v": {}}}
    apply_changes(before, ["ENV b=2", "LABEL z=1", "VOLUME /w", "EXPOSE 1"])
    assert before == {"Env": ["a=1"], "Labels": {"x": "y"}, "Volumes": {"/v": {}}}
