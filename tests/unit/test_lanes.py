"""A day as lanes: bars where their hours are, and what is in trouble before everything else."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from backend.pages.desk_lanes import ZoneDay, laid_out
from backend.pages.lane_queries import ZoneName, ZoneShift, ZoneStop
from backend.pages.lanes import Axis, looks
from backend.pages.times import Calendar

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2030, 3, 12, 2, 0, tzinfo=UTC)  # ten o'clock there
NAMED = ZoneName(uuid4(), "Z1", "某片区")
LATE, DUE, GOOD = UUID(int=1), UUID(int=2), UUID(int=3)


def _stop(worker: UUID | None, hours: float, *, late: int = 0, due: bool = False, status: str = "accepted") -> ZoneStop:
    begins = NOW + timedelta(hours=hours)
    return ZoneStop(worker, uuid4(), None, "bath", status, begins, begins + timedelta(hours=1), late, due)


def _day(*stops: ZoneStop, language: str = "zh") -> ZoneDay:
    shifts = [
        ZoneShift(who, f"某{who.int}", NOW - timedelta(hours=2), NOW + timedelta(hours=6)) for who in (GOOD, DUE, LATE)
    ]
    return laid_out([NAMED], NAMED, shifts, list(stops), Calendar(language, ZONE, NOW))


def test_a_bar_stands_where_its_hours_are_and_is_never_too_narrow_to_be_seen():
    axis = Axis.of([NOW], [NOW + timedelta(hours=10)], ZONE, NOW)
    bar = axis.bar(NOW + timedelta(hours=2, minutes=30), NOW + timedelta(hours=5))
    assert (bar.left, bar.width) == (25.0, 25.0)
    early = axis.bar(NOW - timedelta(hours=1), NOW - timedelta(minutes=59, seconds=59), least=0.35)
    assert (early.left, early.width) == (0.0, 0.35)
    assert [(hour.hour, left) for hour, left in axis.hours(ZONE)][::5] == [(10, 0.0), (15, 50.0), (20, 100.0)]


def test_the_hours_begin_full_end_with_the_last_and_are_no_longer_than_is_asked():
    begins = NOW + timedelta(minutes=40)
    assert Axis.of([begins], [begins], ZONE, NOW) == Axis(NOW, timedelta(hours=1))
    assert Axis.of([begins], [begins + timedelta(hours=30)], ZONE, NOW, timedelta(hours=16)).length == timedelta(
        hours=16
    )
    assert Axis.of([], [], ZONE, begins) == Axis(NOW, timedelta(hours=10)), "nobody is on shift"


def test_hours_that_pass_are_counted_when_clocks_are_put_forward():
    """A wall clock lacks an hour that night; who works through it has its bar as long as the work is."""
    berlin = ZoneInfo("Europe/Berlin")
    begins = datetime(2030, 3, 31, 0, 0, tzinfo=berlin)
    axis = Axis.of([begins], [begins.astimezone(UTC) + timedelta(hours=8)], berlin, begins)
    assert axis.bar(begins, begins.astimezone(UTC) + timedelta(hours=4)).width == 50.0
    assert [hour.hour for hour, _ in axis.hours(berlin)] == [0, 1, 3, 4, 5, 6, 7, 8, 9]


def test_what_nobody_goes_to_comes_first_then_who_is_late_by_most_then_the_others_by_code():
    """An operator looks at the top of a screen between two calls, and nowhere else."""
    day = _day(
        _stop(GOOD, 1), _stop(DUE, -0.1, due=True), _stop(LATE, 0, late=22), _stop(None, 2, status="manual"),
        _stop(DUE, 3, late=5),
    )  # fmt: skip
    assert [(lane.name, lane.look) for lane in day.lanes] == [
        ("还没有人", True),
        ("某1", True),
        ("某2", True),
        ("某3", False),
    ]
    assert [one.why for one in day.trouble] == ["晚22分", "晚5分", "还没有人", "该到了"]
    assert [one.who for one in day.trouble] == ["某1", "某2", "", "某2"]
    assert ["stop--risk" in bar.css for lane in day.lanes for bar in lane.stops] == [True, True, True, True, False]
    assert _day(_stop(LATE, 0, late=22), language="en").trouble[0].why == "22 min late"


def test_one_visit_of_two_is_told_of_once_and_who_has_no_shift_is_not_forgotten():
    """A pair is one order; somebody whose shift was taken away still stands in the plan."""
    pair = _stop(LATE, 0, late=22)
    mate = ZoneStop(DUE, pair.order_id, None, "bath", "accepted", pair.from_at, pair.to_at, 22, False)
    day = _day(pair, mate, _stop(UUID(int=9), 1, late=3))
    assert [one.why for one in day.trouble] == ["晚22分", "晚3分"]
    assert [lane.look for lane in day.lanes] == [True, True, False]
    assert [lane.name for lane in _day().lanes] == ["某3", "某2", "某1"], "a day without visits"


def test_a_stop_looks_like_what_is_done_there_and_how_far_it_is():
    assert looks(None, None) == "stop--break"
    assert looks("care", "in_service") == "stop--rehab stop--now"
    assert looks("bath", "completed") == "stop--bath stop--done"
