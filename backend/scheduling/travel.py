"""Travel between places of a zone, as each zone states it: a matrix, a speed on a plane, or a road factor.

Seconds are rounded up, so that a plan never promises what the road cannot keep.
"""

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from backend.database.pool import Connection
from backend.scheduling import queries
from backend.scheduling.model import PlaceRow, ZoneRow

_EARTH_M = 6_371_008.8  # mean radius, IUGG


class ZoneTravel:
    """One zone's travel, loaded once; places are looked up as they appear."""

    def __init__(self, zone: ZoneRow, matrix: "queries.MatrixRow | None") -> None:
        self.zone = zone
        self._index: dict[UUID, int] = {}
        self._seconds: np.ndarray | None = None
        self._places: dict[UUID, PlaceRow] = {}
        if matrix is not None:
            size = len(matrix.place_ids)
            self._index = {place_id: i for i, place_id in enumerate(matrix.place_ids)}
            self._seconds = np.asarray(matrix.seconds, dtype=np.int32).reshape(size, size)

    @classmethod
    async def load(cls, connection: Connection, zone_id: UUID) -> "ZoneTravel":
        """Read the zone, and its matrix where it states one."""
        zone = await queries.zone(connection, zone_id)
        matrix = await queries.travel_matrix(connection, zone_id) if zone.travel_kind == "matrix" else None
        return cls(zone, matrix)

    async def know(self, connection: Connection, place_ids: Sequence[UUID]) -> None:
        """Fetch the coordinates that are still missing."""
        missing = [place_id for place_id in set(place_ids) if place_id not in self._places]
        if missing:
            self._places.update({place.id: place for place in await queries.places(connection, missing)})

    def between(self, place_ids: Sequence[UUID], mode: str) -> np.ndarray:
        """Seconds from each place to each, shape (n, n), int32."""
        if self._seconds is not None:
            rows = np.asarray([self._index[place_id] for place_id in place_ids], dtype=np.intp)
            return np.ascontiguousarray(self._seconds[np.ix_(rows, rows)])
        x = np.asarray([self._places[place_id].x for place_id in place_ids], dtype=np.float64)
        y = np.asarray([self._places[place_id].y for place_id in place_ids], dtype=np.float64)
        if self.zone.travel_kind == "plane":
            metres = np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :])
            seconds = metres / float(self.zone.travel["metres_per_minute"]) * 60
        else:
            speed = float(self.zone.travel["speed_mps"][mode])
            seconds = _haversine_m(x, y) * float(self.zone.travel["factor"]) / speed
        return np.ceil(seconds).astype(np.int32)


def _haversine_m(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    lng, lat = np.radians(longitude), np.radians(latitude)
    half = np.sin((lat[:, None] - lat[None, :]) / 2) ** 2
    half += np.cos(lat)[:, None] * np.cos(lat)[None, :] * np.sin((lng[:, None] - lng[None, :]) / 2) ** 2
    return 2 * _EARTH_M * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
