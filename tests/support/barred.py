"""What the rules are about: people in the invented city whom a rule keeps from a door, at the very doors where tests book.

Each worker lives where a resident does, so that no way is shorter than theirs: whoever forgets the rule that bars them sends
them. Those who are barred from every door live where most tests book (Z1), those who are barred from one or at times in Z4.
Prices of other days, a meal point of another zone and suspended residents lie in wait too.
"""

from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from backend.database.pool import Connection

_NAMES: Final = UUID("5f0a3c1e-2b47-4a53-9a55-0e6d9d0f7a11")
_DAYS: Final = 15
_DAY: Final = (time(7, 30), time(17, 30))
_SKILLS: Final = ("meal", "bath", "rehab")
_BARRED: Final = (
    "dismissed",
    "of a closed provider",
    "with credentials that ran out",
    "with credentials to come",
    "on leave",
    "at work elsewhere",
)
_AT_TIMES: Final = ("refused", "of the other gender", "away at noon", "in the morning only")
_KINDS: Final = {"Z1": _BARRED, "Z4": (*_BARRED, *_AT_TIMES)}


def _id(name: str) -> UUID:
    """An id of this city, behind all others in order: a test that takes any worker takes one who may work."""
    return UUID(f"ffffffff{str(uuid5(_NAMES, name))[8:]}")


async def add_barred(connection: Connection, on: date, zone_info: ZoneInfo) -> None:
    """Add them to a city whose first zone is Z1 and second Z2, with shifts from a day on; the same ids every time."""
    closed = _id("closed")
    await connection.execute(
        "INSERT INTO providers (id, name, phone, stars, auto_accept, active) VALUES ($1, '已停业', '+865125550099', 5, true, false)",
        closed,
    )
    await connection.execute("INSERT INTO provider_zones SELECT $1, id FROM zones", closed)
    doors = await connection.fetch(
        """SELECT * FROM (SELECT r.id, r.gender, h.place_id, h.zone_id, z.code AS zone, row_number() OVER (
                              PARTITION BY z.id, r.ability_level > 2 ORDER BY r.phone) AS number
                          FROM residents r JOIN homes h ON h.resident_id = r.id JOIN zones z ON z.id = h.zone_id
                          WHERE z.code IN ('Z1', 'Z4')) AS door WHERE number <= 2 ORDER BY zone, number, id"""
    )
    provider_id = await connection.fetchval(
        "SELECT id FROM providers WHERE auto_accept AND active ORDER BY name LIMIT 1"
    )
    elsewhere = await connection.fetchval("SELECT id FROM zones WHERE code = 'Z2'")
    for door in doors:
        for kind in _KINDS[door["zone"]]:
            worker_id = _id(f"{door['id']} {kind}")
            await _worker(
                connection, worker_id, kind, door, closed if kind == "of a closed provider" else provider_id, on
            )
            zone_id = elsewhere if kind == "at work elsewhere" else door["zone_id"]
            for n in range(_DAYS):
                await _shifts(connection, worker_id, kind, zone_id, on + timedelta(days=n), zone_info)
    await connection.execute(
        """INSERT INTO facilities (provider_id, zone_id, place_id, kind, name, district_code, street_code, community_code)
           SELECT f.provider_id, f.zone_id, $1, f.kind, f.name || ' 近邻', f.district_code, f.street_code, f.community_code
           FROM facilities f WHERE f.zone_id = $2 LIMIT 1""",
        doors[0]["place_id"], elsewhere,
    )  # fmt: skip
    await _other_prices(connection, on)
    await connection.execute(
        """UPDATE residents SET suspended = true WHERE id IN (
               SELECT h.resident_id FROM homes h JOIN residents r ON r.id = h.resident_id JOIN zones z ON z.id = h.zone_id
               WHERE z.code = 'Z3' ORDER BY r.phone DESC LIMIT 2)"""
    )


async def _worker(connection: Connection, worker_id: UUID, kind: str, door: Any, provider_id: UUID, on: date) -> None:
    account_id, other = uuid5(worker_id, "account"), {"female": "male", "male": "female"}[door["gender"]]
    await connection.execute(
        "INSERT INTO accounts (id, role, name, provider_id, active) VALUES ($1, 'worker', '某人', $2, $3)",
        account_id, provider_id, kind != "dismissed",
    )  # fmt: skip
    await connection.execute(
        """INSERT INTO workers (id, account_id, provider_id, code, name, gender, travel_mode, start_place_id, end_place_id, active)
           VALUES ($1, $2, $3, $7, '某人', $4, 'ebike', $5, $5, $6)""",
        worker_id, account_id, provider_id, other if kind == "of the other gender" else door["gender"], door["place_id"],
        kind != "dismissed", f"X{str(worker_id)[-8:]}",
    )  # fmt: skip
    ran_out = on if kind == "with credentials that ran out" else None
    valid_from = on + timedelta(days=_DAYS) if kind == "with credentials to come" else on if kind in _AT_TIMES else None
    skills = ("bath",) if kind == "of the other gender" else _SKILLS
    await connection.execute(
        "INSERT INTO worker_skills (worker_id, skill, expires_on, valid_from) SELECT $1, unnest($2::text[]), $3, $4",
        worker_id, skills, ran_out, valid_from,
    )  # fmt: skip
    if kind == "refused":
        await connection.execute(
            "UPDATE residents SET refused_workers = refused_workers || $2::uuid WHERE id = $1", door["id"], worker_id
        )


async def _shifts(
    connection: Connection, worker_id: UUID, kind: str, zone_id: UUID, on: date, zone_info: ZoneInfo
) -> None:
    spans = {"away at noon": ((time(7, 30), time(9, 30)), (time(15), time(17, 30)))}.get(kind, (_DAY,))
    for begins, ends in spans:
        await connection.execute(
            "INSERT INTO shifts (worker_id, zone_id, plan_on, during) VALUES ($1, $2, $3, tstzrange($4, $5))",
            worker_id, zone_id, on, datetime.combine(on, begins, zone_info), datetime.combine(on, ends, zone_info),
        )  # fmt: skip
    if kind in {"on leave", "in the morning only"}:
        begins = time(11) if kind == "in the morning only" else _DAY[0]
        await connection.execute(
            "INSERT INTO leaves (worker_id, during, reason) VALUES ($1, tstzrange($2, $3), 'other')",
            worker_id, datetime.combine(on, begins, zone_info), datetime.combine(on, _DAY[1], zone_info),
        )  # fmt: skip


async def _other_prices(connection: Connection, on: date) -> None:
    """Give each item a version that is over, at half its price and for one worker alone, and one that begins later."""
    await connection.execute(
        """INSERT INTO catalogue_versions (item_id, version, valid_from, price_fen, slot_s, acceptance, rules)
           SELECT item_id, other.version, other.valid_from, price_fen * other.times / 2, slot_s, acceptance, rules
           FROM catalogue_versions, (VALUES (0, '2019-01-01'::date, 1), (2, $1::date, 4)) AS other (version, valid_from, times)""",
        on + timedelta(days=4),
    )
    await connection.execute(
        """INSERT INTO catalogue_seats (version_id, ability_from, ability_to, number, skills, duration_s, gender_rule)
           SELECT v.id, s.ability_from, s.ability_to, s.number, s.skills, s.duration_s, s.gender_rule
           FROM catalogue_versions v JOIN catalogue_versions one ON one.item_id = v.item_id AND one.version = 1
           JOIN catalogue_seats s ON s.version_id = one.id WHERE v.version <> 1 AND (v.version = 2 OR s.number = 1)"""
    )
