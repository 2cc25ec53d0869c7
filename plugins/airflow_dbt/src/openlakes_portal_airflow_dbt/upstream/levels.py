"""How much a person may in Airflow: four levels, and which of the portal's roles brings which.

The names are those that Airflow's documentation uses, with the same meaning. A person with several roles has the
highest of their levels; a person with none of the named roles may nothing at all.
"""

import json
from collections.abc import Iterable, Mapping
from enum import IntEnum


class Level(IntEnum):
    """Each may what those below it may."""

    VIEWER = 1
    """Sees DAGs, runs, logs, assets and pools."""
    USER = 2
    """Starts, stops and pauses DAGs."""
    OP = 3
    """Also connections, variables, pools, assets and configuration."""
    ADMIN = 4
    """Everything."""


ROLES: Mapping[str, Level] = {
    "platform-admin": Level.ADMIN,
    "data-engineer": Level.OP,
    "analytics-engineer": Level.OP,
}
"""The portal's roles that bring a level where the configuration does not say otherwise."""


def configured(text: str | None) -> Mapping[str, Level]:
    """The levels of a configuration: JSON, `{"data-engineer": "Op"}`. Raises `ValueError` in words: an Airflow that
    would let in other people than were meant does not start."""
    if not text:
        return ROLES
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ValueError(f"[openlakes_portal] roles is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError('[openlakes_portal] roles is an object of role and level: {"data-engineer": "Op"}')
    names = {level.name: level for level in Level}
    wrong = [f"{role}: {level!r}" for role, level in given.items() if str(level).upper() not in names]
    if wrong:
        raise ValueError(
            f"[openlakes_portal] roles names levels that do not exist ({', '.join(wrong)}); "
            "there are Viewer, User, Op and Admin"
        )
    return {role: names[level.upper()] for role, level in given.items()}


def level_of(roles: Iterable[str], levels: Mapping[str, Level]) -> Level | None:
    """The highest level of these roles; None where there is none."""
    return max((levels[role] for role in roles if role in levels), default=None)
