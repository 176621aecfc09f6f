"""Travel between places of a zone, as each zone states it: a matrix, a speed on a plane, or a road factor.

Seconds are rounded up, so that a plan never promises what the road cannot keep.
"""

import threading
from collections.abc import Sequence
from uuid import UUID

import numpy as np

from backend.database.pool import Connection
from backend.scheduling import queries
from backend.scheduling.model import PlaceRow, ZoneRow

_EARTH_M = 6_371_008.8  # mean radius, IUGG
_PLANE_M = 1_000_000  # a plane that is larger is no map of a city
_MOST_PLACES = 2500  # ways kept: 50 MB for each mode; beyond that a zone's places are learnt anew


class ZoneTravel:
    """One zone's travel, loaded once; places are looked up as they appear, and ways between known places are kept."""

    def __init__(self, zone: ZoneRow, matrix: "queries.MatrixRow | None") -> None:
        self.zone = zone
        self._stated: np.ndarray | None = None
        self._index: dict[UUID, int] = {}
        self._x: list[float] = []
        self._y: list[float] = []
        self._ways: dict[str, tuple[int, np.ndarray]] = {}
        self._alone = threading.Lock()
        if matrix is not None:
            size = len(matrix.place_ids)
            self._index = {place_id: i for i, place_id in enumerate(matrix.place_ids)}
            self._stated = np.asarray(matrix.seconds, dtype=np.int32).reshape(size, size)

    @classmethod
    async def load(cls, connection: Connection, zone_id: UUID) -> "ZoneTravel":
        """Read the zone, and its matrix where it states one."""
        zone = await queries.zone(connection, zone_id)
        matrix = await queries.travel_matrix(connection, zone_id) if zone.travel_kind == "matrix" else None
        return cls(zone, matrix)

    @property
    def full(self) -> bool:
        """Whether so many places are known that it is time to begin `afresh`."""
        return len(self._x) > _MOST_PLACES

    def afresh(self) -> "ZoneTravel":
        """The same zone, knowing no place: whoever still counts on those known to this one keeps it."""
        return ZoneTravel(self.zone, None)

    async def know(self, connection: Connection, place_ids: Sequence[UUID]) -> set[UUID]:
        """Fetch the coordinates that are still missing; returns the places no way leads to."""
        missing = {place_id for place_id in place_ids if place_id not in self._index}
        if self._stated is not None or not missing:
            return missing
        found = await queries.places(connection, sorted(missing))
        with self._alone:
            for place in found:
                if place.id not in self._index and self._lies_on_the_map(place):
                    self._x.append(place.x)
                    self._y.append(place.y)
                    self._index[place.id] = len(self._x) - 1
        return missing - self._index.keys()

    def _lies_on_the_map(self, place: PlaceRow) -> bool:
        """Whether a place has coordinates of the zone's own kind."""
        if self.zone.travel_kind == "plane":
            return place.geometry == "plane" and abs(place.x) <= _PLANE_M and abs(place.y) <= _PLANE_M
        return place.geometry == "wgs84" and abs(place.x) <= 180 and abs(place.y) <= 90

    def knows_mode(self, mode: str) -> bool:
        """Whether the zone says how fast somebody travels so."""
        return self.zone.travel_kind != "road_factor" or mode in self.zone.travel["speed_mps"]

    def between(self, place_ids: Sequence[UUID], mode: str) -> np.ndarray:
        """Seconds from each place to each, shape (n, n), int32."""
        rows = np.asarray([self._index[place_id] for place_id in place_ids], dtype=np.intp)
        ways = self._stated if self._stated is not None else self._known(mode)
        return ways[rows[:, None], rows[None, :]]

    def _known(self, mode: str) -> np.ndarray:
        """All ways between known places; only those of new places are worked out. Days are built on threads as well."""
        with self._alone:
            return self._worked_out(mode)

    def _worked_out(self, mode: str) -> np.ndarray:
        count = len(self._x)
        known, ways = self._ways.get(mode, (0, np.empty((0, 0), np.int32)))
        if known < count:
            if count > len(ways):
                larger = np.empty((2 * count, 2 * count), np.int32)
                larger[:known, :known] = ways[:known, :known]
                ways = larger
            x, y = np.asarray(self._x), np.asarray(self._y)
            ways[known:count, :count] = self._seconds(mode, x[known:], y[known:], x, y)
            ways[:known, known:count] = self._seconds(mode, x[:known], y[:known], x[known:], y[known:])
            self._ways[mode] = (count, ways)
        return ways

    def _seconds(self, mode: str, x: np.ndarray, y: np.ndarray, to_x: np.ndarray, to_y: np.ndarray) -> np.ndarray:
        if self.zone.travel_kind == "plane":
            metres = np.hypot(x[:, None] - to_x[None, :], y[:, None] - to_y[None, :])
            seconds = metres / float(self.zone.travel["metres_per_minute"]) * 60
        else:
            speed = float(self.zone.travel["speed_mps"][mode])
            seconds = _haversine_m(x, y, to_x, to_y) * float(self.zone.travel["factor"]) / speed
        return np.ceil(seconds).astype(np.int32)


def _haversine_m(
    longitude: np.ndarray, latitude: np.ndarray, to_longitude: np.ndarray, to_latitude: np.ndarray
) -> np.ndarray:
    lng, lat, to_lng, to_lat = (np.radians(v) for v in (longitude, latitude, to_longitude, to_latitude))
    half = np.sin((lat[:, None] - to_lat[None, :]) / 2) ** 2
    half += np.cos(lat)[:, None] * np.cos(to_lat)[None, :] * np.sin((lng[:, None] - to_lng[None, :]) / 2) ** 2
    return 2 * _EARTH_M * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
