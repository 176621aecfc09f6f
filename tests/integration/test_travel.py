"""How long every way takes, in each kind of zone, against sums written out here."""

import itertools
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.database.pool import Connection, Database
from backend.processes.embedded import Urls
from backend.scheduling.travel import ZoneTravel

Point = tuple[float, float]
_EBIKE, _CAR = 4.5, 7.0


def _on_a_plane(one: Point, two: Point) -> float:
    """At 400 metres a minute."""
    return math.dist(one, two) / 400 * 60


def _by_road(one: Point, two: Point, metres_per_second: float) -> float:
    """The angle between two points of the globe, by the straight line through it, on the mean radius; 1.35 for the roads."""
    angle = 2 * math.asin(math.dist(_on_the_globe(one), _on_the_globe(two)) / 2)
    return angle * 6_371_008.8 * 1.35 / metres_per_second


def _on_the_globe(point: Point) -> tuple[float, float, float]:
    lng, lat = (math.radians(v) for v in point)
    return math.cos(lat) * math.cos(lng), math.cos(lat) * math.sin(lng), math.sin(lat)


_KINDS: dict[str, tuple[str, dict[str, Any], Callable[[random.Random], Point], Callable[[Point, Point], float], str]] = {
    "plane": ("plane", {"metres_per_minute": 400}, lambda r: (r.uniform(0, 9000), r.uniform(0, 9000)), _on_a_plane, "car"),
    "by car": (
        "road_factor", {"factor": 1.35, "speed_mps": {"car": _CAR, "ebike": _EBIKE}},
        lambda r: (120 + r.uniform(0, 0.3), 31 + r.uniform(0, 0.2)), lambda a, b: _by_road(a, b, _CAR), "car",
    ),
    "by ebike, far north": (
        "road_factor", {"factor": 1.35, "speed_mps": {"car": _CAR, "ebike": _EBIKE}},
        lambda r: (20 + r.uniform(0, 2), 60 + r.uniform(0, 3)), lambda a, b: _by_road(a, b, _EBIKE), "ebike",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", _KINDS)
async def test_a_way_takes_what_its_zone_says_also_where_places_are_learnt_one_after_another(
    database_urls: Urls, database: Database, kind: str
):
    """Never less than the sum says, and less than a second more: a plan must not promise what the road cannot keep."""
    travel_kind, travel, draw, seconds, mode = _KINDS[kind]
    chooser = random.Random(3)
    points = {uuid4(): draw(chooser) for _ in range(9)}
    async with _owned(database_urls) as connection:
        zone_id = await _zone(connection, travel_kind, travel)
        for place_id, point in points.items():
            geometry = "plane" if travel_kind == "plane" else "wgs84"
            await connection.execute(
                "INSERT INTO places (id, geometry, x, y) VALUES ($1, $2, $3, $4)", place_id, geometry, *point
            )
    async with database.unit_of_work(SYSTEM) as connection:
        ways, known = await ZoneTravel.load(connection, zone_id), list[UUID]()
        for batch in (list(points)[:2], list(points)[2:5], list(points)[5:]):
            known += batch
            assert await ways.know(connection, batch) == set()
            found = ways.between(known, mode)
            for (i, one), (j, two) in itertools.product(enumerate(known), repeat=2):
                assert 0 <= found[i, j] - seconds(points[one], points[two]) + 1e-3 < 1.002, (i, j)


async def test_a_matrix_is_read_from_row_to_column(database_urls: Urls, database: Database):
    """A street may be one way; the order of what is asked is not that of the matrix."""
    places = [uuid4() for _ in range(3)]
    async with _owned(database_urls) as connection:
        zone_id = await _zone(connection, "matrix", {})
        for place_id in places:
            await connection.execute("INSERT INTO places (id, geometry, x, y) VALUES ($1, 'none', 0, 0)", place_id)
        seconds = [0, 12, 13, 21, 0, 23, 31, 32, 0]
        await connection.execute("INSERT INTO travel_matrices VALUES ($1, $2, $3)", zone_id, places, seconds)
    async with database.unit_of_work(SYSTEM) as connection:
        ways = await ZoneTravel.load(connection, zone_id)
    assert ways.between([places[2], places[0], places[1]], "car").tolist() == [[0, 31, 32], [13, 0, 12], [23, 21, 0]]


@asynccontextmanager
async def _owned(urls: Urls) -> AsyncIterator[Connection]:
    """A transaction of the database's owner, who states zones and places."""
    owner = await open_as_owner(urls.owner)
    async with owner.unit_of_work(SYSTEM) as connection:
        yield connection
    await owner.close()


async def _zone(connection: Connection, kind: str, travel: dict[str, Any]) -> UUID:
    return await connection.fetchval(
        "INSERT INTO zones (code, name, travel_kind, travel) VALUES ('A', 'A', $1, $2) RETURNING id", kind, travel
    )
