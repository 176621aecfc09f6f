"""Who may see what of a resident's visits: each person and each thing by itself, given and taken back by the resident."""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from backend.accounts.guards import requires
from backend.core.bounds import Asked as Sent
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.database.pool import Connection, as_the_platform
from backend.pages import consents, facts
from backend.pages.commands import carried_out
from backend.pages.forms import Form, read_form
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.times import Calendar
from backend.residents import actions, answering, looks, queries
from backend.residents.model import Consent, ConsentGiven, ConsentQuestion, Look, Purpose

_OWN: Final = requires(Role.RESIDENT)
_MOST, _SHOWN = 200, 3
HOW: Final = "本人在手机上同意 (agreed by the resident, signed in)"


class ChangeForm(Sent, frozen=True):
    """One consent, which is taken back, or given anew for the purpose named."""

    consent: UUID
    purpose: Purpose | None = None


@get("/sharing", guards=[_OWN])
async def sharing_page(request: Asked, done: FromQuery[str] = "") -> Response[Any]:
    """Everybody who may see or book, and each thing they may."""
    return await shared(request, Form[ChangeForm](), done=done)


async def shared(request: Asked, form: Form[Any], status: int = 200, done: str = "") -> Response[str]:
    """Everybody who may see or book, and each thing they may. Raises not_allowed for whoever is no resident."""
    people: dict[tuple[str, str], dict[str, Consent]] = {}
    given, asked = await _consents(request)
    looked, when = await _looks(request)
    for consent in given:
        kept = people.setdefault((consent.person, consent.phone), {})
        if consent.purpose not in kept or consent.valid_to is None:
            kept[consent.purpose] = consent
    return page(
        request, "resident/sharing.html", status=status, people=people, purposes=list(Purpose), form=form, asked=asked,
        done=done, words=consents, looked=looked, when=when,
    )  # fmt: skip


async def _consents(request: Asked) -> tuple[list[Consent], list[ConsentQuestion]]:
    if request.user.own_id is None:
        raise DomainError("not_allowed")
    async with request.app.state.database.unit_of_work(request.user) as connection:
        asked = await answering.questions(connection, request.user, request.user.own_id)
        async with as_the_platform(connection):
            return await queries.consents_of(connection, request.user.own_id), asked


async def _looks(request: Asked) -> tuple[dict[tuple[str, str], list[Look]], Calendar]:
    """When each of them looked last, and at what."""
    if request.user.own_id is None:
        raise DomainError("not_allowed")
    async with request.app.state.database.unit_of_work(request.user) as connection:
        found = await looks.looks(connection, request.user, request.user.own_id, _MOST)
        when = await facts.calendar(connection, request)
    by_person: dict[tuple[str, str], list[Look]] = {}
    for one in found:
        by_person.setdefault((one.person, one.phone), []).append(one)
    return {person: mine[:_SHOWN] for person, mine in by_person.items()}, when


@post("/sharing", guards=[_OWN], status_code=200)
async def change(request: Asked) -> Response[Any]:
    """Take one consent back, or give one more to somebody who has had one."""
    form = await read_form(request, ChangeForm)
    if (wanted := form.filled) is None:
        raise DomainError("invalid_request")
    known = next((one for one in (await _consents(request))[0] if one.id == wanted.consent), None)
    if known is None:
        raise DomainError("unknown_consent")

    async def action(connection: Connection) -> Consent:
        if wanted.purpose is None:
            return await actions.end_consent(connection, request.user, known.resident_id, known.id)
        given = ConsentGiven(known.phone, known.person, wanted.purpose, HOW)
        area_code = request.app.state.settings.area_code
        return await actions.give_consent(connection, request.user, known.resident_id, given, area_code)

    if await carried_out(request, form, Consent, action) is None:
        return await shared(request, form, 422)
    return Redirect("/sharing", status_code=303)


route_handlers = [door([sharing_page, change])]
