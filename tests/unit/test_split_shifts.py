"""Days of several shifts with breaks before, in, between and after them, small enough to work out by hand.

The files in `tests/support/days` were made after what people reported of other planners.
"""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch import Break, Plan, Problem, Seat, Shift, Stop, Visit, Worker, check_plan, construct, quote, retime
from dispatch.__main__ import main

DAYS = Path(__file__).parent.parent / "support" / "days"
HOUR = 3600
WAYS = np.array([[0, 600], [600, 0]], np.int32)
SPLIT = (Shift(8 * HOUR, 12 * HOUR), Shift(14 * HOUR, 18 * HOUR))
LUNCH = Break(12 * HOUR, 13 * HOUR, HOUR)
REST = Break(10 * HOUR, 41_400, 1800)


def _worker(shifts: tuple[Shift, ...] = SPLIT, *breaks: Break) -> Worker:
    return Worker(
        id="w", provider="p", skills=frozenset(), start_place=0, end_place=0, shifts=shifts, breaks=breaks
    )  # fmt: skip


def _visit(name: str, earliest_s: int, latest_s: int, duration_s: int = HOUR) -> Visit:
    return Visit(name, 1, (Seat(frozenset(), duration_s),), earliest_s, latest_s)


def _day(worker: Worker, *visits: Visit, now_s: int = 0) -> Problem:
    return Problem(workers=(worker,), visits=visits, travel={"car": WAYS}, now_s=now_s)


def _starts(problem: Problem, plan: Plan | None = None) -> dict[str, int]:
    found = construct(problem, plan)
    assert check_plan(problem, found) == []
    return {stop.visit: stop.start_s for route in found.routes.values() for stop in route}


@pytest.mark.parametrize("day", sorted(path.stem for path in DAYS.glob("*split-*.json")))
def test_an_afternoon_behind_a_break_is_planned(day: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """08 to 12 and 14 to 18, with rests in either or lunch between: nobody is left out, and nothing is called servable."""
    plan = tmp_path / "plan.json"
    assert main(["solve", str(DAYS / f"{day}.json"), "--iterations", "50", "--out", str(plan)]) == 0
    assert main(["check", str(DAYS / f"{day}.json"), str(plan)]) == 0
    assert "unserved 0" in capsys.readouterr().out


@pytest.mark.parametrize("day", ["split-rest-in-first", "split-lunch-in-gap", "split-rest-in-each"])
def test_an_afternoon_behind_a_break_is_offered(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One more visit between 14:00 and 17:00, beside a plan that serves morning and afternoon."""
    file, plan = str(DAYS / f"{day}.json"), str(DAYS / "split.plan")
    assert main(["quote", file, plan, "--visit", str(DAYS / "afternoon.visit")]) == 0
    assert capsys.readouterr().out.count("crew A") > 5
    assert main(["explain", file, plan, "--visit", "afternoon"]) == 0
    assert "nobody" not in capsys.readouterr().out


@pytest.mark.parametrize("day", ["breaks-reversed", "breaks-sorted", "shifts-unsorted", "shifts-overlapping"])
def test_shifts_and_breaks_may_come_in_any_order(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", str(DAYS / f"{day}.json"), "--iterations", "200"]) == 0
    assert "unserved 0" in capsys.readouterr().out


def test_a_break_of_negative_length_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", str(DAYS / "break-negative.json"), "--iterations", "1"]) == 2
    assert capsys.readouterr().err.strip().endswith("workers[0].breaks.duration_s: -600 is less than 0")


def test_a_worker_knows_one_order_of_shifts_and_breaks() -> None:
    """Shifts that touch or overlap are one; the same day told differently is the same worker."""
    parts = (Shift(0, 100), Shift(100, 200), Shift(150, 180), Shift(300, 400))
    for shifts in permutations(parts):
        for breaks in permutations((LUNCH, REST)):
            assert _worker(shifts, *breaks) == _worker((Shift(0, 200), Shift(300, 400)), REST, LUNCH)


@pytest.mark.parametrize(
    "rest",
    [
        Break(6 * HOUR, 7 * HOUR, HOUR),  # before the day
        Break(7 * HOUR, 8 * HOUR, HOUR),  # touches its begin
        Break(11 * HOUR, 12 * HOUR, HOUR),
        LUNCH,
        Break(12 * HOUR, 13 * HOUR, 2 * HOUR),  # fills the gap or ends in the second shift
        Break(13 * HOUR, 14 * HOUR, HOUR),
        Break(13 * HOUR + 1800, 15 * HOUR, HOUR),  # begins in the gap, ends in the second shift
        Break(18 * HOUR, 19 * HOUR, HOUR),  # touches the end of the day
        Break(20 * HOUR, 21 * HOUR, HOUR),
    ],
)
@pytest.mark.parametrize("shifts", [SPLIT, SPLIT[1:], (Shift(8 * HOUR, 18 * HOUR),)])
def test_no_break_loses_an_afternoon(rest: Break, shifts: tuple[Shift, ...]) -> None:
    """Wherever a break lies, there is time for it beside two visits, and for one of them alone."""
    morning, afternoon = _visit("morning", 30_600, 32_400), _visit("afternoon", 15 * HOUR, 16 * HOUR)
    expected = {"afternoon"} | ({"morning"} if shifts[0].start_s < 9 * HOUR else set())
    problem = _day(_worker(shifts, rest), morning, afternoon)
    assert _starts(problem).keys() == expected
    assert _starts(replace(problem, visits=(afternoon,))).keys() == {"afternoon"}
    more = _visit("more", 14 * HOUR, 17 * HOUR, 1800)
    slots = quote(
        replace(problem, visits=(*problem.visits, more)), construct(problem), more, range(50_400, 61_200, 600)
    )
    assert slots


def test_a_rest_too_long_for_the_time_off_delays_the_second_shift() -> None:
    """Four hours that must begin between 13:00 and 15:00: taken from 13:00 on, or behind a visit that is over by 15:00."""
    rest = Break(13 * HOUR, 15 * HOUR, 4 * HOUR)
    late, soon = _visit("late", 14 * HOUR, 63_000, 600), _visit("soon", 14 * HOUR, 15 * HOUR, 1800)
    fixed = replace(late, earliest_s=16 * HOUR)
    assert _starts(_day(_worker(SPLIT, rest), soon)) == {"soon": 14 * HOUR + 600}
    assert _starts(_day(_worker(SPLIT, rest), fixed)) == {"late": 17 * HOUR + 600}
    assert _starts(_day(_worker(SPLIT, replace(rest, latest_s=13 * HOUR)), late)) == {"late": 17 * HOUR + 600}
    assert _starts(_day(_worker(SPLIT, rest), replace(fixed, latest_s=17 * HOUR))) == {}


def _begun(*starts: int) -> tuple[Stop, ...]:
    return tuple(Stop("w", "visit", f"b{n}", 0, 1, at, at + HOUR, locked=True) for n, at in enumerate(starts))


def test_a_rest_taken_between_what_has_begun_is_not_asked_for_again() -> None:
    """From nine to ten and from noon on at work: the half hour from ten on is behind, though its window is still open."""
    rest = Break(10 * HOUR, 13 * HOUR, 1800)
    worker = _worker((Shift(8 * HOUR, 18 * HOUR),), rest)
    begun = _begun(9 * HOUR, 12 * HOUR)
    visits = tuple(_visit(stop.visit, stop.start_s, stop.start_s) for stop in begun)
    tight = _visit("tight", 13 * HOUR, 13 * HOUR + 60)
    problem = _day(worker, *visits, tight, now_s=12 * HOUR)
    plan = Plan({"w": begun}, ("tight",))
    assert _starts(problem, plan)["tight"] == 13 * HOUR
    assert [slot.start_s for slot in quote(problem, plan, tight, [13 * HOUR])] == [13 * HOUR]
    assert retime(problem, construct(problem, plan)) is not None


def test_who_is_under_way_in_a_later_shift_goes_on_from_where_they_are() -> None:
    """Begun at 14:10 two ways off: the next visit is next door, not at the end of a new way from the start place."""
    ways = np.array([[0, 600, 5000], [600, 0, 5000], [5000, 5000, 0]], np.int32)
    begun = (Stop("w", "visit", "far", 0, 2, 14 * HOUR + 5000, 16 * HOUR, locked=True),)
    worker = replace(_worker(), end_place=None)
    near, back = replace(_visit("near", 0, 61_000, 600), place=2), _visit("back", 0, 63_000, 600)
    problem = _day(worker, replace(near, id="far"), near, back, now_s=15 * HOUR)
    problem = replace(problem, travel={"car": ways})
    assert _starts(replace(problem, visits=problem.visits[:2]), Plan({"w": begun}, ("near",)))["near"] == 16 * HOUR
    alone = replace(problem, visits=(problem.visits[0], back))
    assert _starts(alone, Plan({"w": begun}, ("back",)))["back"] == 16 * HOUR + 5000
