"""Every field of every request has a bound; a new route without one fails here."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from litestar.enums import ParamType
from msgspec import Meta, Struct

from backend.config import Settings
from backend.core.bounds import Asked
from backend.live.gateway import Opening
from backend.processes.web import create_app


def _handlers() -> Iterator[tuple[str, Any]]:
    for route in create_app(Settings(database_url="", demo=True), None).routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.http_methods != {"OPTIONS"}:
                yield f"{' '.join(sorted(handler.http_methods))} {route.path}", handler


BODIES = {name: field.annotation for name, handler in _handlers() if (field := handler.parsed_data_field) is not None}
BODIES["the first message of a websocket"] = Opening


def _unbounded(name: str, kind: Any, metas: tuple[Meta, ...] = ()) -> Iterator[str]:
    """The fields of a type, however deep, that would take anything."""
    if get_origin(kind) is Annotated:
        inner, *found = get_args(kind)
        yield from _unbounded(name, inner, (*metas, *(meta for meta in found if isinstance(meta, Meta))))
    elif isinstance(kind, type) and issubclass(kind, Struct):
        if not issubclass(kind, Asked):
            yield f"{name}: {kind.__name__} is not Asked"
        for field, annotation in get_type_hints(kind, include_extras=True).items():
            if field in kind.__struct_fields__:
                yield from _unbounded(f"{name}.{field}", annotation)
    elif kind in {int, float}:
        if not any(meta.ge is not None for meta in metas) or not any(meta.le is not None for meta in metas):
            yield f"{name}: a number without both ends"
    elif kind is str:
        if not any(meta.max_length is not None for meta in metas):
            yield f"{name}: a text of any length"
        if not any("wording" in (meta.extra or {}) for meta in metas):
            yield f"{name}: a text of which nobody has said whether it may be blank"
    elif get_origin(kind) is list:
        if not any(meta.max_length is not None for meta in metas):
            yield f"{name}: a list of any length"
        yield from _unbounded(f"{name}[]", get_args(kind)[0])
    elif kind is datetime:
        if not any(meta.tz for meta in metas):
            yield f"{name}: an instant without a zone"
    elif kind is Any or get_origin(kind) is dict or kind in {dict, object}:
        yield f"{name}: anything"
    elif kind is not date:  # a date has its bounds by being Asked for
        for part in get_args(kind):
            if isinstance(part, type) or get_origin(part) is not None:
                yield from _unbounded(name, part, metas)


@pytest.mark.parametrize("name", sorted(BODIES))
def test_every_field_of_a_request_is_bounded(name: str) -> None:
    assert list(_unbounded(name, BODIES[name])) == []


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [(str, "length"), (Annotated[str, Meta(max_length=9)], "blank"), (int, "both ends"), (Annotated[int, Meta(ge=0)], "both ends"), (list[str], "length"),
     (datetime, "zone"), (dict[str, Any], "anything"), (Opening | None, ""), (msgspec.Meta, "")],
)  # fmt: skip
def test_the_walk_itself_finds_what_has_no_bound(kind: Any, complaint: str) -> None:
    found = list(_unbounded("field", kind))
    assert (complaint in found[0]) if complaint else found == []


def test_query_parameters_are_of_kinds_that_are_read_strictly() -> None:
    """A text has a greatest length by itself; a number needs its ends."""
    for name, handler in _handlers():
        for parameter, field in handler.parsed_fn_signature.parameters.items():
            definition = field.kwarg_definition
            if getattr(definition, "param_type", None) is ParamType.QUERY and field.annotation in {int, float}:
                assert definition.ge is not None, (name, parameter)
                assert definition.le is not None, (name, parameter)
