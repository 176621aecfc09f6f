"""Limits of a worker's day, shared equipment, even work and priorities, on days small enough to work out by hand."""

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch import (
    Equipment,
    Plan,
    Problem,
    Promise,
    Seat,
    Shift,
    Stop,
    Visit,
    Weights,
    Worker,
    check_plan,
    construct,
    improve,
    plan_cost,
)
from dispatch.arrays import from_plan

WAYS = np.array([[0, 100, 200], [100, 0, 50], [200, 50, 0]], dtype=np.int32)
SEAT = Seat(frozenset(), 600)
LIFT = Seat(frozenset(), 600, heavy=True)


def _worker(name: str = "w", **more: object) -> Worker:
    plain = Worker(id=name, provider="p", skills=frozenset(), start_place=0, end_place=0, shifts=(Shift(0, 20_000),))
    return replace(plain, **more)


def _day(workers: tuple[Worker, ...], visits: tuple[Visit, ...], **more: object) -> Problem:
    return replace(Problem(workers=workers, visits=visits, travel={"car": WAYS}), **more)


def _at(worker: str, visit: str, place: int, start: int, *, locked: bool = False) -> Stop:
    return Stop(worker, "visit", visit, 0, place, start, start + 600, locked)


def _rules(problem: Problem, plan: Plan, *, unserved: bool = False) -> set[str]:
    return {violation.rule for violation in check_plan(problem, plan, unserved=unserved)}


def _planned(problem: Problem, plan: Plan | None = None) -> Plan:
    found = improve(problem, construct(problem, plan), 0, 1, iterations=40)
    assert check_plan(problem, found, unserved=True) == []
    return found


BOTH = (Visit("a", 1, (LIFT,), 0, 9000), Visit("b", 2, (LIFT,), 0, 9000))


@pytest.mark.parametrize(("most", "served"), [(None, 2), (2, 2), (1, 1), (0, 0)])
def test_nobody_lifts_more_often_than_they_may(most: int | None, served: int):
    problem = _day((_worker(max_heavy=most),), BOTH)
    assert len(_planned(problem).routes["w"]) == served
    both = Plan({"w": (_at("w", "a", 1, 100), _at("w", "b", 2, 750))})
    assert _rules(problem, both) == (set() if served == 2 else {"heavy"})


@pytest.mark.parametrize(("most", "served"), [(1550, 2), (1549, 1), (799, 0)])
def test_nobody_works_longer_than_they_may_and_waiting_is_no_work(most: int, served: int):
    """100 there, 600, 50 on, 600 and 200 home; the second visit begins long after the first."""
    visits = (Visit("a", 1, (SEAT,), 0, 900), Visit("b", 2, (SEAT,), 8000, 9000))
    problem = _day((_worker(max_work_s=most),), visits)
    assert len(_planned(problem).routes["w"]) == served
    both = Plan({"w": (_at("w", "a", 1, 100), _at("w", "b", 2, 8000))})
    assert _rules(problem, both) == (set() if served == 2 else {"work"})


def test_what_has_been_done_counts_for_the_rest_of_the_day():
    """One heavy visit of 600 is over; what is left of 1550 seconds and two liftings is just enough for the other."""
    begun = Plan({"w": (_at("w", "a", 1, 100, locked=True),)}, ("b",))
    roomy = _day((_worker(max_work_s=1550, max_heavy=2),), BOTH)
    assert len(_planned(roomy, begun).routes["w"]) == 2
    for limit in ({"max_work_s": 1549}, {"max_heavy": 1}):
        assert _planned(_day((_worker(**limit),), BOTH), begun).unserved == ("b",)


TUB = frozenset({"tub"})
BATHS = tuple(Visit(name, 1, (SEAT,), 0, 1200, equipment=TUB) for name in "abc")
TEAM = tuple(_worker(name) for name in "uvw")


@pytest.mark.parametrize(
    ("count", "turnaround", "starts"),
    [
        (3, 0, [100, 100, 100]),
        (2, 0, [100, 100, 700]),
        (1, 0, [100, 700]),
        (2, 200, [100, 100, 900]),
        (1, 600, [100]),
        (0, 0, []),
    ],
)
def test_no_more_tubs_are_used_at_once_than_there_are(count: int, turnaround: int, starts: list[int]):
    """Three baths of 600 seconds that must begin by 1200, the door 100 away, and each of three workers has time for one."""
    team = tuple(replace(worker, max_work_s=800) for worker in TEAM)
    problem = _day(team, BATHS, equipment=(Equipment("tub", count, turnaround),))
    plan = _planned(problem)
    assert sorted(stop.start_s for route in plan.routes.values() for stop in route) == starts


@pytest.mark.parametrize(("start", "rules"), [(899, {"equipment"}), (900, set())])
def test_a_tub_is_ready_again_after_its_turnaround(start: int, rules: set[str]):
    problem = _day(TEAM, BATHS[:2], equipment=(Equipment("tub", 1, 200),))
    plan = Plan({"u": (_at("u", "a", 1, 100),), "v": (_at("v", "b", 1, start),), "w": ()})
    assert _rules(problem, plan) == rules
    assert from_plan(problem, plan, 1).possible is not bool(rules)


def test_a_provider_s_own_tub_is_not_lent():
    """Both baths could be at once; the other provider's worker has no tub and takes no bath at all."""
    team = (_worker("u"), _worker("v", provider="q"))
    problem = _day(team, BATHS[:2], equipment=(Equipment("tub", 2, 0, "q"),))
    assert [stop.worker for route in _planned(problem).routes.values() for stop in route] == ["v", "v"]
    lent = Plan({"u": (_at("u", "a", 1, 100),), "v": ()}, ("b",))
    assert _rules(problem, lent) == {"equipment"}


def test_a_tub_in_use_since_before_is_not_used_again_until_it_is_free():
    """Somebody has begun; another one with time comes after the turnaround."""
    visits = (BATHS[0], replace(BATHS[1], latest_s=5000))
    problem = _day(TEAM, visits, equipment=(Equipment("tub", 1, 200),))
    plan = _planned(problem, Plan({"u": (_at("u", "a", 1, 100, locked=True),), "v": (), "w": ()}, ("b",)))
    assert [stop.start_s for stop in plan.stops_of("b")] == [900]


def test_a_bath_that_would_find_a_tub_is_servable():
    problem = _day(TEAM, BATHS[:2], equipment=(Equipment("tub", 1, 0),))
    plan = Plan({"u": (_at("u", "a", 1, 100),), "v": (), "w": ()}, ("b",))
    assert _rules(problem, plan, unserved=True) == {"servable"}
    late = replace(problem, equipment=(Equipment("tub", 1, 600),))
    assert _rules(late, plan, unserved=True) == set()


def test_even_work_costs_what_it_should():
    """Two workers and 2400 seconds of handling: 1200 each are even. 1800 cost 600 x 600 / 1200, and half of it at half."""
    visits = tuple(Visit(f"v{n}", 1, (SEAT,), 0, 9000) for n in range(4))
    problem = _day((_worker("u"), _worker("v")), visits, weights=Weights(uneven=0.5))
    three = tuple(_at("u", f"v{n}", 1, 100 + 600 * n) for n in range(3))
    plan = Plan({"u": three, "v": (_at("v", "v3", 1, 100),)})
    assert plan_cost(problem, plan) == 2 * 200 + 150
    fair = _planned(problem)
    assert {len(route) for route in fair.routes.values()} == {2}
    alone = _planned(replace(problem, weights=Weights()))
    assert {len(route) for route in alone.routes.values()} == {0, 4}


def test_who_is_more_urgent_is_served_first_and_is_dearer_to_leave_out():
    """There is time for one of two."""
    visits = (Visit("a", 1, (SEAT,), 0, 200), Visit("b", 1, (SEAT,), 0, 200, priority=1))
    problem = _day((_worker(),), visits)
    assert construct(problem).unserved == ("a",)
    assert plan_cost(problem, Plan({"w": ()}, ("a", "b"))) == 3_000_000


def test_a_bath_does_not_wait_for_what_was_told_when_another_needs_the_tub_then():
    """The tolerance lets the first begin at 100, and the second has the tub from 700 on; at 800 as told there is none."""
    first = replace(BATHS[0], promised=Promise(800, free_s=700))
    second = replace(BATHS[1], earliest_s=700, latest_s=700)
    plan = _planned(_day(TEAM, (first, second), equipment=(Equipment("tub", 1),)))
    assert [stop.start_s for stop in plan.stops_of("a")] == [100]
