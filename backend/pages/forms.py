"""Forms of all doors: read into the same Structs as the interface, and shown again with what was typed and what is wrong.

A form carries a proof against forgery and, where it changes something, the key under which it may be sent twice.
"""

import re
from collections.abc import Awaitable, Mapping
from typing import Annotated, Any, Final, Generic, TypeVar, get_type_hints
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec
from litestar import Request
from litestar.datastructures import State
from msgspec import Meta, Struct, structs

from backend.core.bounds import Wording, wording
from backend.core.errors import DomainError
from backend.pages import problems
from backend.pages.proofs import check_forgery

T = TypeVar("T", bound=Struct)
R = TypeVar("R")
Typed = Annotated[str, Meta(max_length=200, extra=wording(Wording.MATCHED))]  # what is compared or looked up, not read
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 200
_NAMED: Final = re.compile(r"`\$?\.?(\w+)`")
WHOLE: Final = ""  # the place of a fault that belongs to no field


class Form(Generic[T]):
    """Hold what was sent: `filled` where all of it fits, else `wrong` says by field what is to be changed."""

    def __init__(self, typed: dict[str, str] | None = None) -> None:
        self.typed = typed or {}
        self.wrong: dict[str, problems.Sentence] = {}
        self.filled: T | None = None
        self.key = self.typed.get("key") or uuid4().hex

    def value(self, name: str) -> str:
        """Return what stands in a field, as it was typed."""
        return self.typed.get(name, "")

    def refuse(self, error: DomainError, instead: Mapping[str, problems.Sentence] | None = None) -> None:
        """Put what the platform answered where it belongs: at the field that has to be changed, or above the form.

        `instead` holds the sentences this form has of its own, by code.
        """
        field = problems.FIELDS.get(error.code, WHOLE)
        sentence = (instead or {}).get(error.code) or problems.PROBLEMS[error.code]
        if sentence is problems.PROBLEMS["invalid_phone"]:
            sentence = problems.wrong_phone(self.value(field))
        self.wrong[field if field in self.typed else WHOLE] = sentence

    async def answered(self, asked: Awaitable[R], instead: Mapping[str, problems.Sentence] | None = None) -> R | None:
        """Return what the platform answers; None where it refuses, which then stands in the form."""
        try:
            return await asked
        except DomainError as error:
            self.refuse(error, instead)
            return None


async def read_form(request: Request[Any, Any, State], kind: type[T]) -> Form[T]:
    """Read what a page of ours sent. Raises DomainError not_allowed for a forged one, invalid_request for no form at all."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _URLENCODED:
        raise DomainError("unsupported_media_type")
    try:
        pairs = parse_qsl(
            (await request.body()).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise DomainError("invalid_request") from error
    typed = dict(pairs)
    if len(typed) < len(pairs):
        raise DomainError("invalid_request", "A field stands twice in this form.")
    check_forgery(request, typed.pop("forgery", ""))
    form = Form[T](typed)
    form.filled = _filled(kind, form)
    return form


def _filled(kind: type[T], form: Form[T]) -> T | None:
    hints, values = get_type_hints(kind, include_extras=True), dict[str, Any]()
    for field in structs.fields(kind):
        text = form.typed.get(field.name, "")
        empty = not text.strip()
        if empty and not field.required:
            continue
        try:
            if empty:
                raise msgspec.ValidationError  # noqa: TRY301 - a field left empty is told as one that does not fit
            values[field.name] = msgspec.convert(text, hints[field.name], strict=False)
        except msgspec.ValidationError:
            form.wrong[field.name] = problems.wrong_field(field.name, empty=empty)
    if form.wrong:
        return None
    try:
        return kind(**values)
    except ValueError as error:
        named = _NAMED.search(str(error))
        name = named[1] if named and named[1] in values else WHOLE
        form.wrong[name] = problems.wrong_field(name, empty=False)
        return None
