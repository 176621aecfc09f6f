"""All SQL of workers, their shifts and their absences."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final, LiteralString
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import Readable, execute, many, maybe_one, one, readable, value
from backend.workers.model import AbsenceReason, AbsenceView


class ShiftRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One worker's shift with what planning must know of the worker; `skills` are those valid on the day."""

    worker_id: UUID
    provider_id: UUID
    code: str
    gender: str
    travel_mode: str
    start_place_id: UUID
    end_place_id: UUID | None
    box_capacity: int
    plan_on: date
    from_at: Instant
    to_at: Instant
    break_from: Instant | None
    break_to: Instant | None
    break_s: int
    skills: list[str]


async def shifts_of(connection: Connection, zone_id: UUID, from_on: date, to_on: date) -> Readable[ShiftRow]:
    """The shifts of a zone over some days, less the leave taken in them: a leave in the middle makes two of one.

    The break of a shift comes with its first part; planned in order, it may be taken in any. Whoever begins another shift
    within the hour, in whatever plan, ends where that one begins: nobody is in two places.
    """
    return await readable(
        connection,
        ShiftRow,
        """SELECT s.worker_id, w.provider_id, w.code, w.gender, w.travel_mode, w.start_place_id,
                  CASE WHEN EXISTS (SELECT FROM shifts n WHERE n.worker_id = s.worker_id AND n.id <> s.id
                                        AND n.plan_on BETWEEN $2::date - 1 AND $3::date + 1
                                        AND n.during && tstzrange(upper(s.during), upper(s.during) + interval '1 hour'))
                       THEN w.start_place_id ELSE w.end_place_id END AS end_place_id,
                  w.box_capacity, s.plan_on, lower(part.during) AS from_at, upper(part.during) AS to_at,
                  CASE part.number WHEN 1 THEN s.break_from END AS break_from,
                  CASE part.number WHEN 1 THEN s.break_to END AS break_to, s.break_s,
                  ARRAY(SELECT k.skill FROM worker_skills k WHERE k.worker_id = w.id
                        AND (k.valid_from IS NULL OR k.valid_from <= s.plan_on)
                        AND (k.expires_on IS NULL OR k.expires_on > s.plan_on) ORDER BY k.skill) AS skills
           FROM shifts s JOIN workers w ON w.id = s.worker_id JOIN providers p ON p.id = w.provider_id AND p.active
           CROSS JOIN LATERAL unnest(tstzmultirange(s.during) - coalesce(
               (SELECT range_agg(l.during) FROM leaves l WHERE l.worker_id = s.worker_id AND l.during && s.during), '{}')
           ) WITH ORDINALITY AS part (during, number)
           WHERE s.zone_id = $1 AND s.plan_on BETWEEN $2 AND $3 AND w.active
           ORDER BY w.code, lower(part.during)""",
        zone_id, from_on, to_on,
    )  # fmt: skip


class WorkerName(Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker is called."""

    id: UUID
    name: str
    gender: str


async def names(connection: Connection, worker_ids: Iterable[UUID]) -> list[WorkerName]:
    """What these workers are called."""
    return await many(
        connection, WorkerName, "SELECT id, name, gender FROM workers WHERE id = ANY ($1)", list(worker_ids)
    )


class OwnWorker(Struct, frozen=True, forbid_unknown_fields=True):
    """A worker, and whose they are."""

    id: UUID
    name: str
    provider_id: UUID


async def worker(connection: Connection, worker_id: UUID) -> OwnWorker | None:
    """One worker who has not left, as far as whoever asks may see them."""
    return await maybe_one(
        connection, OwnWorker, "SELECT id, name, provider_id FROM workers WHERE id = $1 AND active", worker_id
    )


async def absences(connection: Connection, worker_id: UUID) -> list[AbsenceView]:
    """The absences of a worker that are not over, by their beginning."""
    return await many(
        connection,
        AbsenceView,
        """SELECT id, worker_id, reason, lower(during) AS from_at, upper(during) AS to_at FROM leaves
           WHERE worker_id = $1 AND upper(during) > yinling_now() ORDER BY lower(during)""",
        worker_id,
    )


async def absence(connection: Connection, absence_id: UUID) -> UUID | None:
    """Whose an absence is; None where there is no such one."""
    return await value(connection, "SELECT worker_id FROM leaves WHERE id = $1", absence_id)


async def is_absent(connection: Connection, worker_id: UUID, from_at: datetime, to_at: datetime) -> bool:
    """Whether an absence of a worker is recorded in some of a time; to be asked with the worker locked."""
    return await value(
        connection,
        "SELECT EXISTS (SELECT FROM leaves WHERE worker_id = $1 AND during && tstzrange($2, $3))",
        worker_id, from_at, to_at,
    )  # fmt: skip


async def insert_absence(
    connection: Connection, worker_id: UUID, from_at: datetime, to_at: datetime, reason: AbsenceReason
) -> AbsenceView:
    """Record an absence; every roster in memory is out of date by it."""
    return await one(
        connection,
        AbsenceView,
        """INSERT INTO leaves (worker_id, during, reason) VALUES ($1, tstzrange($2, $3), $4)
           RETURNING id, worker_id, reason, lower(during) AS from_at, upper(during) AS to_at""",
        worker_id, from_at, to_at, reason.value,
    )  # fmt: skip


async def end_absence(connection: Connection, absence_id: UUID) -> AbsenceView | None:
    """Have an absence end now, or never begin; None where it is over already."""
    return await maybe_one(
        connection,
        AbsenceView,
        """UPDATE leaves l SET during = tstzrange(lower(l.during), greatest(lower(l.during), yinling_now()))
           FROM leaves b WHERE l.id = $1 AND b.id = l.id AND upper(l.during) > yinling_now()
           RETURNING l.id, l.worker_id, l.reason, lower(b.during) AS from_at,
                     greatest(lower(b.during), yinling_now()) AS to_at""",
        absence_id,
    )


class SetShift(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A shift as it stands in a roster; the break is taken somewhere between its two ends."""

    id: UUID
    worker_id: UUID
    zone_id: UUID
    plan_on: date
    from_at: Instant
    to_at: Instant
    break_from: Instant | None
    break_to: Instant | None
    break_s: int


_SET_SHIFT: Final[LiteralString] = """
    SELECT s.id, s.worker_id, s.zone_id, s.plan_on, lower(s.during) AS from_at, upper(s.during) AS to_at, s.break_from,
           s.break_to, s.break_s FROM shifts s
"""


async def roster(connection: Connection, worker_ids: Sequence[UUID], from_on: date, to_on: date) -> list[SetShift]:
    """The shifts of some workers over some days, as they were set: absences are not taken off."""
    return await many(
        connection,
        SetShift,
        _SET_SHIFT
        + " WHERE s.worker_id = ANY ($1) AND s.plan_on BETWEEN $2 AND $3 ORDER BY s.worker_id, lower(s.during)",
        list(worker_ids), from_on, to_on,
    )  # fmt: skip


async def last_shift(connection: Connection, worker_id: UUID, on: date) -> SetShift | None:
    """The last shift of a worker that was set for a day or one before it: where they work, and when they rest."""
    return await maybe_one(
        connection,
        SetShift,
        _SET_SHIFT + " WHERE s.worker_id = $1 AND s.plan_on <= $2 ORDER BY s.plan_on DESC, lower(s.during) DESC LIMIT 1",
        worker_id, on,
    )  # fmt: skip


async def zone_of_provider(connection: Connection, provider_id: UUID) -> UUID | None:
    """A zone that a provider serves: where somebody begins who has never worked yet."""
    return await value(
        connection,
        "SELECT zone_id FROM provider_zones WHERE provider_id = $1 ORDER BY zone_id LIMIT 1", provider_id,
    )  # fmt: skip


async def works_beside(connection: Connection, worker_id: UUID, on: date, from_at: datetime, to_at: datetime) -> bool:
    """Whether a shift of another day takes some of a time: a night goes on into the next day."""
    return await value(
        connection,
        """SELECT EXISTS (SELECT FROM shifts WHERE worker_id = $1 AND plan_on BETWEEN $2::date - 1 AND $2::date + 1
                          AND plan_on <> $2 AND during && tstzrange($3, $4))""",
        worker_id, on, from_at, to_at,
    )  # fmt: skip


async def delete_shifts(connection: Connection, worker_id: UUID, on: date) -> None:
    """Take a worker's shifts of a day out of the roster; other ones come in their place, or none."""
    await execute(connection, "DELETE FROM shifts WHERE worker_id = $1 AND plan_on = $2", worker_id, on)


async def insert_shift(connection: Connection, shift: SetShift) -> None:
    """Set a shift; its id is given by the database."""
    await execute(
        connection,
        """INSERT INTO shifts (worker_id, zone_id, plan_on, during, break_from, break_to, break_s)
           VALUES ($1, $2, $3, tstzrange($4, $5), $6, $7, $8)""",
        shift.worker_id, shift.zone_id, shift.plan_on, shift.from_at, shift.to_at, shift.break_from, shift.break_to,
        shift.break_s,
    )  # fmt: skip
