"""How much one resident's name may ask of the city: no day has room for thirty visits to one home."""

from datetime import date, datetime
from uuid import UUID

from backend.bookings import queries
from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection
from backend.orders.model import Order
from backend.residents.queries import ResidentForBooking, area_of
from backend.rules.queries import figures

_MOST = "most_"  # what the codes of such rules begin with


async def may_ask(connection: Connection, principal: Principal, resident_id: UUID, today: date) -> None:
    """Refuse to look for slots once more often than a day of asking needs. Raises too_many_requests (429).

    The desk counts apart: whoever has asked too often in an app is still helped on the telephone.
    """
    asked = await queries.quotes_asked(connection, resident_id, today, by_desk=_by_desk(principal))
    if asked >= (await figures(connection, _MOST, await area_of(connection, resident_id)))["quotes_a_day"]:
        raise DomainError("too_many_requests", "Too many questions for this resident today; please ring the desk.")


async def note_asked(connection: Connection, principal: Principal, resident_id: UUID, today: date) -> None:
    """Count one question; the last thing a quote does, so that nobody waits for a row that is being counted."""
    await queries.count_quote(connection, resident_id, today, by_desk=_by_desk(principal))


def _by_desk(principal: Principal) -> bool:
    return principal.role is Role.OPERATOR


async def may_book(connection: Connection, resident: ResidentForBooking, plan_on: date, since: datetime) -> None:
    """Refuse one more order where the resident has as many as one may; held until the transaction ends.

    `since` is when the present day began. Raises too_many_orders (422).
    """
    await queries.lock_resident(connection, resident.id)
    have = await queries.load_of(connection, resident.id, plan_on, since)
    most = await figures(connection, _MOST, resident.community_code)
    for what, number, rule in (
        ("holds", have.holds, "holds"),
        ("open orders on that day", have.open_on_day, "orders_a_day"),
        ("open orders", have.open, "open_orders"),
        ("bookings made today", have.made, "bookings_a_day"),
    ):
        if number >= most[rule]:
            raise DomainError("too_many_orders", f"This resident has {number} {what}, and may have no more.")


async def may_move(
    connection: Connection, resident: ResidentForBooking, order: Order, plan_on: date, since: datetime
) -> None:
    """Refuse to move an order to a day that others of the resident fill; held until the transaction ends.

    It is no booking and no further order: the other caps do not ask about it. Raises too_many_orders (422).
    """
    await queries.lock_resident(connection, resident.id)
    if plan_on == order.plan_on:
        return
    there = (await queries.load_of(connection, resident.id, plan_on, since, order.id)).open_on_day
    if there >= (await figures(connection, _MOST, resident.community_code))["orders_a_day"]:
        raise DomainError(
            "too_many_orders", f"This resident has {there} open orders on that day, and may have no more."
        )
