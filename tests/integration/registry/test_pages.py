"""The pages show what is there, link to each other, and are safe whatever an image says of itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hardtack.registry.config.document import Config
from hardtack.registry.config.server import ServerSection
from support.our_registry import Client, image_config
from support.page_forms import Page, checked
from support.registry_worker import Worker, registry_worker

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 'ha' * 9 }}\u202e"


def page(client: Client, path: str, status: int = 200) -> Page:
    answer = client("GET", path)
    assert answer.status == status, answer
    return checked(answer)


def history(*instructions: tuple[str, bool]) -> list[dict[str, Any]]:
    return [{"created_by": text, **({"empty_layer": True} if empty else {})} for text, empty in instructions]


@pytest.fixture
def cookies(worker: Worker) -> Client:
    config = image_config(
        2, Env=["FLAVOUR=classic"], Entrypoint=["bake"], ExposedPorts={"8080/tcp": {}}, Labels={"maintainer": "Ada"}
    )
    config["history"] = history(
        ("/bin/sh -c #(nop) ADD file:1 in / ", False),
        ("ENV FLAVOUR=classic", True),
        ("RUN /bin/sh -c make dough # buildkit", False),
        ('CMD ["--hot"]', True),
    )
    digest = worker.client.push_image("bakery/cookies", "classic", [b"a" * 3000, b"b" * 1000], config)
    worker.client.push_index("bakery/cookies", "everywhere", {"amd64": digest})
    return worker.client


def test_the_first_page_of_an_empty_registry_says_how_to_begin(worker: Worker) -> None:
    text = page(worker.client, "/").text
    assert f"tack push {worker.host}/bakery/cookies:classic" in text


def test_the_list_links_to_every_repository(cookies: Client) -> None:
    home = page(cookies, "/")
    assert "/bakery/cookies" in home.links()
    assert "2 tags" in home.text


def test_a_search_finds_names_and_repeats_nothing_unescaped(cookies: Client) -> None:
    cookies.push_image("other/thing", "v1")
    assert "/other/thing" not in page(cookies, "/?q=COOK").links()
    assert "/bakery/cookies" in page(cookies, "/?q=COOK").links()
    assert "/bakery/cookies" not in page(cookies, "/?q=b%25c").links()
    evil = page(cookies, "/?q=" + "%3Cscript%3E%22x")
    assert [tag for tag, _ in evil.tags].count("script") == 1


def test_a_repository_shows_its_tags_and_a_command(cookies: Client) -> None:
    read = page(cookies, "/bakery/cookies")
    assert {"/bakery/cookies:classic", "/bakery/cookies:everywhere"} <= set(read.links())
    assert "linux/amd64" in read.text
    assert f"tack pull {cookies.host}/bakery/cookies:" in read.text


@pytest.mark.parametrize("tag", ["classic", "everywhere"])
def test_an_image_shows_which_instruction_made_which_layer(cookies: Client, tag: str) -> None:
    read = page(cookies, f"/bakery/cookies:{tag}")
    for expected in ("RUN make dough", 'CMD ["--hot"]', "FLAVOUR", "8080/tcp", "maintainer", '["bake"]', "2 layers"):
        assert expected in re.sub(r"\s+", " ", read.text), expected
    steps = [attributes["class"] for name, attributes in read.tags if name == "li" and attributes.get("id")]
    assert steps == ["layer", "note", "layer", "note"]


def test_every_link_of_every_page_leads_somewhere(cookies: Client) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.startswith("#"):
            continue
        seen.add(path)
        if path.startswith("/v2/"):
            assert cookies("GET", path).status == 200
            continue
        waiting += page(cookies, path).links()
    assert len(seen) >= 6


@pytest.mark.parametrize("lane", ["config", "manifest", "artifact"])
def test_what_an_image_says_of_itself_is_text_and_nothing_more(worker: Worker, lane: str) -> None:
    config = image_config(1, Env=[EVIL], Labels={EVIL: EVIL * 2000}, Cmd=[EVIL], User=EVIL, ExposedPorts={EVIL: {}})
    config |= {"history": history((EVIL, False), (EVIL, True)), "created": EVIL, "author": EVIL, "variant": ""}
    fields: dict[str, Any] = {"annotations": {EVIL: EVIL}}
    if lane == "artifact":
        fields["artifactType"] = EVIL.rstrip("\u202e")  # which would be refused
    worker.client.push_image("m/evil", "v1", [b"x"], config if lane == "config" else None, **fields)
    read = page(worker.client, "/m/evil:v1")
    names = [tag for tag, _ in read.tags]
    assert names.count("script") == 1
    assert names.count("img") == 1
    assert "ha" * 9 not in read.text
    assert "\u202e" not in read.text
    assert "<script>alert(1)</script>" in read.text


def test_long_texts_are_cut(worker: Worker) -> None:
    config = image_config(1, Labels={"long": "x" * 300_000})
    config["history"] = history(("RUN " + "y" * 500_000, False))
    worker.client.push_image("m/long", "v1", [b"x"], config)
    answer = worker.client("GET", "/m/long:v1")
    assert len(answer.body) < 60_000
    assert b"characters more" in answer.body


@pytest.mark.parametrize(
    "config", [b"", b"[]", b'{"rootfs":7}', b"\xff\xfe", b'{"a":' * 2000, b"{}" + b" " * (2 << 20)]
)
def test_a_config_that_cannot_be_read_leaves_a_page_without_one(worker: Worker, config: bytes) -> None:
    client = worker.client
    layer = client.push_blob("m/odd", b"layer")
    document = {
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": client.push_blob("m/odd", config),
            "size": len(config),
        },
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 5}],
    }
    client.push_manifest("m/odd", "v1", document)
    assert layer[7:19] in page(client, "/m/odd:v1").text
    assert "/m/odd:v1" in page(client, "/m/odd").links()


def test_an_index_without_its_images_and_one_of_itself_have_pages(worker: Worker) -> None:
    entry = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:" + "1" * 64, "size": 5}
    index = {"schemaVersion": 2, "manifests": [entry]}
    worker.client.push_manifest("m/hollow", "v1", index, "application/vnd.oci.image.index.v1+json")
    assert "no platform" in page(worker.client, "/m/hollow:v1").text
    assert "/m/hollow:v1" in page(worker.client, "/m/hollow").links()


@pytest.mark.parametrize(
    "path",
    ["/none", "/bakery/none", "/bakery/cookies:none", "/bakery/cookies@sha256:00", "/..%2f..%2fetc", "/%00", "/_/none",
     "/bakery/cookies:a:b", "/static", "/bakery/cookies@sha256:" + "0" * 64],
)  # fmt: skip
def test_what_is_not_there_has_a_page_that_says_so(cookies: Client, path: str) -> None:
    assert "Nothing here" in page(cookies, path, 404).text


def test_a_made_up_host_is_not_repeated(worker: Worker) -> None:
    answer = worker.client("GET", "/", Host='127.0.0.1:1"><b>')
    assert b"<b>" not in answer.body


def test_commands_name_the_registry_as_clients_call_it_behind_a_proxy(tmp_path: Path) -> None:
    config = Config(server=ServerSection(url="https://registry.example.org"))
    with registry_worker(tmp_path, base=config) as worker:
        assert "tack push registry.example.org/bakery/cookies:classic" in page(worker.client, "/").text


def test_assets_may_be_kept_for_ever_and_change_their_name_when_they_change(cookies: Client) -> None:
    home = page(cookies, "/")
    style = next(str(attributes["href"]) for tag, attributes in home.tags if attributes.get("rel") == "stylesheet")
    answer = cookies("GET", style)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert "?v=" in style
    assert cookies("GET", "/favicon.ico").status == 302


def test_only_reading_is_possible_on_pages(cookies: Client) -> None:
    assert cookies("POST", "/", b"").status == 405
    assert cookies("HEAD", "/").status == 200


def test_many_tags_come_by_pages(worker: Worker) -> None:
    worker.client.push_image("m/many", "first")
    raw = worker.client("GET", "/v2/m/many/manifests/first").body
    for number in range(60):
        worker.client.push_manifest("m/many", f"t{number}", raw)
    tags: list[str] = []
    path = "/m/many"
    while path:
        read = page(worker.client, path)
        tags += [link for link in read.links() if link.startswith("/m/many:")]
        path = next((str(attributes["href"]) for _, attributes in read.tags if attributes.get("rel") == "next"), "")
    assert len(tags) == len(set(tags)) == 61
    assert tags[0] == "/m/many:t59"
    assert page(worker.client, "/m/many?q=t5").links().count("/m/many:t5") == 1
