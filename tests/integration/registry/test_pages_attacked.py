"""Pages under attack: forms of other sites and sessions, pages of what one may not see, texts that would be scripts."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from hardtack.registry.web.markdown import rendered
from hardtack.registry.web.table import ADDRESSES
from support.accounts import SHELL
from support.our_registry import Answer
from support.registry_worker import Worker, account, registry_worker

INDEX = b'{"schemaVersion":2,"manifests":[]}'
FORM = "application/x-www-form-urlencoded"
EVIL = """# <script>alert(1)</script>
<img src=x onerror=alert(1)>
[run](javascript:alert(1)) [data](data:text/html;base64,PHNjcmlwdD4=) ![see](javascript:alert(1) "x\\" onload=alert(1)")
<a href="javascript:alert(1)" onclick="alert(1)">x</a> <iframe src="//evil.example"></iframe> <style>*{}</style>
<form action="//evil.example"><input name=password></form>
"""


class Visitor:
    """Somebody with a session of the pages."""

    def __init__(self, worker: Worker, name: str) -> None:
        accounts = worker.service.accounts
        assert accounts is not None
        self.authorization = account(worker, name, admin=name == "root")
        self.session = worker.run(accounts.sessions.begin(name, "127.0.0.1", "test"))
        self._client = worker.client

    def get(self, path: str) -> Answer:
        return self._client("GET", path, Cookie=f"hardtack={self.session.cookie}")

    def send(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        cookie = f"hardtack={self.session.cookie}"
        return self._client("POST", path, urlencode(fields), Content_Type=FORM, Cookie=cookie, **headers)

    def api(self, method: str, path: str, body: object) -> Answer:
        return self._client(method, f"/api/v1{path}", json.dumps(body).encode(), Authorization=self.authorization)


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with registry_worker(tmp_path_factory.mktemp("pages") / "root", accounts=True) as worker:
        yield worker


@pytest.fixture(scope="module")
def ada(worker: Worker) -> Visitor:
    ada = Visitor(worker, "ada")
    put = worker.client(
        "PUT",
        "/v2/ada/secret/manifests/v1",
        INDEX,
        Authorization=ada.authorization,
        Content_Type="application/vnd.oci.image.index.v1+json",
    )
    assert put.status == 201
    return ada


@pytest.fixture(scope="module")
def bob(worker: Worker) -> Visitor:
    return Visitor(worker, "bob")


def test_a_form_is_done_for_its_own_session_and_for_no_other_site(worker: Worker, ada: Visitor, bob: Visitor) -> None:
    forged = {"do": "edit", "title": "Eve", "email": ""}
    own = {**forged, "csrf": ada.session.csrf}
    for fields in (forged, {**forged, "csrf": ""}, {**forged, "csrf": bob.session.csrf}):
        assert ada.send("/account", fields).status == 403
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "same-site"}):
        assert ada.send("/account", own, **headers).status == 403
    assert worker.client("POST", "/account", urlencode(own), Content_Type=FORM).status == 403
    basic = {"Authorization": ada.authorization, "Content_Type": FORM}
    assert worker.client("POST", "/account", urlencode(own), **basic).status == 403, "a password rides along"
    assert b"Eve" not in ada.get("/account").body
    done = ada.send("/account", {**own, "title": "Ada"}, Origin=f"http://{worker.host}")
    assert (done.status, done.headers["location"]) == (303, "/account?done=saved")
    assert b"Ada" in ada.get("/account").body


def test_every_page_and_form_of_what_one_may_not_see_is_not_there(ada: Visitor, bob: Visitor) -> None:
    assert ada.get("/ada/secret").status == 200
    root_only = [path for path in ADDRESSES.pages if path.startswith("/admin")]
    of_repository = [path for path in ADDRESSES.pages if "{repository}" in path]
    assert len(root_only) >= 5
    assert len(of_repository) >= 8
    for path in root_only + of_repository:
        page = ADDRESSES.pages[path]
        there = path.replace("{repository}/-/image", "ada/secret:v1").replace("{repository}/-/", "ada/secret/-/")
        there = re.sub(r"\{\w+\}", "ada", there.removesuffix("/-/"))
        assert bob.get(there).status == 404, there
        for do in page.forms:
            fields = {"do": do, "csrf": bob.session.csrf, "reference": "v1", "confirm": "ada/secret"}
            assert bob.send(there, fields).status == 404, (there, do)
    assert ada.get("/ada/secret").status == 200


def test_pages_cannot_be_framed_kept_or_scripted(ada: Visitor) -> None:
    for path in ("/", "/login", "/account", "/ada/secret", "/ada/secret:v1", "/no/such"):
        headers = ada.get(path).headers
        rules = dict(rule.strip().partition(" ")[::2] for rule in headers["content-security-policy"].split(";"))
        assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'", path
        assert rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
        assert headers["cache-control"] == "no-store"


def test_a_readme_is_text_and_never_a_script(ada: Visitor) -> None:
    assert ada.api("PATCH", "/repositories/ada/secret", {"readme": EVIL, "summary": "<b onclick=x>"}).status == 200
    for path in ("/ada/secret/-/readme", "/ada/secret", "/?q=ada"):
        page = ada.get(path)
        assert page.status == 200
        html = page.body.decode()
        article = html.partition('<article class="prose">')[2].partition("</article>")[0]
        assert not re.search(r"<(?:script|img|iframe|style|form|input)\b", article), article
        assert not re.search(r"<[^>]*(?:javascript:|data:text|\son\w+=)", html), html


async def test_a_readme_that_takes_long_holds_nobody_up() -> None:
    reading = asyncio.create_task(rendered("![" * 15_000))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 10
    assert "<script" not in await reading


def test_no_page_has_an_address_that_a_browser_takes_for_a_host(ada: Visitor) -> None:
    for path in ("//ada/secret", "//ada/secret/-/settings", "//account", "/%2Fada/secret"):
        assert ada.get(path).status == 404, path
    assert ada.get("/login?next=//evil.example/").headers["location"] == "/account"


def test_who_must_choose_a_password_gets_to_nothing_else(worker: Worker) -> None:
    accounts = worker.service.accounts
    assert accounts is not None
    carl = Visitor(worker, "carl")
    worker.run(accounts.users.set_password(SHELL, "carl", "a one-time thing"))
    carl.session = worker.run(accounts.sessions.begin("carl", "127.0.0.1", "test"))
    for path in ("/", "/account", "/account/tokens"):
        assert carl.get(path).headers["location"] == "/account/password", path
    made = carl.send("/account/tokens", {"do": "create", "csrf": carl.session.csrf, "name": "x", "life": "7"})
    assert made.headers["location"] == "/account/password"
