"""An image: its platforms, its layers beside the instruction that made each, what a container of it starts with; and
why a content of the repository is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardtack.oci.manifest import Index
from hardtack.registry.access import Action
from hardtack.registry.repositories.why import lines
from hardtack.registry.web import guards, views
from hardtack.registry.web.addresses import IMAGE, is_digest
from hardtack.registry.web.page import Missing, Page, Shown
from hardtack.registry.web.repository.common import PAGE, details_of

if TYPE_CHECKING:
    from hardtack.oci.manifest import Manifest
    from hardtack.registry.metadata.rows import StoredManifest
    from hardtack.registry.web.visit import Visit


async def image(visit: Visit) -> Shown:
    """The page of a tag or a digest."""
    name, tag, reference = visit.name, visit.at["tag"], visit.at["reference"]
    found = await visit.loader.manifest(name, reference)
    if found is None:
        raise Missing
    stored, manifest = found
    entries: tuple[views.PlatformView, ...] = ()
    chosen: views.PlatformView | None = None
    inner: tuple[StoredManifest, Manifest | Index] | None = found
    if isinstance(manifest, Index):
        entries = views.platforms(manifest)
        chosen = views.preferred(entries)
        inner = await visit.loader.manifest(name, chosen.digest) if chosen is not None else None
    return Shown(
        "repository/image.html",
        {
            "name": name,
            "tag": tag,
            "stored": stored,
            "is_index": isinstance(manifest, Index),
            "platforms": entries,
            "shown": chosen,
            "inner_digest": "" if inner is None else inner[0].digest,
            "image": await _view(visit, inner),
            "pull": f"{visit.host}/{name}" + (f":{tag}" if tag else f"@{stored.digest}"),
            **await _surroundings(visit, tag, stored.digest),
        },
    )


async def _surroundings(visit: Visit, tag: str, digest: str) -> dict[str, Any]:
    """What the image is connected with, how often it was pulled, and what the visitor may do with it."""
    name, metadata = visit.name, visit.service.metadata
    pulled = await visit.repositories.pulled(name, [tag or digest])
    return {
        "tags": await metadata.tags_of(name, digest),
        "parents": [parent for parent, kind in await metadata.parents(name, digest) if kind == "manifest"],
        "referrers": await metadata.referrers(name, digest, limit=PAGE),
        "pulled": pulled.get(tag or digest),
        "may_untag": bool(tag) and visit.may(Action.TAG_DELETE, name),
        "may_delete": visit.may(Action.DELETE, name),
    }


async def _view(visit: Visit, inner: tuple[StoredManifest, Manifest | Index] | None) -> views.ImageView | None:
    if inner is None or isinstance(inner[1], Index):
        return None
    return views.image_view(inner[1], await visit.loader.config(visit.name, inner[1]))


async def why(visit: Visit) -> Shown:
    """The chains that keep a content in the repository."""
    digest = visit.at["digest"]
    if not is_digest(digest):
        raise Missing
    chains = await visit.repositories.why(digest, visit.name, PAGE)
    if not chains:
        raise Missing
    return Shown(
        "repository/why.html",
        {
            "name": visit.name,
            "digest": digest,
            "repository": await details_of(visit),
            "chains": ["\n".join(lines(chain)) for chain in chains],
            "more": len(chains) >= PAGE,
        },
    )


PAGES = {
    IMAGE: Page(image, guards.readers),
    "why/{digest}": Page(why, guards.readers),
}
