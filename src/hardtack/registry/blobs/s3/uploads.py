"""What lies in the bucket for an unfinished upload: a sign that it was begun, its pieces, notes of half-made blobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hardtack.registry.blobs.s3.assembling import forget
from hardtack.registry.blobs.s3.pieces import Piece, parse_piece, resolve
from hardtack.registry.errors import UploadUnknown
from hardtack.registry.names import is_upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.registry.blobs.s3.bucket import Bucket

FOLDER = "uploads/"
_BEGUN = "begun"
_NOTE = "assembly."


@dataclass(slots=True)
class UploadState:
    """An upload as a listing showed it.

    Attributes:
        begun: whether it is one; what lies there otherwise was left by somebody who died.
        chain: the pieces that it consists of.
        turn: the highest turn so far; 0 when nobody wrote.
        others: keys of everything else, notes included.
        notes: keys of notes of half-made blobs.
    """

    begun: bool = False
    chain: list[Piece] = field(default_factory=list)
    turn: int = 0
    others: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return self.chain[-1].end if self.chain else 0


def folder_of(upload: str) -> str:
    """Where an upload's objects are. Raises UploadUnknown when the id is none."""
    if not is_upload(upload):
        raise UploadUnknown(upload)
    return f"{FOLDER}{upload}/"


def begun_key(upload: str) -> str:
    """The object whose being there makes an upload exist."""
    return folder_of(upload) + _BEGUN


async def state_of(bucket: Bucket, upload: str) -> UploadState:
    """Ask the store what there is."""
    folder = folder_of(upload)
    state = UploadState()
    pieces = []
    async for entry in bucket.listing(folder):
        name = entry.key[len(folder) :]
        piece = parse_piece(name, entry.size)
        if piece is not None:
            pieces.append(piece)
        elif name == _BEGUN:
            state.begun = True
        else:
            state.others.append(entry.key)
            if name.startswith(_NOTE):
                state.notes.append(entry.key)
    state.chain = resolve(pieces)
    state.turn = max((piece.turn for piece in pieces), default=0)
    held = {piece.id for piece in state.chain}
    state.others.extend(folder + piece.name for piece in pieces if piece.id not in held)
    return state


async def clear(bucket: Bucket, upload: str, state: UploadState, more: Sequence[str] = ()) -> None:
    """Remove an upload. From the first request on it is none any more, whatever becomes of the rest.

    Args:
        more: keys of what was added to it since.
    """
    await forget(bucket, state.notes)
    folder = folder_of(upload)
    begun = [begun_key(upload)] if state.begun else []
    await bucket.delete([*begun, *(folder + piece.name for piece in state.chain), *state.others, *more])


async def resting(bucket: Bucket, idle: float) -> list[str]:
    """Uploads, and left-overs of such, to which nothing was written for some seconds."""
    youngest: dict[str, float] = {}
    async for entry in bucket.listing(FOLDER):
        upload = entry.key[len(FOLDER) :].partition("/")[0]
        if is_upload(upload):
            youngest[upload] = min(entry.age, youngest.get(upload, entry.age))
    return [upload for upload, age in youngest.items() if age >= idle]
