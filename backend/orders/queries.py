"""All SQL of orders themselves: reading, placing and moving them, what ties them together and what is noted of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database import clock
from backend.database.pool import Connection
from backend.database.rows import Readable, execute, many, maybe_one, one, readable, value
from backend.orders.model import (
    AbortReason,
    BookedAgain,
    Flagged,
    NewLink,
    NewOrder,
    Order,
    OrderStatus,
    OwnOrder,
    Terms,
    Waiting,
)
from backend.scheduling.queries import lock_plan_of

ORDER_COLUMNS: Final[
    LiteralString
] = """id, code, booking_id, resident_id, zone_id, plan_on, community_code, item_code, kind, status, version, flags, place_id,
    pickup_place_id, ready_at, window_from, window_to, window_soft, latest_at, hold_expires_at, hold_extended_s, price_fen,
    price_lines, provider_id, acceptance, declined_by, expired_by, reason, reasons, abort_reason, created_at, placed_at"""


NOT_THERE: Final = ("lapsed", "cancelled", "unserved", "missed", "aborted", "rejected")

care_now = clock.care_now  # asked beside an order's rows by whoever changes one

_PAGE: Final[LiteralString] = "SELECT " + ORDER_COLUMNS + " FROM orders WHERE "
_NEWEST: Final[LiteralString] = " AND id < $1 ORDER BY id DESC LIMIT $2"
_AFTER_ALL: Final = UUID(int=2**128 - 1)
_OWN: Final[LiteralString] = "($2 OR resident_id = ANY ($3::uuid[]) OR provider_id = $4)"


def _scope(principal: Principal) -> tuple[bool, list[UUID], UUID | None]:
    """Whose orders: the statement says so itself, and row-level security says it again."""
    return principal.sees_all, list(principal.resident_ids), principal.provider_id


async def order(connection: Connection, order_id: UUID) -> Order:
    """One order, for the platform. Raises DomainError unknown_order (404)."""
    found = await maybe_one(connection, Order, "SELECT " + ORDER_COLUMNS + " FROM orders WHERE id = $1", order_id)
    if found is None:
        raise DomainError("unknown_order")
    return found


async def own_order(connection: Connection, principal: Principal, order_id: UUID) -> Order:
    """One order the principal is a party of, or staff for. Raises DomainError unknown_order (404)."""
    found = await maybe_one(
        connection,
        Order,
        "SELECT " + ORDER_COLUMNS + " FROM orders WHERE id = $1 AND " + _OWN,
        order_id, *_scope(principal),
    )  # fmt: skip
    if found is None:
        raise DomainError("unknown_order")
    return found


async def order_by_code(connection: Connection, code: str) -> Order:
    """The order with this code, as far as the principal may see it. Raises DomainError unknown_order (404)."""
    found = await maybe_one(connection, Order, "SELECT " + ORDER_COLUMNS + " FROM orders WHERE code = $1", code)
    if found is None:
        raise DomainError("unknown_order")
    return found


async def order_for_update(connection: Connection, order_id: UUID) -> Order:
    """The same, locked with its plan until the transaction ends; the plan first, as everywhere."""
    await lock_plan_of(connection, order_id)
    await value(connection, "SELECT id FROM orders WHERE id = $1 FOR NO KEY UPDATE", order_id)
    return await order(connection, order_id)


async def orders_page(
    connection: Connection, principal: Principal, status: OrderStatus | None, after: UUID | None, limit: int
) -> Readable[Order]:
    """The newest orders the principal is a party of, or all for staff, by descending id.

    Each kind of reader has a statement of their own: "theirs or anybody's" could only be answered by reading all orders.
    """
    before = after or _AFTER_ALL
    if not principal.sees_all:
        statuses = [status] if status else [*OrderStatus]
        if principal.provider_id:
            own, whose = _PAGE + "provider_id = $3 AND status = ANY ($4)" + _NEWEST, principal.provider_id
        else:
            own, whose = _PAGE + "resident_id = ANY ($3) AND status = ANY ($4)" + _NEWEST, list(principal.resident_ids)
        return await readable(connection, Order, own, before, limit, whose, statuses)
    if status:
        return await readable(connection, Order, _PAGE + "status = $3" + _NEWEST, before, limit, status)
    return await readable(connection, Order, _PAGE + "true" + _NEWEST, before, limit)


async def orders_to_review(
    connection: Connection, statuses: Sequence[str], after: UUID | None, limit: int
) -> list[Order]:
    """Orders in these states, the oldest first: whoever has waited longest comes next."""
    read = await readable(
        connection,
        Order,
        "SELECT "
        + ORDER_COLUMNS
        + """ FROM orders WHERE status = ANY ($1) AND status IN ('exception', 'disputed')
           AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3""",
        list(statuses), after, limit,
    )  # fmt: skip
    return read.rows


async def insert_order(connection: Connection, code: str, new: NewOrder) -> UUID | None:
    """Store a held order; None where another order has its code already."""
    terms = new.terms
    return await value(
        connection,
        """INSERT INTO orders (id, code, booking_id, resident_id, zone_id, plan_on, catalogue_version_id, item_code, kind,
                  status, home_id, place_id, district_code, street_code, community_code, pickup_facility_id,
                  pickup_place_id, ready_at, pickup_s, max_ride_s, gender_wish, wish_from, wish_to, window_from,
                  window_to, window_soft, latest_at, hold_expires_at, price_fen, price_lines, acceptance)
           VALUES (uuidv7(), $29, $1, $2, $3, $4, $5, $6, $7, 'held', $8, $9, $10, $11, $12, $13,
                  $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, yinling_now() + make_interval(secs => $25),
                  $26, $27, $28)
           ON CONFLICT ON CONSTRAINT orders_code_once DO NOTHING RETURNING id""",
        new.booking_id, new.resident_id, terms.zone_id, terms.plan_on, terms.catalogue_version_id, new.item_code, new.kind,
        terms.home_id, terms.place_id, terms.district_code, terms.street_code, terms.community_code,
        terms.pickup_facility_id, terms.pickup_place_id, terms.ready_at, terms.pickup_s, terms.max_ride_s,
        terms.gender_wish, terms.wish_from, terms.wish_to, terms.window_from, terms.window_to, terms.window_soft,
        terms.latest_at, float(new.hold_s), terms.price_fen, terms.price_lines, terms.acceptance, code,
    )  # fmt: skip


async def insert_link(connection: Connection, link: NewLink) -> None:
    """Tie two orders of one day."""
    await execute(
        connection,
        """INSERT INTO order_links (before_id, after_id, min_gap_s, max_gap_s, gap_from) VALUES ($1, $2, $3, $4, $5)""",
        link.before_id, link.after_id, link.min_gap_s, link.max_gap_s, link.gap_from,
    )  # fmt: skip


async def advance(
    connection: Connection,
    current: Order,
    status: OrderStatus,
    *,
    provider_id: UUID | None,
    reason: str | None = None,
    reasons: list[dict[str, Any]] | None = None,
    flag: str | None = None,
    declined_by: UUID | None = None,
    expired_by: UUID | None = None,
    abort_reason: AbortReason | None = None,
) -> Order:
    """Move an order from the version read to the next. Raises DomainError stale_version (409)."""
    moved = await maybe_one(
        connection,
        Order,
        """UPDATE orders SET status = $3, version = version + 1, changed_at = yinling_now(), provider_id = $4,
                  reason = coalesce($5, reason), reasons = coalesce($6, reasons),
                  flags = CASE WHEN $7::text IS NULL OR $7 = ANY (flags) THEN flags ELSE flags || $7::text END,
                  declined_by = CASE WHEN $8::uuid IS NULL THEN declined_by ELSE declined_by || $8::uuid END,
                  expired_by = CASE WHEN $9::uuid IS NULL THEN expired_by ELSE expired_by || $9::uuid END,
                  abort_reason = coalesce($10, abort_reason),
                  placed_at = CASE WHEN $3 = 'placed' AND placed_at IS NULL THEN yinling_now() ELSE placed_at END,
                  hold_expires_at = CASE WHEN $3 = 'held' THEN hold_expires_at END
           WHERE id = $1 AND version = $2 RETURNING """
        + ORDER_COLUMNS,
        current.id, current.version, status.value, provider_id, reason, reasons, flag, declined_by, expired_by,
        abort_reason,
    )  # fmt: skip
    if moved is None:
        raise DomainError("stale_version", current=current.status.value)
    return moved


async def untie(connection: Connection, order_id: UUID) -> None:
    """Nothing is kept apart from, or close to, an order that will not take place."""
    await execute(connection, "DELETE FROM order_links WHERE before_id = $1 OR after_id = $1", order_id)


async def change_terms(connection: Connection, order_id: UUID, terms: Terms) -> Order:
    """Put another promise in place of an order's old one: nobody has been asked for it yet, so nobody has declined it."""
    return await one(
        connection,
        Order,
        """UPDATE orders SET zone_id = $2, plan_on = $3, catalogue_version_id = $4, home_id = $5, place_id = $6,
                  district_code = $7, street_code = $8, community_code = $9, pickup_facility_id = $10,
                  pickup_place_id = $11, ready_at = $12, pickup_s = $13, max_ride_s = $14, gender_wish = $15,
                  wish_from = $16, wish_to = $17, window_from = $18, window_to = $19, window_soft = $20, latest_at = $21,
                  price_fen = $22, price_lines = $23, acceptance = $24, placed_at = yinling_now(), tried_at = NULL,
                  declined_by = '{}', expired_by = '{}'
           WHERE id = $1 RETURNING """ + ORDER_COLUMNS,
        order_id, terms.zone_id, terms.plan_on, terms.catalogue_version_id, terms.home_id, terms.place_id,
        terms.district_code, terms.street_code, terms.community_code, terms.pickup_facility_id, terms.pickup_place_id,
        terms.ready_at, terms.pickup_s, terms.max_ride_s, terms.gender_wish, terms.wish_from, terms.wish_to,
        terms.window_from, terms.window_to, terms.window_soft, terms.latest_at, terms.price_fen, terms.price_lines,
        terms.acceptance,
    )  # fmt: skip


async def is_followed(connection: Connection, order_id: UUID, statuses: Sequence[str]) -> bool:
    """Tell whether somebody asked for another order, still to come, to begin within a longest gap after this one."""
    return await value(
        connection,
        """SELECT EXISTS (SELECT FROM order_links l JOIN orders o ON o.id = l.after_id
                          WHERE l.before_id = $1 AND l.max_gap_s IS NOT NULL AND o.status = ANY ($2))""",
        order_id, list(statuses),
    )  # fmt: skip


async def add_flags(connection: Connection, current: Order, flags: Sequence[str]) -> Order:
    """Let flags stand on an order beside those that do already; its state stays, and so its version."""
    fresh = [flag for flag in flags if flag not in current.flags]
    if not fresh:
        return current
    return await one(
        connection,
        Order,
        "UPDATE orders SET flags = flags || $2::text[] WHERE id = $1 RETURNING " + ORDER_COLUMNS,
        current.id, fresh,
    )  # fmt: skip


async def drop_flags(connection: Connection, current: Order, flags: Sequence[str]) -> Order:
    """Take off what later reports have cleared; the order's state stays, and so its version."""
    if not set(flags) & set(current.flags):
        return current
    return await one(
        connection,
        Order,
        """UPDATE orders SET flags = ARRAY(SELECT f.flag FROM unnest(flags) WITH ORDINALITY AS f (flag, n)
                                           WHERE f.flag <> ALL ($2) ORDER BY f.n)
           WHERE id = $1 RETURNING """ + ORDER_COLUMNS,
        current.id, list(flags),
    )  # fmt: skip


async def booked_again(connection: Connection, order_id: UUID, days: int) -> list[BookedAgain]:
    """Find what was booked in place of an order that failed: the same service, soon afterwards, since it was due or ended."""
    return await many(
        connection,
        BookedAgain,
        """SELECT r.id, r.code, r.zone_id, r.plan_on
           FROM orders o JOIN orders r ON r.resident_id = o.resident_id AND r.item_code = o.item_code AND r.id <> o.id
           WHERE o.id = $1 AND o.status IN ('missed', 'cancelled', 'unserved', 'aborted')
             AND r.created_at >= least(o.changed_at, o.window_from) AND r.plan_on BETWEEN o.plan_on AND o.plan_on + $2::int
             AND r.status <> 'held' AND r.status <> ALL ($3)
           ORDER BY r.id LIMIT 20""",
        order_id, days, list(NOT_THERE),
    )  # fmt: skip


async def keep_flags_of_the_crew(connection: Connection, order_id: UUID, of_reports: Sequence[str]) -> None:
    """Take the flags off an order that only workers have caused who left its crew; their records keep them."""
    await execute(
        connection,
        """UPDATE orders o SET flags = ARRAY(
               SELECT f.flag FROM unnest(o.flags) WITH ORDINALITY AS f (flag, n)
               WHERE f.flag <> ALL ($2) OR EXISTS (
                   SELECT FROM visit_records r JOIN assignments a ON a.id = r.assignment_id
                   WHERE r.order_id = o.id AND f.flag = ANY (r.flags) AND a.order_id = o.id
                     AND a.status IN ('proposed', 'accepted', 'en_route', 'checked_in', 'checked_out'))
               ORDER BY f.n)
           WHERE o.id = $1 AND o.flags && $2""",
        order_id, list(of_reports),
    )  # fmt: skip


async def flag_unreadable(connection: Connection, order_id: UUID, flag: str, reasons: list[dict[str, Any]]) -> Flagged:
    """Have a person look at an order; one that waits for a crew waits at the desk, any other stays where it is."""
    return await one(
        connection,
        Flagged,
        """UPDATE orders o SET flags = CASE WHEN $2 = ANY (o.flags) THEN o.flags ELSE o.flags || $2::text END,
                  reasons = $3, version = o.version + 1, changed_at = yinling_now(),
                  status = CASE WHEN o.status IN ('placed', 'offered') THEN 'manual' ELSE o.status END
           FROM orders b WHERE o.id = $1 AND b.id = o.id
           RETURNING o.id, o.code, o.kind, o.status, b.status AS before, o.version, o.resident_id, o.zone_id, o.plan_on,
                     o.provider_id""",
        order_id, flag, reasons,
    )  # fmt: skip


async def note_reasons(connection: Connection, order_id: UUID, reasons: list[dict[str, Any]]) -> None:
    """Remember why no crew was found at the last try, and when that was; the order's state stays."""
    await execute(
        connection, "UPDATE orders SET reasons = $2, tried_at = yinling_now() WHERE id = $1", order_id, reasons
    )


async def extend_hold(connection: Connection, order_id: UUID, seconds: int, limit_s: int) -> int:
    """Keep a hold longer, up to a limit in all; returns rows changed."""
    return await execute(
        connection,
        """UPDATE orders SET hold_expires_at = hold_expires_at + make_interval(secs => $2), version = version + 1,
                  hold_extended_s = hold_extended_s + $3
           WHERE id = $1 AND status = 'held' AND hold_expires_at > yinling_now() AND hold_extended_s + $3 <= $4""",
        order_id, float(seconds), seconds, limit_s,
    )  # fmt: skip


async def orders_beside(
    connection: Connection,
    resident_id: UUID,
    span: tuple[datetime, datetime],
    also: Sequence[UUID],
    instead_of: UUID | None,
) -> list[OwnOrder]:
    """What a resident has in a span of time, whatever its plan day, or that is named, beside an order that is to move.

    Each is told at its planned time, else anywhere in its window.
    """
    read = await readable(
        connection,
        OwnOrder,
        """SELECT id, plan_id, kind, from_at, to_at, over_at, starts_at, length_s, rests_after_meals FROM (
               SELECT o.id, p.id AS plan_id, o.kind, coalesce(s.from_at, o.window_from) AS from_at,
                      coalesce(s.to_at, o.latest_at + make_interval(secs => d.duration_s)) AS to_at,
                      coalesce(s.to_at, o.window_from + make_interval(secs => d.duration_s)) AS over_at,
                      coalesce(s.from_at, o.latest_at) AS starts_at, d.duration_s AS length_s,
                      'meal_to_bath_gap_s' = ANY (v.rules) AS rests_after_meals
               FROM orders o JOIN catalogue_versions v ON v.id = o.catalogue_version_id
               JOIN plans p ON p.zone_id = o.zone_id AND p.plan_on = o.plan_on
               JOIN LATERAL (SELECT max(duration_s) AS duration_s FROM order_seats WHERE order_id = o.id) d ON true
               LEFT JOIN LATERAL (SELECT min(lower(during)) AS from_at, max(upper(during)) AS to_at FROM stops
                                  WHERE order_id = o.id AND kind <> 'pickup') s ON true
               WHERE o.resident_id = $1 AND o.id IS DISTINCT FROM $6
                 AND (o.plan_on BETWEEN $2::timestamptz::date - 4 AND $3::timestamptz::date + 1 OR o.id = ANY ($5))
                 AND o.status <> ALL ($4) AND (o.status <> 'held' OR o.hold_expires_at > yinling_now())) own
           WHERE (from_at < $3 AND to_at > $2) OR id = ANY ($5) ORDER BY id""",
        resident_id, *span, list(NOT_THERE), list(also), instead_of,
    )  # fmt: skip
    return read.rows


async def waiting_orders(
    connection: Connection, zone_ids: Sequence[UUID], resting: Sequence[UUID], refused: Sequence[UUID]
) -> list[Waiting]:
    """Placed orders of these zones but for those at rest, the oldest first; one that was refused is due at another time it got."""
    return await many(
        connection,
        Waiting,
        """SELECT id, zone_id, plan_on FROM orders WHERE status = 'placed' AND zone_id = ANY ($1) AND id <> ALL ($2)
             AND (tried_at IS NULL OR id <> ALL ($3))
           ORDER BY placed_at, id LIMIT 200""",
        list(zone_ids), list(resting), list(refused),
    )  # fmt: skip


async def is_of(connection: Connection, order_id: UUID, resident_id: UUID | None) -> bool:
    """Tell whether an order is a resident's."""
    return await value(
        connection, "SELECT EXISTS (SELECT FROM orders WHERE id = $1 AND resident_id = $2)", order_id, resident_id
    )


async def has_orders(connection: Connection, resident_id: UUID, statuses: list[str]) -> bool:
    """Tell whether a resident has an order in one of these states."""
    return await value(
        connection,
        "SELECT EXISTS (SELECT FROM orders WHERE resident_id = $1 AND status = ANY ($2))",
        resident_id, statuses,
    )  # fmt: skip


async def to_former_homes(connection: Connection, resident_id: UUID, statuses: list[str]) -> list[Order]:
    """A resident's orders in these states that lead to where they do not live any more, the next one first.

    Who has moved back lives behind the same door as before, though it is entered as another home.
    """
    return await many(
        connection,
        Order,
        "SELECT "
        + ORDER_COLUMNS
        + """ FROM orders WHERE resident_id = $1 AND status = ANY ($2)
             AND home_id NOT IN (
                 SELECT h.id FROM homes h JOIN places p ON p.id = h.place_id
                 JOIN homes n ON n.resident_id = h.resident_id AND n.current JOIN places q ON q.id = n.place_id
                 WHERE h.resident_id = $1
                   AND (h.zone_id, h.address, p.geometry, p.x, p.y) = (n.zone_id, n.address, q.geometry, q.x, q.y))
           ORDER BY window_from, id""",
        resident_id, statuses,
    )  # fmt: skip
