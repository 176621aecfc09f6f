"""A recorded day becomes a city of its own: places with their travel, a provider, workers, residents, a catalogue."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pyotp
from argon2 import PasswordHasher
from msgspec import Struct

from backend.core.principal import SYSTEM
from backend.database.pool import Connection, Database
from backend.simulation import queries
from backend.simulation.instances import HOUR_S, Demand, Instance, base_seconds

DAY: Final = date(2030, 1, 1)
_EVENING_S: Final = 5 * HOUR_S  # the evening before: 19:00
_PRICE_FEN: Final = 2000


class Desk(Struct, frozen=True):
    """Somebody who signs in with a password and a one-time code."""

    login: str
    password: str
    totp_secret: str


class Imported(Struct, frozen=True, kw_only=True):
    """Where everything of the file is found in the database, and when its minute 0 is."""

    instance: Instance
    zero_at: datetime
    plan_on: date
    zone_id: UUID
    provider_id: UUID
    place_ids: tuple[UUID, ...]
    facility_ids: dict[int, UUID]  # by position of the place
    worker_ids: dict[str, UUID]
    worker_phones: dict[str, str]
    resident_ids: dict[str, UUID]
    resident_phones: dict[str, str]
    operator: Desk
    provider: Desk

    def instant(self, seconds: float) -> datetime:
        """The care time of so many seconds after the file's minute 0."""
        return self.zero_at + timedelta(seconds=seconds)

    def seconds(self, instant: datetime) -> float:
        """Seconds after the file's minute 0."""
        return (instant - self.zero_at).total_seconds()

    @property
    def evening_s(self) -> int:
        """When bookings of the evening before begin."""
        midnight = datetime.combine(self.plan_on, time(0), self.zero_at.tzinfo)
        return int(self.seconds(midnight)) - _EVENING_S


class _Ids:
    """Ids in the order things stand in the file, so that the same file is the same city every time."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self) -> UUID:
        number = next(self._numbers)
        return UUID(int=((1_893_456_000_000 + number) << 80) | (7 << 76) | (2 << 62) | number)


def layout(instance: Instance, time_zone: str) -> datetime:
    """The instant of the file's minute 0. Raises InstanceError when the day does not fit into one plan day."""
    first = min(*(w.on_s for w in instance.workers), *(d.from_s for d in instance.demands))
    last = max(*(w.off_s for w in instance.workers), *(d.latest_s for d in instance.demands))
    base = base_seconds(instance.name, first, last)
    return datetime.combine(DAY, time(0), ZoneInfo(time_zone)) + timedelta(seconds=base)


async def load(database: Database, instance: Instance, time_zone: str) -> Imported:
    """Write the whole day in one transaction; the database is empty before. Raises InstanceError."""
    zero_at = layout(instance, time_zone)
    ids = _Ids()
    zone_id, provider_id = ids(), ids()
    place_ids = tuple(ids() for _ in instance.places)
    restaurants = sorted({demand.pickup.restaurant for demand in instance.demands if demand.pickup})
    imported = Imported(
        instance=instance,
        zero_at=zero_at,
        plan_on=DAY,
        zone_id=zone_id,
        provider_id=provider_id,
        place_ids=place_ids,
        facility_ids={place: ids() for place in restaurants},
        worker_ids={worker.id: ids() for worker in instance.workers},
        worker_phones={w.id: f"+86138{i:08d}" for i, w in enumerate(instance.workers, start=1)},
        resident_ids={resident: ids() for resident in instance.residents},
        resident_phones={r: f"+86139{i:08d}" for i, r in enumerate(instance.residents, start=1)},
        operator=Desk("replay-operator", pyotp.random_base32(), pyotp.random_base32()),
        provider=Desk("replay-provider", pyotp.random_base32(), pyotp.random_base32()),
    )
    async with database.unit_of_work(SYSTEM) as connection:
        await _places(connection, imported)
        await _catalogue(connection, imported, ids)
        await _workers(connection, imported, ids)
        await _residents(connection, imported, ids)
        await _desks(connection, imported, ids)
    return imported


async def _places(connection: Connection, day: Imported) -> None:
    instance = day.instance
    kind = "plane" if instance.matrix is None else "matrix"
    travel: dict[str, Any] = {"metres_per_minute": instance.metres_per_minute} if kind == "plane" else {}
    await queries.insert_zone(connection, day.zone_id, instance.name, kind, travel)
    geometry = "plane" if kind == "plane" else "none"
    points = zip(day.place_ids, instance.places, strict=True)
    await queries.insert_places(connection, [(place_id, geometry, p.x, p.y) for place_id, p in points])
    if instance.matrix is not None:
        cells = [seconds for row in instance.matrix for seconds in row]
        await queries.insert_matrix(connection, day.zone_id, day.place_ids, cells)
    await queries.insert_provider(connection, day.provider_id, f"Provider of {instance.name}", "+862155550000")
    await queries.insert_provider_zone(connection, day.provider_id, day.zone_id)
    await queries.insert_facilities(
        connection,
        [(f, day.provider_id, day.zone_id, day.place_ids[p], f"Meal point {p}") for p, f in day.facility_ids.items()],
    )


async def _catalogue(connection: Connection, day: Imported, ids: _Ids) -> None:
    items: dict[str, Demand] = {demand.item: demand for demand in day.instance.demands}
    item_ids = {code: ids() for code in items}
    version_ids = {code: ids() for code in items}
    await queries.insert_items(connection, [(item_ids[code], code, d.kind, code) for code, d in items.items()])
    await queries.insert_versions(
        connection, [(version_ids[code], item_ids[code], _PRICE_FEN, d.kind != "meal") for code, d in items.items()]
    )
    seats = [
        (version_ids[code], number, [seat.skill], seat.duration_s)
        for code, demand in items.items()
        for number, seat in enumerate(demand.seats, start=1)
    ]
    await queries.insert_catalogue_seats(connection, seats)


async def _workers(connection: Connection, day: Imported, ids: _Ids) -> None:
    workers = day.instance.workers
    accounts = {worker.id: ids() for worker in workers}
    await queries.insert_accounts(
        connection, [(accounts[w.id], "worker", w.id, day.worker_phones[w.id], day.provider_id) for w in workers]
    )
    await queries.insert_workers(
        connection,
        [
            (
                day.worker_ids[w.id], accounts[w.id], day.provider_id, w.id, w.id, day.place_ids[w.start],
                None if w.end is None else day.place_ids[w.end],
            )
            for w in workers
        ],
    )  # fmt: skip
    await queries.insert_skills(connection, [(day.worker_ids[w.id], s) for w in workers for s in sorted(set(w.skills))])
    await queries.insert_shifts(
        connection,
        [(day.worker_ids[w.id], day.zone_id, day.plan_on, day.instant(w.on_s), day.instant(w.off_s)) for w in workers],
    )


async def _residents(connection: Connection, day: Imported, ids: _Ids) -> None:
    residents = day.instance.residents
    accounts = {resident: ids() for resident in residents}
    refused: dict[str, Sequence[UUID]] = {
        d.resident: [day.worker_ids[w] for w in d.refused if w in day.worker_ids] for d in day.instance.demands
    }
    await queries.insert_accounts(
        connection, [(accounts[r], "resident", r, day.resident_phones[r], None) for r in residents]
    )
    await queries.insert_residents(
        connection,
        [(day.resident_ids[r], accounts[r], r, day.resident_phones[r], list(refused[r])) for r in residents],
    )
    await queries.insert_homes(
        connection,
        [(day.resident_ids[r], day.zone_id, day.place_ids[place], r) for r, place in residents.items()],
    )


async def _desks(connection: Connection, day: Imported, ids: _Ids) -> None:
    hasher = PasswordHasher()
    desks = (("operator", day.operator, None), ("provider", day.provider, day.provider_id))
    await queries.insert_desk_accounts(
        connection,
        [
            (ids(), role, desk.login, desk.login, hasher.hash(desk.password), desk.totp_secret, provider_id)
            for role, desk, provider_id in desks
        ],
    )
