"""What a form asks the platform to do: the same actions as the interface's, once however often a button is pressed."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from litestar import Response
from msgspec import Struct

from backend.accounts.requests import write_once
from backend.database.pool import Connection
from backend.pages.forms import Form
from backend.pages.problems import Sentence
from backend.pages.rendering import Asked

T = TypeVar("T", bound=Struct)


def key_of(form: Form[Any]) -> str:
    """The key under which exactly this form is sent: its own, and what was filled in. Another choice is another wish."""
    filled = sorted(form.typed.items())
    return hashlib.sha256(repr(filled).encode()).hexdigest()


async def told(
    form: Form[Any], kind: type[T], asked: Awaitable[Response[T]], instead: Mapping[str, Sentence] | None = None
) -> T | None:
    """What the platform answers to a command; None where it refuses, which then stands in the form."""
    answer: Response[Any] | None = await form.answered(asked, instead)
    return None if answer is None else msgspec.json.decode(answer.content, type=kind)


async def carried_out(
    request: Asked,
    form: Form[Any],
    kind: type[T],
    action: Callable[[Connection], Awaitable[T]],
    instead: Mapping[str, Sentence] | None = None,
) -> T | None:
    """Carry out an action for whoever sent the form, in one transaction; None where it is refused."""
    return await told(form, kind, write_once(request, 200, action, key=key_of(form)), instead)
