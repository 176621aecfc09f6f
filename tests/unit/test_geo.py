"""Positions as maps in mainland China show them, and as satellites give them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.geo import _gcj02_shift, sphere_m, to_wgs84

# WGS-84 and what Chinese maps draw there, as the tests of eviltransform (github.com/googollee/eviltransform) give them
PUBLISHED = [
    ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),  # Shanghai
    ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),  # Shenzhen
    ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),  # Beijing
]


@pytest.mark.parametrize(("satellite", "drawn"), PUBLISHED)
def test_a_point_of_a_chinese_map_is_where_it_is_published_to_be(
    satellite: tuple[float, float], drawn: tuple[float, float]
):
    assert sphere_m(*to_wgs84(*drawn, "gcj02"), *satellite) < 0.5


@given(st.floats(73, 137), st.floats(3, 54))
def test_drawing_a_point_and_reading_it_back_gives_the_point(longitude: float, latitude: float):
    east, north = _gcj02_shift(longitude, latitude)
    back = to_wgs84(longitude + east, latitude + north, "gcj02")
    assert sphere_m(*back, longitude, latitude) < 0.001
    assert math.hypot(east, north) < 0.02


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_what_is_no_chinese_map_stays_as_it_is(longitude: float, latitude: float):
    assert to_wgs84(longitude, latitude, "wgs84") == (longitude, latitude)
    if not (72 <= longitude <= 138 and 0.8 <= latitude <= 56):
        assert to_wgs84(longitude, latitude, "gcj02") == (longitude, latitude)
