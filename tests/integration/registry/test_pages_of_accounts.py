"""The pages with accounts on: who sees what, what forms do, and that no form is done for somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hardtack.registry.config.access import OidcSection
from hardtack.registry.config.document import Config
from hardtack.registry.config.server import ServerSection
from hardtack.registry.events.audit import audit
from hardtack.registry.web.table import ADDRESSES
from support.our_registry import Answer, Client
from support.page_forms import Visitor
from support.registry_worker import Worker, account, registry_worker

TOKEN = r"tack_(?:pat|bot)_[a-z2-7]{12}_[0-9A-Za-z]{49}"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


class Pusher(Client):
    """A client of the API with somebody's password."""

    def __init__(self, host: str, authorization: str) -> None:
        super().__init__(host)
        self._authorization = authorization

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return super().__call__(method, path, body, **{"Authorization": self._authorization, **headers})


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with registry_worker(tmp_path_factory.mktemp("pages") / "root", accounts=True) as worker:
        yield worker


@pytest.fixture(scope="module")
def root(worker: Worker) -> Visitor:
    account(worker, "root", admin=True)
    return Visitor(worker, "root")


@pytest.fixture(scope="module")
def push(worker: Worker) -> Pusher:
    return Pusher(worker.host, account(worker, "ada"))


@pytest.fixture(scope="module")
def ada(worker: Worker, push: Pusher) -> Visitor:
    push.push_image("ada/app", "v1")
    return Visitor(worker, "ada")


@pytest.fixture(scope="module")
def bob(worker: Worker) -> Visitor:
    account(worker, "bob")
    return Visitor(worker, "bob")


@pytest.fixture(scope="module")
def guild(root: Visitor, ada: Visitor) -> str:
    """An organisation that ada owns."""
    root.does("/admin/organisations", "create", name="guild", owner="ada", title="Guild")
    return "guild"


def addresses(repository: str = "ada/app", digest: str = "sha256:" + "0" * 64) -> dict[str, Any]:
    """Every page there is, with something at each parameter."""
    names = {"repository": repository, "organisation": "guild", "user": "ada", "webhook": "1", "digest": digest}
    found = {re.sub(r"\{(\w+)\}", lambda match: names[match[1]], path): page for path, page in ADDRESSES.pages.items()}
    return {path.removesuffix("/-/").replace("/-/image", ":v1"): page for path, page in found.items()}


FORMS = [(path, do) for path, page in addresses().items() for do in page.forms]


def everything(worker: Worker) -> list[tuple[Any, ...]]:
    """What forms could change, as far as it is written down."""

    def script() -> Any:
        found = []
        for table in ("audit", "account", "permission", "membership", "team", "tag", "webhook"):
            found += yield f"SELECT count(*) FROM {table}", ()
        found += yield (
            "SELECT name, summary, visibility, readme, retention, immutable FROM repository ORDER BY name",
            (),
        )
        return found

    return worker.run(worker.service.database.browse(script))


def test_there_are_forms() -> None:
    assert len(FORMS) >= 40


@pytest.mark.parametrize("token", ["", "another session's", "guessed"])
def test_no_form_is_done_without_the_token_of_the_session(
    worker: Worker, root: Visitor, ada: Visitor, bob: Visitor, guild: str, token: str
) -> None:
    given = {"": "", "another session's": bob.csrf, "guessed": "x" * 43}[token]
    before = everything(worker)
    for path, do in FORMS:
        for visitor in (root, ada):
            answer = visitor.send(path, do, csrf=given, confirm="ada/app", name="ada", user="bob")
            assert answer.status == 403, (path, do, answer)
    assert everything(worker) == before


def test_no_form_of_another_site_or_of_nobody_is_done(worker: Worker, root: Visitor, guild: str) -> None:
    before = everything(worker)
    nobody = Visitor(worker)
    for path, do in FORMS:
        for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            assert root.send(path, do, headers=headers).status == 403, (path, do)
        assert nobody.send(path, do, csrf=root.csrf).status == 403
        assert nobody.send(path, do).status == 403
    assert everything(worker) == before


def test_what_is_private_is_not_there_for_others(worker: Worker, ada: Visitor, bob: Visitor, root: Visitor) -> None:
    nobody = Visitor(worker)
    for path, page in addresses().items():
        if not path.startswith("/ada/app"):
            continue
        for visitor in (nobody, bob):
            status = visitor.get(path).status
            assert status == 404 or (status == 303 and visitor is nobody and page.forms), (path, status)
        absent = bob.get(path.replace("/ada/app", "/ada/none"))
        assert absent.status == 404
        assert absent.body.replace(b"none", b"app") == bob.get(path).body
        for do in page.forms:
            assert bob.send(path, do, confirm="ada/app", to="bob/app", visibility="public").status == 404, (path, do)
    assert "Log in" in nobody.page("/ada/app", 404).text
    assert "/ada/app" not in bob.page("/").links()
    assert "/ada/app" in ada.page("/").links()
    assert "/ada/app" in root.page("/").links()


def test_a_page_for_somebody_sends_everybody_to_the_login_and_back(worker: Worker, ada: Visitor) -> None:
    nobody = Visitor(worker)
    answer = nobody.get("/account/tokens?x=1")
    assert answer.status == 303
    assert answer.headers["location"] == "/login?next=" + quote("/account/tokens?x=1", safe="")
    login = nobody.page(answer.headers["location"])
    assert login.value("next") == "/account/tokens?x=1"
    sent = nobody.send("/login", name="ada", password="the password of ada", next=login.value("next"))
    assert (sent.status, sent.headers["location"]) == (303, "/account/tokens?x=1")


@pytest.mark.parametrize(
    ("query", "text"),
    [("failed=wrong", "wrong"), ("failed=disabled", "disabled"), ("failed=wait&seconds=7", "Wait 7 seconds"),
     ("failed=wait&seconds=<b>", "Wait 60"), ("failed=provider&why=Call+0900", "provider")],
)  # fmt: skip
def test_the_login_says_what_went_wrong_in_its_own_words(worker: Worker, query: str, text: str) -> None:
    page = Visitor(worker).page(f"/login?{query}")
    assert text in page.text
    assert "0900" not in page.text


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_a_login_leads_to_no_other_site(worker: Worker, where: str) -> None:
    assert Visitor(worker).page(f"/login?next={quote(where)}").value("next") == "/"


def test_logging_out_ends_the_session(worker: Worker, bob: Visitor) -> None:
    visitor = Visitor(worker, "bob")
    assert visitor.send("/logout", csrf="no").status != 303
    assert visitor.get("/account").status == 200
    assert visitor.send("/logout").status == 303
    assert visitor.get("/account").status == 303


def test_a_one_time_password_is_good_for_choosing_another_and_nothing_else(worker: Worker, root: Visitor) -> None:
    page = root.does("/admin/users", "create", name="carol", title="Carol", email="carol@example.org")
    password = re.search(r"[a-z2-9]{5}(-[a-z2-9]{5}){3}", page.text)
    assert password is not None
    assert password[0] not in root.page("/admin/users").text
    carol = Visitor(worker)
    assert carol.log_in("carol", password[0]).headers["location"] == "/account/password"
    for path in ("/", "/account", "/account/tokens", "/ada/app", "/none", "/admin"):
        answer = carol.get(path)
        assert (answer.status, answer.headers["location"]) == (303, "/account/password"), path
    assert carol.send("/account/tokens", "create", name="x", scope="all").headers["location"] == "/account/password"
    new = "a much better one"
    refused = carol.refused("/account/password", "change", 400, old=password[0], new=new, again="typed otherwise")
    assert new not in str(refused.tags)
    carol.does("/account/password", "change", old=password[0], new=new, again=new)
    assert "carol" in carol.page("/account").text


def test_other_sessions_end_with_a_new_password(worker: Worker, bob: Visitor) -> None:
    one, other = Visitor(worker, "bob"), Visitor(worker, "bob")
    one.does(
        "/account/password", "change", old="the password of bob", new="entirely new words", again="entirely new words"
    )
    assert one.get("/account").status == 200
    assert other.get("/account").status == 303
    one.does(
        "/account/password", "change", old="entirely new words", new="the password of bob", again="the password of bob"
    )
    bob.log_in("bob", "the password of bob")


def test_a_token_is_shown_once_and_good_until_it_is_revoked(worker: Worker, ada: Visitor, push: Pusher) -> None:
    page = ada.does(
        "/account/tokens", "create", name="laptop", life="30", scope="some", pattern0="ada/**", rights0="read"
    )
    text = re.search(TOKEN, page.text)
    assert text is not None
    assert text[0] not in ada.page("/account/tokens").text
    bearer = {"Authorization": f"Bearer {text[0]}"}
    assert worker.client("GET", "/v2/ada/app/tags/list", **bearer).status == 200
    listed = ada.page("/account/tokens")
    assert "ada/**" in listed.text
    identity = text[0].split("_")[2]
    assert identity in str(listed.tags)
    ada.does("/account/tokens", "revoke", token=identity)
    assert worker.client("GET", "/v2/ada/app/tags/list", **bearer).status == 401


def test_nobody_revokes_the_token_of_another(worker: Worker, ada: Visitor, bob: Visitor) -> None:
    page = ada.does("/account/tokens", "create", name="mine", life="30", scope="all")
    text = re.search(r"tack_pat_(\w{12})_", page.text)
    assert text is not None
    bob.refused("/account/tokens", "revoke", 404, token=text[1])
    assert "mine" in ada.page("/account/tokens").text


def test_a_refused_form_keeps_what_was_typed(ada: Visitor) -> None:
    page = ada.refused("/account/tokens", "create", 400, name="for later", life="7", scope="some")
    assert page.value("name") == "for later"
    assert "at least one repository" in page.text
    ada.refused("/account/tokens", "create", 400, name="x", life="7", scope="all", pattern0="ada/**", rights0="read")
    page = ada.refused("/account/new", "create", 400, name="bob/app", summary="kept")
    assert (page.value("name"), page.value("summary")) == ("bob/app", "kept")
    assert "do not administer bob" in page.text


def test_an_account_is_described_and_its_namespace_has_a_visibility(ada: Visitor, worker: Worker) -> None:
    assert ada.does("/account", "edit", title="Ada L.", email="ada@example.org").value("title") == "Ada L."
    ada.refused("/account", "edit", 400, title="Ada", email="no address")
    ada.does("/account", "visibility", visibility="internal")
    ada.does("/account/new", "create", name="ada/usual", summary="as usual")
    assert "internal" in ada.page("/ada/usual").text
    ada.does("/account", "visibility", visibility="")


def test_every_session_can_be_ended_at_once(worker: Worker, bob: Visitor) -> None:
    one, other = Visitor(worker, "bob"), Visitor(worker, "bob")
    one.does("/account", "end-sessions")
    assert other.get("/account").status == 303
    bob.log_in("bob", "the password of bob")


def test_a_robot_is_made_given_rights_and_switched_off(worker: Worker, ada: Visitor) -> None:
    page = ada.does("/account/robots", "create", name="ci", title="builds", life="", pattern0="ada/app", rights0="read")
    secret = re.search(TOKEN, page.text)
    assert secret is not None
    bearer = {"Authorization": f"Bearer {secret[0]}"}
    assert worker.client("GET", "/v2/ada/app/tags/list", **bearer).status == 200
    ada.does("/account/robots", "give", robot="ada+ci", pattern="ada/**", rights="write")
    assert "ada/**" in ada.page("/account/robots").text
    ada.refused("/account/robots", "give", 403, robot="ada+ci", pattern="bob/**", rights="write")
    ada.does("/account/robots", "disable", robot="ada+ci")
    assert worker.client("GET", "/v2/ada/app/tags/list", **bearer).status == 401
    assert "tack_bot_" in ada.does("/account/robots", "rotate", robot="ada+ci", life="7").text
    ada.does("/account/robots", "enable", robot="ada+ci")
    ada.does("/account/robots", "delete", robot="ada+ci")
    assert "ada+ci" not in ada.page("/account/robots").text


def test_robots_of_others_are_out_of_reach(ada: Visitor, bob: Visitor) -> None:
    ada.does("/account/robots", "create", name="own", title="", life="7")
    for do in ("rotate", "enable", "disable", "delete", "give", "take"):
        bob.refused("/account/robots", do, 404, robot="ada+own", life="7", pattern="bob/x", rights="read", grant="1")
    assert "ada+own" in ada.page("/account/robots").text


def test_an_organisation_is_run_by_its_owners_and_shown_to_its_members(
    worker: Worker, ada: Visitor, bob: Visitor, root: Visitor, guild: str
) -> None:
    home = f"/organisations/{guild}"
    assert bob.get(home).status == 404
    ada.does(home, "set-member", user="bob", role="member")
    assert "ada" in bob.page(home).text
    assert not bob.page(home).offers("set-member")
    assert bob.get(f"{home}/robots").status == bob.get(f"{home}/grants").status == 404
    assert bob.send(home, "set-member", user="bob", role="owner").status == 403
    assert bob.send(home, "visibility", visibility="public").status == 404
    assert bob.send(f"{home}/teams", "create", team="mine").status == 403
    ada.does(f"{home}/teams", "create", team="night")
    ada.does(f"{home}/teams", "add", team="night", user="bob")
    ada.does(f"{home}/teams", "give", team="night", pattern="guild/**", rights="write")
    assert "guild/**" in bob.page(f"{home}/teams").text
    ada.does(f"{home}/teams", "remove", team="night", user="bob")
    page = ada.does(f"{home}/grants", "give", holder="bob", pattern="guild/app", rights="maintain")
    number = page.value("grant")
    ada.does(f"{home}/grants", "take", grant=number)
    ada.refused(f"{home}/grants", "take", 404, grant="999999")
    ada.does(f"{home}/teams", "delete", team="night")
    ada.does(home, "visibility", visibility="internal")
    ada.refused(home, "set-member", 409, user="ada", role="member")
    bob.does(home, "remove-member", user="bob")
    assert bob.get(home).status == 404
    assert root.page(home).offers("set-member")
    assert ada.get("/organisations/none").status == ada.get("/organisations/bob").status == 404


def test_settings_are_saved_and_shown(worker: Worker, ada: Visitor, bob: Visitor, push: Pusher) -> None:
    push.push_image("ada/set", "v1")
    home = "/ada/set/-/settings"
    ada.does(home, "save", summary="A summary", visibility="internal", immutable="v*\r\n!v*-rc")
    assert "A summary" in bob.page("/ada/set").text
    assert "v*" in ada.page(home).text
    page = ada.refused(home, "save", 400, summary="x" * 300, visibility="private")
    assert page.value("summary") == "x" * 300
    assert bob.get(home).status == 404
    ada.refused("/ada/set/-/delete?reference=v1", "delete", 403, reference="v1")  # it is immutable


def test_a_readme_is_previewed_and_shown_clean(ada: Visitor) -> None:
    home = "/ada/app/-/settings/readme"
    text = f"# Title\r\n\r\n**bold** {EVIL} [x](javascript:alert(1)) ![p](http://evil.example/p.png)"
    before = ada.page("/ada/app/-/readme").text
    assert "bold" not in before
    for page in (
        ada.does(home, "preview", readme=text),
        ada.does(home, "save", readme=text),
        ada.page("/ada/app/-/readme"),
    ):
        names = [tag for tag, _ in page.tags]
        assert names.count("script") == 1
        assert "strong" in names
        assert "javascript:" not in str([a for tag, a in page.tags if tag == "a"])
    assert EVIL in ada.page(home).text
    ada.refused(home, "save", 400, readme="x" * 150_000)
    ada.does(home, "save", readme="")


def test_rules_of_retention_are_tried_before_they_are_saved(ada: Visitor, push: Pusher) -> None:
    for number in range(4):
        push.push_image("ada/old", f"v{number}", [b"%d" % number * 5000])
    home = "/ada/old/-/settings/retention"
    rules = '[{"tags": ["*"], "keep_newest": 1}]'
    page = ada.does(home, "try", rules=rules)
    assert re.search(r"3\s+entries would go", page.text)
    assert "no rule keeps it" in page.text
    assert rules in page.text
    assert "/ada/old:v0" in ada.page("/ada/old").links()
    assert "no rules of retention" in ada.refused(home, "try", 400, rules="{").text
    ada.refused(home, "save", 400, rules='[{"keep": 1}]')
    ada.does(home, "save", rules=rules)
    assert rules in ada.page(home).text


def test_what_was_deleted_is_brought_back(ada: Visitor, push: Pusher) -> None:
    digest = push.push_image("ada/back", "v1", [b"to be deleted"])
    push.push_image("ada/back", "v2", [b"stays"])
    where = f"/ada/back/-/delete?reference={quote(str(digest))}"
    sure = ada.page(where)
    assert "nothing else needs" in sure.text
    assert sure.value("reference") == digest
    assert "can be brought back" in ada.does(where, "delete", reference=str(digest)).text
    assert push("GET", f"/v2/ada/back/manifests/{digest}").status == 404
    assert ada.get(f"/ada/back@{digest}").status == 404
    assert ada.page("/ada/back/-/deleted").offers("restore")
    ada.does("/ada/back/-/deleted", "restore", digest=str(digest))
    assert push("GET", "/v2/ada/back/manifests/v1").status == 200
    assert not ada.page("/ada/back/-/deleted").offers("restore")
    ada.does(where, "delete", reference=str(digest))
    ada.does("/ada/back/-/deleted", "forget", digest=str(digest))
    ada.refused("/ada/back/-/deleted", "restore", 404, digest=str(digest))


def test_a_tag_points_again_at_what_it_has_pointed_to(ada: Visitor, push: Pusher) -> None:
    old = push.push_image("ada/moved", "latest", [b"old"])
    new = push.push_image("ada/moved", "latest", [b"new"])
    assert ada.page("/ada/moved/-/history").offers("point")
    ada.does("/ada/moved/-/history", "point", tag="latest", digest=str(old))
    assert push("GET", "/v2/ada/moved/manifests/latest").headers["docker-content-digest"] == old
    ada.does(f"/ada/moved/-/delete?reference={new}", "delete", reference=str(new))
    ada.does("/ada/moved/-/history", "point", tag="latest", digest=str(new))
    assert push("GET", "/v2/ada/moved/manifests/latest").headers["docker-content-digest"] == new
    other = push.push_image("ada/moved", "other", [b"other"])
    ada.refused("/ada/moved/-/history", "point", 404, tag="latest", digest=str(other))


def test_a_repository_is_renamed_and_deleted_by_typing_its_name(ada: Visitor, bob: Visitor, push: Pusher) -> None:
    push.push_image("ada/first", "v1")
    moving = "/ada/first/-/settings/moving"
    ada.refused(moving, "rename", 400, to="bob/first")
    ada.refused(moving, "rename", 409, to="ada/app")
    ada.does(moving, "rename", to="ada/second")
    assert ada.get("/ada/first").status == 404
    moving = "/ada/second/-/settings/moving"
    ada.refused(moving, "delete", 400, confirm="ada/first")
    ada.does(moving, "delete", confirm="ada/second")
    assert ada.get("/ada/second").status == 404


def test_a_webhook_shows_its_secret_once(ada: Visitor, push: Pusher) -> None:
    push.push_image("ada/told", "v1")
    home = "/ada/told/-/settings/webhooks"
    ada.refused(home, "create", 400, url="ftp://x/")
    page = ada.does(home, "create", url="https://ci.example.org/hook", **{"kind-push": "1"})
    assert "whsec_" in page.text
    assert "whsec_" not in ada.page(home).text
    one = next(link for link in ada.page(home).links() if re.search(r"/webhooks/\d+$", link))
    assert "push" in ada.page(one).text
    assert ada.get(one.replace("ada/told", "ada/app")).status == 404
    assert "off" in ada.does(one, "switch").text
    ada.refused(one, "retry", 404, delivery="msg_none")
    ada.does(one, "remove")
    assert ada.get(one).status == 404


def test_a_content_says_why_it_is_kept(ada: Visitor, push: Pusher) -> None:
    digest = push.push_image("ada/why", "v1")
    assert "tag v1" in ada.page(f"/ada/why/-/why/{digest}").text
    assert ada.get("/ada/why/-/why/sha256:" + "0" * 64).status == 404
    assert ada.get("/ada/why/-/why/none").status == 404


def test_the_pages_of_admins_are_not_there_for_others(worker: Worker, ada: Visitor, guild: str) -> None:
    nobody = Visitor(worker)
    for path, page in addresses().items():
        if path.startswith("/admin"):
            assert ada.get(path).status == 404
            assert nobody.get(path).status == 303
            for do in page.forms:
                assert ada.send(path, do, name="eve", confirm="ada").status == 404, (path, do)


def test_admins_look_after_users(worker: Worker, root: Visitor) -> None:
    account(worker, "dave")
    dave = Visitor(worker, "dave")
    home = "/admin/users/dave"
    root.does(home, "disable")
    assert dave.get("/account").status == 303
    root.does(home, "enable")
    dave.log_in("dave", "the password of dave")
    root.does(home, "promote")
    assert dave.get("/admin").status == 200
    root.does(home, "demote")
    assert dave.get("/admin").status == 404
    assert "One-time password of dave" in root.does(home, "reset").text
    assert dave.get("/account").status == 303
    root.refused(home, "delete", 400, confirm="ada")
    root.does(home, "delete", confirm="dave")
    assert root.get(home).status == 404
    assert "dave" in root.page("/admin/audit?who=root").text


def test_the_last_admin_stays(worker: Worker, root: Visitor) -> None:
    assert "last admin" in root.refused("/admin/users/root", "demote", 409).text


def test_quotas_are_written_as_people_say_them(root: Visitor) -> None:
    root.does("/admin/namespaces", "set", name="ada", quota="10GB", visibility="")
    assert root.page("/admin/namespaces?name=ada").value("quota") == "10GB"
    assert "lots" in str(root.refused("/admin/namespaces", "set", 400, name="ada", quota="lots", visibility="").tags)


def test_the_audit_log_comes_by_pages(worker: Worker, root: Visitor) -> None:
    database = worker.service.database
    for number in range(120):
        worker.run(database.note(audit, "paging", "", "test.page", str(number), "", database.now()))
    seen, path = 0, "/admin/audit?who=paging"
    while path:
        page = root.page(path)
        seen += [tag for tag, _ in page.tags].count("tr") - 1
        path = next((str(a["href"]) for _, a in page.tags if a.get("rel") == "next"), "")
    assert seen == 120


def test_what_people_write_is_text_and_nothing_more(worker: Worker, root: Visitor, ada: Visitor, push: Pusher) -> None:
    push.push_image("ada/evil", "v1")
    root.does("/admin/organisations", "create", name="evil", owner="ada", title=EVIL)
    ada.does("/ada/evil/-/settings", "save", summary=EVIL, visibility="public")
    ada.does("/account", "edit", title=EVIL, email="a@b")
    ada.does("/account/tokens", "create", name=EVIL, life="7", scope="all")
    ada.does("/account/robots", "create", name="evil", title=EVIL, life="7")
    Visitor(worker).log_in(EVIL[:60], "x" * 20)  # into the audit log
    ada.does("/account/tokens", "create", name="ok", life="7", scope="all")
    seen = 0
    for visitor, path in (
        (ada, "/"), (ada, "/ada/evil"), (ada, "/account"), (ada, "/account/tokens"), (ada, "/account/robots"),
        (ada, "/organisations/evil"), (root, "/admin/users"), (root, "/admin/users/ada"),
        (root, "/admin/organisations"),
        (root, "/admin/audit"), (root, "/admin"), (Visitor(worker), "/?q=" + quote(EVIL)),
    ):  # fmt: skip
        page = visitor.page(path)
        names = [tag for tag, _ in page.tags]
        assert names.count("script") == 1, path
        assert all(str(a.get("src")).startswith("/_/") for tag, a in page.tags if tag == "img"), path
        seen += "<script>alert(1)" in page.text or EVIL in str(page.tags)
    assert seen >= 9
    assert "<script>alert(1)" in ada.refused("/account/new", "create", 400, name=EVIL, summary=EVIL).value("name")


def test_the_header_shows_who_one_is(worker: Worker, ada: Visitor, root: Visitor) -> None:
    assert "/login" in Visitor(worker).page("/").links()
    assert "/account" in ada.page("/").links()
    assert "/admin" not in ada.page("/").links()
    assert "/admin" in root.page("/").links()


def test_every_link_that_an_admin_sees_leads_somewhere(worker: Worker, root: Visitor, ada: Visitor, guild: str) -> None:
    for visitor in (root, ada):
        seen: set[str] = set()
        waiting = ["/"]
        while waiting and len(seen) < 150:
            path = waiting.pop()
            if path in seen or path.startswith(("#", "/v2/", "http")):
                continue
            seen.add(path)
            answer = visitor.get(path)
            assert answer.status in (200, 303), (path, answer)
            if answer.status == 200:
                waiting += visitor.page(path).links()
        assert len(seen) >= 25  # as many as there are before another test leaves something


def test_a_page_takes_no_form_that_it_does_not_have(ada: Visitor) -> None:
    assert ada.send("/", "create").status == 405
    assert ada.send("/account", "explode").status == 400
    assert ada.send("/account/new", "create", name="x", more="y" * 600_000).status == 413


def test_a_provider_has_a_button_with_its_name(tmp_path: Path) -> None:
    oidc = OidcSection("https://login.example.org", "registry", name="our <login>")
    with registry_worker(tmp_path / "root", accounts=True, base=Config(oidc=oidc)) as worker:
        page = Visitor(worker).page("/login?next=/account")
        assert "Log in with our <login>" in page.text
        assert "/oidc/login?next=%2Faccount" in page.links()


def test_a_registry_that_is_read_only_takes_no_form(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root", accounts=True, base=Config(server=ServerSection(read_only=True))) as worker:
        account(worker, "ada")
        visitor = Visitor(worker, "ada")
        assert "read-only" in visitor.refused("/account/new", "create", 405, name="ada/new").text
        assert visitor.get("/ada/new").status == 404


def test_an_open_registry_has_no_login_and_no_forms(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root") as worker:
        worker.client.push_image("m/app", "v1")
        nobody = Visitor(worker)
        for path in ("/", "/m/app", "/m/app:v1", "/m/app/-/history", "/m/app/-/deleted"):
            page = nobody.page(path)
            assert "Log in" not in page.text
            assert not any(attributes.get("method") == "post" for _, attributes in page.tags)
        for path, page in addresses("m/app").items():
            if not path.startswith("/m/app") and path != "/":
                assert nobody.get(path).status == 404, path
            for do in page.forms:
                assert nobody.send(path, do, csrf="").status == 405, (path, do)
