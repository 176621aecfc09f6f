"""Positions on the earth: WGS-84 degrees inside, whatever a map shows at the edges, and distances in metres."""

import math
from typing import Annotated, Final, Literal

from msgspec import Meta

Datum = Annotated[
    Literal["wgs84", "gcj02"],
    Meta(
        description="How the position was measured: `wgs84` as satellites give it, or `gcj02` as maps and map services in"
        " mainland China show it; it is kept in WGS-84."
    ),
]
"""How a position was measured: satellites and the platform say WGS-84, maps in mainland China show GCJ-02."""

_EARTH_M: Final = 6_371_008.8  # mean radius, IUGG


def sphere_m(longitude: float, latitude: float, to_longitude: float, to_latitude: float) -> float:
    """Metres along the great circle from one position to another."""
    lng, lat, to_lng, to_lat = (math.radians(v) for v in (longitude, latitude, to_longitude, to_latitude))
    half = math.sin((lat - to_lat) / 2) ** 2 + math.cos(lat) * math.cos(to_lat) * math.sin((lng - to_lng) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, half)))


_KRASOVSKY_M, _KRASOVSKY_E2 = 6_378_245.0, 0.006693421622965943  # the ellipsoid GCJ-02 is drawn on
_MAINLAND: Final = (72.004, 137.8347, 0.8293, 55.8271)  # outside this box, west east south north, GCJ-02 is WGS-84
_ROUNDS: Final = 8  # each leaves about a thousandth of the error


def to_wgs84(longitude: float, latitude: float, datum: Datum) -> tuple[float, float]:
    """The position in WGS-84 degrees.

    GCJ-02 moves a point by 100 to 700 m as a function of where it is in WGS-84 (the formula has been public since 2010;
    its inverse has no closed form). The inverse is found by fixed-point iteration, to less than a millimetre.
    """
    if datum == "wgs84" or not _in_mainland(longitude, latitude):
        return longitude, latitude
    lng, lat = longitude, latitude
    for _ in range(_ROUNDS):
        shift_lng, shift_lat = _gcj02_shift(lng, lat)
        lng, lat = longitude - shift_lng, latitude - shift_lat
    return lng, lat


def _in_mainland(longitude: float, latitude: float) -> bool:
    west, east, south, north = _MAINLAND
    return west <= longitude <= east and south <= latitude <= north


def _gcj02_shift(longitude: float, latitude: float) -> tuple[float, float]:
    """How far GCJ-02 draws a WGS-84 position to the east and north, in degrees."""
    x, y = longitude - 105.0, latitude - 35.0
    common = 20 * math.sin(6 * math.pi * x) + 20 * math.sin(2 * math.pi * x)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    north += (common + _waves(y, ((20, 1), (40, 3), (160, 12), (320, 30)))) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    east += (common + _waves(x, ((20, 1), (40, 3), (150, 12), (300, 30)))) * 2 / 3
    flattened = 1 - _KRASOVSKY_E2 * math.sin(math.radians(latitude)) ** 2
    meridian_m = _KRASOVSKY_M * (1 - _KRASOVSKY_E2) / flattened**1.5
    parallel_m = _KRASOVSKY_M / math.sqrt(flattened) * math.cos(math.radians(latitude))
    return math.degrees(east / parallel_m), math.degrees(north / meridian_m)


def _waves(at: float, waves: tuple[tuple[int, int], ...]) -> float:
    return sum(height * math.sin(math.pi * at / length) for height, length in waves)
