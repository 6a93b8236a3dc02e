"""The form for logging in; what it sends is for `accounts/http.py`, which comes back with a word when it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hardtack.registry.accounts.http import local_path
from hardtack.registry.web import guards
from hardtack.registry.web.page import Done, Page, Shown

if TYPE_CHECKING:
    from hardtack.registry.web.visit import Visit

_FAILURES = {
    "wrong": "The name or the password is wrong.",
    "disabled": "This account is disabled. Ask an admin of the registry.",
    "provider": "The login by your provider came to nothing: there may be no account for you here yet. "
    "Ask an admin of the registry, whose log says more.",
}


async def login(visit: Visit) -> Shown | Done:
    """The form; somebody who has logged in goes on."""
    where = local_path(visit.query.get("next", "/"))
    accounts = visit.accounts
    if visit.session is not None:
        return Done("/account/password" if visit.caller.must_change else "/account")
    oidc = visit.service.config.oidc
    provider = "" if accounts.oidc is None else oidc.name or urlsplit(oidc.issuer).netloc
    return Shown("login.html", {"next": where, "failure": _failure(visit.query), "provider": provider})


def _failure(query: dict[str, str]) -> str:
    word = query.get("failed", "")
    if word != "wait":
        return _FAILURES.get(word, "")
    seconds = query.get("seconds", "")
    wait = int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 6 else 60
    return f"Too many logins have failed. Wait {wait} seconds, then try again."


PAGES = {"/login": Page(login, guards.anybody)}
