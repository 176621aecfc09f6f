"""What is pressed during a visit and after it, without script: a line that is done, and the resident's own word."""

from typing import Any, Final
from uuid import UUID

from litestar import Response, post
from litestar.datastructures import Cookie
from litestar.params import FromPath
from litestar.response import Redirect

from backend.accounts.guards import requires
from backend.core.bounds import Asked as Sent
from backend.core.principal import Role
from backend.database.pool import Connection
from backend.orders import checklists, handing
from backend.orders.checklists import Checklist
from backend.orders.handing import Heard
from backend.pages.commands import carried_out
from backend.pages.forms import read_form
from backend.pages.refusals import door
from backend.pages.rendering import Asked
from backend.pages.worker import DRY, WET, today
from backend.visits.lines import Ticked
from backend.visits.model import HandedWord

_WORKERS: Final = requires(Role.WORKER)
_DAY_S: Final = 16 * 3600  # tomorrow it is on by itself again


@post("/worker/{order_id:uuid}/checklist", guards=[_WORKERS], status_code=200)
async def tick(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Tick a line, or take it back."""
    form = await read_form(request, Ticked)
    if (said := form.filled) is not None:

        async def action(connection: Connection) -> Checklist:
            return await checklists.tick(connection, request.user, order_id, said)

        if await carried_out(request, form, Checklist, action) is not None:
            return Redirect(f"/worker#line-{said.line}", status_code=303)
    return await today(request, form=form, status=422)


@post("/worker/{order_id:uuid}/handed-word", guards=[_WORKERS], status_code=200)
async def handed_word(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """The resident has pressed how it was, or wants to be rung."""
    form = await read_form(request, HandedWord)
    if (said := form.filled) is not None:

        async def action(connection: Connection) -> Heard:
            return await handing.hear(connection, request.user, order_id, said)

        if await carried_out(request, form, Heard, action) is not None:
            return Redirect("/worker", status_code=303)
    return await today(request, form=form, status=422)


class WetForm(Sent, frozen=True):
    """Whether the buttons are to be large for wet hands while a bath goes on."""

    on: bool


@post("/worker/wet", guards=[_WORKERS], status_code=200)
async def wet_hands(request: Asked) -> Response[Any]:
    """Turn large buttons for wet hands off for today, or on again."""
    form = await read_form(request, WetForm)
    if form.filled is None:
        return await today(request, form=form, status=422)
    kept = Cookie(WET, value="on" if form.filled.on else DRY, max_age=_DAY_S, samesite="lax")
    return Redirect("/worker", status_code=303, cookies=[kept])


route_handlers = [door([tick, handed_word, wet_hands])]
