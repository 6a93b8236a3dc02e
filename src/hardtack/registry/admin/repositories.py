"""Repositories and namespaces by the JSON API: settings, tags, what was deleted, what a deletion frees and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hardtack.registry.access import Action
from hardtack.registry.admin.table import BEFORE, LAST, Endpoint, N
from hardtack.registry.errors import BadRequest, ManifestUnknown, NameInvalid
from hardtack.registry.metadata.graves import Grave
from hardtack.registry.metadata.rows import LATEST, Tag, TagEvent
from hardtack.registry.names import check_repository, check_tag
from hardtack.registry.repositories import rows, why
from hardtack.registry.repositories.store import Namespaces, Repositories
from hardtack.registry.repositories.undelete import Undelete
from hardtack.registry.retention.judging import Verdict
from hardtack.registry.retention.keeper import Retention

if TYPE_CHECKING:
    from hardtack.registry.admin.ask import Ask


class NewRepository(msgspec.Struct, forbid_unknown_fields=True):
    """A repository to be made, empty; what is left out is as usual."""

    name: str
    visibility: str | None = None
    summary: str | None = None
    readme: str | None = None
    immutable: list[str] | None = None


class RepositoryChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be another; what is left out stays. `retention` is rules as JSON text, "" for the usual ones."""

    visibility: str | None = None
    summary: str | None = None
    readme: str | None = None
    immutable: list[str] | None = None
    retention: str | None = None


class NewName(msgspec.Struct, forbid_unknown_fields=True):
    """Where a repository is to go."""

    name: str


class NamespaceChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be another; `quota` in bytes, -1 for none."""

    quota: int | None = None
    visibility: str | None = None


class Judged(msgspec.Struct):
    """What stays and what goes of a repository, each with the reason; `frees` in bytes."""

    tags: list[Verdict]
    manifests: list[Verdict]
    frees: int


def _repositories(ask: Ask) -> Repositories:
    return Repositories(ask.service.database, ask.service.config.access.default_visibility)


def _settings(said: NewRepository | RepositoryChange) -> rows.Settings:
    return rows.Settings(
        said.visibility,
        said.summary,
        said.readme,
        None if said.immutable is None else tuple(said.immutable),
        getattr(said, "retention", None),
    )


async def search(ask: Ask) -> list[rows.Listed]:
    """Repositories that the caller may pull from."""
    query = ask.query
    return await _repositories(ask).search(ask.caller, query.get("q", ""), query.get("last", ""), ask.limit())


async def create(ask: Ask) -> rows.Details:
    """Make a repository."""
    ask.expect(Action.ADMIN, ask.body.name)
    await ask.service.expect_own(ask.body.name)
    await _repositories(ask).create(ask.body.name, ask.caller.name, _settings(ask.body))
    return await _repositories(ask).details(ask.body.name)


async def show(ask: Ask) -> rows.Details:
    """Everything about a repository."""
    await ask.expect_pull(ask.repository)
    return await _repositories(ask).details(ask.repository)


async def change(ask: Ask) -> rows.Details:
    """Set what is given."""
    ask.expect(Action.ADMIN, ask.repository)
    await _repositories(ask).change(ask.repository, _settings(ask.body))
    await ask.note("repository.change", ask.repository)
    return await _repositories(ask).details(ask.repository)


async def rename(ask: Ask) -> rows.Details:
    """Give a repository another name, in this or another namespace."""
    ask.expect(Action.ADMIN, ask.repository)
    ask.expect(Action.ADMIN, ask.body.name)
    await ask.service.expect_own(ask.body.name)
    await _repositories(ask).rename(ask.repository, ask.body.name, ask.caller.name)
    await ask.note("repository.rename", ask.repository, ask.body.name)
    return await _repositories(ask).details(ask.body.name)


async def delete(ask: Ask) -> rows.Freed:
    """Delete a repository for good, or say what that would free."""
    ask.expect(Action.ADMIN, ask.repository)
    await _repositories(ask).details(ask.repository)
    freed = await _repositories(ask).freed_by(ask.repository)
    if not ask.flag("dry_run"):
        await _repositories(ask).delete(ask.repository, ask.caller.name)
        await ask.note("repository.delete", ask.repository)
    return freed


async def tags(ask: Ask) -> list[Tag]:
    """Tags, by name."""
    await ask.expect_pull(ask.repository)
    return await ask.service.metadata.tags(ask.repository, ask.query.get("last", ""), ask.limit())


async def history(ask: Ask) -> list[TagEvent]:
    """What a tag has pointed to."""
    await ask.expect_pull(ask.repository)
    return await ask.service.metadata.tag_history(ask.repository, check_tag(ask.path["tag"]), ask.limit())


async def changes(ask: Ask) -> list[rows.Change]:
    """What became of every tag, latest first."""
    await ask.expect_pull(ask.repository)
    return await _repositories(ask).history(ask.repository, ask.position("before", LATEST), ask.limit())


async def retention(ask: Ask) -> Judged:
    """What the rules of retention say of everything in a repository, without doing it."""
    ask.expect(Action.ADMIN, ask.repository)
    await _repositories(ask).details(ask.repository)
    plan = await Retention(ask.service.database, ask.service.config).plan(ask.repository)
    if plan is None:
        return Judged([], [], 0)
    return Judged(list(plan.judgement.tags), list(plan.judgement.manifests), sum(plan.sizes))


async def pulled(ask: Ask) -> dict[str, rows.Pulled]:
    """How often something was pulled, and when last; "" is the whole repository."""
    await ask.expect_pull(ask.repository)
    return await _repositories(ask).pulled(ask.repository, [ask.query.get("of", "")])


async def freed(ask: Ask) -> rows.Freed:
    """What deleting a manifest would free."""
    await ask.expect_pull(ask.repository)
    found = await ask.service.metadata.manifest(ask.repository, ask.path["reference"])
    if found is None:
        raise ManifestUnknown(ask.path["reference"])
    return await _repositories(ask).freed_by(ask.repository, [found.digest])


async def deleted(ask: Ask) -> list[Grave]:
    """What can be brought back."""
    ask.expect(Action.DELETE, ask.repository)
    return await _undelete(ask).graves(ask.repository, None, ask.limit())


def _undelete(ask: Ask) -> Undelete:
    return Undelete(ask.service.database, ask.service.config.retention.undelete)


async def restore(ask: Ask) -> rows.Restored:
    """Bring a manifest or a tag back."""
    ask.expect(Action.DELETE, ask.repository)
    ask.expect(Action.TAG_CREATE, ask.repository)
    reference = ask.path["reference"]
    back = await _undelete(ask).restore(ask.repository, reference, ask.caller.name)
    await ask.note("manifest.restore", ask.repository, reference)
    return back


async def forget(ask: Ask) -> None:
    """Let the space of a deleted manifest go now."""
    ask.expect(Action.ADMIN, ask.repository)
    await _undelete(ask).forget(ask.repository, ask.path["reference"])
    await ask.note("manifest.forget", ask.repository, ask.path["reference"])


async def why_here(ask: Ask) -> list[why.Chain]:
    """What keeps a content in a repository."""
    await ask.expect_pull(ask.repository)
    return await _repositories(ask).why(ask.path["digest"], ask.repository)


async def why_anywhere(ask: Ask) -> list[why.Chain]:
    """What keeps a content anywhere."""
    ask.expect_admin()
    return await _repositories(ask).why(ask.path["digest"])


async def namespaces(ask: Ask) -> list[rows.Namespace]:
    """Namespaces for which something is set."""
    ask.expect_admin()
    return await Namespaces(ask.service.database).all(ask.query.get("last", ""), ask.limit())


def _governed(ask: Ask) -> str:
    """The namespace that the path names, for who administers all of it: one repository in it is not enough.

    Raises:
        Denied, Unauthorized, NameInvalid.
    """
    name = check_repository(ask.path["namespace"])
    if "/" in name:
        raise NameInvalid(name, "a namespace is the first component of names")
    ask.expect_all(f"{name}/**")
    return name


async def namespace(ask: Ask) -> rows.Namespace:
    """What is set for a namespace, and how much it uses."""
    name = _governed(ask)
    return await Namespaces(ask.service.database).get(name)


async def change_namespace(ask: Ask) -> rows.Namespace:
    """Set a quota (for admins of the registry), or the visibility of new repositories."""
    name, said, library = _governed(ask), ask.body, Namespaces(ask.service.database)
    if said.quota is not None:
        ask.expect_admin()
        if said.quota < -1:
            raise BadRequest("quota is a number of bytes, or -1 for none")
        await library.set_quota(name, None if said.quota == -1 else said.quota)
        await ask.note("namespace.quota", name, str(said.quota))
    if said.visibility is not None:
        await library.set_visibility(name, said.visibility)
        await ask.note("namespace.visibility", name, said.visibility)
    return await library.get(name)


_R = "/repositories/{repository}"

ENDPOINTS = (
    Endpoint(
        "GET",
        "/repositories",
        search,
        "Find repositories that one may pull from",
        gives=list[rows.Listed],
        query=(("q", "part of the name or summary"), LAST, N),
    ),
    Endpoint("POST", "/repositories", create, "Make an empty repository", NewRepository, rows.Details, status=201),
    Endpoint("GET", _R, show, "Show a repository", gives=rows.Details),
    Endpoint("PATCH", _R, change, "Change what is set for it", RepositoryChange, rows.Details),
    Endpoint(
        "DELETE",
        _R,
        delete,
        "Delete it for good; answers with what that frees",
        gives=rows.Freed,
        query=(("dry_run", "only say what it would free"),),
    ),
    Endpoint("POST", f"{_R}/-/rename", rename, "Give it another name", NewName, rows.Details),
    Endpoint("GET", f"{_R}/-/tags", tags, "List tags", gives=list[Tag], query=(LAST, N)),
    Endpoint(
        "GET",
        f"{_R}/-/tags/{{tag}}/history",
        history,
        "List what a tag has pointed to",
        gives=list[TagEvent],
        query=(N,),
    ),
    Endpoint(
        "GET",
        f"{_R}/-/history",
        changes,
        "List what became of every tag",
        gives=list[rows.Change],
        query=(BEFORE, N),
    ),
    Endpoint("GET", f"{_R}/-/retention", retention, "Say what the rules would let go, and why", gives=Judged),
    Endpoint(
        "GET",
        f"{_R}/-/pulls",
        pulled,
        "Say how often something was pulled",
        gives=dict[str, rows.Pulled],
        query=(("of", "a tag or a digest; the whole repository without it"),),
    ),
    Endpoint("GET", f"{_R}/-/manifests/{{reference}}/freed", freed, "Say what deleting it frees", gives=rows.Freed),
    Endpoint("GET", f"{_R}/-/deleted", deleted, "List what can be brought back", gives=list[Grave], query=(N,)),
    Endpoint("POST", f"{_R}/-/deleted/{{reference}}/restore", restore, "Bring it back", gives=rows.Restored),
    Endpoint("DELETE", f"{_R}/-/deleted/{{reference}}", forget, "Let its space go now"),
    Endpoint("GET", f"{_R}/-/why/{{digest}}", why_here, "Say what keeps a content here", gives=list[why.Chain]),
    Endpoint("GET", "/why/{digest}", why_anywhere, "Say what keeps a content; for admins", gives=list[why.Chain]),
    Endpoint(
        "GET", "/namespaces", namespaces, "List namespaces; for admins", gives=list[rows.Namespace], query=(LAST, N)
    ),
    Endpoint("GET", "/namespaces/{namespace}", namespace, "Show a namespace", gives=rows.Namespace),
    Endpoint(
        "PATCH", "/namespaces/{namespace}", change_namespace, "Change a namespace", NamespaceChange, rows.Namespace
    ),
)
