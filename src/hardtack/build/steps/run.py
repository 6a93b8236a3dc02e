"""RUN: what a command depends on, its mounts, and how it is run in a container that leaves only its changes.

Secrets, caches and temporary file systems are not part of the key; layers, the command, its variables, its user, its
directory and what is bound into it are.
"""

from __future__ import annotations

from hardtack.build.arguments import PROXIES
from hardtack.build.context.glob import clean
from hardtack.build.dockerfile import expand
from hardtack.build.dockerfile.lines import heredoc_of
from hardtack.build.dockerfile.mounts import Mount, parse_mount
from hardtack.build.errors import DockerfileError
from hardtack.build.keys import key_of
from hardtack.build.metadata import shell_words
from hardtack.build.state import PATH
from hardtack.build.steps.secrets import secret_id
from hardtack.build.steps.work import Work
from hardtack.jsontext import dumps
from hardtack.oci.platform import accepted, host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.build.dockerfile.instructions import Run
    from hardtack.build.session import Session, Vertex
    from hardtack.build.state import State
    from hardtack.build.steps.stubs import Points
    from hardtack.oci.platform import Platform

SCRIPTS = "/dev/pipes"


def refusal(step: Run) -> str:
    """Why an instruction cannot be carried out here, "" when it can."""
    if step.security == "insecure":
        return "--security=insecure is not supported"
    if any("type=ssh" in text.lower().split(",") for text in step.mounts):
        return "mounts of type ssh are not supported"
    return ""


def _check_platform(platform: Platform) -> None:
    here = host()
    if platform.os != here.os or (platform.architecture, platform.variant) not in accepted(here):
        raise DockerfileError(
            f"a command of {platform} cannot run on {here}", hint=f"Build on such a machine, or with --platform {here}"
        )


class RunPlan:
    """One RUN with its variables replaced.

    Attributes:
        args: the command; `script`: name and content of a here-document that is run as a program, or None.
        mounts: in order, each with the state it takes files from (None: the context, or none needed).
        place: the instruction's place and the lines around it, for a failure.
        points: what is known of the stage's mount points.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        step: Run,
        origins: list[State | None],
        place: tuple[str, str],
        points: Points,
    ) -> None:
        _check_platform(state.platform)
        self.session = session
        self.state = state
        self.step = step
        self.place = place
        self.points = points
        self.diff_ids = state.diff_ids
        self.script: tuple[str, str] | None = None
        self.args = self._command()
        self.history = self._history()
        self.network = step.network if step.network != "default" else session.options.network
        self.user = state.config.get("User", "")
        self.workdir = state.workdir
        self.variables = {"PATH": PATH, **state.variables}
        escape = session.graph.dockerfile.escape
        self.mounts: list[tuple[Mount, State | None]] = []
        for text, origin in zip(step.mounts, origins, strict=True):
            mount = parse_mount(text, lambda value: expand(value, state.variables, escape).text)
            if mount.type == "ssh":
                raise DockerfileError("mounts of type ssh are not supported")
            self._check(mount)
            self.mounts.append((mount, origin))

    def _command(self) -> list[str]:
        step = self.step
        if not step.heredocs:
            return shell_words(self.state, step)
        document = step.heredocs[0]
        if heredoc_of(step.args[0]) is None:  # a document inside a command: the shell reads it itself
            content = "".join(f"\n{document.content}{document.name}" for document in step.heredocs)
            return [*self.state.shell, step.args[0] + content]
        if document.text().startswith("#!"):
            self.script = (document.name, document.text())
            return [f"{SCRIPTS}/{document.name}"]
        return [*self.state.shell, document.text()]

    def _history(self) -> str:
        declared = self.state.declared
        values = [f"{name}={self.state.variables.get(name, value or '')}" for name, value in declared.items()]
        words = [f"|{len(values)}", *values] if values else []
        # The exec form as it is written in a Dockerfile, so that the words of `sh -c "a b"` can still be told apart.
        written = self.step.shell or self.step.heredocs
        command = self.args if written else ["[" + ", ".join(dumps(word) for word in self.args) + "]"]
        return " ".join(["RUN", *words, *command])

    def _check(self, mount: Mount) -> None:
        if mount.target:
            mount.target = clean(mount.target if mount.target.startswith("/") else f"{self.workdir}/{mount.target}")
            if mount.target == "/":
                raise DockerfileError("a mount cannot cover the whole root")

    def work(self) -> Work:
        """The planned step."""
        return Work(key_of("run", self.facts()), self.history, self._fill, self.diff_ids)

    def _fill(self, upper: str, work: str, vertex: Vertex) -> None:
        from hardtack.build.steps.execute import Execution

        Execution(self).run(upper, work, vertex)

    def facts(self) -> dict[str, Any]:
        """What the result depends on."""
        return {
            "chain": self.state.chain,
            "args": self.args,
            "script": self.script,
            "env": sorted([name, value] for name, value in self.variables.items() if name not in PROXIES),
            "user": self.user,
            "workdir": self.workdir,
            "network": self.network,
            "mounts": [self._mount_facts(mount, origin) for mount, origin in self.mounts],
            "epoch": self.session.options.epoch,
        }

    def _mount_facts(self, mount: Mount, origin: State | None) -> list[Any]:
        common = [mount.type, mount.target, mount.readonly]
        if mount.type == "secret":
            return [*common, secret_id(mount), mount.env, mount.required, mount.mode, mount.uid, mount.gid]
        if mount.type == "tmpfs":
            return [*common, mount.size]
        if mount.type == "cache":
            return [*common, mount.id, mount.sharing, mount.source, origin.chain if origin else ""]
        if origin is not None:
            return [*common, mount.source, origin.chain]
        return [*common, mount.source, self._context_digest(mount.source)]

    def _context_digest(self, source: str) -> str:
        from hardtack.build.context.hashing import digest_of
        from hardtack.build.context.select import select

        with self.session.context.tree() as tree:
            return digest_of(tree, select(tree, [source or "."], []), self.session.hashes)
