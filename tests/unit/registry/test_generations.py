"""Replacing workers: nobody is missed, nobody is told to go before others have come."""

from __future__ import annotations

import itertools
import time

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hardtack.registry.config.document import Config
from hardtack.registry.config.server import DataSection, ServerSection
from hardtack.registry.server.generations import Child, Generations
from hardtack.registry.server.reloading import merged
from hardtack.registry.server.settings import Settings, parse_listen


class Workers(RuleBasedStateMachine):
    """Children that start, become ready and die in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pids = itertools.count(1)
        self.all = Generations(2)
        self.retired: set[int] = set()
        self.fill()

    def fill(self) -> None:
        for generation, place in self.all.missing():
            self.all.add(Child(next(self.pids), generation, place, 0, time.monotonic()))

    def retire(self) -> None:
        self.retired |= {child.pid for child in self.all.outdated()}

    @precondition(lambda self: any(not child.ready for child in self.all.children.values()))
    @rule(data=st.data())
    def one_is_ready(self, data: st.DataObject) -> None:
        pid = data.draw(st.sampled_from([pid for pid, child in self.all.children.items() if not child.ready]))
        if self.all.is_ready(pid):
            self.retire()

    @rule(workers=st.integers(1, 4))
    def reload(self, workers: int) -> None:
        self.retired |= {child.pid for child in self.all.begin(workers)}
        self.fill()

    @precondition(lambda self: self.all.children)
    @rule(data=st.data())
    def one_dies(self, data: st.DataObject) -> None:
        child = self.all.remove(data.draw(st.sampled_from(sorted(self.all.children))))
        assert child is not None
        if self.all.is_needed(child) and child.generation == self.all.coming != self.all.present:
            self.retired |= {child.pid for child in self.all.abandon()}
        self.fill()

    @invariant()
    def every_place_has_one_who_was_not_sent_away(self) -> None:
        present = [child for child in self.all.children.values() if child.generation == self.all.present]
        assert sorted(child.place for child in present) == list(range(self.all.workers))
        assert not self.retired & {child.pid for child in present}

    @invariant()
    def nobody_is_left_over(self) -> None:
        others = {child.pid for child in self.all.outdated()}
        assert others <= self.retired


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_five_deaths_in_a_row_are_enough() -> None:
    workers = Generations(1)
    pauses = [workers.pause_after(Child(1, 0, 0, 0, time.monotonic())) for _ in range(5)]
    assert pauses[0] == 0.1
    assert pauses[-1] is None
    assert workers.failed
    assert not workers.missing()


def test_what_the_parent_holds_is_not_changed_by_a_reload() -> None:
    old = Settings(Config(data=DataSection("/a")), parse_listen("127.0.0.1:1"))
    new = Settings(
        Config(data=DataSection("/b"), server=ServerSection(listen=(":2",), read_only=True)), parse_listen(":2"), True
    )
    found, kept = merged(old, new)
    assert kept == ["[server] listen", "[data] root", "[access] mode"]
    assert found.root == "/a"
    assert found.addresses == old.addresses
    assert found.config.server.read_only
    assert not found.open_to_all
