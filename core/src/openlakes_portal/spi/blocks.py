"""The catalogue of blocks: what a page declared in Python is made of. No JavaScript, no HTML.

A block takes its data from the page's `source` (a route of the same plugin) by naming a field of the answer: `value`,
`rows`, `items` are dotted paths into it. A block may name a `source` of its own, and `permission`: without it the
block is taken off the page on the server, never only hidden. Labels are text; nothing is ever read as HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from openlakes_portal.spi.access import Permission

Kind = Literal["text", "number", "bytes", "duration", "percent", "time", "status", "code", "link", "delta", "tag"]
"""How a value is drawn: `time` takes RFC 3339, `duration` seconds, `bytes` bytes, `status` a word of the vocabulary
(healthy, degraded, down, missing, starting, unknown; queued, running, success, failed, cancelled)."""


@dataclass(frozen=True)
class Column:
    """A column of a `Table`: the field of a row, its heading (default: the field's name), and how to draw it.

    `link` names a page of the same plugin that opens with `?<field>=<value>`; `unit` follows a number.
    """

    field: str
    label: str | None = None
    kind: Kind = "text"
    unit: str | None = None
    link: str | None = None


@dataclass(frozen=True)
class Stat:
    """One figure with its name."""

    label: str
    value: str
    unit: str | None = None
    kind: Kind = "number"
    source: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    text: str
    permission: Permission | None = None


@dataclass(frozen=True)
class Markdown:
    """CommonMark without raw HTML: `text` itself, or the field `value` of the source."""

    text: str | None = None
    value: str | None = None
    source: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class Notice:
    """A sentence that stands out."""

    text: str
    tone: Literal["info", "ok", "warn", "bad"] = "info"
    permission: Permission | None = None


@dataclass(frozen=True)
class Table:
    """Rows as a table: sorted, filtered, copied and exported by the shell. `empty` says why there may be none."""

    title: str
    rows: str
    columns: Sequence[Column]
    empty: str = "Nothing here yet."
    source: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class KeyValue:
    """An object's fields as a list of names and values; fields that are absent, null or empty are left out."""

    title: str
    value: str
    fields: Sequence[Column]
    source: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class Chart:
    """Rows as a chart: `x` and `y` are fields of a row, `series` splits the rows into one line or bar each."""

    title: str
    rows: str
    x: str
    y: str
    kind: Literal["bar", "line", "scatter"] = "bar"
    series: str | None = None
    unit: str | None = None
    source: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class Form:
    """The form of one of the plugin's actions, by the action's id: fields, dry run and confirmation come from it. Text
    fields that the page's address names (`?order=A-1`) are filled in."""

    action: str
    title: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class ActionButton:
    """A button that opens one of the plugin's actions, filled in as a `Form` is."""

    action: str
    label: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class Code:
    """Text in a fixed-width font: the field `value` of the source, highlighted as `language`."""

    title: str
    value: str
    language: str = "text"
    source: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class Log:
    """A log that follows: `stream` is a route of the plugin that answers Server-Sent Events, one line an event."""

    title: str
    stream: str
    permission: Permission | None = None


@dataclass(frozen=True)
class TimelineEntry:
    """How a `Timeline` reads a row: fields for its time, title, detail and state."""

    at: str = "at"
    title: str = "title"
    detail: str = "detail"
    state: str = "state"


@dataclass(frozen=True)
class Timeline:
    """What happened, newest first."""

    title: str
    rows: str
    entry: TimelineEntry = TimelineEntry()
    source: str | None = None
    permission: Permission | None = None


@dataclass(frozen=True)
class Grid:
    """Blocks side by side, in as many columns as fit."""

    body: "Sequence[Block]"
    permission: Permission | None = None


@dataclass(frozen=True)
class Tab:
    """One tab of `Tabs`."""

    label: str
    body: "Sequence[Block]"
    permission: Permission | None = None


@dataclass(frozen=True)
class Tabs:
    """Blocks behind tabs; which one is open stands in the page's URL."""

    tabs: Sequence[Tab]
    permission: Permission | None = None


Block = (
    Stat
    | Text
    | Markdown
    | Notice
    | Table
    | KeyValue
    | Chart
    | Form
    | ActionButton
    | Code
    | Log
    | Timeline
    | Grid
    | Tabs
)
"""Everything that may stand on a declared page."""
