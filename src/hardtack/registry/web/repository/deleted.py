"""What was deleted and can be brought back; and deleting, after a page that says what goes and how much that frees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import Action
from hardtack.registry.errors import ManifestUnknown
from hardtack.registry.names import check_tag, is_tag
from hardtack.registry.web import guards
from hardtack.registry.web.addresses import is_digest
from hardtack.registry.web.page import Done, Missing, Page
from hardtack.registry.web.repository.common import PAGE, shown

if TYPE_CHECKING:
    from hardtack.registry.web.page import Shown
    from hardtack.registry.web.visit import Visit


async def deleted(visit: Visit) -> Shown:
    """Deleted manifests, last deleted first."""
    name = visit.name
    found = await visit.undelete.graves(name, _position(visit.query.get("before", "")), PAGE + 1)
    graves = found[:PAGE]
    kept = visit.service.config.retention.undelete
    return await shown(
        visit,
        "deleted.html",
        "/-/deleted",
        graves=graves,
        kept=kept,
        now=visit.service.database.now(),
        may_restore=visit.may(Action.DELETE, name) and visit.may(Action.TAG_CREATE, name),
        may_forget=visit.may(Action.ADMIN, name),
        next=f"/{name}/-/deleted?before={graves[-1].deleted!r},{graves[-1].id}" if len(found) > PAGE else "",
    )


def _position(text: str) -> tuple[float, int] | None:
    moment, comma, number = text.partition(",")
    try:
        return (float(moment), int(number[:17])) if comma else None
    except ValueError:
        return None


async def restore(visit: Visit) -> Done:
    """Bring a manifest back."""
    name, digest = visit.name, _digest(visit)
    visit.need(Action.DELETE, name)
    visit.need(Action.TAG_CREATE, name)
    await visit.undelete.restore(name, digest, visit.caller.name)
    await visit.note("manifest.restore", name, digest)
    return Done(f"/{name}@{digest}", "restored")


async def forget(visit: Visit) -> Done:
    """Let the space of a deleted manifest go."""
    name, digest = visit.name, _digest(visit)
    visit.need(Action.ADMIN, name)
    await visit.undelete.forget(name, digest)
    await visit.note("manifest.forget", name, digest)
    return Done(f"/{name}/-/deleted", "forgotten")


def _digest(visit: Visit) -> str:
    digest = visit.field("digest")
    if not is_digest(digest):
        raise Missing
    return digest


def _reference(visit: Visit) -> str:
    """The tag or digest that is to be deleted. Raises Missing: it is neither, or not the visitor's to delete."""
    reference = visit.fields.get("reference", "") or visit.query.get("reference", "")
    if not (is_digest(reference) or is_tag(reference)):
        raise Missing
    visit.need(Action.DELETE if ":" in reference else Action.TAG_DELETE, visit.name)
    return reference


async def confirm(visit: Visit) -> Shown:
    """What goes with a tag or a manifest."""
    name, reference = visit.name, _reference(visit)
    metadata = visit.service.metadata
    found = await metadata.manifest(name, reference)
    if found is None:
        raise Missing
    return await shown(
        visit,
        "delete.html",
        "/-/delete",
        reference=reference,
        is_tag=":" not in reference,
        digest=found.digest,
        tags=await metadata.tags_of(name, found.digest),
        parents=[parent for parent, kind in await metadata.parents(name, found.digest) if kind == "manifest"],
        referrers=len(await metadata.referrers(name, found.digest, limit=PAGE)),
        freed=await visit.repositories.freed_by(name, [found.digest]),
        kept=visit.service.config.retention.undelete,
        may_delete_manifest=visit.may(Action.DELETE, name),
    )


async def delete(visit: Visit) -> Done:
    """Delete a tag, or a manifest with its tags. Raises ManifestUnknown: it is gone."""
    name, reference, who = visit.name, _reference(visit), visit.caller.name
    metadata, service = visit.service.metadata, visit.service
    if ":" not in reference:
        gone, keep = await metadata.delete_tag(name, check_tag(reference), who), False
    else:
        keep = service.config.retention.undelete > 0
        gone = await metadata.delete_manifest(name, reference, who, service.limits.grace, keep)
    if not gone:
        raise ManifestUnknown(reference)
    await visit.note("manifest.delete" if ":" in reference else "tag.delete", name, reference)
    if ":" not in reference:
        return Done(f"/{name}", "tag-deleted")
    return Done(f"/{name}", "deleted-for-now" if keep else "deleted")


PAGES = {
    "deleted": Page(deleted, guards.removers, {"restore": restore, "forget": forget}),
    "delete": Page(confirm, guards.readers, {"delete": delete}),
}
