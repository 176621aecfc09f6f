"""Writing a plan: only what changed, under the plan's lock, at the version it was made from."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from backend.database.deciding import MovedOnError
from backend.database.pool import Connection
from backend.events.catalogue import RouteChanged
from backend.events.outbox import emit
from backend.scheduling import queries, tie_queries
from backend.scheduling.model import NewStop, StopRow
from backend.scheduling.snapshots import Day
from dispatch import Plan, Stop

Key = tuple[str, int, str]
_TOLD_S = 60  # a smaller shift of a start is not worth waking a phone; the next fetch shows it


class Written(Struct, frozen=True):
    """What a plan commit changed."""

    version: int
    workers: tuple[UUID, ...]
    crews: Mapping[UUID, Mapping[int, UUID]]  # orders whose crew changed: seat number -> worker


class LostOrderError(RuntimeError):
    """A new plan would leave out orders that were planned: it is wrong, and nothing of it is written."""


class StalePlanError(MovedOnError):
    """The plan moved on since it was read; the caller reads again and decides anew."""


async def lock_day(connection: Connection, day: Day, also: Sequence[UUID] = ()) -> None:
    """Take the lock of the plan, of those tied to it and of `also`; refuse to go on from an old version.

    Whoever needs other locks too takes them afterwards. Raises StalePlanError.
    """
    read = day.rows.plan
    await tie_queries.lock_plans(connection, [read.id, *also])
    locked = await queries.plan(connection, day.rows.zone_id, day.rows.plan_on)
    if locked is None or (locked.stamp, locked.roster) != (read.stamp, read.roster):
        raise StalePlanError


async def write_plan(
    connection: Connection, day: Day, plan: Plan, *, hold: tuple[UUID, datetime] | None = None, improved: bool = False
) -> Written:
    """Store the difference between a day and its new plan; the caller holds the plan's lock.

    `hold` names an order whose new stops are kept only until an instant. Started stops stay where they are; only their times follow what happened. Raises LostOrderError.
    """
    stored = {_row_key(row): row for row in day.rows.stops if row.order_id and row.left_at is None}
    moved: list[tuple[UUID, datetime, datetime, int]] = []
    dropped: list[UUID] = []
    added: list[NewStop] = []
    told: set[UUID] = set()
    crews: dict[UUID, dict[int, UUID]] = {}
    kept: set[Key] = set()
    for worker, route in plan.routes.items():
        for seq, stop in enumerate(route):
            key = (stop.visit, stop.seat, stop.kind)
            if stop.kind == "break" or stop.visit.startswith("at:"):
                continue
            kept.add(key)
            row = stored.get(key)
            if stop.locked and row is None:
                continue
            if row is not None and str(row.worker_id) == worker:
                if day.seconds(row.from_at) != stop.start_s or day.seconds(row.to_at) != stop.end_s:
                    moved.append((row.id, day.instant(stop.start_s), day.instant(stop.end_s), seq))
                    if abs(day.seconds(row.from_at) - stop.start_s) >= _TOLD_S:
                        told.add(row.worker_id)
                continue
            if row is not None:
                dropped.append(row.id)
                told.add(row.worker_id)
            added.append(_new_stop(day, stop, seq))
            told.add(UUID(worker))
            if stop.kind != "pickup":
                crews.setdefault(UUID(stop.visit), {})[stop.seat + 1] = UUID(worker)
    there = {
        key: row for key, row in stored.items() if str(row.worker_id) in plan.routes and row.id not in day.rows.missed
    }
    lost = {key[0] for key in there if key not in kept}
    if lost:
        raise LostOrderError(f"{len(lost)} orders")
    dropped += _in_the_way(day, kept, moved, added)
    await queries.delete_expired_holds(connection, day.rows.plan.id)
    await queries.lock_workers(connection, [UUID(worker) for worker in _touched(moved, added, told, day)])
    await queries.defer_overlaps(connection)
    await queries.delete_stops(connection, dropped)
    await queries.move_stops(connection, moved)
    held = [stop for stop in added if hold is not None and stop.order_id == hold[0]]
    await queries.insert_stops(connection, day.rows.plan.id, held, hold[1] if hold else None)
    await queries.insert_stops(connection, day.rows.plan.id, [stop for stop in added if stop not in held], None)
    version = await queries.raise_version(connection, day.rows.plan.id, improved=improved)
    await tell_routes(connection, day, told, version)
    return Written(version, tuple(told), crews)


async def tell_routes(connection: Connection, day: Day, workers: Iterable[UUID], version: int) -> None:
    """Wake the phones of workers whose day changed."""
    await emit(
        connection, *(RouteChanged(worker_id=w, zone_id=day.rows.zone_id, plan_on=day.rows.plan_on, plan_version=version)
                      for w in sorted(workers))
    )  # fmt: skip


def _in_the_way(
    day: Day, kept: set[Key], moved: Sequence[tuple[UUID, datetime, datetime, int]], added: Sequence[NewStop]
) -> list[UUID]:
    """Stops that do not take place any more, where their worker does something else now."""
    rows = {row.id: row for row in day.rows.stops}
    busy = [(rows[stop_id].worker_id, from_at, to_at) for stop_id, from_at, to_at, _ in moved]
    busy += [(stop.worker_id, stop.from_at, stop.to_at) for stop in added]
    missed = [rows[stop_id] for stop_id in day.rows.missed if _row_key(rows[stop_id]) not in kept]
    return [
        row.id
        for row in missed
        if any(worker_id == row.worker_id and a < row.to_at and row.from_at < b for worker_id, a, b in busy)
    ]


def _touched(
    moved: Sequence[tuple[UUID, datetime, datetime, int]], added: Sequence[NewStop], told: set[UUID], day: Day
) -> set[str]:
    by_stop = {row.id: row.worker_id for row in day.rows.stops}
    return {str(by_stop[stop_id]) for stop_id, *_ in moved} | {str(s.worker_id) for s in added} | {str(w) for w in told}


def _row_key(row: StopRow) -> Key:
    return (str(row.order_id), row.seat - 1, row.kind)


def _new_stop(day: Day, stop: Stop, seq: int) -> NewStop:
    return NewStop(
        worker_id=UUID(stop.worker),
        seq=seq,
        kind=stop.kind,
        place_id=day.place_ids[stop.place],
        order_id=UUID(stop.visit),
        seat=stop.seat + 1,
        from_at=day.instant(stop.start_s),
        to_at=day.instant(stop.end_s),
        started=False,
    )
