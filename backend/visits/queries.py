"""All SQL of visit records."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, field

from backend.core.bounds import Asked, Coordinate, Instant, Metres, Text
from backend.database.pool import Connection
from backend.database.rows import execute, value


class Report(Asked, frozen=True):
    """What the worker's phone says at one moment; its clock is evidence, never order."""

    device_at: Instant | None = None
    x: Coordinate | None = None
    y: Coordinate | None = None
    accuracy_m: Metres | None = None
    tasks: Annotated[list[Text], Meta(max_length=100)] = field(default_factory=list)


async def insert_record(
    connection: Connection, order_id: UUID, worker_id: UUID, kind: str, report: Report, flags: list[str]
) -> None:
    """Store the evidence beside the time it was received."""
    await execute(
        connection,
        """INSERT INTO visit_records (order_id, worker_id, kind, device_at, x, y, accuracy_m, flags, tasks)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        order_id, worker_id, kind, report.device_at, report.x, report.y, report.accuracy_m, flags, report.tasks,
    )  # fmt: skip


async def distance_to_place_m(connection: Connection, place_id: UUID, x: float, y: float) -> float | None:
    """Metres between the reported point and the place, by its own geometry; None where the place has none."""
    return await value(
        connection,
        """SELECT CASE geometry
               WHEN 'plane' THEN sqrt((x - $2) ^ 2 + (y - $3) ^ 2)
               WHEN 'wgs84' THEN 2 * 6371008.8 * asin(sqrt(least(1, sin(radians(y - $3) / 2) ^ 2
                   + cos(radians(y)) * cos(radians($3)) * sin(radians(x - $2) / 2) ^ 2))) END
           FROM places WHERE id = $1""",
        place_id, x, y,
    )  # fmt: skip
