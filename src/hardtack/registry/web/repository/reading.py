"""A repository's first page, with its tags; its README; what its tags have pointed to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from hardtack.registry.access import Action
from hardtack.registry.names import check_tag
from hardtack.registry.web import guards
from hardtack.registry.web.addresses import REPOSITORY, is_digest
from hardtack.registry.web.home import SEARCH_LIMIT
from hardtack.registry.web.markdown import rendered
from hardtack.registry.web.page import Done, Missing, Page
from hardtack.registry.web.repository.common import PAGE, details_of, shown

if TYPE_CHECKING:
    from hardtack.registry.web.page import Shown
    from hardtack.registry.web.visit import Visit


async def tags(visit: Visit) -> Shown:
    """Tags, those changed last first."""
    name, wanted = visit.name, visit.query.get("q", "").strip()[:SEARCH_LIMIT]
    found = await visit.service.metadata.latest_tags(name, wanted, _position(visit.query.get("before")), PAGE + 1)
    rows = [(tag, await visit.loader.outline(name, tag.digest)) for tag in found[:PAGE]]
    following = f"{found[PAGE - 1].updated!r},{found[PAGE - 1].name}" if len(found) > PAGE else ""
    latest = next((tag.name for tag in found if tag.name == "latest"), found[0].name if found else "TAG")
    return await shown(
        visit,
        "tags.html",
        "",
        wanted=wanted,
        rows=rows,
        largest=max((outline.size for _, outline in rows), default=0),
        pulled=await visit.repositories.pulled(name, [tag.name for tag, _ in rows]),
        pull=f"{visit.host}/{name}:{latest}",
        next=f"/{name}?q={quote(wanted)}&before={quote(following)}" if following else "",
    )


def _position(value: str | None) -> tuple[float, str] | None:
    moment, comma, name = (value or "").partition(",")
    try:
        return (float(moment), name) if comma else None
    except ValueError:
        return None


async def readme(visit: Visit) -> Shown:
    """The README. Raises Missing: there is none, and nobody here who could write one."""
    details = await details_of(visit)
    if not details.readme and not visit.may(Action.ADMIN, visit.name):
        raise Missing
    return await shown(visit, "readme.html", "/-/readme", repository=details, readme=await rendered(details.readme))


async def history(visit: Visit) -> Shown:
    """What became of tags, latest first."""
    name = visit.name
    found = await visit.repositories.history(name, visit.before, PAGE + 1)
    changes = found[:PAGE]
    return await shown(
        visit,
        "history.html",
        "/-/history",
        changes=changes,
        past=await visit.undelete.past(name, changes),
        may_point=visit.may(Action.TAG_UPDATE, name) and visit.may(Action.TAG_CREATE, name),
        next=f"/{name}/-/history?before={changes[-1].id}" if len(found) > PAGE else "",
    )


async def point(visit: Visit) -> Done:
    """Let a tag point again at what it has pointed to."""
    name, tag, digest = visit.name, check_tag(visit.field("tag")), visit.field("digest")
    if not is_digest(digest):
        raise Missing
    visit.need(Action.TAG_CREATE, name)
    visit.need(Action.TAG_UPDATE, name)
    buried = visit.may(Action.DELETE, name)
    await visit.undelete.point(name, tag, digest, visit.caller.name, buried)
    await visit.note("tag.restore", f"{name}:{tag}", digest)
    return Done(f"/{name}/-/history", "restored")


PAGES = {
    REPOSITORY: Page(tags, guards.readers),
    "readme": Page(readme, guards.readers),
    "history": Page(history, guards.readers, {"point": point}),
}
