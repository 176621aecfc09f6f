"""Each limit of evidence as a table: a report just inside it says nothing odd, one a second or a metre further is flagged."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from backend.core.errors import DomainError
from backend.orders.late import begins_at, ends_at, is_about
from backend.orders.model import Order, OrderStatus
from backend.visits.model import Earlier, Flag, Kind, Limits, Moment, Place, Report, Sighting, Told
from backend.visits.plausibility import Facts, check_readable, contradicted, doubted, doubts, judge, judge_sheet
from backend.visits.whereabouts import contradicted as told_apart
from backend.visits.whereabouts import since

LIMITS: Final = Limits(
    radius_m=200, early_s=1800, min_share=0.5, max_travel_mps=33, accuracy_m=100, device_clock_s=900,
    offline_back_s=86400, needs_position=1,
)  # fmt: skip
NOON: Final = datetime(2030, 3, 12, 12, tzinfo=UTC)
SEAT, MATE, OTHER, RECORD = (UUID(int=number) for number in range(1, 5))
DOOR: Final = Place("plane", 0, 0)
IN, OUT, BRING, FETCH, GO = Kind.CHECK_IN, Kind.CHECK_OUT, Kind.HAND_OVER, Kind.PICK_UP, Kind.EN_ROUTE


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def moment(received_s: float = 0, device_s: float | None = None, *, offline: bool = False) -> Moment:
    return Moment(later(received_s), None if device_s is None else later(device_s), offline)


def came(seat: UUID, received_s: float, device_s: float | None = None) -> Earlier:
    return Earlier(seat, IN, moment(received_s, device_s))


def seen(
    x: float, received_s: float, accuracy_m: float | None = None, geometry: str = "plane", *, counts: bool = True
) -> Sighting:
    return Sighting(RECORD, OTHER, counts, Place(geometry, x, 0), accuracy_m, moment(received_s))


def facts(kind: Kind = IN, **changed: Any) -> Facts:
    """A report with nothing odd about it, but for what is changed; `x`, `accuracy_m` and `offline` are the report's."""
    said = {name: changed.pop(name) for name in ("x", "y", "accuracy_m", "offline") if name in changed}
    report = Report(**{"x": 0, "y": 0, **said})
    return Facts(**{
        "kind": kind, "report": report, "moment": moment(offline=report.offline), "place": DOOR, "earliest_at": None, "ready_at": None,
        "planned_s": 0, "earlier": [], "seat": SEAT, "in_crew": True, "around": [], "elsewhere": [],
        "pick_up_due": False, "day_begun": True, "fits": True, "late": False, "digits_fit": None, "pre_check_due": False, **changed,
    })  # fmt: skip


def left(received_s: float, device_s: float | None = None, *, crew: Sequence[Earlier] = (), **changed: Any) -> Facts:
    """A check-out of a service planned to last an hour, of which the worker came at noon."""
    there = [came(SEAT, 0, None if device_s is None else 0), *crew]
    return facts(OUT, **{"moment": moment(received_s, device_s), "planned_s": 3600, "earlier": there, **changed})


TABLE: Final[dict[str, tuple[Flag, Facts, Facts]]] = {
    "early at the door": (Flag.TOO_EARLY, facts(earliest_at=later(1800)), facts(earliest_at=later(1801))),
    "early with a meal": (Flag.TOO_EARLY, facts(BRING, earliest_at=later(1800)), facts(BRING, earliest_at=later(1801))),
    "before a meal is made": (Flag.TOO_EARLY, facts(BRING, ready_at=later(1800)), facts(BRING, ready_at=later(1801))),
    "early by the phone that could not send": (
        Flag.TOO_EARLY,
        facts(earliest_at=NOON, moment=moment(0, -1800, offline=True)),
        facts(earliest_at=NOON, moment=moment(0, -1801, offline=True)),
    ),
    "early by a phone that runs ahead": (
        Flag.TOO_EARLY,
        facts(earliest_at=later(1800), moment=moment(0, 900, offline=True)),
        facts(earliest_at=later(1801), moment=moment(0, 900, offline=True)),
    ),
    "on another day": (Flag.TOO_EARLY, facts(), facts(day_begun=False)),
    "short by half": (Flag.TOO_SHORT, left(1800), left(1799)),
    "short since the last of the crew came": (
        Flag.TOO_SHORT, left(2400, crew=[came(MATE, 600)]), left(2399, crew=[came(MATE, 600)]),
    ),
    "short by the phone's own clock": (Flag.TOO_SHORT, left(1900, 1800), left(1900, 1799)),
    "never there": (Flag.TOO_SHORT, left(1800), left(1800, earlier=[came(MATE, 0)])),
    "too far within a minute": (Flag.TWO_PLACES, facts(around=[seen(2380, -60)]), facts(around=[seen(2381, -60)])),
    "too far from where they are next": (
        Flag.TWO_PLACES, facts(OUT, fits=False, late=True, around=[seen(2380, 60)]),
        facts(OUT, fits=False, late=True, around=[seen(2381, 60)]),
    ),
    "too far, with what both phones may be wrong by": (
        Flag.TWO_PLACES,
        facts(accuracy_m=50, around=[seen(2530, -60, accuracy_m=150)]),
        facts(accuracy_m=50, around=[seen(2531, -60, accuracy_m=150)]),
    ),
    "in another visit": (Flag.TWO_PLACES, facts(), facts(elsewhere=[Told(RECORD, OTHER, MATE, IN, moment(), True)])),
    "away from the door": (Flag.OUT_OF_RANGE, facts(x=200), facts(x=201)),
    "away from the door in both directions": (Flag.OUT_OF_RANGE, facts(x=120, y=-160), facts(x=121, y=-161)),
    "away by more than the phone may be wrong by": (
        Flag.OUT_OF_RANGE, facts(x=250, accuracy_m=50), facts(x=251, accuracy_m=50),
    ),
    "away, by a phone that says it may be anywhere": (
        Flag.OUT_OF_RANGE, facts(x=300, accuracy_m=5000), facts(x=301, accuracy_m=5000),
    ),
    "away in degrees": (  # a minute of arc is 1853 m
        Flag.OUT_OF_RANGE, facts(y=0.00179, place=Place("wgs84", 0, 0)), facts(y=0.00181, place=Place("wgs84", 0, 0)),
    ),
    "away in degrees of longitude": (  # of which one is 95 km here
        Flag.OUT_OF_RANGE,
        facts(x=120.60209, y=31.3, place=Place("wgs84", 120.6, 31.3)),
        facts(x=120.60212, y=31.3, place=Place("wgs84", 120.6, 31.3)),
    ),
    "a meal fetched elsewhere": (Flag.OUT_OF_RANGE, facts(FETCH, x=200), facts(FETCH, x=201)),
    "nobody fetched it": (Flag.NO_PICK_UP, facts(BRING), facts(BRING, pick_up_due=True)),
    "no position": (Flag.NO_POSITION, facts(x=None, y=None, place=Place("none", 0, 0)), facts(x=None, y=None)),
    "sent later": (Flag.OFFLINE, facts(), facts(offline=True)),
    "a slow clock": (Flag.DEVICE_CLOCK, facts(moment=moment(0, -900)), facts(moment=moment(0, -901))),
    "a fast clock": (Flag.DEVICE_CLOCK, facts(moment=moment(0, 900)), facts(moment=moment(0, 901))),
    "kept for a day": (
        Flag.DEVICE_CLOCK,
        facts(moment=moment(0, -86400, offline=True)), facts(moment=moment(0, -86401, offline=True)),
    ),
    "sent later and to come": (
        Flag.DEVICE_CLOCK, facts(moment=moment(0, 900, offline=True)), facts(moment=moment(0, 901, offline=True)),
    ),
    "no longer of the crew": (Flag.NOT_IN_CREW, facts(), facts(in_crew=False)),
    "without what is measured before it": (Flag.NO_PRE_CHECK, left(3600), left(3600, pre_check_due=True)),
    "with digits that nobody said": (Flag.WRONG_CODE, facts(digits_fit=True), facts(digits_fit=False)),
    "away by more than an unsure phone says, with digits": (
        Flag.OUT_OF_RANGE, facts(x=5200, accuracy_m=5000, digits_fit=True), facts(x=5201, accuracy_m=5000, digits_fit=True),
    ),
    "away by a sure phone, with digits": (
        Flag.OUT_OF_RANGE, facts(x=200, digits_fit=True), facts(x=201, digits_fit=True),
    ),
    "out of order": (Flag.OUT_OF_ORDER, facts(), facts(fits=False)),
    "said before": (Flag.REPEATED, facts(earlier=[came(MATE, -9)], fits=True), facts(earlier=[came(SEAT, -9)], fits=False)),
}  # fmt: skip
"""By what is odd: the flag, a report just inside the limit, and one just outside it."""

BY_THEMSELVES: Final[dict[str, Facts]] = {
    "on the way is nowhere": facts(GO, x=9000, around=[seen(0, -1)], earliest_at=later(9000)),
    "on the way needs no position": facts(GO, x=None, y=None),
    "fetching may be early": facts(FETCH, earliest_at=later(9000), ready_at=later(9000)),
    "going may be early": left(3600, earliest_at=later(9000)),
    "checking in needs no meal": facts(ready_at=later(9000), pick_up_due=True),
    "an hour planned and nothing done yet": facts(planned_s=3600),
    "digits instead of a position": facts(x=None, y=None, digits_fit=True),
    "digits said again, to put it right": facts(earlier=[came(SEAT, -9)], fits=False, digits_fit=True),
    "seen in another geometry": facts(around=[seen(9000, -1, geometry="wgs84")]),
    "seen where only travel is known": facts(place=Place("none", 0, 0), around=[seen(9000, -1, geometry="none")]),
    "seen without saying where one is": facts(GO, x=None, y=None, around=[seen(9000, -1)]),
    "late, though in no state for it": facts(OUT, fits=False, late=True, earlier=[came(SEAT, -1)], planned_s=3600),
}
"""Reports that no limit is about."""


def test_every_flag_of_a_report_stands_in_the_table():
    assert {flag for flag, _, _ in TABLE.values()} == set(Flag) - {
        Flag.MISSING_OUT,
        Flag.PAPER,
        Flag.SERVED_TWICE,
        Flag.LINES_MISSING,
    }


@pytest.mark.parametrize("name", TABLE)
def test_a_report_is_flagged_just_outside_its_limit_and_not_just_inside(name: str):
    flag, inside, outside = TABLE[name]
    assert judge(inside, LIMITS) == []
    assert judge(outside, LIMITS) == [flag]


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_a_limit_is_about_its_own_reports_only(name: str):
    assert judge(BY_THEMSELVES[name], LIMITS) == []


@pytest.mark.parametrize(("came_s", "left_s", "began_s", "flags"), [
    (-1800, 0, -1800, ([], [])), (-1801, 0, -1801, ([Flag.TOO_EARLY], [])),
    (0, 1800, 0, ([], [])), (0, 1799, 0, ([], [Flag.TOO_SHORT])), (0, 2399, 600, ([], [Flag.TOO_SHORT])),
])  # fmt: skip
def test_a_sheet_is_held_against_the_same_limits(came_s: int, left_s: int, began_s: int, flags: Any):
    said = judge_sheet(later(came_s), later(left_s), later(began_s), NOON, 3600, LIMITS, elsewhere=False)
    if came_s < 0:  # how long it lasted is the other rows' business
        said = judge_sheet(later(came_s), later(left_s), later(began_s), NOON, 0, LIMITS, elsewhere=False)
    assert said == {IN: [*flags[0], Flag.PAPER], OUT: [*flags[1], Flag.PAPER]}
    elsewhere = judge_sheet(NOON, later(3600), NOON, NOON, 3600, LIMITS, elsewhere=True)
    assert elsewhere == {IN: [Flag.TWO_PLACES, Flag.PAPER], OUT: [Flag.PAPER]}


def test_a_report_far_from_its_own_door_or_that_counts_nowhere_speaks_against_no_other():
    told = [Told(UUID(int=9), OTHER, MATE, IN, moment(), True)]
    for x, counts, against in (
        (200, True, [UUID(int=9), RECORD]),
        (201, True, [UUID(int=9)]),
        (0, False, [UUID(int=9)]),
    ):
        report = facts(x=x, around=[seen(9000, -1, counts=counts)], elsewhere=told)
        assert contradicted(report, LIMITS) == {OTHER: against}, (x, counts)


def test_what_casts_no_doubt_stays_off_the_order():
    flags = [Flag.NO_POSITION, Flag.OUT_OF_ORDER, Flag.NOT_IN_CREW, Flag.OFFLINE, Flag.REPEATED]
    assert doubts(flags, LIMITS) == ["NO_POSITION", "OFFLINE", "REPEATED"]
    assert doubts(flags, structs.replace(LIMITS, needs_position=0)) == ["OFFLINE", "REPEATED"]
    assert [flag for flag in Flag if not doubted([flag.value])] == [
        Flag.OUT_OF_ORDER, Flag.NOT_IN_CREW, Flag.LINES_MISSING,
    ]  # fmt: skip


@pytest.mark.parametrize(("report", "geometry", "readable"), [
    (Report(x=180, y=90), "wgs84", True), (Report(x=180.01, y=0), "wgs84", False), (Report(x=0, y=-90.01), "wgs84", False),
    (Report(x=5000, y=5000), "plane", True), (Report(x=1), "plane", False), (Report(y=1), "plane", False),
    (Report(offline=True), "plane", False), (Report(offline=True, device_at=NOON), "plane", True),
])  # fmt: skip
def test_what_lies_off_every_scale_is_refused(report: Report, geometry: str, readable: bool):
    if readable:
        check_readable(report, geometry)
    else:
        with pytest.raises(DomainError):
            check_readable(report, geometry)


def told(kind: Kind, at: Moment, number: int = 9, *, under_way: bool = False) -> Told:
    return Told(UUID(int=number), OTHER, MATE, kind, at, under_way)


VISIT: Final = [told(IN, moment(0)), told(OUT, moment(3600), 10)]
SENT_LATER: Final = [told(IN, moment(9000, 0, offline=True)), told(OUT, moment(9000, 3600, offline=True), 10)]
STAYS: Final[dict[str, tuple[list[Told], list[Moment], bool]]] = {
    "comes as the other ends": (VISIT, [moment(3600)], False),
    "comes a second before the other ends": (VISIT, [moment(3599)], True),
    "goes as the other begins": (VISIT, [moment(-60), moment(0)], False),
    "goes a second after the other began": (VISIT, [moment(-60), moment(1)], True),
    "comes while the other goes on": ([told(IN, moment(0), under_way=True)], [moment(90000)], True),
    "the other's end is on its way": ([told(IN, moment(0, 0, offline=True), under_way=True)], [moment(90000)], False),
    "the other is over without an end": ([told(IN, moment(0))], [moment(90000)], False),
    "a meal brought in the middle": ([told(BRING, moment(60))], [moment(0), moment(120)], True),
    "a meal brought as the visit begins": ([told(BRING, moment(0))], [moment(0), moment(120)], False),
    "sent later, as the other ended": (SENT_LATER, [moment(9000, 3600, offline=True)], False),
    "sent later, a second before it ended": (SENT_LATER, [moment(9000, 3599, offline=True)], True),
    "by the phones' own clocks, which can be right": (
        [told(IN, moment(0, 0)), told(OUT, moment(3600, 3600), 10)], [moment(4499, 3599)], True,
    ),
    "by a clock that cannot be right": (
        [told(IN, moment(0, 0)), told(OUT, moment(3600, 3600), 10)], [moment(4500, 3599)], False,
    ),
    "one clock that is wrong leaves the whole stay to ours": (
        [told(IN, moment(0, 0)), told(OUT, moment(3600, 4501), 10)], [moment(3600, 3600)], False,
    ),
}  # fmt: skip
"""By the case: what a worker reported elsewhere, what they report now, and whether one of the two cannot be true."""


@pytest.mark.parametrize("name", STAYS)
def test_nobody_is_in_two_visits_at_once(name: str):
    others, mine, apart = STAYS[name]
    assert [one.record_id for one in told_apart(mine, others, LIMITS)] == ([UUID(int=9)] if apart else [])


def test_reports_are_read_from_before_any_stay_that_can_meet_this_one():
    assert since([moment(600), moment(9000, -60, offline=True)], LIMITS) == later(-60 - 1800)


ZONE: Final = ZoneInfo("Asia/Shanghai")


def order(window_h: float, latest_h: float) -> Order:
    """An order of the day that begins at three in the morning, promised so many hours after it."""
    return Order(**{
        **dict.fromkeys(Order.__struct_fields__), "plan_on": date(2030, 3, 12), "status": OrderStatus.ACCEPTED,
        "created_at": THREE - timedelta(days=1), "window_from": THREE + timedelta(hours=window_h),
        "latest_at": THREE + timedelta(hours=latest_h),
    })  # fmt: skip


THREE: Final = datetime(2030, 3, 12, 3, tzinfo=ZONE)


def test_a_report_is_about_a_visit_from_its_day_or_two_hours_before_it_until_six_hours_after():
    spans = {(9, 10): (0, 24), (1, 2): (-1, 24), (22, 23): (0, 29)}
    for (window_h, latest_h), (from_h, to_h) in spans.items():
        this, begins, ends = order(window_h, latest_h), THREE + timedelta(hours=from_h), THREE + timedelta(hours=to_h)
        assert (begins_at(this, ZONE), ends_at(this, ZONE)) == (begins, ends)
        for at, about in (
            (begins, True),
            (begins - timedelta(seconds=1), False),
            (ends, True),
            (ends + timedelta(seconds=1), False),
        ):
            assert is_about(this, Moment(at, None, offline=False), ZONE, LIMITS) is about


@pytest.mark.parametrize(("received_h", "device_s", "about"), [
    (1, 0, True), (1, -1, False),  # made before the visit's day
    (-1, -82800 - 900, False), (1, -86400 - 900, False), (1, -86400 - 901, True),  # before it was booked: a wrong clock
    (1, 3600 + 900, True), (-1, -3600 + 901, False), (1, 3600 + 901, True),  # still to come: a wrong clock
])  # fmt: skip
def test_a_phones_clock_that_cannot_be_right_leaves_a_report_to_ours(received_h: int, device_s: int, about: bool):
    at = Moment(THREE + timedelta(hours=received_h), THREE + timedelta(seconds=device_s), offline=True)
    assert is_about(order(9, 10), at, ZONE, LIMITS) is about
