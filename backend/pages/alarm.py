"""The alarm on every page: one press is kept and told to the desk at once; what to do meanwhile, and whom to ring."""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from backend.accounts.guards import requires
from backend.core.bounds import Asked as Sent
from backend.core.principal import Role
from backend.database.pool import Connection
from backend.emergencies import actions
from backend.emergencies.model import Alarm, Raised, told
from backend.pages.commands import carried_out
from backend.pages.facts import calendar
from backend.pages.forms import Form, read_form
from backend.pages.problems import PROBLEMS
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page

_RAISERS: Final = requires(Role.RESIDENT, Role.FAMILY, Role.WORKER)


class AlarmForm(Sent, frozen=True):
    """The press itself; a worker's names the visit it happens at."""

    order: UUID | None = None


@post("/sos", guards=[_RAISERS], status_code=200)
async def press(request: Asked) -> Response[Any]:
    """Keep the alarm and tell the desk; pressed again, it is the same one."""
    form = await read_form(request, AlarmForm)

    async def action(connection: Connection) -> Raised:
        order_id = form.filled.order if form.filled else None
        return told(await actions.raise_alarm(connection, request.user, Alarm(order_id=order_id)))

    raised = await carried_out(request, form, Raised, action)
    if raised is None:
        return page(
            request, "refused.html", status=503, problem=next(iter(form.wrong.values()), PROBLEMS["unavailable"])
        )
    return Redirect(f"/sos/{raised.id}", status_code=303)


@get("/sos/{emergency_id:uuid}", guards=[_RAISERS])
async def raised_page(request: Asked, emergency_id: FromPath[UUID]) -> Response[Any]:
    """How far the desk is, and what to do meanwhile."""
    return await _raised(request, emergency_id, Form[AlarmForm]())


async def _raised(request: Asked, emergency_id: UUID, form: Form[Any], status: int = 200) -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        raised = told(await actions.raised(connection, request.user, emergency_id))
        when = await calendar(connection, request)
    return page(request, "resident/sos.html", status=status, raised=raised, when=when, form=form)


@post("/sos/{emergency_id:uuid}/fine", guards=[_RAISERS], status_code=200)
async def fine(request: Asked, emergency_id: FromPath[UUID]) -> Response[Any]:
    """It was a slip; the desk still rings back."""
    form = await read_form(request, AlarmForm)

    async def action(connection: Connection) -> Raised:
        return told(await actions.call_off(connection, request.user, emergency_id))

    if await carried_out(request, form, Raised, action) is None:
        return await _raised(request, emergency_id, form, 422)
    return Redirect(f"/sos/{emergency_id}", status_code=303)


route_handlers = [door([press, raised_page, fine])]
