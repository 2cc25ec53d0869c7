"""From a Route's function to something that can be called: what it takes (`body`, `query`) and what it returns.

Done once at the start, so that a mistake in an annotation is named then, and a request pays for nothing but the call.
"""

import inspect
import typing
from dataclasses import dataclass, is_dataclass
from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUserError

from openlakes_portal.spi import Events, File, Listing, Reply, Route, Stream

STREAMS = (Stream, Events, File)


class EndpointError(Exception):
    """The function cannot be used as an endpoint."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True)
class CompiledEndpoint:
    """What is known of an endpoint: `returns` is None for streams, files and answers without a body."""

    is_async: bool
    body: TypeAdapter[Any] | None
    query: type[BaseModel] | None
    returns: TypeAdapter[Any] | None
    is_listing: bool
    path_parameters: tuple[str, ...]


def compile_endpoint(route: Route) -> CompiledEndpoint:
    """Read the function's signature. Raises `EndpointError` in words for a plugin's author."""
    function = route.endpoint
    if not callable(function):
        raise EndpointError(f"endpoint is {type(function).__name__}", "Pass a function of a Request.")
    try:
        hints = typing.get_type_hints(function)
        parameters = list(inspect.signature(function).parameters.values())
    except (NameError, TypeError, ValueError) as error:
        raise EndpointError(
            f"its annotations cannot be read: {error}",
            "Define the types it names at the top of a module, and do not import annotations from __future__.",
        ) from None
    if not parameters or parameters[0].name in ("body", "query"):
        raise EndpointError("it takes no request", "Make the first parameter `request: Request`.")
    unknown = [p.name for p in parameters[1:] if p.name not in ("body", "query") and p.default is p.empty]
    if unknown:
        raise EndpointError(
            f"it takes {unknown[0]!r}", "Besides the request it may take `body` and `query`; path: request.path(name)."
        )
    names = {p.name for p in parameters[1:]}
    body = _adapter(hints.get("body"), "body") if "body" in names else None
    if body is not None and route.method in ("GET", "DELETE"):
        raise EndpointError(f"a {route.method} has no body", "Use `query`, or another method.")
    query = hints.get("query") if "query" in names else None
    if "query" in names and not (isinstance(query, type) and issubclass(query, BaseModel)):
        raise EndpointError("`query` has no pydantic model as annotation", "Annotate it: `query: Filter`.")
    returns, is_listing = _returns(hints.get("return"))
    parts = tuple(part[1:-1] for part in route.path.split("/") if part.startswith("{"))
    if len(set(parts)) != len(parts):
        raise EndpointError("a path parameter stands twice in its path", "Give each its own name.")
    return CompiledEndpoint(inspect.iscoroutinefunction(function), body, query, returns, is_listing, parts)


def _returns(annotation: Any) -> tuple[TypeAdapter[Any] | None, bool]:
    if annotation is None or annotation is type(None):
        return None, False
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Reply:
        return _returns(args[0])
    if origin is Listing or annotation is Listing:
        return _adapter(args[0] if args else Any, "the return annotation"), True
    if origin in (typing.Union, __import__("types").UnionType):
        data = [a for a in args if a not in STREAMS and get_origin(a) is not Reply]
        return (
            (None, False)
            if not data
            else (_adapter(annotation if len(data) == len(args) else data[0], "return"), False)
        )
    if annotation in STREAMS:
        return None, False
    return _adapter(annotation, "the return annotation"), False


def _adapter(annotation: Any, what: str) -> TypeAdapter[Any]:
    if annotation is None:
        raise EndpointError(f"`{what}` has no annotation", "Annotate it with a pydantic model or a dataclass.")
    try:
        return _cached_adapter(annotation)
    except TypeError:
        return TypeAdapter(annotation)
    except PydanticUserError as error:
        raise EndpointError(f"{what}: {error.message}", "Use pydantic models, dataclasses and plain types.") from None


@lru_cache(maxsize=2048)
def _cached_adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def schema_name(annotation: Any) -> str:
    """The name of a type, for the OpenAPI."""
    return annotation.__name__ if isinstance(annotation, type) and not is_dataclass(annotation) else str(annotation)
