"""Even work, priorities and what has happened, on days small enough to work out by hand; limits to the unit: test_edges."""

import numpy as np
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

WAYS = np.array([[0, 100, 200], [100, 0, 50], [200, 50, 0]], dtype=np.int32)
SEAT = Seat(frozenset(), 600)


def _worker(name: str = "w", **more: object) -> Worker:
    plain = Worker(id=name, provider="p", skills=frozenset(), start_place=0, end_place=0, shifts=(Shift(0, 20_000),))
    return replace(plain, **more)


def _day(workers: tuple[Worker, ...], visits: tuple[Visit, ...], **more: object) -> Problem:
    return replace(Problem(workers=workers, visits=visits, travel={"car": WAYS}), **more)


def _at(worker: str, visit: str, place: int, start: int, *, locked: bool = False) -> Stop:
    return Stop(worker, "visit", visit, 0, place, start, start + 600, locked)


def _planned(problem: Problem, plan: Plan | None = None) -> Plan:
    found = improve(problem, construct(problem, plan), 0, 1, iterations=40)
    assert check_plan(problem, found, unserved=True) == []
    return found


TUB = frozenset({"tub"})
BATHS = tuple(Visit(name, 1, (SEAT,), 0, 1200, equipment=TUB) for name in "abc")
TEAM = tuple(_worker(name) for name in "uvw")


def test_what_has_happened_is_held_against_nobody():
    problem = _day((_worker(capacity=1, max_span_s=10),), (Visit("a", 1, (SEAT,), 0, 4000, load=9),))
    assert check_plan(problem, Plan({"w": (_at("w", "a", 1, 100, locked=True),)})) == []


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
