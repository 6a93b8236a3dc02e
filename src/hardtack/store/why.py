"""Why a blob or a layer is kept: the ways from holders down to it."""

from __future__ import annotations

from hardtack.oci.digest import Digest
from hardtack.store.errors import StoreError
from hardtack.store.holders import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

_SHOWN = 100
_HEX = frozenset("0123456789abcdef")


class Reason:
    """One holder, and the shortest way from it.

    Attributes:
        holder: as the table `keep` names it.
        label: the same in words.
        chain: (digest, kind of the edge that leads to it), from what is held down to what was asked for; the first
            kind is "".
    """

    __slots__ = ("chain", "holder", "label")

    def __init__(self, holder: str, label: str, chain: list[tuple[str, str]]) -> None:
        self.holder = holder
        self.label = label
        self.chain = chain


class DigestUnknown(StoreError):
    """Nothing in the store has this digest, or more than one thing has digits that begin so."""

    def __init__(self, text: str, fitting: int) -> None:
        why = f"{fitting} digests begin so" if fitting else "nothing in the store has it"
        super().__init__(f"cannot say why {text} is kept: {why}", "Give more digits" if fitting else "")
        self.text = text


def why(root: Root, text: str) -> list[Reason]:
    """Find every holder that keeps a digest.

    Args:
        text: a digest, or the first digits of one, of a blob or of a layer (its diff id).
    Returns:
        Shortest ways first; empty when nothing keeps it and the next collection takes it.
    Raises:
        DigestUnknown: the store knows nothing of it.
    """
    db = root.db
    target: str = expand(db, text)
    chains: dict[str, list[tuple[str, str]]] = {target: [(target, "")]}
    reasons: list[Reason] = []
    front = [target]
    while front and len(reasons) < _SHOWN:
        beyond: list[str] = []
        for node in front:
            chain = chains[node]
            for (holder,) in db.execute("SELECT holder FROM keep WHERE digest = ? ORDER BY holder", (node,)):
                reasons.append(Reason(holder, describe(db, holder), chain))
            for parent, kind in db.execute("SELECT parent, kind FROM edge WHERE child = ? ORDER BY parent", (node,)):
                if parent not in chains:
                    chains[parent] = [(parent, ""), (node, kind), *chain[1:]]
                    beyond.append(parent)
        front = beyond
    return reasons


def expand(db: Connection, text: str) -> Digest:
    """The digest that a person means by it or by its first digits.

    Raises:
        DigestUnknown: none, or several.
    """
    digits = text.partition(":")[2] or text
    if not digits or not _HEX.issuperset(digits):
        raise DigestUnknown(text, 0)
    found: set[str] = set()
    for algorithm in ("sha256", "sha512"):
        low = f"{algorithm}:{digits}"
        for table, column in (("blob", "digest"), ("layer", "diff_id"), ("edge", "child"), ("keep", "digest")):
            rows = db.execute(
                f"SELECT DISTINCT {column} FROM {table} WHERE {column} >= ? AND {column} < ? LIMIT 2", (low, low + "g")
            )
            found.update(row[0] for row in rows)
    if len(found) != 1:
        raise DigestUnknown(text, len(found))
    return Digest(found.pop())
