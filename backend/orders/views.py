"""Deciding what an order's parties read of it, for every answer, of a question and of a command alike.

A command may take its sender out of the order: a provider gives it back, a worker's seat was given to somebody else.
Whoever has left learns what became of their own command and nothing of how the order goes on.
"""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct, field, structs

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.orders.model import AbortReason, Order, OrderStatus
from backend.visits.model import Flag

_KNOW_WHY: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
NOT_FOR_THIS: Final = "not_for_this_order"
_KNOW_HEALTH: Final = frozenset({Role.RESIDENT, Role.FAMILY, Role.OPERATOR})


class OrderView(Struct, frozen=True, kw_only=True):
    """An order as its parties see it."""

    id: UUID
    code: str
    booking_id: UUID
    resident_id: UUID
    zone_id: UUID
    plan_on: date
    item_code: str
    kind: str
    status: OrderStatus
    version: int
    flags: list[str]
    window_from: datetime
    window_to: datetime
    window_soft: bool
    latest_at: datetime
    hold_expires_at: datetime | None
    price_fen: int
    price_lines: list[dict[str, Any]]
    provider_id: UUID | None
    reason: str | None
    reasons: list[dict[str, Any]]
    abort_reason: AbortReason | None
    placed_at: datetime | None


class GivenBack(Struct, frozen=True):
    """What a provider learns of an order it has just given back: that it has."""

    id: UUID
    code: str
    status: OrderStatus


class Taken(Struct, frozen=True):
    """What became of a report: it is stored; whether the order followed it, and what is odd about it."""

    counts: bool
    flags: list[Flag]


class ReportedOrder(Struct, frozen=True, kw_only=True):
    """What became of a worker's report, and for the crew the visit as it is now: what and how far, not its price.

    A report of somebody who has left the crew is stored as well; of the order they read no more than its id.
    """

    id: UUID
    report: Taken
    code: str | None = None
    plan_on: date | None = None
    item_code: str | None = None
    kind: str | None = None
    status: OrderStatus | None = None
    version: int | None = None
    flags: list[str] = field(default_factory=list)
    window_from: datetime | None = None
    window_to: datetime | None = None
    wait_until: datetime | None = None
    """How long the crew is asked to wait at a door that nobody opens."""


def rule_told(rule: str, reader: Principal) -> str:
    """Return the rule that keeps a worker from an order as it is told: that a resident has refused them stays at the desk."""
    return NOT_FOR_THIS if rule == "refused" and not reader.sees_all else rule


def shown(order: Order, reader: Principal) -> OrderView:
    """Return an order as a party of it reads it; which workers cannot come and why is the desk's business.

    Why it was stopped may be a fact of somebody's health: the resident, those they have let in and the desk read it.

    Raises unknown_order (404) for whoever is no party of it: also where a command forgot to ask.
    """
    if not _reads(order, reader):
        raise DomainError("unknown_order")
    view = OrderView(**{name: getattr(order, name) for name in OrderView.__struct_fields__})
    if reader.role not in _KNOW_WHY:
        view = structs.replace(view, reasons=[])
    return view if reader.role in _KNOW_HEALTH else structs.replace(view, abort_reason=None)


def left(order: Order, provider: Principal) -> OrderView | GivenBack:
    """Return an order after a provider's command, which may have been its last one."""
    return shown(order, provider) if _reads(order, provider) else given_back(order)


def given_back(order: Order) -> GivenBack:
    """Return what is told of an order that somebody else is asked for now."""
    return GivenBack(order.id, order.code, order.status)


def reported(
    order: Order, *, came: bool, counts: bool, flags: list[Flag], wait_until: datetime | None = None
) -> ReportedOrder:
    """Return what a worker reads after a report; flags too would tell who has left what the visit is like by now.

    `came` says that the visit is theirs: they are bound to come, or it is shown that they did.
    """
    if not came:
        told = [flag for flag in flags if flag is Flag.NOT_IN_CREW]
        return ReportedOrder(id=order.id, report=Taken(counts, told))
    return ReportedOrder(
        id=order.id, report=Taken(counts, flags), code=order.code, plan_on=order.plan_on, item_code=order.item_code,
        kind=order.kind, status=order.status, version=order.version, flags=order.flags, window_from=order.window_from,
        window_to=order.window_to, wait_until=wait_until,
    )  # fmt: skip


def _reads(order: Order, reader: Principal) -> bool:
    if reader.sees_all or order.resident_id in reader.resident_ids:
        return True
    return reader.provider_id is not None and reader.provider_id == order.provider_id
