"""What is set for a repository: summary, visibility, immutable tags, README, rules of retention; with a try before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.repositories.rows import Settings
from hardtack.registry.retention.keeper import Retention
from hardtack.registry.web import guards
from hardtack.registry.web.home import VISIBILITIES
from hardtack.registry.web.markdown import rendered
from hardtack.registry.web.page import Done, Page
from hardtack.registry.web.repository.common import shown

if TYPE_CHECKING:
    from hardtack.registry.retention.keeper import Plan
    from hardtack.registry.web.page import Shown
    from hardtack.registry.web.visit import Visit

_ROWS = 500
_TAB = "/-/settings"


async def general(visit: Visit) -> Shown:
    """Summary, visibility and immutable tags."""
    return await shown(visit, "settings.html", _TAB, visibilities=VISIBILITIES)


async def save(visit: Visit) -> Done:
    """Set them."""
    patterns = tuple(filter(None, (line.strip() for line in visit.lines("immutable").split("\n"))))
    said = Settings(visit.field("visibility"), visit.field("summary"), immutable=patterns)
    return await _change(visit, said, "settings")


async def _change(visit: Visit, said: Settings, below: str) -> Done:
    await visit.repositories.change(visit.name, said)
    await visit.note("repository.change", visit.name)
    return Done(f"/{visit.name}/-/{below}", "saved")


async def readme(visit: Visit) -> Shown:
    """The README as it is written."""
    return await shown(visit, "settings_readme.html", _TAB, preview=None)


async def preview(visit: Visit) -> Shown:
    """How what was typed will look."""
    typed = visit.with_trouble("preview", "")  # what was typed stays
    return await shown(typed, "settings_readme.html", _TAB, preview=await rendered(visit.lines("readme")))


async def save_readme(visit: Visit) -> Done:
    """Set the README."""
    return await _change(visit, Settings(readme=visit.lines("readme")), "readme")


async def retention(visit: Visit) -> Shown:
    """The rules of retention."""
    return await shown(visit, "settings_retention.html", _TAB, **_shown_plan(None, False, 0))


def _shown_plan(plan: Plan | None, tried: bool, freed: int) -> dict[str, object]:
    """What a page shows of a plan: tags that go with the bytes of their manifests, other manifests, tags that stay."""
    tags, manifests = ((), ()) if plan is None else plan.judgement
    going = [verdict for verdict in manifests if not verdict.stays]
    sizes = {} if plan is None else dict(zip((one.digest for one in going), plan.sizes, strict=False))
    rows = [(one, sizes.get(one.digest, 0)) for one in tags if not one.stays]
    tagged = {one.digest for one in tags}
    rows += [(one, sizes.get(one.digest, 0)) for one in going if one.digest not in tagged]
    staying = [one for one in tags if one.stays]
    return {
        "tried": tried,
        "is_judged": plan is not None,
        "going": rows[:_ROWS],
        "going_count": len(rows),
        "staying": staying[:_ROWS],
        "staying_count": len(staying),
        "freed": freed,
    }


async def try_rules(visit: Visit) -> Shown:
    """What would go by the rules that were typed."""
    visit = visit.with_trouble("try", "")
    service, name = visit.service, visit.name
    plan = await Retention(service.database, service.config).plan(name, visit.lines("rules").strip())
    going = [] if plan is None else [one.digest for one in plan.judgement.manifests if not one.stays]
    freed = (await visit.repositories.freed_by(name, going)).size if going else 0
    return await shown(visit, "settings_retention.html", _TAB, **_shown_plan(plan, True, freed))


async def save_rules(visit: Visit) -> Done:
    """Set the rules."""
    return await _change(visit, Settings(retention=visit.lines("rules").strip()), "settings/retention")


PAGES = {
    "settings": Page(general, guards.administrators, {"save": save}),
    "settings/readme": Page(readme, guards.administrators, {"save": save_readme, "preview": preview}),
    "settings/retention": Page(retention, guards.administrators, {"save": save_rules, "try": try_rules}),
}
