"""Family asks for what it has not been given: whom, what for, and whether an operator is to ask them."""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.pages import consents
from backend.pages.commands import carried_out
from backend.pages.family import FAMILY, people
from backend.pages.forms import WHOLE, Form, Typed, read_form
from backend.pages.problems import Sentence, wrong_field
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed
from backend.residents import asking
from backend.residents.model import ConsentAsked, ConsentRequest, Held, Purpose

_NOTHING: Final = Sentence("想看什么，请至少选一样。", "Please choose at least one thing.")
_TOO_MANY: Final = {
    "too_many_requests": Sentence("您问得不少了，等回答了或者明天再问，急事打 {hotline}。", "You have asked for much already; ask again when they have answered or tomorrow. If it is urgent, ring {hotline}.")
}  # fmt: skip


class AskForm(Sent, frozen=True):
    """Whom: somebody who has let me in, or a name and number; each thing that is ticked; and by whom they are asked."""

    of: UUID | None = None
    name: bounds.Text | None = None
    phone: bounds.PhoneText | None = None
    status: Typed = ""
    location: Typed = ""
    reports: Typed = ""
    book: Typed = ""
    by_desk: Typed = ""


@get("/family/ask", guards=[FAMILY])
async def ask_page(request: Asked, of: FromQuery[UUID | None] = None) -> Response[Any]:
    """Ask what I would like to see, and of whom."""
    return await _form(request, Form[AskForm](), of)


async def _form(request: Asked, form: Form[Any], of: UUID | None, status: int = 200) -> Response[str]:
    known: Held | None = None
    if of is not None:
        async with request.app.state.database.unit_of_work(request.user) as connection:
            held = await asking.held(connection, request.user)
        known = next((one for one in held if one.resident_id == of), None)
        if known is None:
            raise DomainError("unknown_resident")
    wanted = [one for one in Purpose if known is None or one not in known.purposes]
    return page(request, "family/ask.html", status=status, form=form, known=known, wanted=wanted, words=consents)


@post("/family/ask", guards=[FAMILY], status_code=200)
async def ask(request: Asked) -> Response[Any]:
    """Ask; the page says the same whoever has the number or nobody."""
    form = await read_form(request, AskForm)
    wanted = form.filled
    purposes = [one for one in Purpose if form.value(one.value)]
    if not purposes:
        form.wrong[WHOLE] = _NOTHING
    if wanted is not None and wanted.of is None:
        form.wrong.update({name: wrong_field(name, empty=True) for name in ("name", "phone") if not form.value(name).strip()})  # fmt: skip
    if wanted is not None and not form.wrong:
        area_code = request.app.state.settings.area_code
        named = (wanted.of, None, None) if wanted.of else (None, wanted.phone, wanted.name)
        asked = ConsentAsked(purposes, *named, by_desk=bool(wanted.by_desk))

        async def action(connection: Connection) -> ConsentRequest:
            return await asking.ask(connection, request.user, asked, area_code)

        if await carried_out(request, form, ConsentRequest, action, _TOO_MANY) is not None:
            return Redirect("/family?done=asked", status_code=303)
    return await _form(request, form, wanted.of if wanted else None, 422)


@post("/family/requests/{request_id:uuid}/withdraw", guards=[FAMILY], status_code=200)
async def withdraw(request: Asked, request_id: FromPath[UUID]) -> Response[Any]:
    """Ask no more."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> ConsentRequest:
        return await asking.withdraw(connection, request.user, request_id)

    if form.filled and await carried_out(request, form, ConsentRequest, action) is not None:
        return Redirect("/family?done=withdrawn", status_code=303)
    return await people(request, "people.html", 409, form)


route_handlers = [door([ask_page, ask, withdraw])]
