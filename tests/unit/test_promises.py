"""Promises, wishes and long days, on days small enough to work out by hand."""

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch import (
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
from dispatch.search import ruin_centres

WAYS = np.array([[0, 100, 200], [100, 0, 50], [200, 50, 0]], dtype=np.int32)
SEAT = Seat(frozenset(), 60)


def _worker(name: str, place: int = 0, **more: object) -> Worker:
    plain = Worker(
        id=name, provider="p", skills=frozenset(), start_place=place, end_place=place, shifts=(Shift(0, 20_000),)
    )
    return replace(plain, **more)


def _day(workers: tuple[Worker, ...], *visits: Visit, weights: Weights | None = None) -> Problem:
    return Problem(workers=workers, visits=visits, travel={"car": WAYS}, weights=weights or Weights())


def _at(worker: str, visit: str, place: int, start: int, seat: int = 0) -> Stop:
    return Stop(worker, "visit", visit, seat, place, start, start + 60)


@pytest.mark.parametrize(("start", "cost"), [(3000, 0), (3600, 0), (3610, 20), (2400, 0), (2300, 200)])
def test_a_moved_start_costs_each_second_beyond_the_tolerance(start: int, cost: int):
    visit = Visit("a", 1, (SEAT,), 0, 9000, promised=Promise(3000))
    day = _day((_worker("w"),), visit, weights=Weights(moved_s=2))
    assert plan_cost(day, Plan({"w": (_at("w", "a", 1, start),)})) == 200 + cost


def test_what_was_told_is_kept_to_the_second_where_there_is_room():
    """The window has been open since 0; nobody comes at 2400 only because the tolerance would forgive it."""
    visit = Visit("a", 1, (SEAT,), 0, 9000, promised=Promise(3000))
    plan = construct(_day((_worker("w"),), visit))
    assert [stop.start_s for stop in plan.stops_of("a")] == [3000]


def test_a_crew_keeps_what_was_told_together():
    visit = Visit("a", 1, (SEAT, SEAT), 0, 9000, promised=Promise(3000))
    plan = construct(_day((_worker("v"), _worker("w")), visit))
    assert [stop.start_s for stop in plan.stops_of("a")] == [3000, 3000]


def test_at_least_half_of_all_ruins_begin_where_a_day_is_not_as_told():
    """Three are as told; one comes an hour late, for one somebody else comes, and nobody was told about the last."""
    told = Promise(1000, frozenset("w"))
    visits = tuple(Visit(name, 1, (SEAT,), 0, 15_000, promised=told) for name in "abcde")
    starts = {"a": 1000, "b": 1060, "c": 1120, "d": 4600}
    team = (_worker("w"), _worker("x"))
    route = tuple(_at("w", name, 1, start) for name, start in starts.items())
    plan = Plan({"w": route, "x": (_at("x", "e", 1, 1000),)}, ("f",))
    day = _day(team, *visits, Visit("f", 2, (SEAT,), 0, 15_000))
    as_told = Plan({"w": route[:3], "x": ()}, ())
    assert sorted(ruin_centres(from_plan(day, plan, 1), plan)) == [0, 1, 2, 3, 3, 4, 4, 5, 5]
    calm = _day(team, *visits[:3])
    centres = ruin_centres(from_plan(calm, as_told, 1), as_told)
    assert (centres.tolist(), centres.dtype) == ([0, 1, 2], np.int64)


@pytest.mark.parametrize(("price", "who"), [(199, "near"), (201, "told")])
def test_who_was_told_comes_until_that_costs_more_than_somebody_else(price: int, who: str):
    """From place 0 the way there and back is 200 longer than from next door."""
    visit = Visit("a", 1, (SEAT,), 0, 9000, promised=Promise(workers=frozenset({"told"})))
    problem = _day((_worker("told"), _worker("near", 1)), visit, weights=Weights(changed=price))
    plan = construct(problem)
    assert [stop.worker for stop in plan.stops_of("a")] == [who]
    assert plan_cost(problem, plan) == min(200, price)


@pytest.mark.parametrize(
    ("wish", "weights"),
    [
        ({"known_workers": frozenset({"far"})}, Weights(known=201)),
        ({"preferred_worker": "far"}, Weights(preferred=201)),
        ({"languages": frozenset({"Wu"})}, Weights(language=201)),
    ],
)
def test_a_wish_outweighs_a_shorter_way_than_it_is_worth(wish: dict[str, object], weights: Weights):
    team = (_worker("far", languages=frozenset({"Wu", "Min"})), _worker("near", 1))
    visit = replace(Visit("a", 1, (SEAT,), 0, 9000), **wish)
    assert [s.worker for s in construct(_day(team, visit, weights=weights)).stops_of("a")] == ["far"]
    deaf = replace(weights, known=199, preferred=199, language=199)
    assert [s.worker for s in construct(_day(team, visit, weights=deaf)).stops_of("a")] == ["near"]


def test_each_of_a_crew_should_be_known_but_one_preferred_is_enough():
    """The far one is worth the way of 200 to spare 600 and 300; the other seat is a stranger's whoever takes it."""
    visit = Visit("a", 1, (SEAT, SEAT), 0, 9000, preferred_worker="far", known_workers=frozenset({"far"}))
    team = (_worker("near", 1), _worker("next", 1), _worker("far"))
    problem = _day(team, visit)
    plan = improve(problem, construct(problem), 0, 1, iterations=30)
    assert "far" in {stop.worker for stop in plan.stops_of("a")}
    assert plan_cost(problem, plan) == 200 + 300
    without = Plan({"near": (_at("near", "a", 1, 0),), "next": (_at("next", "a", 1, 0, 1),)})
    assert plan_cost(problem, without) == 600 + 2 * 300


@pytest.mark.parametrize(("longest", "served"), [(320, 2), (319, 1)])
def test_who_may_not_be_out_for_long_sets_out_late(longest: int, served: int):
    """100 there, 60 at each of two visits at one door, 100 back: 320 at the least, when the first waits for the second."""
    visits = (Visit("a", 1, (SEAT,), 0, 4990), Visit("b", 1, (SEAT,), 5000, 9000))
    problem = _day((_worker("w", max_span_s=longest),), *visits)
    plan = improve(problem, construct(problem), 0, 1, iterations=30)
    assert check_plan(problem, plan) == []
    assert len(plan.routes["w"]) == served
    if served == 2:
        assert plan.routes["w"] == (_at("w", "a", 1, 4940), _at("w", "b", 1, 5000))


def test_a_long_day_begun_must_still_end_in_time():
    """Out since 900 and back by 1500: 160 before that a visit can still begin, but not at 1500."""
    done = Stop("w", "visit", "done", 0, 1, 1000, 1060, locked=True)
    worker = _worker("w", max_span_s=600)
    for start, served in ((1300, True), (1500, False)):
        visits = (Visit("done", 1, (SEAT,), 0, 9000), Visit("b", 1, (SEAT,), start, 9000))
        problem = _day((worker,), *visits)
        plan = construct(problem, Plan({"w": (done,)}, ("b",)))
        assert check_plan(problem, plan) == []
        assert bool(plan.stops_of("b")) is served
