"""Distances on the earth, between WGS-84 positions in degrees."""

import math
from typing import Final

_EARTH_M: Final = 6_371_008.8  # mean radius, IUGG


def sphere_m(longitude: float, latitude: float, to_longitude: float, to_latitude: float) -> float:
    """Metres along the great circle from one position to another."""
    lng, lat, to_lng, to_lat = (math.radians(v) for v in (longitude, latitude, to_longitude, to_latitude))
    half = math.sin((lat - to_lat) / 2) ** 2 + math.cos(lat) * math.cos(to_lat) * math.sin((lng - to_lng) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, half)))
