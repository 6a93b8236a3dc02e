"""COPY and ADD: which files, from where, what the cache knows of them, and how they are written.

From the context the key is made of the files' content. From a stage or an image it is first made of that one's layers,
which costs nothing, and only where that is unknown of the files themselves, so that an artifact that came out the same
again spares the steps after it.
"""

from __future__ import annotations

from hardtack.build.context.glob import clean
from hardtack.build.context.hashing import digest_of
from hardtack.build.context.select import Selection, select
from hardtack.build.dockerfile import expand
from hardtack.build.errors import DockerfileError
from hardtack.build.files.permissions import needs_names, parse_mode
from hardtack.build.keys import key_of
from hardtack.build.steps.work import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.build.context.tree import Tree
    from hardtack.build.dockerfile.instructions import Copy
    from hardtack.build.files.copier import Copier
    from hardtack.build.files.target import Target
    from hardtack.build.session import Session, Vertex
    from hardtack.build.state import State

_REMOTE = ("http://", "https://", "git://", "git@", "ssh://")


def refusal(step: Copy) -> str:
    """Why an instruction cannot be carried out here, "" when it can; what can be known before variables have values."""
    if any(source.startswith(_REMOTE) for source in step.sources):
        return "sources are not fetched from elsewhere; fetch it in a RUN, or before the build"
    if step.keep_git is not None:
        return "--keep-git-dir is for git sources, which are not supported"
    if step.checksum:
        return "--checksum is for remote sources, which are not supported"
    return ""


class CopyPlan:
    """One COPY or ADD with its variables replaced."""

    def __init__(self, session: Session, state: State, step: Copy, origin: State | None, origin_name: str) -> None:
        self.session = session
        self.step = step
        self.origin = origin
        self.origin_name = origin_name
        variables, escape = state.variables, session.graph.dockerfile.escape

        def text(word: str) -> str:
            return expand(word, variables, escape).text

        self.sources = [text(word) for word in step.sources]
        self.written = text(step.destination)
        self.destination = destination_of(self.written, state.workdir)
        self.chown, self.chmod = text(step.chown), text(step.chmod)
        self.exclude = [text(pattern) for pattern in step.exclude]
        self.documents = [
            (
                document.name,
                expand(document.text(), variables, plain_quotes=True).text if document.expands else document.text(),
            )
            for document in step.documents
        ]
        self.mode = parse_mode(self.chmod) if self.chmod else None
        self.link = step.link
        self.below = [] if self.link else state.diff_ids
        self.chain = "" if self.link else state.chain
        self.unpacks = step.unpack if step.unpack is not None else step.adds
        self.selection: Selection | None = None
        self._check()

    def _check(self) -> None:
        for source in self.sources:
            if source.startswith(_REMOTE):
                raise DockerfileError(f"{source[:100]!r} is not fetched", hint="Fetch it in a RUN, or before the build")
            if not source:
                raise DockerfileError("a source is empty")
        if not self.written:
            raise DockerfileError("the destination is empty")
        if self.link and needs_names(self.chown):
            raise DockerfileError("--link cannot look up names for --chown", hint="Give numbers")

    def facts(self) -> dict[str, Any]:
        """What the result depends on besides the files."""
        return {
            "chain": self.chain,
            "destination": self.destination,
            "chown": self.chown,
            "chmod": self.chmod,
            "exclude": self.exclude,
            "parents": self.step.parents,
            "unpack": self.unpacks,
            "documents": self.documents,
            "epoch": self.session.options.epoch,
        }

    def history(self) -> str:
        """The line of the image's history."""
        words = [self.step.keyword]
        words += ["--parents"] if self.step.parents else []
        words += [f"--chown={self.chown}"] if self.chown else []
        words += [f"--chmod={self.chmod}"] if self.chmod else []
        words += [*self.sources, *(f"<<{name}" for name, _ in self.documents), self.written]
        return " ".join(words)

    def work(self) -> Work:
        """The planned step."""
        if self.origin is not None:
            facts = {**self.facts(), "origin": self.origin.chain, "sources": self.sources}
            second = self.content_key if self.sources else None
            return Work(key_of("copy-from", facts), self.history(), self.fill, self.below, second)
        return Work(self.content_key(), self.history(), self.fill, self.below)

    def content_key(self) -> str:
        """The key by the content of the files, which are selected and hashed for it."""
        digest = ""
        if self.sources:
            with self.tree() as tree:
                self.selection = select(tree, self.sources, self.exclude, self.step.parents)
                digest = digest_of(tree, self.selection, self.session.hashes)
            for source in self.selection.empty:
                self.session.watcher.warn(f"{self.step.keyword} {source}: no file matches")
        owned = self.origin is not None
        return key_of("copy", {**self.facts(), "content": digest, "owned": owned})

    def tree(self) -> Tree:
        """Where the sources are."""
        if self.origin is None:
            return self.session.context.tree()
        return self.session.view(self.origin.diff_ids, self.origin_name)

    def fill(self, upper: str, work: str, _vertex: Vertex) -> None:
        """Carry it out."""
        from hardtack.build.files.copier import Copier
        from hardtack.build.files.permissions import parse_owner, reader

        with self.session.target(self.below, upper, work) as target:
            owner = parse_owner(self.chown, reader(target.root)) if self.chown else None
            copier = Copier(target, owner, self.mode)
            if self.unpacks:
                self._teach(copier, target)
            if self.sources:
                with self.tree() as tree:
                    if self.selection is None:
                        self.selection = select(tree, self.sources, self.exclude, self.step.parents)
                    copier.copy(tree, self.selection, self.destination)
            for name, content in self.documents:
                copier.write(name, content.encode("utf-8", "surrogatepass"), self.destination)

    def _teach(self, copier: Copier, target: Target) -> None:
        from hardtack.build.files.unpack import unpack_file

        copier.unpack = lambda tree, found, path: unpack_file(tree, found, target, path, copier.owner)


def destination_of(path: str, workdir: str) -> str:
    """Where a destination is, absolute; a slash at its end is kept, since it says that a folder is meant."""
    folder = path in (".", "") or path.endswith(("/", "/."))
    found = clean(path if path.startswith("/") else f"{workdir}/{path}")
    return found if not folder or found == "/" else found + "/"
