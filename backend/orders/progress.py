"""How a visit goes, as its resident and those they have let in follow it: the phase, who comes, when they are expected.

Residents may not read workers or plans; what they are told of them is put together here, after the order itself was read
as the reader.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import progress_queries as progress
from backend.orders import queries
from backend.orders.model import Order, OrderStatus
from backend.orders.progress_queries import Coming, Happened
from backend.orders.queries import care_now
from backend.orders.views import OrderView, shown
from backend.residents import looks
from backend.residents.model import Purpose
from backend.rules.queries import figures
from backend.visits import digits_queries
from backend.visits.model import Flag

S = OrderStatus
_UNSURE: Final = frozenset({S.HELD, S.PLACED, S.OFFERED, S.MANUAL})
_NOBODY: Final = frozenset({S.LAPSED, S.CANCELLED, S.UNSERVED, S.MISSED})
_ON_THE_WAY: Final = frozenset({S.ACCEPTED, S.EN_ROUTE})
_AT_THE_DOOR: Final = frozenset({S.EN_ROUTE, S.ARRIVED, S.NO_ACCESS})
_DRIFT: Final = timedelta(minutes=1)  # while nobody has reported, an arrival that was due is due now


class Estimate(Struct, frozen=True):
    """When the crew is expected: the likeliest instant, and the range it lies in.

    Whoever shows it changes what is shown when it moves by `redraw_s` or more.
    """

    at: datetime
    from_at: datetime
    to_at: datetime
    redraw_s: float


class VisitView(Struct, frozen=True, kw_only=True):
    """One visit as its resident and family follow it; `now` is care time as of which all of it holds.

    `crew` is whoever is bound to come; `sure` is false while the provider has not accepted: then it is whom the plan has,
    and others may come. `visits_before` counts what the crew has to carry out before this visit.
    """

    order: OrderView
    now: datetime
    service: str
    service_en: str
    provider: str | None
    provider_phone: str | None
    address: str
    crew_size: int
    length_s: int
    crew: list[Coming]
    sure: bool
    estimate: Estimate | None
    late: bool
    visits_before: int | None
    steps: list[Happened]
    door_code: str | None = None
    """The four digits to tell whoever stands at the door, while that can be: never told to who comes, nor to their provider."""
    word_code: str | None = None
    """The four digits that make what the resident says on the worker's phone their own word, for whoever may confirm the visit."""


class VisitLine(Struct, frozen=True):
    """One line of a list of visits."""

    order: OrderView
    service: str
    service_en: str


async def visit(
    connection: Connection, principal: Principal, order_id: UUID, shown_at: datetime | None = None
) -> VisitView:
    """Read how one visit goes; `shown_at` is the arrival the reader was told last, which stays while it is near enough.

    Raises unknown_order (404) for whoever is no party of it.
    """
    order = await queries.own_order(connection, principal, order_id)
    view = shown(order, principal)
    await looks.seen(connection, principal, [order.resident_id], Purpose.STATUS)
    coming = order.status in _AT_THE_DOOR or (order.status is S.IN_SERVICE and Flag.WRONG_CODE in order.flags)
    digits = await digits_queries.shown(connection, order_id) if coming else None  # as the reader: their own row
    ended = order.status is S.AWAITING_ACCEPTANCE
    word = await digits_queries.shown_word(connection, order_id) if ended else None  # the same
    async with as_the_platform(connection):
        return structs.replace(await _followed(connection, order, view, shown_at), door_code=digits, word_code=word)


async def taken_back(connection: Connection, principal: Principal, order_id: UUID) -> str | None:
    """Tell whose visit it is that somebody could follow until the resident took their consent back.

    None for everybody else, and for what was booked since: to them it is not there.
    """
    if principal.account_id is None:
        return None
    async with as_the_platform(connection):
        return await progress.formerly_followed(connection, principal.account_id, order_id)


async def last_visit(connection: Connection, principal: Principal, resident_id: UUID) -> VisitLine | None:
    """Find the last visit that was carried out, which is what "the same again" means. Raises unknown_resident (404)."""
    await _must_read(connection, principal, resident_id)
    order = await progress.last_carried_out(connection, resident_id)
    return (await _lines(connection, principal, [order]))[0] if order else None


async def next_visits(connection: Connection, principal: Principal, resident_id: UUID) -> list[VisitLine]:
    """List what is still to come or to be confirmed, the next one first. Raises unknown_resident (404)."""
    await _must_read(connection, principal, resident_id)
    return await _lines(connection, principal, (await progress.open_orders(connection, resident_id)).rows)


async def past_visits(
    connection: Connection, principal: Principal, resident_id: UUID, before: UUID | None, most: int
) -> list[VisitLine]:
    """List what is over, the last one first, after the order `before`. Raises unknown_resident, unknown_order (404)."""
    await _must_read(connection, principal, resident_id)
    last = await queries.own_order(connection, principal, before) if before else None
    after = (last.window_from, last.id) if last else None
    return await _lines(connection, principal, (await progress.past_orders(connection, resident_id, after, most)).rows)


async def _must_read(connection: Connection, principal: Principal, resident_id: UUID) -> None:
    if not principal.sees_all and resident_id not in principal.resident_ids:
        raise DomainError("unknown_resident")
    await looks.seen(connection, principal, [resident_id], Purpose.STATUS)


async def _lines(connection: Connection, principal: Principal, orders: list[Order]) -> list[VisitLine]:
    names = {
        one.code: one for one in await progress.service_names(connection, sorted({order.item_code for order in orders}))
    }
    return [
        VisitLine(shown(order, principal), names[order.item_code].name, names[order.item_code].name_en)
        for order in orders
    ]


async def _followed(connection: Connection, order: Order, view: OrderView, shown_at: datetime | None) -> VisitView:
    facts = await progress.visit_facts(connection, order.id)
    now = await care_now(connection)
    crew: list[Coming] = []
    if order.status not in _NOBODY:
        unsure = order.status in _UNSURE
        crew = await (progress.crew_planned if unsure else progress.crew_coming)(connection, order)
    expected = await progress.expected(connection, order.id) if order.status in _ON_THE_WAY else None
    estimate = await _estimate(connection, order, expected.at, now, shown_at) if expected else None
    return VisitView(
        order=view, now=now, service=facts.service, service_en=facts.service_en, provider=facts.provider, provider_phone=facts.provider_phone,
        address=facts.address, crew_size=facts.crew_size, length_s=facts.length_s, crew=crew,
        sure=order.status not in _UNSURE, estimate=estimate,
        late=estimate is not None and estimate.at > order.window_to,
        visits_before=expected.visits_before if expected else None,
        steps=await progress.happened(connection, order.id),
    )  # fmt: skip


async def _estimate(
    connection: Connection, order: Order, planned_at: datetime, now: datetime, shown_at: datetime | None
) -> Estimate:
    """Make a range of an instant; nobody is expected in the past."""
    rules = await figures(connection, "arrival_", order.community_code)
    at = max(planned_at, now + _DRIFT)
    if shown_at is not None and shown_at > now and abs(shown_at - at) < timedelta(seconds=rules["redraw_s"]):
        at = shown_at
    early, late = timedelta(seconds=rules["early_s"]), timedelta(seconds=rules["late_s"])
    return Estimate(at, max(now, at - early), at + late, rules["redraw_s"])
