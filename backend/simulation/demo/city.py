"""The invented city 银龄市: zones, providers, workers, residents and their families. Nobody in it exists."""

import random
import secrets
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pyotp
from argon2 import PasswordHasher
from msgspec import Struct

from backend.core.clock import city_date
from backend.core.principal import SYSTEM
from backend.database.clock import care_now
from backend.database.owner import open_as_owner
from backend.database.pool import Connection
from backend.residents.names import search_keys
from backend.simulation.demo import queries

TIME_ZONE: Final = "Asia/Shanghai"
_SEED: Final = 7
_CENTRE: Final = (120.62, 31.32)
LANDLINE: Final = "+8651265550400"  # of a couple
_ZONES: Final = (
    ("Z1", "东湖片区", 0.0, 0.0),
    ("Z2", "梧桐片区", 0.045, 0.0),
    ("Z3", "南塘片区", 0.0, -0.04),
    ("Z4", "柳巷片区", 0.045, -0.04),
)
_PROVIDERS: Final = (("安颐居家养老服务中心", 5, True), ("松鹤社区照护站", 4, True), ("暖阳助老服务社", 4, False))
_SURNAMES: Final = "赵钱孙李周吴郑王冯陈卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜"
_OLD: Final = ("秀英", "桂兰", "玉珍", "淑芬", "建国", "德明", "福生", "凤英", "国强", "文华", "素琴", "长贵")
_YOUNG: Final = ("晓梅", "海燕", "志强", "丽华", "建军", "雪琴", "卫东", "春花", "小龙", "美玲", "立新", "红霞")
_WORKERS_PER_ZONE, _RESIDENTS_PER_ZONE, _POINTS_PER_ZONE = 14, 64, 2
TRAVEL: Final[dict[str, Any]] = {"factor": 1.35, "speed_mps": {"walk": 1.2, "ebike": 4.5, "car": 7.0}}
ITEMS: Final = {
    "meal-lunch": ("meal", "送餐上门", "Hot meal, delivered", 1500, 1800, False, ["hot_meal_ride_s"]),
    "bath-home": ("bath", "上门助浴", "Bath at home", 12800, 1800, True, ["meal_to_bath_gap_s"]),
    "rehab-home": ("rehab", "上门康复护理", "Rehabilitation at home", 16000, 1800, True, []),
}


class Desk(Struct, frozen=True):
    """A member of staff and how they sign in."""

    role: str
    login: str
    password: str
    totp_secret: str


async def build(owner_url: str) -> None:
    """Put the city into a migrated database of its own, beginning today; a second time only adds shifts."""
    database = await open_as_owner(owner_url)
    zone_info = ZoneInfo(TIME_ZONE)
    async with database.unit_of_work(SYSTEM) as connection:
        on = city_date(await care_now(connection), zone_info)
        await seed(connection, on, zone_info, random.Random(_SEED))
    await database.close()


async def seed(connection: Connection, on: date, zone_info: ZoneInfo, chooser: random.Random) -> None:
    """Build the city once; shifts are given for the coming fortnight at every start."""
    if not await queries.is_seeded(connection):
        await _build(connection, on, zone_info, chooser)
    rows = [
        _shift(person.worker_id, person.zone_id, on + timedelta(days=n), zone_info)
        for person in await queries.roster(connection)
        for n in range(15)
    ]
    await queries.insert_shifts(connection, rows)


def _shift(worker_id: UUID, zone_id: UUID, on: date, zone_info: ZoneInfo) -> tuple[object, ...]:
    def at(hour: int, minute: int = 0) -> datetime:
        return datetime.combine(on, time(hour, minute), zone_info)

    late = worker_id.int % 3 == 0
    return (
        worker_id, zone_id, on, at(9) if late else at(7, 30), at(19) if late else at(17, 30),
        at(11, 30), at(14),
    )  # fmt: skip


async def desks(connection: Connection) -> list[Desk]:
    """Fresh passwords for the staff of this start; shown once, stored only as hashes."""
    hasher = PasswordHasher()
    manual = await queries.manual_providers(connection)
    staff = [("operator", "operator", None), ("supervisor", "supervisor", None)]
    staff += [("provider", f"provider{n}", provider_id) for n, provider_id in enumerate(manual, 1)]
    made: list[Desk] = []
    for role, login, provider_id in staff:
        desk = Desk(role, login, secrets.token_urlsafe(12), pyotp.random_base32())
        await queries.upsert_desk(
            connection, role, login, login, hasher.hash(desk.password), desk.totp_secret, provider_id
        )
        made.append(desk)
    return made


async def _build(connection: Connection, on: date, zone_info: ZoneInfo, chooser: random.Random) -> None:
    ids = _Ids(chooser)
    zones = [(ids(), code, name, _CENTRE[0] + x, _CENTRE[1] + y) for code, name, x, y in _ZONES]
    await queries.insert_zones(connection, [(z[0], z[1], z[2], TRAVEL) for z in zones])
    providers = [
        (ids(), name, f"+8651255500{n:02}", stars, auto, 1200) for n, (name, stars, auto) in enumerate(_PROVIDERS)
    ]
    await queries.insert_providers(connection, providers)
    await queries.insert_provider_zones(connection, [(p[0], z[0]) for p in providers for z in zones])
    await _catalogue(connection, ids)
    for number, zone in enumerate(zones):
        await _zone(connection, ids, chooser, number, zone, [p[0] for p in providers], on, zone_info)


async def _catalogue(connection: Connection, ids: "_Ids") -> None:
    items = {code: (ids(), ids()) for code in ITEMS}
    await queries.insert_items(connection, [(items[c][0], c, k, name, en) for c, (k, name, en, *_) in ITEMS.items()])
    await queries.insert_versions(
        connection,
        [(items[c][1], items[c][0], fen, slot, ask, rules) for c, (_, _, _, fen, slot, ask, rules) in ITEMS.items()],
    )
    meal, bath, rehab = (items[code][1] for code in ITEMS)
    await queries.insert_seats(
        connection,
        [
            (meal, 0, 4, 1, ["meal"], 180, "any"),
            (bath, 0, 2, 1, ["bath"], 3000, "same"),
            (bath, 3, 4, 1, ["bath"], 3600, "same"),
            (bath, 3, 4, 2, ["bath"], 3600, "any"),
            (rehab, 0, 4, 1, ["rehab"], 2700, "any"),
        ],
    )


async def _zone(
    connection: Connection,
    ids: "_Ids",
    chooser: random.Random,
    number: int,
    zone: tuple[UUID, str, str, float, float],
    provider_ids: list[UUID],
    on: date,
    zone_info: ZoneInfo,
) -> None:
    zone_id, _, name, x, y = zone
    areas = ("320599", f"32059900{number + 1}", f"32059900{number + 1}001")

    def point() -> tuple[UUID, float, float]:
        return (ids(), x + chooser.uniform(-0.02, 0.02), y + chooser.uniform(-0.017, 0.017))

    stations = {provider_id: point() for provider_id in provider_ids}
    points = [point() for _ in range(_POINTS_PER_ZONE)]
    homes = [point() for _ in range(_RESIDENTS_PER_ZONE)]
    await queries.insert_places(connection, [*stations.values(), *points, *homes])
    await queries.insert_facilities(
        connection,
        [
            (ids(), provider_ids[0], zone_id, p[0], "meal_point", f"{name}助餐点{n}", *areas)
            for n, p in enumerate(points, 1)
        ],
    )
    await _workers(connection, ids, chooser, number, zone_id, stations, on, zone_info)
    await _residents(connection, ids, chooser, number, zone_id, name, homes, areas)


async def _workers(
    connection: Connection,
    ids: "_Ids",
    chooser: random.Random,
    number: int,
    zone_id: UUID,
    stations: dict[UUID, tuple[UUID, float, float]],
    on: date,
    zone_info: ZoneInfo,
) -> None:
    accounts: list[tuple[object, ...]] = []
    rows: list[tuple[object, ...]] = []
    skills: list[tuple[object, ...]] = []
    shifts: list[tuple[object, ...]] = []
    for n in range(_WORKERS_PER_ZONE):
        worker_id, account_id = ids(), ids()
        provider_id = list(stations)[n % len(stations)]
        place = stations[provider_id][0]
        name = chooser.choice(_SURNAMES) + chooser.choice(_YOUNG)
        phone = f"+86138000{number:02}{n:03}"
        accounts.append((account_id, "worker", name, phone, provider_id))
        gender = "female" if n % 3 else "male"
        rows.append(
            (worker_id, account_id, provider_id, f"W{number + 1}{n + 1:02}", name, gender, "ebike", place, place)
        )
        mine = (
            ("meal", "bath")
            if n % 4 == 3
            else ("bath",)
            if n % 4 in {0, 1}
            else ("rehab", "bath")
            if n % 8 == 2
            else ("meal", "rehab")
        )
        skills += [(worker_id, skill, on + timedelta(days=400)) for skill in mine]
        shifts.append(_shift(worker_id, zone_id, on, zone_info))
    await queries.insert_accounts(connection, accounts)
    await queries.insert_workers(connection, rows)
    await queries.insert_skills(connection, skills)
    await queries.insert_shifts(connection, shifts)


async def _residents(
    connection: Connection,
    ids: "_Ids",
    chooser: random.Random,
    number: int,
    zone_id: UUID,
    zone_name: str,
    homes: list[tuple[UUID, float, float]],
    areas: tuple[str, str, str],
) -> None:
    accounts: list[tuple[object, ...]] = []
    people: list[tuple[object, ...]] = []
    houses: list[tuple[object, ...]] = []
    contacts: list[tuple[object, ...]] = []
    consents: list[tuple[object, ...]] = []
    for n, home in enumerate(homes):
        resident_id, account_id, family_id = ids(), ids(), ids()
        surname = chooser.choice(_SURNAMES)
        name, child = surname + chooser.choice(_OLD), surname + chooser.choice(_YOUNG)
        phone, family_phone = f"+86139000{number:02}{n:03}", f"+86137000{number:02}{n:03}"
        ability = chooser.choices((0, 1, 2, 3, 4), (30, 25, 20, 15, 10))[0]
        accounts += [(account_id, "resident", name, phone, None), (family_id, "family", child, family_phone, None)]
        diet = ["low_salt"] if chooser.random() < 0.3 else []
        gender = "female" if chooser.random() < 0.6 else "male"
        people.append((resident_id, account_id, name, phone, gender, ability, "any", diet))
        houses.append((resident_id, zone_id, home[0], f"{zone_name}{n + 1}号", *areas))
        contacts.append((resident_id, child, family_phone, "child"))
        consents += [(resident_id, family_id, purpose) for purpose in ("status", "book")]
    await queries.insert_accounts(connection, accounts)
    await queries.insert_residents(connection, people)
    keys = [(resident_id, key) for resident_id, _, name, *_ in people for key in search_keys(str(name))]
    await queries.insert_search_keys(connection, keys)
    await queries.insert_homes(connection, houses)
    await queries.insert_contacts(connection, contacts)
    await queries.insert_consents(connection, consents)
    if zone_name == _ZONES[-1][1]:
        await _share_a_telephone(connection, people, houses)


async def _share_a_telephone(
    connection: Connection, people: list[tuple[object, ...]], houses: list[tuple[object, ...]]
) -> None:
    """Put a husband and a wife into one flat with its landline, and make somebody else the mother of a care worker."""
    husband, wife = (next(n for n, row in enumerate(people) if row[4] == gender) for gender in ("male", "female"))
    mother = next(n for n, row in enumerate(people) if row[4] == "female" and n != wife)
    await queries.share_home(connection, houses[wife][0], houses[husband][0])
    await queries.insert_numbers(connection, [(people[n][1], LANDLINE) for n in (husband, wife)])
    await queries.insert_contact_at_work(connection, people[mother][0], houses[mother][1])


class _Ids:
    """Ids from the seed, so that the same seed is the same city."""

    def __init__(self, chooser: random.Random) -> None:
        self._chooser = chooser

    def __call__(self) -> UUID:
        return UUID(int=self._chooser.getrandbits(128), version=4)
