"""RUN carried out: mounts made, the command run in a throwaway container, its output passed on, its failure told."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.session import Vertex
    from hardtack.build.steps.run import RunPlan


class Execution:
    """One RUN being carried out."""

    def __init__(self, plan: RunPlan) -> None:
        self.plan = plan

    def run(self, upper: str, work: str, vertex: Vertex) -> None:
        """Carry it out."""
        raise NotImplementedError
