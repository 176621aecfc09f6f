"""The compiled search on days made by hand: what plain examples must come to."""

import time

import numpy as np
from msgspec.structs import replace

from dispatch import (
    Delivery,
    Link,
    Plan,
    Problem,
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
from dispatch.search import search


def _street(count: int) -> Problem:
    """One worker and so many doors in a row, a minute apart."""
    line = np.abs(np.arange(count + 1)[:, None] - np.arange(count + 1)[None, :]).astype(np.int32) * 60
    worker = Worker(id="w", provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 86_400),))
    visits = tuple(Visit(f"v{n}", n + 1, (Seat(frozenset(), 300),), 0, 80_000) for n in range(count))
    return Problem(workers=(worker,), visits=visits, travel={"car": line})


def test_a_long_route_is_read_in_its_order():
    """Forty stops in a row: each is timed once, after the one before it, and none is taken for a ring."""
    count = 40
    problem = _street(count)
    stops = tuple(Stop("w", "visit", f"v{n}", 0, n + 1, 60 + n * 360, 360 + n * 360) for n in range(count))
    assert check_plan(problem, Plan({"w": stops})) == []
    arrays = from_plan(problem, Plan({"w": stops}), 1)
    assert arrays.possible
    assert arrays.state.node["start"][:count].tolist() == [stop.start_s for stop in stops]


def test_a_route_laid_backwards_is_turned_round():
    """Enough steps straighten a line walked to and fro; the ways shrink to one walk along it."""
    count = 12
    problem = _street(count)
    zigzag = [n // 2 if n % 2 == 0 else count - 1 - n // 2 for n in range(count)]
    free, place, stops = 0, 0, []
    for n in zigzag:
        start = free + int(problem.travel["car"][place, n + 1])
        stops.append(Stop("w", "visit", f"v{n}", 0, n + 1, start, start + 300))
        free, place = start + 300, n + 1
    better = improve(problem, Plan({"w": tuple(stops)}), 0, 1, iterations=400)
    assert [stop.visit for stop in better.routes["w"]] == [f"v{n}" for n in range(count)]


def test_a_search_that_begins_anew_keeps_the_best_of_all_rounds():
    """A hundred iterations begin three times on eight doors; the cost told never rises and is that of the answer."""
    problem = _street(8)
    told: list[float] = []
    found = search(
        problem,
        construct(problem),
        seed=3,
        clock=time.monotonic,
        iterations=100,
        told=lambda _, cost: told.append(cost),
    )
    assert len(told) >= 3
    assert told == sorted(told, reverse=True)
    assert plan_cost(problem, found) == round(told[-1])


def test_two_who_hold_up_the_same_crew_are_not_charged_for_it_twice():
    """A bath on the way makes the next one late once, which costs less than sending two others from far away."""
    way = np.full((3, 3), 0, np.int32)
    way[:2, 2] = way[2, :2] = 1100  # two bathers wait far away from everything
    near = [Worker(id=w, provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 40_000),)) for w in "ab"]
    far = [Worker(id=w, provider="p", skills=frozenset(), start_place=2, shifts=(Shift(0, 40_000),)) for w in "xy"]
    bathers = (Seat(frozenset(), 900), Seat(frozenset(), 900))
    later = Visit("later", 1, bathers, 1800, 30_000, due_s=1900)
    sooner = Visit("sooner", 1, bathers, 1500, 1500)
    problem = Problem(workers=(*near, *far), visits=(later,), travel={"car": way})
    stops = {w: (Stop(w, "visit", "later", seat, 1, 1800, 2700),) for seat, w in enumerate("ab")}
    plan = Plan({**stops, "x": (), "y": ()})
    assert check_plan(problem, plan) == []
    both = replace(problem, visits=(later, sooner))
    late = 4 * (1500 + 900 - 1900)
    for weights, crew in ((Weights(late_flat=0), {"a", "b"}), (Weights(late_flat=3000 - late), {"x", "y"})):
        found = construct(replace(both, weights=weights), replace(plan, unserved=("sooner",)))
        assert {stop.worker for stop in found.stops_of("sooner")} == crew


def test_a_route_is_timed_by_its_own_worker_s_shift():
    """Two meals fetched one after another by the second worker, long after the first one's shift has ended."""
    way = np.full((5, 5), 300, np.int32)
    early = Worker(id="a", provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 3600),))
    late = Worker(id="b", provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 40_000),))
    meals = tuple(
        Visit(f"m{n}", 3 + n, (Seat(frozenset(), 60),), 9000, 30_000, delivery=Delivery(1 + n, 9000, 60))
        for n in (0, 1)
    )
    problem = Problem(workers=(early, late), visits=meals, travel={"car": way})
    order = (("pickup", 0, 1, 9000), ("pickup", 1, 2, 9360), ("drop", 0, 3, 9720), ("drop", 1, 4, 10_080))
    stops = tuple(Stop("b", kind, f"m{n}", 0, place, at, at + 60) for kind, n, place, at in order)
    plan = Plan({"a": (), "b": stops})
    assert check_plan(problem, plan) == []
    assert from_plan(problem, plan, 1).possible


def test_the_earlier_of_two_linked_visits_stays_near_the_later_one_that_has_begun():
    """Whoever serves the second has set out already; the first could begin hours before, and must not."""
    way = np.full((4, 4), 300, np.int32)
    two = [Worker(id=w, provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 40_000),)) for w in "ab"]
    visits = tuple(Visit(f"v{n}", 1 + n, (Seat(frozenset(), 600),), 0, 30_000) for n in (0, 1))
    problem = Problem(
        workers=tuple(two), visits=visits, travel={"car": way}, links=(Link("v0", "v1", 1200, 1800),), now_s=8000
    )
    later = Stop("b", "visit", "v1", 0, 2, 12_000, 12_600, locked=True)
    plan = Plan({"a": (Stop("a", "visit", "v0", 0, 1, 10_500, 11_100),), "b": (later,)})
    assert check_plan(problem, plan) == []
    better = improve(problem, plan, 0, 1, iterations=50)
    assert check_plan(problem, better) == []
    assert better.routes["a"][0].start_s == 10_200
    early = Plan({"a": (Stop("a", "visit", "v0", 0, 1, 9000, 9600),), "b": (later,)})
    assert [violation.rule for violation in check_plan(problem, early)] == ["gap"]


def test_whoever_is_at_a_door_is_not_made_to_wait_longer():
    """The second bather could serve somebody on the way first, which would save a long way; the first one is there already."""
    place = np.array([0, 1000, 2000, 900])
    way = np.abs(place[:, None] - place[None, :]).astype(np.int32)
    two = [Worker(id=w, provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 40_000),)) for w in "ab"]
    bath = Visit("bath", 1, (Seat(frozenset(), 600), Seat(frozenset(), 600)), 0, 30_000)
    visits = (bath, Visit("near", 3, (Seat(frozenset(), 900),), 0, 30_000))
    problem = Problem(workers=tuple(two), visits=visits, travel={"car": way}, now_s=2000)
    here = Stop("a", "visit", "bath", 0, 1, 3000, 3600, locked=True)
    coming = Stop("b", "visit", "bath", 1, 1, 3000, 3600)
    plan = Plan({"a": (here,), "b": (coming, Stop("b", "visit", "near", 0, 3, 3700, 4600))})
    assert check_plan(problem, plan) == []
    better = improve(problem, plan, 0, 1, iterations=60)
    assert check_plan(problem, better) == []
    assert {stop.start_s for stop in better.stops_of("bath")} == {3000}
