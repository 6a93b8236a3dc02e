"""WORKDIR: the directory is made where it is missing, and belongs to the user of the moment."""

from __future__ import annotations

from hardtack.build.keys import key_of
from hardtack.build.steps.work import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.session import Session, Vertex
    from hardtack.build.state import State


def plan(session: Session, state: State, path: str) -> Work:
    """Plan a WORKDIR whose path is absolute and clean; the state's config names it already."""
    user = state.config.get("User", "")
    below = state.diff_ids
    facts = {"chain": state.chain, "path": path, "user": user, "epoch": session.options.epoch}

    def fill(upper: str, work: str, _vertex: Vertex) -> None:
        from hardtack.build.files.permissions import parse_owner, reader

        with session.target(below, upper, work) as target:
            owner = parse_owner(user, reader(target.root)) if user else (0, 0)
            target.make_folders(target.resolve(path), 0o755, owner)

    return Work(key_of("workdir", facts), f"WORKDIR {path}", fill, below)
