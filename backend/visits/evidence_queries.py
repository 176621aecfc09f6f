"""All SQL of reports the order could not follow when they came, and of whose visit it was by what counts in the end."""

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import execute, value
from backend.visits.model import Flag, Kind, Moment

# Who carried a visit out: the crew as it stands, and who left it and has shown by a late record or on paper that they came.
_CAME: Final[LiteralString] = """(a.status IN ('accepted', 'en_route', 'checked_in', 'checked_out')
    OR (a.status IN ('no_show', 'replaced', 'withdrawn') AND EXISTS (
        SELECT FROM visit_records c WHERE c.order_id = a.order_id AND c.assignment_id = a.id AND c.counts
          AND c.kind <> 'en_route' AND (a.status = 'no_show' OR 'NOT_IN_CREW' = ANY (c.flags)))))"""


class Kept(Struct, frozen=True):
    """A report made at a place, and the seat it was made from: of whoever is bound to come, or was."""

    record_id: UUID
    assignment_id: UUID
    seat_status: str
    came: bool
    planned_s: int
    kind: Kind
    moment: Moment
    counts: bool
    flags: list[str]


async def kept(connection: Connection, order_id: UUID) -> list[Kept]:
    """Read the reports of everybody who was ever bound to come: what counts first, then as they happened."""
    rows = await connection.fetch(
        """SELECT r.id, r.assignment_id, a.status, """
        + _CAME
        + """ AS came, q.duration_s, r.kind, r.received_at, r.device_at, r.offline, r.counts, r.flags
           FROM visit_records r JOIN assignments a ON a.id = r.assignment_id AND a.bound
           JOIN order_seats q ON q.order_id = a.order_id AND q.number = a.seat
           WHERE r.order_id = $1 AND r.kind <> 'en_route'
           ORDER BY r.counts DESC, CASE WHEN r.offline THEN least(r.device_at, r.received_at) ELSE r.received_at END, r.id
           LIMIT 200""",
        order_id,
    )
    return [
        Kept(
            row["id"], row["assignment_id"], row["status"], row["came"], row["duration_s"], Kind(row["kind"]),
            Moment(row["received_at"], row["device_at"], row["offline"]), row["counts"], row["flags"],
        )
        for row in rows
    ]  # fmt: skip


async def count_records(connection: Connection, record_ids: Sequence[UUID]) -> None:
    """Let reports count that the order could not follow when they came."""
    await execute(
        connection,
        "UPDATE visit_records SET counts = true, flags = array_remove(flags, $2) WHERE id = ANY ($1)",
        list(record_ids), Flag.OUT_OF_ORDER.value,
    )  # fmt: skip


async def unflag_records(connection: Connection, record_ids: Sequence[UUID], flag: Flag) -> None:
    """Take off what a report that came later has cleared."""
    await execute(
        connection,
        "UPDATE visit_records SET flags = array_remove(flags, $2) WHERE id = ANY ($1) AND $2 = ANY (flags)",
        list(record_ids), flag.value,
    )  # fmt: skip


async def came(connection: Connection, order_id: UUID, worker_id: UUID) -> bool:
    """Tell whether a worker is in the crew of an order, or is shown to have carried it out by reports that count."""
    return await value(
        connection,
        "SELECT EXISTS (SELECT FROM assignments a WHERE a.order_id = $1 AND a.worker_id = $2 AND " + _CAME + ")",
        order_id, worker_id,
    )  # fmt: skip


async def who_came(connection: Connection, order_id: UUID) -> list[UUID]:
    """Read whose visit an order was: these workers hear what becomes of it."""
    rows = await connection.fetch(
        "SELECT DISTINCT a.worker_id FROM assignments a WHERE a.order_id = $1 AND " + _CAME + " ORDER BY a.worker_id",
        order_id,
    )
    return [row["worker_id"] for row in rows]


async def crew_is_flagged(connection: Connection, order_id: UUID, flag: Flag) -> bool:
    """Tell whether a flag stands on a report that counts of somebody who carried an order out, or is said to on paper."""
    return await value(
        connection,
        "SELECT EXISTS (SELECT FROM visit_records r JOIN assignments a ON a.id = r.assignment_id "
        "WHERE r.order_id = $1 AND r.counts AND $2 = ANY (r.flags) AND " + _CAME + ")",
        order_id, flag.value,
    )  # fmt: skip
