"""The planner's check sees every rule, on days small enough to work out by hand; so does the judge of the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch import Break, Delivery, Link, Plan, Problem, Seat, Shift, Stop, Violation, Visit, Worker
from dispatch.__main__ import main
from tests.support.verdict import verdict

DAYS = Path(__file__).parent.parent / "support" / "days"
WAYS = np.array([[0, 600, 900], [600, 0, 300], [900, 300, 0]], np.int32)
SEAT = Seat(frozenset(), 600)
WORKER = Worker(
    id="w", provider="p", skills=frozenset(), start_place=0, end_place=0, shifts=(Shift(1000, 9000), Shift(20_000, 30_000))
)  # fmt: skip
A, B = Visit("a", 1, (SEAT,), 0, 40_000), Visit("b", 2, (SEAT,), 0, 40_000)
MEAL = Visit("m", 1, (SEAT,), 0, 40_000, delivery=Delivery(2, 3000, 60))


def _found(plan: Plan, *visits: Visit, worker: Worker = WORKER, **more: Any) -> list[Violation]:
    """What the check finds, and the judge too."""
    return verdict(Problem(workers=(worker,), visits=visits, travel={"car": WAYS}, **more), plan)


def _rules(plan: Plan, *visits: Visit, **more: Any) -> set[str]:
    return {violation.rule for violation in _found(plan, *visits, **more)}


def _at(asked: Visit, start: int, **more: object) -> Stop:
    return replace(Stop("w", "visit", asked.id, 0, asked.place, start, start + 600), **more)


def _day(*stops: Stop, unserved: tuple[str, ...] = ()) -> Plan:
    return Plan({"w": stops}, unserved)


@pytest.mark.parametrize(
    ("day", "plan", "words"),
    [
        ("first-way.json", "first-way.plan", "travel: bath Li: 28800 < 28800 + 3600"),
        ("first-way-solomon.txt", "first-way-solomon.plan", "travel: 1 1: 0 < 0 + 100"),
        ("first-way-hhcrsp.json", "first-way-hhcrsp.plan", "travel: p1 c1: 0 < 0 + 60"),
    ],
)
def test_the_first_way_takes_its_time(day: str, plan: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever sets out at eight is not there at eight, in any format; and times are told as the file counts them."""
    assert main(["check", str(DAYS / day), str(DAYS / plan)]) == 1
    assert capsys.readouterr().out.splitlines()[0] == words


@pytest.mark.parametrize(("start", "rules"), [(20_899, {"travel"}), (20_900, set())])
def test_a_later_shift_begins_at_the_start_place_again(start: int, rules: set[str]) -> None:
    """The stop before is 300 away, the start place 900; also where it ended the moment the shift begins."""
    a_moment_before = _at(A, 19_999, end_s=19_999, locked=True)
    for before in (_at(A, 2000), _at(A, 19_400, locked=True), a_moment_before):
        assert _rules(_day(before, _at(B, start)), A, B) == rules
    there = _at(A, 20_000, end_s=20_000, locked=True)  # lasts no time, in the shift that begins
    assert _rules(_day(there, _at(B, start - 600)), A, B) == rules


def test_a_stop_is_where_and_as_long_as_its_visit_asks() -> None:
    assert _rules(_day(_at(A, 3000, place=2)), A) == {"place"}
    for end in (3599, 3601):
        assert _rules(_day(_at(A, 3000, end_s=end)), A) == {"duration"}
        assert _rules(_day(_at(A, 3000, end_s=end, locked=True)), A) == set()


def test_a_meal_is_fetched_once_and_brought_by_whoever_fetched_it() -> None:
    fetch = Stop("w", "pickup", "m", 0, 2, 3000, 3060)
    bring = Stop("w", "drop", "m", 0, 1, 3600, 4200)
    assert _rules(_day(fetch, bring), MEAL) == set()
    assert _rules(_day(fetch, unserved=("m",)), MEAL) == {"fetched_only"}
    assert "pickup_once" in _rules(_day(fetch, fetch.at(3100), bring), MEAL)
    assert _rules(_day(replace(fetch, start_s=2999, end_s=3059), bring), MEAL) == {"ready"}
    assert _rules(_day(_at(MEAL, 3000)), MEAL) == {"kind"}


def test_a_stop_that_says_nothing_is_named_and_stops_nobody() -> None:
    """Somebody else's, of a visit, a seat or a person there is not."""
    assert _rules(_day(_at(A, 2000, worker="x")), A) == {"worker"}
    assert _rules(_day(_at(A, 2000, visit="x")), A) == {"unknown_visit"}
    for seat in (1, -1):
        assert _rules(_day(_at(A, 2000, seat=seat, locked=True)), A) == {"crew_size"}
    for locked, rules in ((True, set()), (False, {"kind"})):  # a hold
        assert _rules(_day(_at(A, 2000, kind="break", locked=locked), unserved=("a",)), A) == rules
    nobody = {"x": (_at(A, 2000, worker="x"),)}
    assert _rules(Plan(nobody), A) == {"unknown_worker"}
    assert _rules(Plan({**nobody, "w": (_at(B, 2000, seat=1),)}), A, B) == {"unknown_worker", "crew_size"}
    assert _rules(_day(unserved=("a", "x")), A) == {"unknown_visit"}
    assert _rules(_day(unserved=("a", "a")), A) == {"lost"}


def test_what_is_not_judged_hides_nothing_behind_it() -> None:
    """A visit nobody serves, one that has begun, a crew that is not whole, a link to what is left out."""
    begun, left_out = _at(A, 1600, locked=True), replace(A, id="c")
    links = (Link("c", "b", 0), Link("a", "b", 900))
    day = _day(begun, _at(B, 2500), unserved=("c",))
    assert _rules(day, left_out, A, B) == set()
    assert _rules(day, left_out, A, B, links=links, now_s=1700) == set()
    assert _rules(day, left_out, A, B, links=(*links[:1], replace(links[1], min_gap_s=901)), now_s=1700) == {"gap"}
    pair = replace(left_out, seats=(SEAT, SEAT))
    assert _rules(_day(_at(pair, 1600), _at(B, 2500, end_s=3000)), pair, A, B) == {"crew_size", "duration", "lost"}


def test_what_is_told_of_a_fault_are_its_figures() -> None:
    day = _day(_at(A, 1600), _at(B, 2500, end_s=3101))
    for link, told in ((Link("a", "b", 901), "900 not in 901.."), (Link("a", "b", 0, 899), "900 not in 0..899")):
        assert [found.detail for found in _found(day, A, B, links=(link,))] == ["601 and not 600", told]


def test_a_hold_takes_no_room_in_the_box_and_somebody_without_hours_does_nothing() -> None:
    hold, fetch = _at(MEAL, 1000, kind="break", locked=True), Stop("w", "pickup", "m", 0, 2, 3000, 3060)
    bring, none = Stop("w", "drop", "m", 0, 1, 3600, 4200), replace(WORKER, box_capacity=0)
    assert _rules(_day(hold, fetch, bring), MEAL, worker=none) == {"capacity"}
    assert _rules(_day(replace(hold, visit="lunch"), _at(B, 2500)), B) == set()
    assert _rules(_day(_at(A, 2000)), A, worker=replace(WORKER, shifts=())) == {"shift"}


@pytest.mark.parametrize(("limit", "rules"), [(1199, {"span"}), (1200, set())])
def test_a_day_without_a_way_home_ends_with_its_last_stop(limit: int, rules: set[str]) -> None:
    assert _rules(_day(_at(A, 2000)), A, worker=replace(WORKER, end_place=None, max_span_s=limit)) == rules


def test_who_had_begun_before_their_hours_goes_on_from_there_when_these_begin() -> None:
    for start, rules in ((1300, set()), (1299, {"travel"}), (1000, {"travel"}), (999, {"shift", "travel"})):
        assert _rules(_day(_at(A, 100, locked=True), _at(B, start)), A, B) == rules


def test_a_day_that_begins_before_midnight_is_a_day() -> None:
    worker, asked = replace(WORKER, shifts=(Shift(-9000, -1000),)), replace(A, earliest_s=-9000)
    assert _rules(_day(_at(asked, -8400)), asked, worker=worker, now_s=-9000) == set()
    assert _rules(_day(_at(asked, -8401)), asked, worker=worker, now_s=-9000) == {"travel"}


REST = Break(3000, 5000, 1200)


def test_a_break_that_history_left_no_room_for_is_held_against_nobody() -> None:
    """At work from 2900 until past the window; the visit that follows is not at fault."""
    begun = _at(A, 2900, end_s=5100, locked=True)
    worker = replace(WORKER, breaks=(REST,))
    assert _rules(_day(begun, _at(B, 6000)), A, B, worker=worker, now_s=5000) == set()
    long, last = replace(B, seats=(replace(SEAT, duration_s=1300),)), replace(A, id="c")
    route = _at(A, 2900, locked=True), _at(long, 3800, end_s=5100), _at(last, 6000)
    assert _rules(_day(*route), A, long, last, worker=worker, now_s=3000) == {"break"}
