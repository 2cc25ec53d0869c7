"""The page *Stack*: each component with its state, version, memory and address, and what it printed."""

from openlakes_portal.spi import (
    Code,
    Column,
    Context,
    KeyValue,
    Markdown,
    NotFound,
    Page,
    Permission,
    Request,
    Route,
    Stat,
    Table,
)
from openlakes_portal_stack.portal.settings import Settings
from openlakes_portal_stack.portal.watch import Watch

READ = Permission(
    "stack:component:read",
    "See the components of the stack on this machine and what they printed",
    roles=("data-engineer", "analytics-engineer"),
)
LINES = 200
FACTS = [
    Column("state", "State", kind="status"),
    Column("text", "Doing"),
    Column("version", "Version"),
    Column("memory", "Memory", kind="bytes"),
    Column("since", "Since", kind="time"),
    Column("address", "Address", kind="code"),
]
"""What is told of a component besides its name, in the list and on its own page."""

PAGES = [
    Page(
        "components",
        "Stack",
        access=READ,
        source="components",
        subtitle="The real components on this machine, without containers",
        refresh=3,
        body=[
            Stat("Memory of all", "memory", kind="bytes"),
            Table(
                "Components",
                "items",
                [Column("title", "Component", link="component"), *FACTS],
                empty="No stack was planned.",
            ),
            Markdown("`openlakes stack` does the same on the command line: status, logs, up, down, reset."),
        ],
    ),
    Page(
        "component",
        "Component",
        access=READ,
        source="component",
        refresh=5,
        body=[
            KeyValue("State", "component", [Column("title", "Component"), *FACTS]),
            Code("The end of its log", "log"),
        ],
    ),
]

STATES = {"ready": "healthy", "external": "healthy", "left-out": "missing", "failed": "down", "crashed": "down"}
"""A component's phase in the vocabulary that the console draws; whatever is on its way is `starting`."""


def routes(context: Context[Settings], watch: Watch) -> list[Route]:
    """What the pages read."""

    async def components(request: Request) -> dict[str, object]:
        found = await context.in_thread(lambda: watch.stack().status())
        rows = [_row(one) for one in found]
        return {"items": rows, "memory": sum(one.memory for one in found)}

    async def component(request: Request) -> dict[str, object]:
        title = request.query("title")

        def read() -> dict[str, object]:
            stack = watch.stack()
            for one in stack.status():
                if title in (one.title, one.id):
                    log = "\n".join(stack.supervisor.tail(file.stem, LINES) for file in stack.logs(one.id))
                    return {"component": _row(one), "log": log or "It has printed nothing yet."}
            raise NotFound(f"There is no component {title!r} in this stack.")

        return await context.in_thread(read)

    return [
        Route("GET", "components", components, access=READ),
        Route("GET", "component", component, access=READ),
    ]


def _row(status: object) -> dict[str, object]:
    from dataclasses import asdict

    told = asdict(status)  # type: ignore[call-overload]  # a `ComponentStatus`: its module is not imported at the start
    state = STATES.get(told["state"], "unknown" if told["state"] == "stopped" else "starting")
    return {**told, "state": state, "text": told["text"]}
