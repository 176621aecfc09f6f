"""Nothing off its scale is read from a request, whatever a client writes."""

from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest

from backend.core.bounds import EARLIEST, LATEST, Asked, Instant, Latitude, Text, within


class Inner(Asked, frozen=True):
    at: Instant
    words: list[Text] = msgspec.field(default_factory=list)
    on: date | None = None
    latitude: Latitude = 0.0


class Outer(Asked, frozen=True):
    inner: Inner


def _read(inner: str) -> Outer:
    return msgspec.json.decode(('{"inner":{' + inner + "}}").encode(), type=Outer)


@pytest.mark.parametrize(
    "inner",
    [
        '"at":"0001-01-01T00:00:00Z"',
        '"at":"0001-01-01T00:00:00+23:59"',
        '"at":"9999-12-31T23:59:59-23:59"',
        '"at":"1969-12-31T23:59:59Z"',
        '"at":"2030-01-01T00:00:00"',
        '"at":"2030-01-01T00:00:60Z"',
        '"at":1900000000',
        '"at":"1e9"',
        '"at":null',
        '"at":"null"',
        '"at":"2030-01-01T00:00:00Z","on":"0001-01-01"',
        '"at":"2030-01-01T00:00:00Z","on":"9999-12-31"',
        '"at":"2030-01-01T00:00:00Z","words":["a\\u0000b"]',
        '"at":"2030-01-01T00:00:00Z","words":[""]',
        '"at":"2030-01-01T00:00:00Z","latitude":181',
        '"at":"2030-01-01T00:00:00Z","latitude":1e999',
        '"at":"2030-01-01T00:00:00Z","latitude":"NaN"',
        '"at":"2030-01-01T00:00:00Z","latitude":NaN',
        '"at":"2030-01-01T00:00:00Z","more":1',
    ],
)
def test_what_lies_off_a_scale_is_refused(inner: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        _read(inner)


def test_what_lies_on_the_scales_is_read() -> None:
    read = _read('"at":"2030-03-12T08:00:00+08:00","words":["王奶奶"],"on":"1938-02-01","latitude":-33.5')
    assert read.inner.at == datetime(2030, 3, 12, tzinfo=UTC)


def test_an_instant_without_a_zone_is_on_no_calendar() -> None:
    """The database gives the least and the greatest datetime for its infinities, both without a zone."""
    assert not within(EARLIEST.replace(tzinfo=None))
    assert within(EARLIEST)
    assert within(LATEST)
    assert not within((EARLIEST - timedelta(seconds=1)).astimezone(timezone(timedelta(hours=8))))
