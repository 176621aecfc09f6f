"""Reading what clients send strictly: each value in its one written form, each name once, and nothing nobody asked for.

Litestar reads bodies leniently (the text "null" as nothing, 1e9 as an instant); here the bytes are read straight into
the route's own Struct. What cannot be read is the sender's mistake, whatever was wrong with it.
"""

import json
import re
from collections.abc import AsyncGenerator
from datetime import date
from enum import Enum
from types import NoneType
from typing import Any, Final, get_args
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.enums import ParamType
from litestar.exceptions import InternalServerException, ValidationException

from backend.core.errors import DomainError

_JSON: Final = "application/json"
_ONCE: Final = (b"authorization", b"content-type", b"idempotency-key", b"origin")
_LONGEST_VALUE: Final = 200
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$")
_FIELD: Final = re.compile(r"^`(\w+)` ")
_FORMS: Final = {
    int: re.compile(r"-?[0-9]{1,18}"),
    date: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    UUID: re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}


class LeftError(Exception):
    """Whoever asked has hung up before the whole of the body was here; nobody will read an answer."""


class StrictRequest(Request[Any, Any, State]):
    """A request whose body is read into the Struct its route names, or refused."""

    async def stream(self) -> AsyncGenerator[bytes]:
        """The body in pieces. Raises LeftError where Litestar sees an error of the server: the line is gone."""
        try:
            async for piece in super().stream():
                yield piece
        except InternalServerException as error:
            if not self.is_connected:
                raise  # read twice, which is a mistake of ours
            raise LeftError from error

    async def json(self) -> Any:
        """The body. Raises DomainError invalid_json for what is no JSON, ValidationException for what does not fit."""
        wanted = self.route_handler.parsed_data_field
        return _read(await self.body(), Any if wanted is None else wanted.annotation)


def _read(body: bytes, kind: Any) -> Any:
    try:
        found = msgspec.json.decode(body, type=kind)
        json.loads(body, object_pairs_hook=_each_once)
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from error
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise DomainError("invalid_json") from error
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    """A name that is there twice means one thing to us and another to whoever checked it before us."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise DomainError("invalid_json", "A name stands twice in one object.")


def _misfit(message: str) -> ValidationException:
    """The refusal of one value, with the field's place in the body."""
    place = _PLACE.search(message)
    text = message[: place.start()] if place else message
    field = _FIELD.match(text)
    names = [place[1] if place else "", field[1] if field else ""]
    return ValidationException(extra=[{"key": ".".join(name for name in names if name), "message": text}])


async def read_strictly(request: Request[Any, Any, State]) -> None:
    """Refuse headers that stand twice, bodies that are no JSON by name, and query parameters that nobody asks for.

    A browser's form cannot reach the interface: what it sends is not JSON. Raises DomainError unsupported_media_type.
    """
    if not request.scope["path"].startswith("/v1/"):
        return
    names = [name for name, _ in request.scope["headers"]]
    twice = next((name for name in _ONCE if names.count(name) > 1), None)
    if twice is not None:
        raise _misfit(f"`{twice.decode()}` stands twice")
    kind = request.headers.get("content-type")
    if kind and request.method != "GET" and kind.partition(";")[0].strip().lower() != _JSON:
        raise DomainError("unsupported_media_type")
    _check_query(request)


def _check_query(request: Request[Any, Any, State]) -> None:
    known = {
        name: field.annotation
        for name, field in request.route_handler.parsed_fn_signature.parameters.items()
        if getattr(field.kwarg_definition, "param_type", None) is ParamType.QUERY
    }
    try:
        text = request.scope["query_string"].decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError as error:
        raise DomainError("invalid_request", "The query of this address cannot be read.") from error
    names = [name for name, _ in pairs]
    for name, value in pairs:
        if name not in known:
            raise DomainError("invalid_request", "The query names something this address does not know.")
        if names.count(name) > 1:
            raise _misfit(f"`{name}` stands twice")
        if not _fits(value, known[name]):
            raise _misfit(f"`{name}` cannot be read")


def _fits(value: str, annotation: Any) -> bool:
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType] or [annotation]
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum):
            return value in {str(member.value) for member in kind}
        if kind in _FORMS:
            return _FORMS[kind].fullmatch(value) is not None
    return len(value) <= _LONGEST_VALUE
