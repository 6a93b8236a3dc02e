"""Robots by the JSON API: the library's rules say who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hardtack.registry.accounts import rows
from hardtack.registry.accounts.changes import need_rule
from hardtack.registry.admin.scoped import Scoped, Secret, grants_of
from hardtack.registry.admin.table import Endpoint

if TYPE_CHECKING:
    from hardtack.registry.admin.ask import Ask


class NewRobot(msgspec.Struct, forbid_unknown_fields=True):
    """A robot to be made: its own part of its name, what it may, and for how many seconds its secret is good."""

    name: str
    grants: list[Scoped] = []
    life: float | None = None
    title: str = ""


class Life(msgspec.Struct, forbid_unknown_fields=True):
    """For how many seconds a secret is good; for ever without."""

    life: float | None = None


class Active(msgspec.Struct, forbid_unknown_fields=True):
    """Whether it may log in."""

    active: bool


class MadeRobot(msgspec.Struct):
    """A new robot, with its secret, which is shown this once."""

    secret: str
    robot: rows.Account


async def robots(ask: Ask) -> list[rows.Account]:
    """The robots of a user or an organisation."""
    need_rule(ask.by(), ask.path["owner"])
    return await ask.accounts().robots.all(ask.path["owner"])


async def create_robot(ask: Ask) -> MadeRobot:
    """Make a robot."""
    new = ask.body
    secret, robot = await ask.accounts().robots.create(
        ask.by(), ask.path["owner"], new.name, grants_of(new.grants), new.life, new.title
    )
    return MadeRobot(secret, robot)


async def rotate_robot(ask: Ask) -> Secret:
    """Give a robot another secret."""
    return Secret(await ask.accounts().robots.rotate(ask.by(), _robot(ask), ask.body.life))


async def switch_robot(ask: Ask) -> None:
    """Disable a robot, or enable it again."""
    await ask.accounts().robots.set_active(ask.by(), _robot(ask), ask.body.active)


async def delete_robot(ask: Ask) -> None:
    """Delete a robot."""
    await ask.accounts().robots.delete(ask.by(), _robot(ask))


def _robot(ask: Ask) -> str:
    return f"{ask.path['owner']}+{ask.path['robot']}"


_ROBOT = "/robots/{owner}/{robot}"

ENDPOINTS = (
    Endpoint("GET", "/robots/{owner}", robots, "List a user's or an organisation's robots", gives=list[rows.Account]),
    Endpoint("POST", "/robots/{owner}", create_robot, "Make a robot", NewRobot, MadeRobot, status=201),
    Endpoint("PATCH", _ROBOT, switch_robot, "Disable a robot, or enable it again", Active),
    Endpoint("POST", f"{_ROBOT}/secret", rotate_robot, "Give a robot another secret", Life, Secret),
    Endpoint("DELETE", _ROBOT, delete_robot, "Delete a robot"),
)
