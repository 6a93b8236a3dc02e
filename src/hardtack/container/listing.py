"""Which containers there are, and what a list says of each, in the form of docker's API.

`select` reads rows and filters them; a document is parsed only when something in it is asked for. Containers whose
monitor has died are settled first, so that a list never shows what is not.
"""

from __future__ import annotations

import time

from hardtack.container import states
from hardtack.container.errors import ContainerError
from hardtack.container.row import COLUMNS, Container, find
from hardtack.oci.moment import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from hardtack.network.ports import Port
    from hardtack.store.root import Root

    Filters = Mapping[str, Sequence[str]]
    Test = Callable[[Container], bool]

FILTERS = (
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "name", "network", "publish", "since",
    "status", "volume",
)  # fmt: skip


class InvalidListFilter(ContainerError):
    """A filter of containers that has no meaning."""

    def __init__(self, key: str, value: str, why: str) -> None:
        super().__init__(f"invalid filter '{key}={value}'", why)
        self.key = key
        self.value = value


def select(root: Root, everything: bool = False, last: int = 0, filters: Filters | None = None) -> list[Container]:
    """The containers of a list, the newest first.

    Args:
        everything: those that do not run too; so it is when `last` or a filter of states is given.
        last: only so many of those created last, 0 for no limit.
        filters: values by key; values of one key are alternatives, except labels, and all keys must hold.
    Raises:
        InvalidListFilter: a key or a value without meaning.
        NoSuchContainer: `before` and `since` name one that is not there.
    """
    filters = filters or {}
    everything = everything or last > 0 or "status" in filters or "exited" in filters
    tests = [_test(root, key, list(values)) for key, values in filters.items() if values]
    found = [container for container in _rows(root, everything) if all(test(container) for test in tests)]
    return found[:last] if last > 0 else found


def summary(container: Container, ports: Sequence[Port] = (), now: float = 0.0, tagged: bool = True) -> dict[str, Any]:
    """A container as a list shows it.

    Args:
        ports: those it has published.
        now: what "ago" is counted from; the present when 0.
        tagged: whether its image still has a name; without one its id is shown.
    Source: docker Engine API, ContainerSummary.
    """
    config, host_config = container.config, container.host_config
    mode = host_config.get("NetworkMode") or "bridge"
    running = container.state in states.ALIVE
    shown: list[dict[str, Any]] = [_port(port) for port in ports]
    public = {(port.container_port, port.protocol) for port in ports}
    for key in (config.get("ExposedPorts") or {}) if running else ():
        number, _, protocol = key.partition("/")
        if (int(number), protocol) not in public:
            shown.append({"PrivatePort": int(number), "Type": protocol})
    return {
        "Id": container.id,
        "Names": [f"/{container.name}"] if container.name else [],
        "Image": config.get("Image") if tagged else container.image_id,
        "ImageID": container.image_id,
        "Command": command(config),
        "Created": int(container.created),
        "Ports": shown,
        "Labels": config.get("Labels") or {},
        "State": container.state,
        "Status": status(container, now or time.time()),
        "HostConfig": {"NetworkMode": "default" if mode == "bridge" else mode},
        "NetworkSettings": {"Networks": {} if mode.startswith("container:") else {mode: {}}},
        "Mounts": container.document.get("Mounts") or [],
    }


def _port(port: Port) -> dict[str, Any]:
    return {
        "IP": port.host_address,
        "PrivatePort": port.container_port,
        "PublicPort": port.host_port,
        "Type": port.protocol,
    }


def command(config: Mapping[str, Any]) -> str:
    """What a container runs, in one line. Source: moby, container/view.go."""
    words = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    return " ".join([*words[:1], *(f"'{word}'" if " " in word else word for word in words[1:])])


def status(container: Container, now: float) -> str:
    """The state in words: "Up 5 minutes", "Exited (0) 2 hours ago". Source: moby, container/state.go."""
    state = container.state
    if state in (states.RUNNING, states.PAUSED):
        return f"Up {duration(now - container.started)}" + (" (Paused)" if state == states.PAUSED else "")
    if state == states.RESTARTING:
        return f"Restarting ({container.exit_code}) {duration(now - container.finished)} ago"
    if state == states.REMOVING:
        return "Removal In Progress"
    if state == states.DEAD:
        return "Dead"
    if state == states.CREATED or not container.finished:
        return "Created"
    return f"Exited ({container.exit_code}) {duration(now - container.finished)} ago"


def tagged_images(root: Root) -> set[str]:
    """Digests of the images that have a name."""
    return {row[0] for row in root.db.execute("SELECT DISTINCT digest FROM reference")}


def size(root: Root, container: Container) -> tuple[int, int]:
    """What a container has written, on disk, and the same with the files of its image, in bytes."""
    from hardtack.container.row import Paths
    from hardtack.store.disk import tree_size

    written = tree_size(Paths(root, container.id).upper)
    marks = ", ".join("?" * len(container.layers))
    query = f"SELECT coalesce(sum(content), 0) FROM layer WHERE diff_id IN ({marks})"
    return written, written + int(root.db.execute(query, container.layers).fetchone()[0])


def _rows(root: Root, everything: bool) -> list[Container]:
    where = "" if everything else " WHERE state IN ('" + "', '".join(states.ALIVE) + "')"
    query = f"SELECT {COLUMNS} FROM container{where} ORDER BY created DESC, id"
    found = [Container(row) for row in root.db.execute(query)]
    if any(container.state in _HELD and not container.claimed() for container in found):
        from hardtack.container.reconcile import check

        check(root)
        found = [Container(row) for row in root.db.execute(query)]
    return [container for container in found if container.name or container.state != states.REMOVING]


_HELD = (*states.ALIVE, states.REMOVING)


def _test(root: Root, key: str, values: list[str]) -> Test:
    """The test that one filter is."""
    simple = _SIMPLE.get(key)
    if simple is not None:
        return lambda container: any(simple(container, value) for value in values)
    if key in ("before", "since"):
        moment = find(root, values[-1]).created
        return lambda container: container.created < moment if key == "before" else container.created > moment
    if key == "status":
        for value in values:
            if value not in states.ALL:
                raise InvalidListFilter(key, value, f"States are {', '.join(states.ALL)}")
        return lambda container: container.state in values
    if key == "exited":
        codes = [_number(key, value) for value in values]
        return lambda container: container.state == states.EXITED and container.exit_code in codes
    if key == "label":
        return lambda container: all(_has_label(container, value) for value in values)
    if key == "ancestor":
        return _ancestor(root, values)
    if key in ("publish", "expose"):
        return _ports(root, key, values)
    if key in ("health", "is-task"):
        plain = "none" if key == "health" else "false"
        return lambda _container: plain in values
    raise InvalidListFilter(key, values[0], f"Filters are {', '.join(FILTERS)}")


def _has_name(container: Container, value: str) -> bool:
    """Whether the name contains the value; ^ and $ hold it at its ends, as people write for an exact match."""
    wanted = value.removeprefix("^").removeprefix("/").removesuffix("$")
    if value.startswith("^") and value.endswith("$"):
        return container.name == wanted
    if value.startswith("^"):
        return container.name.startswith(wanted)
    return container.name.endswith(wanted) if value.endswith("$") else wanted in container.name


def _has_network(container: Container, value: str) -> bool:
    return (container.host_config.get("NetworkMode") or "bridge") == value


def _has_volume(container: Container, value: str) -> bool:
    return any(
        value in (entry.get("Name"), entry.get("Source"), entry.get("Destination"))
        for entry in container.document.get("Mounts") or ()
    )


_SIMPLE: dict[str, Callable[[Container, str], bool]] = {
    "id": lambda container, value: container.id.startswith(value),
    "name": _has_name,
    "network": _has_network,
    "volume": _has_volume,
}


def _has_label(container: Container, value: str) -> bool:
    labels = container.config.get("Labels") or {}
    name, equals, wanted = value.partition("=")
    return name in labels and (not equals or labels[name] == wanted)


def _ancestor(root: Root, values: list[str]) -> Test:
    """Containers of these images, and of those that were built on them."""
    from hardtack.image.find import find as find_image
    from hardtack.store.errors import ImageUnknown

    stacks, ids = [], set()
    for value in values:
        try:
            image = find_image(root, value)
        except ImageUnknown:
            continue
        ids.add(image.id)
        if image.config.diff_ids:
            stacks.append(list(image.config.diff_ids))
    return lambda container: (
        container.image_id in ids or any(container.layers[: len(stack)] == stack for stack in stacks)
    )


def _ports(root: Root, key: str, values: list[str]) -> Test:
    from hardtack.network.ports import parse_expose
    from hardtack.network.published import published

    wanted = {text for value in values for text in parse_expose(value)}
    if key == "expose":
        return lambda container: bool(wanted & set(container.config.get("ExposedPorts") or ()))
    known = published(root.db)
    return lambda container: any(
        f"{number}/{port.protocol}" in wanted
        for port in known.get(container.id, ())
        for number in (port.host_port, port.container_port)
    )


def _number(key: str, value: str) -> int:
    if not value.removeprefix("-").isdigit():
        raise InvalidListFilter(key, value, "It is an exit code")
    return int(value)
