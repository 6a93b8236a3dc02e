"""A registry with accounts as its clients meet it: challenges, tokens, sessions, and rights that end at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.config.document import Config
from hardtack.registry.config.server import ServerSection
from support.accounts import (
    SHELL,
    administer,
    basic,
    grant,
    make_token,
    make_users,
    password_of,
    registry_with_accounts,
)
from support.our_registry import Answer, Client, OurRegistry, our_registry
from support.registry_worker import account, registry_worker

INDEX = "application/vnd.oci.image.index.v1+json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurRegistry]:
    with registry_with_accounts(tmp_path_factory.mktemp("accounts") / "root") as running:
        yield running


def push(client: Client, authorization: str, name: str, tag: str = "v1", mark: str = "") -> Answer:
    raw = f'{{"schemaVersion":2,"manifests":[],"annotations":{{"mark":"{mark}"}}}}'.encode()
    return client("PUT", f"/v2/{name}/manifests/{tag}", raw, Content_Type=INDEX, Authorization=authorization)


def pull(client: Client, authorization: str, name: str, tag: str = "v1") -> int:
    headers = {"Authorization": authorization} if authorization else {}
    return client("GET", f"/v2/{name}/manifests/{tag}", **headers).status


def ask(client: Client, authorization: str, *scopes: str, **more: str) -> Answer:
    query = urlencode([("service", "hardtack"), *(("scope", scope) for scope in scopes), *more.items()])
    headers = {"Authorization": authorization} if authorization else {}
    return client("GET", f"/token?{query}", **headers)


def bearer(client: Client, authorization: str, *scopes: str) -> str:
    answer = ask(client, authorization, *scopes)
    assert answer.status == 200, answer
    return f"Bearer {answer.json()['token']}"


def claims(answer: Answer) -> list[dict[str, Any]]:
    import jwt

    found: list[dict[str, Any]] = jwt.decode(answer.json()["token"], options={"verify_signature": False})["access"]
    return found


def test_strangers_are_told_where_to_log_in(registry: OurRegistry) -> None:
    realm = f'Bearer realm="http://{registry.host}/token",service="hardtack"'
    for path, scope in (
        ("/v2/", ""),
        ("/v2/_catalog", ',scope="registry:catalog:*"'),
        ("/v2/ada/a/manifests/v1", ',scope="repository:ada/a:pull"'),
        ("/v2/ada/a/tags/list", ',scope="repository:ada/a:pull"'),
        ("/v2/no%0d%0aX-Evil:%201/manifests/v1", ""),
    ):
        answer = registry.client("GET", path)
        if answer.status == 401:
            assert answer.headers["www-authenticate"] == realm + scope
            assert "x-evil" not in answer.headers
        else:
            assert answer.status == 400, path
    pushing = registry.client("POST", "/v2/ada/a/blobs/uploads/").headers["www-authenticate"]
    assert pushing == f'{realm},scope="repository:ada/a:pull,push"'
    deleting = registry.client("DELETE", "/v2/ada/a/manifests/v1").headers["www-authenticate"]
    assert deleting == f'{realm},scope="repository:ada/a:delete"'


@pytest.mark.parametrize(
    "authorization",
    [
        basic("ada", "not this one"),
        basic("nobody", "not this one"),
        basic("ada", "tack_pat_aaaaaaaaaaaa_" + "x" * 49),
        "Basic !!!",
        "Basic YWRh",
        "Bearer x",
        "Bearer tack_pat_x",
        "Negotiate x",
        "",
    ],
)
def test_credentials_that_are_no_good_are_refused(registry: OurRegistry, authorization: str) -> None:
    answer = registry.client("GET", "/v2/", Authorization=authorization)
    assert (answer.status, answer.code()) == (401, "UNAUTHORIZED")
    assert "Bearer realm" in answer.headers["www-authenticate"]


def test_basic_is_enough_for_small_clients(registry: OurRegistry) -> None:
    text, _ = make_token(registry.root, "ada")
    for authorization in (basic("ada"), basic("ada", text), f"Bearer {text}"):
        assert registry.client("GET", "/v2/", Authorization=authorization).status == 200
        assert push(registry.client, authorization, "ada/basic").status == 201
        assert push(registry.client, authorization, "bob/basic").status == 403
        assert pull(registry.client, authorization, "ada/basic") == 200


def test_a_token_is_granted_what_was_asked_and_is_allowed(registry: OurRegistry) -> None:
    push(registry.client, basic("root"), "library/shown")
    answer = ask(
        registry.client,
        basic("ada"),
        "repository:ada/x:pull,push repository:bob/x:pull,push",
        "repository:library/shown:pull,push,delete",
        "repository:ada/y:*",
    )
    assert {entry["name"]: entry["actions"] for entry in claims(answer)} == {
        "ada/x": ["pull", "push"],
        "ada/y": ["delete", "pull", "push"],
        "bob/x": [],
        "library/shown": ["pull"],
    }
    assert answer.json()["expires_in"] == 300
    assert answer.json()["access_token"] == answer.json()["token"]
    assert answer.headers["cache-control"] == "no-store"
    assert "refresh_token" not in answer.json()


def test_a_token_is_good_for_what_it_was_made_for(registry: OurRegistry) -> None:
    client = registry.client
    token = bearer(client, basic("ada"), "repository:ada/one:pull,push")
    assert client("GET", "/v2/", Authorization=token).status == 200
    assert push(client, token, "ada/one").status == 201
    other = push(client, token, "ada/two")
    assert other.status == 401
    assert 'scope="repository:ada/two:pull,push",error="insufficient_scope"' in other.headers["www-authenticate"]
    deleted = client("DELETE", "/v2/ada/one/manifests/v1", Authorization=token)
    assert deleted.status == 401
    assert push(client, token, "bob/one").status == 403, "another token would not help"
    catalog = client("GET", "/v2/_catalog", Authorization=token)
    assert catalog.status == 401, "not a part of it, which looks like all"
    assert 'scope="registry:catalog:*",error="insufficient_scope"' in catalog.headers["www-authenticate"]
    both = bearer(client, basic("ada"), "repository:ada/one:pull,push,delete")
    assert client("DELETE", "/v2/ada/one/manifests/v1", Authorization=both).status == 202


def test_a_token_gets_no_other_token(registry: OurRegistry) -> None:
    token = bearer(registry.client, basic("ada"), "repository:ada/one:pull")
    assert ask(registry.client, token, "repository:ada/one:pull,push").status == 401


def test_anybody_gets_a_token_for_what_is_public(registry: OurRegistry) -> None:
    push(registry.client, basic("root"), "library/everyone")
    push(registry.client, basic("ada"), "ada/hidden")
    scopes = ("repository:library/everyone:pull,push", "repository:ada/hidden:pull")
    answer = ask(registry.client, "", *scopes)
    assert {entry["name"]: entry["actions"] for entry in claims(answer)} == {
        "library/everyone": ["pull"],
        "ada/hidden": [],
    }
    token = f"Bearer {answer.json()['token']}"
    assert pull(registry.client, token, "library/everyone") == 200
    assert pull(registry.client, "", "library/everyone") == 200
    for authorization in (token, ""):
        assert pull(registry.client, authorization, "ada/hidden") == 401
        assert registry.client("POST", "/v2/library/everyone/blobs/uploads/", Authorization=token).status == 401


def test_the_catalog_shows_what_one_may_pull_and_the_token_is_for(registry: OurRegistry) -> None:
    client = registry.client
    push(client, basic("ada"), "ada/listed")
    push(client, basic("bob"), "bob/listed")
    push(client, basic("root"), "library/listed")

    def listed(authorization: str) -> set[str]:
        names = client("GET", "/v2/_catalog", Authorization=authorization).json()["repositories"]
        return {name for name in names if name.endswith("/listed")}

    assert listed(basic("ada")) == {"ada/listed", "library/listed"}
    assert listed(bearer(client, basic("ada"), "registry:catalog:*")) == {"ada/listed", "library/listed"}
    assert listed(bearer(client, "", "registry:catalog:*")) == {"library/listed"}
    text, _ = make_token(registry.root, "root", ("bob/**", "read"))
    assert listed(basic("root", text)) == {"bob/listed"}


def test_a_mount_needs_the_right_to_pull_from_its_source(registry: OurRegistry) -> None:
    client, data = registry.client, b"a layer of ada's"
    digest = Digest.of(data)
    path = f"/v2/ada/source/blobs/uploads/?digest={digest}"
    assert client("POST", path, data, Authorization=basic("ada")).status == 201
    mount = f"blobs/uploads/?mount={digest}&from=ada/source"
    both = bearer(client, basic("ada"), "repository:ada/target:pull,push", "repository:ada/source:pull")
    assert client("POST", f"/v2/ada/target/{mount}", Authorization=both).status == 201
    asked = bearer(client, basic("bob"), "repository:bob/target:pull,push", "repository:ada/source:pull")
    for authorization in (asked, basic("bob")):
        assert client("POST", f"/v2/bob/target/{mount}", Authorization=authorization).status == 202
        assert client("HEAD", f"/v2/bob/target/blobs/{digest}", Authorization=authorization).status == 404


def test_an_upload_belongs_to_one_user(registry: OurRegistry) -> None:
    administer(registry.root, lambda accounts: accounts.permissions.give(SHELL, "bob", grant("ada/joint", "write")))
    location = registry.client("POST", "/v2/ada/joint/blobs/uploads/", Authorization=basic("ada")).headers["location"]
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = registry.client(method, f"{location}?digest={Digest.of(b'')}", b"", Authorization=basic("bob"))
        assert (answer.status, answer.code()) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.client("GET", location, Authorization=basic("ada")).status == 204


def test_tags_and_content_have_rights_of_their_own(registry: OurRegistry) -> None:
    client = registry.client

    def only(rights: str) -> str:
        text, _ = make_token(registry.root, "ada", ("ada/rights", rights))
        return basic("ada", text)

    creator, updater = only("pull,push,tag-create"), only("pull,push,tag-update")
    untagger, deleter = only("tag-delete"), only("delete")
    assert push(client, updater, "ada/rights", "v1", "1").status == 403
    digest = push(client, creator, "ada/rights", "v1", "1").headers["docker-content-digest"]
    assert push(client, creator, "ada/rights", "v1", "2").status == 403
    assert push(client, updater, "ada/rights", "v1", "2").status == 201
    for who, path in ((updater, "v1"), (creator, "v1"), (deleter, "v1"), (untagger, digest), (creator, digest)):
        assert client("DELETE", f"/v2/ada/rights/manifests/{path}", Authorization=who).status == 403
    assert client("DELETE", "/v2/ada/rights/manifests/v1", Authorization=untagger).status == 202
    assert client("DELETE", f"/v2/ada/rights/manifests/{digest}", Authorization=deleter).status == 202


# What is taken away is gone at the next request, in every worker.


def everywhere(registry: OurRegistry, authorization: str, name: str) -> set[int]:
    """What a pull is answered with by connections of every worker."""
    return {pull(client, authorization, name) for client in registry.client_per_worker()}


def test_a_revoked_token_is_refused_by_every_worker_at_the_next_request(registry: OurRegistry) -> None:
    push(registry.client, basic("ada"), "ada/revoked")
    text, identity = make_token(registry.root, "ada")
    flow = bearer(registry.client, basic("ada", text), "repository:ada/revoked:pull")
    clients = registry.client_per_worker()
    for authorization in (basic("ada", text), f"Bearer {text}", flow):
        assert {pull(client, authorization, "ada/revoked") for client in clients} == {200}
    administer(registry.root, lambda accounts: accounts.tokens.delete(SHELL, identity))
    for authorization in (basic("ada", text), f"Bearer {text}", flow):
        assert {pull(client, authorization, "ada/revoked") for client in clients} == {401}


def test_rights_passwords_and_accounts_end_everywhere_as_well(registry: OurRegistry) -> None:
    make_users(registry.root, "cyd")
    push(registry.client, basic("ada"), "ada/lent")
    given = administer(
        registry.root, lambda accounts: accounts.permissions.give(SHELL, "cyd", grant("ada/lent", "read"))
    )
    password = basic("cyd")
    flow = bearer(registry.client, password, "repository:ada/lent:pull")
    kept = ask(registry.client, password, offline_token="true").json()["refresh_token"]
    assert everywhere(registry, password, "ada/lent") == everywhere(registry, flow, "ada/lent") == {200}
    administer(registry.root, lambda accounts: accounts.permissions.take(SHELL, given.id))
    assert everywhere(registry, password, "ada/lent") == {403}
    assert everywhere(registry, flow, "ada/lent") == {403}
    administer(registry.root, lambda accounts: accounts.permissions.give(SHELL, "cyd", grant("ada/lent", "read")))
    assert everywhere(registry, password, "ada/lent") == everywhere(registry, flow, "ada/lent") == {200}
    administer(registry.root, lambda accounts: accounts.users.set_password(SHELL, "cyd", "another horse", False))
    assert everywhere(registry, flow, "ada/lent") == {401}
    assert pull(registry.client, password, "ada/lent") == 401
    form = urlencode({"grant_type": "refresh_token", "refresh_token": kept, "service": "hardtack", "client_id": "x"})
    assert registry.client("POST", "/token", form, Content_Type=FORM).status == 401
    changed = basic("cyd", "another horse")
    assert everywhere(registry, changed, "ada/lent") == {200}
    administer(registry.root, lambda accounts: accounts.users.set_active(SHELL, "cyd", False))
    assert everywhere(registry, changed, "ada/lent") == {401}


def post(client: Client, **fields: str) -> Answer:
    return client("POST", "/token", urlencode(fields), Content_Type=FORM)


def test_tokens_by_oauth_s_form(registry: OurRegistry) -> None:
    right = {
        "service": "hardtack",
        "client_id": "containerd",
        "scope": "repository:ada/o:pull,push repository:bob/o:pull",
    }
    answer = post(
        registry.client,
        **right,
        grant_type="password",
        username="ada",
        password=password_of("ada"),
        access_type="offline",
    )
    assert {entry["name"]: entry["actions"] for entry in claims(answer)} == {"ada/o": ["pull", "push"], "bob/o": []}
    refresh = answer.json()["refresh_token"]
    assert refresh.startswith("tack_ref_")
    again = post(registry.client, **right, grant_type="refresh_token", refresh_token=refresh)
    assert push(registry.client, f"Bearer {again.json()['access_token']}", "ada/o").status == 201
    assert registry.client("GET", "/v2/", Authorization=basic("ada", refresh)).status == 401, "is no password"
    assert registry.client("GET", "/v2/", Authorization=f"Bearer {refresh}").status == 401
    for wrong in (
        {**right, "grant_type": "password", "username": "ada", "password": "not this one"},
        {**right, "grant_type": "refresh_token", "refresh_token": "tack_ref_x"},
        {**right, "grant_type": "refresh_token", "refresh_token": refresh, "service": "another"},
        {**right, "grant_type": "client_credentials"},
        right,
        {},
    ):
        refused = post(registry.client, **wrong)
        assert refused.status in (400, 401), wrong
        assert refused.json()["error"] in ("invalid_grant", "invalid_request")
        assert refused.json()["errors"][0]["message"]
    assert registry.client("POST", "/token", b"x" * 70_000, Content_Type=FORM).status == 413
    assert registry.client("PUT", "/token").status == 405
    assert registry.client("GET", "/token/other").status == 404


def test_a_personal_token_is_its_own_refresh_token(registry: OurRegistry) -> None:
    text, _ = make_token(registry.root, "ada", ("ada/**", "read"))
    answer = ask(registry.client, basic("ada", text), "repository:ada/r:pull,push", offline_token="true")
    assert answer.json()["refresh_token"] == text
    assert claims(answer)[0]["actions"] == ["pull"]
    again = post(
        registry.client,
        grant_type="refresh_token",
        refresh_token=text,
        service="hardtack",
        scope="repository:ada/r:push",
    )
    assert claims(again)[0]["actions"] == []


def test_the_public_keys_are_there_for_others(registry: OurRegistry) -> None:
    import jwt

    keys = {key["kid"]: jwt.PyJWK(key).key for key in registry.client("GET", "/token/keys").json()["keys"]}
    token = ask(registry.client, basic("ada")).json()["token"]
    header = jwt.get_unverified_header(token)
    assert jwt.decode(token, keys[header["kid"]], ["ES256"], audience="hardtack")["sub"] == "ada"


def test_no_host_that_a_client_makes_up_comes_back(registry: OurRegistry) -> None:
    answer = registry.client("GET", "/v2/", Host='evil" error="x')
    assert answer.status in (400, 401)
    assert "evil" not in answer.headers.get("www-authenticate", "")


# Logins


def test_failed_logins_are_slowed_down_by_all_workers_together(tmp_path: Path) -> None:
    with registry_with_accounts(tmp_path / "root") as registry:
        clients = registry.client_per_worker()
        text, _ = make_token(registry.root, "ada")
        statuses = [
            client("GET", "/v2/", Authorization=basic("bob", f"guess {number}")).status
            for number, client in enumerate(clients[:8])
        ]
        assert statuses == [401] * 5 + [429] * 3
        slowed = clients[9]("GET", "/v2/", Authorization=basic("bob"))
        assert (slowed.status, slowed.code()) == (429, "TOOMANYREQUESTS")
        assert int(slowed.headers["retry-after"]) >= 1
        assert ask(clients[10], basic("bob", "guess")).status == 429
        assert clients[11]("GET", "/v2/", Authorization=basic("ada", text)).status == 200
        time.sleep(1.1)
        assert clients[12]("GET", "/v2/", Authorization=basic("bob")).status == 200


def login(client: Client, name: str, password: str, **headers: str) -> Answer:
    form = urlencode({"name": name, "password": password, "next": "/ada/app"})
    return client("POST", "/login", form, Content_Type=FORM, **headers)


def test_a_session_s_cookie_is_kept_from_scripts_and_other_sites(registry: OurRegistry) -> None:
    answer = login(registry.client, "ada", password_of("ada"))
    assert (answer.status, answer.headers["location"]) == (303, "/ada/app")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie
    refused = login(registry.client, "ada", "not this one")
    assert refused.headers["location"].startswith("/login?failed=wrong")
    assert "set-cookie" not in refused.headers
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert login(registry.client, "ada", password_of("ada"), **headers).status == 401


def test_under_https_the_cookie_is_for_https_and_this_host(tmp_path: Path) -> None:
    make_users(tmp_path / "root", "ada")
    (tmp_path / "registry.toml").write_text('[server]\nurl = "https://registry.example"\n')
    with our_registry(tmp_path / "root", "--config", str(tmp_path / "registry.toml"), workers=1) as registry:
        cookie = login(registry.client, "ada", password_of("ada")).headers["set-cookie"]
        assert cookie.startswith("__Host-hardtack=")
        assert "Secure" in cookie
        realm = registry.client("GET", "/v2/").headers["www-authenticate"]
        assert realm == 'Bearer realm="https://registry.example/token",service="registry.example"'


def test_logging_out_takes_the_form_s_token(registry: OurRegistry) -> None:
    cookie = login(registry.client, "ada", password_of("ada")).headers["set-cookie"].partition(";")[0]
    session = administer(registry.root, lambda accounts: accounts.sessions.session(cookie.partition("=")[2]))
    assert session is not None
    for form in ({}, {"csrf": "x"}):
        refused = registry.client("POST", "/logout", urlencode(form), Content_Type=FORM, Cookie=cookie)
        assert refused.status == 401
    done = registry.client("POST", "/logout", urlencode({"csrf": session.csrf}), Content_Type=FORM, Cookie=cookie)
    assert done.status == 303
    assert "Max-Age=0" in done.headers["set-cookie"]
    assert administer(registry.root, lambda accounts: accounts.sessions.session(cookie.partition("=")[2])) is None


def test_a_cookie_is_no_credential_of_the_api(registry: OurRegistry) -> None:
    cookie = login(registry.client, "ada", password_of("ada")).headers["set-cookie"].partition(";")[0]
    assert registry.client("GET", "/v2/", Cookie=cookie).status == 401


def test_a_one_time_password_is_only_good_for_another(registry: OurRegistry) -> None:
    administer(registry.root, lambda accounts: accounts.users.create(SHELL, "new", "given by an admin"))
    once = basic("new", "given by an admin")
    for answer in (registry.client("GET", "/v2/", Authorization=once), ask(registry.client, once)):
        assert answer.status == 401
        assert "only good for choosing another" in answer.json()["errors"][0]["message"]
    session = login(registry.client, "new", "given by an admin")
    assert session.headers["location"] == "/account/password"


# The quick lane


def test_a_known_caller_is_answered_by_the_quick_lane_and_their_secret_is_not_kept(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    base = Config(server=ServerSection(access_log=str(log)))
    with registry_worker(tmp_path / "root", base=base, accounts=True) as worker:
        authorization = account(worker, "ada")
        push(worker.client, authorization, "ada/quick")
        asked = []
        gate = worker.service.gate
        identify = gate.identify

        async def counted(*words: str) -> Any:
            asked.append(words)
            return await identify(*words)

        gate.identify = counted  # type: ignore[method-assign]
        kept = Client(worker.host, keep=True)
        statuses = [pull(kept, authorization, "ada/quick") for _ in range(5)]
        assert statuses == [200] * 5
        assert len(asked) <= 1
        assert pull(kept, authorization, "bob/quick") == 403
        assert pull(kept, basic("ada", "not this one"), "ada/quick") == 401
        assert pull(kept, authorization, "ada/quick") == 200
        secret = authorization.partition(" ")[2]
        assert secret not in repr(vars(gate))
    pulled = [json.loads(line) for line in log.read_text().splitlines() if "ada/quick" in line]
    assert {entry["who"] for entry in pulled if entry["status"] == 200} == {"ada"}
    assert secret not in log.read_text()


def test_first_start_prints_a_password_once_and_logs_it_never(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with our_registry(root, "--accounts", workers=1) as registry:
        assert registry.process.stdout is not None
        lines = [registry.process.stdout.readline() for _ in range(9)]
        password = lines[-1].split()[-1]
        assert lines[-2].split() == ["user", "admin"]
        assert login(registry.client, "admin", password).headers["location"] == "/account/password"
    with our_registry(root, workers=1) as registry:
        assert registry.process.stdout is not None
        assert registry.client("GET", "/v2/").status == 401, "accounts stay on"
    assert password not in (tmp_path / "root.log").read_text()
    for path in root.iterdir():
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path


def test_answers_to_guesses_take_as_long_for_names_that_do_not_exist(registry: OurRegistry) -> None:
    def seconds(name: str) -> float:
        began = time.perf_counter()
        assert registry.client("GET", "/v2/", Authorization=basic(name, f"guess {time.time()}")).status == 401
        return time.perf_counter() - began

    existing = min(seconds("root") for _ in range(2))
    absent = min(seconds(f"absent{number}") for number in range(2))
    assert absent > existing / 3


def test_json_is_what_errors_are(registry: OurRegistry) -> None:
    for path in ("/v2/", "/token?service=other", "/token?" + "a=1&" * 300):
        assert json.loads(registry.client("GET", path).body)["errors"]
