"""All SQL of workers and their shifts."""

from datetime import date
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import Readable, readable


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
    """The shifts of a zone over some days; a shift that a leave touches is left out.

    Whoever begins another shift within the hour, in whatever plan, ends where that one begins: nobody is in two places.
    """
    return await readable(
        connection,
        ShiftRow,
        """SELECT s.worker_id, w.provider_id, w.code, w.gender, w.travel_mode, w.start_place_id,
                  CASE WHEN EXISTS (SELECT FROM shifts n WHERE uuidrange(n.worker_id, n.worker_id, '[]')
                                        && uuidrange(s.worker_id, s.worker_id, '[]') AND n.id <> s.id
                                        AND n.during && tstzrange(upper(s.during), upper(s.during) + interval '1 hour'))
                       THEN w.start_place_id ELSE w.end_place_id END AS end_place_id,
                  w.box_capacity, s.plan_on, lower(s.during) AS from_at, upper(s.during) AS to_at, s.break_from,
                  s.break_to, s.break_s,
                  ARRAY(SELECT k.skill FROM worker_skills k WHERE k.worker_id = w.id
                        AND (k.expires_on IS NULL OR k.expires_on > s.plan_on) ORDER BY k.skill) AS skills
           FROM shifts s JOIN workers w ON w.id = s.worker_id JOIN providers p ON p.id = w.provider_id AND p.active
           WHERE s.zone_id = $1 AND s.plan_on BETWEEN $2 AND $3 AND w.active
             AND NOT EXISTS (SELECT FROM leaves l WHERE l.worker_id = w.id AND l.during && s.during)
           ORDER BY w.code, lower(s.during)""",
        zone_id, from_on, to_on,
    )  # fmt: skip
