"""All SQL of visit records, and of what was said about a visit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from backend.database.pool import Connection
from backend.database.rows import execute, one, value
from backend.rules.queries import RuleMissingError, figures, limit
from backend.visits.model import (
    Channel,
    Earlier,
    Flag,
    Kind,
    Limits,
    Moment,
    Place,
    Record,
    Report,
    Side,
    Sighting,
    Statement,
    Told,
)

_FIGURES: Final = "visit_"
T = TypeVar("T")


async def limits(connection: Connection, area: str) -> Limits:
    """The figures in force in an area that say what is odd about a report. Raises RuleMissingError."""
    found = await figures(connection, _FIGURES, area)
    wanted = [name for name in Limits.__struct_fields__ if name != "radius_m"]
    for name in wanted:
        if name not in found:
            raise RuleMissingError(_FIGURES + name)
    radius = await limit(connection, "check_in_radius_m", area)
    return Limits(radius_m=radius, **{name: found[name] for name in wanted})


async def insert_record(
    connection: Connection,
    order_id: UUID,
    worker_id: UUID,
    assignment_id: UUID | None,
    kind: Kind,
    report: Report,
    *,
    distance_m: float | None,
    flags: Sequence[str],
    counts: bool,
    entered_by: UUID | None = None,
    reason: str | None = None,
    digits_fit: bool | None = None,
) -> UUID:
    """Store the evidence beside the time it was received; `counts` says whether the order followed it.

    `entered_by` is whoever keyed it in for the worker, `reason` why a visit was stopped. Of digits it keeps whether they
    were right, never which.
    """
    return await value(
        connection,
        """INSERT INTO visit_records (order_id, worker_id, kind, device_at, x, y, accuracy_m, distance_m, flags, tasks,
                  offline, counts, assignment_id, entered_by, reason, digits_fit, position_reason, lines_reason,
                  end_reason, left_at_door)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
           RETURNING id""",
        order_id, worker_id, kind.value, report.device_at, report.x, report.y, report.accuracy_m, distance_m,
        list(flags), report.tasks, report.offline, counts, assignment_id,
        entered_by, reason, digits_fit, report.position_reason, report.lines_reason, report.end_reason,
        report.left_at_door and kind is Kind.HAND_OVER,
    )  # fmt: skip


async def had_seat(connection: Connection, order_id: UUID, worker_id: UUID) -> bool:
    """Tell whether a worker is in an order's crew, or was before somebody else took the seat."""
    return await value(
        connection,
        """SELECT EXISTS (SELECT FROM assignments
                          WHERE order_id = $1 AND worker_id = $2 AND status <> 'declined')""",
        order_id, worker_id,
    )  # fmt: skip


async def seat_duration(connection: Connection, order_id: UUID, seat: int) -> int:
    """Read how long a seat's work was planned to take, in seconds."""
    return await value(
        connection, "SELECT duration_s FROM order_seats WHERE order_id = $1 AND number = $2", order_id, seat
    )


async def place(connection: Connection, place_id: UUID) -> Place:
    """Read the place at which a report ought to be made."""
    return await one(connection, Place, "SELECT geometry, x, y FROM places WHERE id = $1", place_id)


async def earlier(connection: Connection, assignment_ids: Sequence[UUID]) -> list[Earlier]:
    """Read what counted of these seats so far, in the order of receipt; who left the crew and came back begins anew."""
    rows = await connection.fetch(
        """SELECT assignment_id, kind, received_at, device_at, offline FROM visit_records
           WHERE counts AND order_id IN (SELECT order_id FROM assignments WHERE id = ANY ($1))
             AND assignment_id = ANY ($1) ORDER BY received_at, id""",
        list(assignment_ids),
    )
    return [
        Earlier(row["assignment_id"], Kind(row["kind"]), Moment(row["received_at"], row["device_at"], row["offline"]))
        for row in rows
    ]


async def seen_around(connection: Connection, worker_id: UUID, at: datetime) -> list[Sighting]:
    """Read where a worker was just before an instant and just after it, whatever the order, by when it happened.

    On the way does not tell a place, and what was seen a day before says nothing of how fast somebody came.
    """
    rows = await connection.fetch(
        """WITH seen AS (
               SELECT r.id, r.order_id, r.counts, p.geometry, r.x, r.y, r.accuracy_m, r.received_at, r.device_at, r.offline,
                      CASE WHEN r.offline THEN least(r.device_at, r.received_at) ELSE r.received_at END AS happened_at
               FROM visit_records r JOIN orders o ON o.id = r.order_id JOIN places p ON p.id = o.place_id
               WHERE r.worker_id = $1 AND r.kind <> 'en_route' AND r.x IS NOT NULL
                 AND r.received_at >= $2::timestamptz - interval '1 day')
           (SELECT * FROM seen WHERE happened_at <= $2 ORDER BY happened_at DESC, received_at DESC, id DESC LIMIT 1)
           UNION ALL (SELECT * FROM seen WHERE happened_at > $2 ORDER BY happened_at, received_at, id LIMIT 1)""",
        worker_id, at,
    )  # fmt: skip
    return [
        Sighting(
            row["id"], row["order_id"], row["counts"], Place(row["geometry"], row["x"], row["y"]), row["accuracy_m"],
            Moment(row["received_at"], row["device_at"], row["offline"]),
        )
        for row in rows
    ]  # fmt: skip


async def told_elsewhere(connection: Connection, worker_id: UUID, order_id: UUID, since: datetime) -> list[Told]:
    """Read what counted of a worker's reports at other orders' places, of visits that go on or were told of since then.

    On paper or by phone, and also from a seat the worker has left since: they were there.
    """
    rows = await connection.fetch(
        """SELECT r.id, r.order_id, r.assignment_id, r.kind, r.received_at, r.device_at, r.offline,
                  a.status = 'checked_in' AND o.status IN ('arrived', 'in_service', 'no_access') AS under_way
           FROM visit_records r JOIN assignments a ON a.id = r.assignment_id JOIN orders o ON o.id = r.order_id
           WHERE r.worker_id = $1 AND r.order_id <> $2 AND r.counts AND r.kind <> 'en_route'
             AND (r.assignment_id IN (SELECT assignment_id FROM visit_records
                                      WHERE worker_id = $1 AND counts AND received_at >= $3)
                  OR (a.status = 'checked_in' AND o.status IN ('arrived', 'in_service', 'no_access')))
           ORDER BY r.received_at, r.id""",
        worker_id, order_id, since,
    )  # fmt: skip
    return [
        Told(
            row["id"], row["order_id"], row["assignment_id"], Kind(row["kind"]),
            Moment(row["received_at"], row["device_at"], row["offline"]), row["under_way"],
        )
        for row in rows
    ]  # fmt: skip


async def flag_records(connection: Connection, record_ids: Sequence[UUID], flag: Flag) -> None:
    """Let what a later report has shown stand on earlier ones; what they say stays as it was said."""
    await execute(
        connection,
        "UPDATE visit_records SET flags = flags || $2::text WHERE id = ANY ($1) AND $2 <> ALL (flags)",
        list(record_ids), flag.value,
    )  # fmt: skip


async def records(connection: Connection, order_ids: Sequence[UUID]) -> dict[UUID, list[Record]]:
    """Everything reported on these orders, the newest hundred of each, oldest first."""
    rows = await connection.fetch(
        """SELECT o.id AS order_id, r.* FROM unnest($1::uuid[]) AS o (id) CROSS JOIN LATERAL (
               SELECT id, worker_id, kind, received_at, device_at, offline, distance_m, accuracy_m, counts, flags,
                      entered_by, reason, digits_fit, position_reason, lines_reason, end_reason, left_at_door
               FROM visit_records WHERE visit_records.order_id = o.id ORDER BY id DESC LIMIT 100) r
           ORDER BY r.id""",
        list(order_ids),
    )
    return _by_order(rows, Record)


def _by_order(rows: Sequence[Any], kind: type[T]) -> dict[UUID, list[T]]:
    found: dict[UUID, list[T]] = {}
    for row in rows:
        columns = dict(row)
        found.setdefault(columns.pop("order_id"), []).append(msgspec.convert(columns, kind, from_attributes=False))
    return found


async def insert_statement(
    connection: Connection,
    order_id: UUID,
    side: Side,
    kind: str,
    words: str,
    said_by: UUID,
    channel: Channel = Channel.OWN,
) -> Statement:
    """Keep what a side said about a visit; nobody can change it afterwards."""
    return await one(
        connection,
        Statement,
        """INSERT INTO visit_statements (order_id, side, kind, words, said_by, channel) VALUES ($1, $2, $3, $4, $5, $6)
           RETURNING id, side, kind, words, said_by, said_at, channel""",
        order_id, side.value, kind, words, said_by, channel,
    )  # fmt: skip


async def statements(connection: Connection, order_ids: Sequence[UUID]) -> dict[UUID, list[Statement]]:
    """Read what was said about these orders, the newest hundred of each, oldest first."""
    rows = await connection.fetch(
        """SELECT o.id AS order_id, s.* FROM unnest($1::uuid[]) AS o (id) CROSS JOIN LATERAL (
               SELECT id, side, kind, words, said_by, said_at, channel FROM visit_statements
               WHERE visit_statements.order_id = o.id ORDER BY id DESC LIMIT 100) s
           ORDER BY s.id""",
        list(order_ids),
    )
    return _by_order(rows, Statement)


async def sides_heard(connection: Connection, order_id: UUID) -> set[Side]:
    """Read which sides have said something about what an order is disputed for: by disputing it, or since.

    Whatever was said before answers an objection nobody had made.
    """
    rows = await connection.fetch(
        """SELECT DISTINCT side FROM visit_statements WHERE order_id = $1 AND btrim(words) <> ''
           AND id >= (SELECT id FROM visit_statements WHERE order_id = $1 AND kind = 'disputed' ORDER BY id DESC LIMIT 1)""",
        order_id,
    )
    return {Side(row["side"]) for row in rows}


async def crew_shares_a_number(connection: Connection, order_id: UUID, account_id: UUID | None) -> bool:
    """Tell whether somebody signs in with a number with which one of an order's crew does, too."""
    return await value(
        connection,
        """SELECT EXISTS (SELECT FROM assignments a JOIN workers w ON w.id = a.worker_id
                          JOIN account_numbers n ON n.account_id = w.account_id
                          JOIN account_numbers m ON m.phone = n.phone AND m.account_id = $2 WHERE a.order_id = $1)""",
        order_id, account_id,
    )  # fmt: skip


async def keyed_by(connection: Connection, order_id: UUID, account_id: UUID) -> bool:
    """Tell whether an account entered evidence of this order: a record, or the resident's agreement or objection."""
    return await value(
        connection,
        """SELECT EXISTS (SELECT FROM visit_records WHERE order_id = $1 AND entered_by = $2)
               OR EXISTS (SELECT FROM visit_statements
                          WHERE order_id = $1 AND said_by = $2 AND kind IN ('accepted', 'disputed'))""",
        order_id, account_id,
    )  # fmt: skip
