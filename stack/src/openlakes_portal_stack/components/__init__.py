"""The components, one a file: each module has `COMPONENT`."""

from importlib import import_module

from openlakes_portal_stack.runner.component import Component

NAMES = (
    "postgresql",
    "seaweedfs",
    "trino",
    "airflow",
    "superset",
    "openbao",
    "prometheus",
    "oidc-provider",
    "keycloak",
)
"""In the order in which they are shown."""


def all_components() -> dict[str, Component]:
    """Every component by id."""
    return {name: component(name) for name in NAMES}


def component(name: str) -> Component:
    """One of them. Raises `LookupError` for an unknown name."""
    if name not in NAMES:
        raise LookupError(name)
    module = import_module(f"openlakes_portal_stack.components.{name.replace('-', '_')}")
    found: Component = module.COMPONENT
    return found
