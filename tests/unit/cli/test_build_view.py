"""How a build looks: what stands at its end, and what is shown of a command that failed."""

from __future__ import annotations

import io
import re

from hardtack.build.errors import StepFailed
from hardtack.build.report import DONE
from hardtack.cli.commands.build_view import Picture, Plain, View, explain
from hardtack.cli.streams import Streams

IMAGE = "sha256:" + "ab" * 32


def streams() -> tuple[Streams, io.StringIO]:
    err = io.StringIO()
    found = Streams()
    found.err = err
    return found, err


def export(view: View) -> None:
    view.begin(1, "exporting to image")
    view.say(1, f"writing image {IMAGE} done")
    view.say(1, "naming to docker.io/library/cake:latest done")
    view.end(1, DONE, 0.1)
    view.close()


def test_a_build_ends_with_the_images_id_and_names_on_a_terminal_as_in_a_pipe() -> None:
    for make in (Picture, Plain):
        both, err = streams()
        export(make(both))
        last = re.sub(r"\x1b\[[0-9]*[AJK]", "", err.getvalue())
        assert last.count(f"writing image {IMAGE} done\n") == 1, make
        assert last.count("naming to docker.io/library/cake:latest done\n") == 1, make


def failure(output: list[str]) -> str:
    both, err = streams()
    explain(StepFailed("RUN bake", "bake", 1, "Dockerfile:2", output, "   2 | >>> RUN bake"), both)
    return err.getvalue()


def test_a_command_that_failed_without_a_word_leaves_no_empty_line() -> None:
    assert failure([]) == "------\n > RUN bake:\n------\nDockerfile:2\n   2 | >>> RUN bake\n"
    assert "printed nothing" in StepFailed("RUN bake", "bake", 1, "Dockerfile:2", [], "").hint
    assert failure(["burnt", "", "black"]).startswith("------\n > RUN bake:\nburnt\n\nblack\n------\n")
