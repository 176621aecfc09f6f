"""The times a caller wishes for, typed in one line beside the list: what was understood narrows it, what was not is said."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath
from msgspec import Struct, structs

from backend.bookings.choosing import Choices, Narrow
from backend.catalogue.model import MEAL, CatalogueItem
from backend.core.bounds import Asked as Sent
from backend.core.clock import city_date
from backend.pages import facts, lane_queries, windows
from backend.pages.call import DESK, shown_times
from backend.pages.forms import Form, Typed, read_form
from backend.pages.lane_queries import Somebody
from backend.pages.refusals import door
from backend.pages.rendering import Asked
from backend.pages.wish_words import tags
from backend.pages.wishes import Understood, read_wish
from backend.residents import queries as residents

_AHEAD = timedelta(days=13)  # who is on shift within two weeks may be meant


class WishForm(Sent, frozen=True):
    """What the caller wishes, of which service."""

    item: Typed
    wish: Typed = ""


class Heard(Struct, frozen=True):
    """What was understood of a wish, what was not, and whom it asks for without finding a time with them."""

    tags: list[tuple[str, str]]
    strange: tuple[str, ...]
    without: tuple[str, ...] = ()
    on_record: bool = False  # the resident's own wish goes before what was typed


@post("/desk/residents/{resident_id:uuid}/wish", guards=[DESK], status_code=200)
async def wish(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """The times again, narrowed; what was typed stays out of every address."""
    form = await read_form(request, WishForm)
    item = await windows.item_named(request, form.value("item"))
    async with request.app.state.database.unit_of_work(request.user) as connection:
        card = await residents.resident_card(connection, resident_id)
        when = await facts.calendar(connection, request)
        today = city_date(when.now, when.zone)
        people = await lane_queries.who_may_come(connection, card.zone_id, today, today + _AHEAD)
    said = form.filled.wish if form.filled and item.kind != MEAL else ""
    found = read_wish(said, today, [one.name for one in people])
    heard = Heard(
        tags(found), found.strange, on_record=bool(found.gender) and card.gender_wish not in {"any", found.gender}
    )
    from_on = None if found.from_on is None else max(found.from_on, today)
    choices = await _offered(request, form, resident_id, item, found, people)
    if found.people and not choices.choices and not form.wrong:
        heard = structs.replace(heard, without=found.people)
        choices = await _offered(request, form, resident_id, item, structs.replace(found, people=()), people)
    return await shown_times(request, resident_id, item, from_on, form, choices, 422 if form.wrong else 200, heard)


async def _offered(
    request: Asked, form: Form[Any], resident_id: UUID, item: CatalogueItem, found: Understood, people: list[Somebody]
) -> Choices:
    narrow = Narrow(
        from_minute=found.from_minute, to_minute=found.to_minute, weekdays=list(found.weekdays), to_on=found.to_on, gender=found.gender,
        worker_ids=[one.id for one in people if one.name in found.people][:50],
    )  # fmt: skip
    return await windows.offered(
        request, form, resident_id, item, found.from_on, None if found.says_nothing else narrow
    )


route_handlers = [door([wish])]
