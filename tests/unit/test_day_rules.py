"""The oracle and the cost on days small enough to work out by hand: room, long days, doubles by two, lateness."""

import numpy as np
import pytest
from msgspec.structs import replace

from dispatch import Link, Plan, Problem, Seat, Shift, Stop, Visit, Weights, Worker, check_plan, plan_cost

WAYS = np.array([[0, 100, 200], [100, 0, 50], [200, 50, 0]], dtype=np.int32)
SEAT = Seat(frozenset(), 60)


def _worker(name: str = "w", **more: int) -> Worker:
    return Worker(
        id=name, provider="p", skills=frozenset(), start_place=0, end_place=0, shifts=(Shift(0, 5000),), **more
    )


def _stop(worker: str, visit: str, place: int, start: int, seat: int = 0, *, locked: bool = False) -> Stop:
    return Stop(worker, "visit", visit, seat, place, start, start + 60, locked)


def _rules(problem: Problem, plan: Plan, *, unserved: bool = False) -> set[str]:
    return {violation.rule for violation in check_plan(problem, plan, unserved=unserved)}


@pytest.mark.parametrize(("capacity", "rules"), [(5, set()), (4, {"capacity"}), (None, set())])
def test_a_bag_holds_what_the_whole_route_needs(capacity: int | None, rules: set[str]):
    visits = (Visit("a", 1, (SEAT,), 0, 4000, load=2), Visit("b", 2, (SEAT,), 0, 4000, load=3))
    problem = Problem(workers=(replace(_worker(), capacity=capacity),), visits=visits, travel={"car": WAYS})
    assert _rules(problem, Plan({"w": (_stop("w", "a", 1, 100), _stop("w", "b", 2, 210))})) == rules


def test_what_has_happened_is_held_against_nobody():
    visits = (Visit("a", 1, (SEAT,), 0, 4000, load=9),)
    problem = Problem(workers=(_worker(capacity=1, max_span_s=10),), visits=visits, travel={"car": WAYS})
    assert _rules(problem, Plan({"w": (_stop("w", "a", 1, 100, locked=True),)})) == set()


def test_a_visit_that_finds_no_room_is_not_servable():
    visits = (Visit("a", 1, (SEAT,), 0, 4000, load=2), Visit("b", 2, (SEAT,), 0, 4000, load=3))
    plan = Plan({"w": (_stop("w", "a", 1, 100),)}, ("b",))
    roomy = Problem(workers=(_worker(capacity=5),), visits=visits, travel={"car": WAYS})
    tight = replace(roomy, workers=(_worker(capacity=4),))
    assert _rules(roomy, plan, unserved=True) == {"servable"}
    assert _rules(tight, plan, unserved=True) == set()


@pytest.mark.parametrize(("start", "rules"), [(400, set()), (250, {"crew_start"})])
def test_whoever_came_first_waits_for_the_others(start: int, rules: set[str]):
    visits = (Visit("a", 1, (SEAT, SEAT), 0, 4000),)
    problem = Problem(workers=(_worker(), _worker("x")), visits=visits, travel={"car": WAYS})
    here, coming = _stop("w", "a", 1, 300, locked=True), _stop("x", "a", 1, start, 1)
    assert _rules(problem, Plan({"w": (here,), "x": (coming,)})) == rules


@pytest.mark.parametrize(("longest", "rules"), [(520, set()), (519, {"span"})])
def test_a_day_lasts_from_setting_out_to_being_back(longest: int, rules: set[str]):
    """100 there, 60 at work, 50 on, 50 of waiting, 60 at work and 200 home."""
    visits = (Visit("a", 1, (SEAT,), 0, 4000), Visit("b", 2, (SEAT,), 0, 4000))
    problem = Problem(workers=(_worker(max_span_s=longest),), visits=visits, travel={"car": WAYS})
    assert _rules(problem, Plan({"w": (_stop("w", "a", 1, 700), _stop("w", "b", 2, 860))})) == rules


@pytest.mark.parametrize(("longest", "rules"), [(470, {"servable"}), (469, set())])
def test_a_visit_that_would_make_the_day_too_long_is_not_servable(longest: int, rules: set[str]):
    """Behind the first visit the second adds 50 + 60 and a way home of 200 instead of 100: 260 grow to 470."""
    visits = (Visit("a", 1, (SEAT,), 0, 4000), Visit("b", 2, (SEAT,), 910, 4000))
    problem = Problem(workers=(_worker(max_span_s=longest),), visits=visits, travel={"car": WAYS})
    plan = Plan({"w": (_stop("w", "a", 1, 800),)}, ("b",))
    assert _rules(problem, plan, unserved=True) == rules


def test_doubles_that_two_must_do_are_not_done_by_one():
    visits = (Visit("a", 1, (SEAT,), 0, 4000), Visit("b", 1, (SEAT,), 0, 4000))
    link = Link("a", "b", 60, 500, apart=True)
    problem = Problem(workers=(_worker("v"), _worker("w")), visits=visits, links=(link,), travel={"car": WAYS})
    alone = Plan({"v": (), "w": (_stop("w", "a", 1, 100), _stop("w", "b", 1, 160))})
    two = Plan({"v": (_stop("v", "b", 1, 160),), "w": (_stop("w", "a", 1, 100),)})
    assert _rules(problem, alone) == {"apart"}
    assert _rules(problem, two) == set()
    assert _rules(replace(problem, links=(Link("a", "b", 60, 500),)), alone) == set()


def test_a_linked_visit_that_would_break_its_gap_is_not_servable():
    """The worker is free until 500 only, and the gap asks for a start after 700."""
    visits = (Visit("a", 1, (SEAT,), 0, 4000), Visit("b", 2, (SEAT,), 0, 4000), Visit("c", 1, (SEAT,), 0, 4000))
    worker = replace(_worker(), shifts=(Shift(0, 900),))
    problem = Problem(workers=(worker,), visits=visits[:2], links=(Link("a", "b", 600),), travel={"car": WAYS})
    plan = Plan({"w": (_stop("w", "a", 1, 100),)}, ("b",))
    assert _rules(problem, plan, unserved=True) == set()
    assert _rules(replace(problem, links=()), plan, unserved=True) == {"servable"}


def test_the_greatest_lateness_and_each_seat_cost_what_they_should():
    """Two of a crew start 30 late, a third visit 10: 2 x 30 + 10 for each service, and 30 for the worst."""
    crew = Visit("a", 1, (SEAT, SEAT), 0, 4000, 100)
    single = Visit("b", 1, (SEAT,), 0, 4000, 200)
    weights = Weights(late_s=1, late_flat=0, wait_s=0, late_max_s=1, late_each_seat=True)
    problem = Problem(
        workers=(_worker("v"), _worker("w")), visits=(crew, single), travel={"car": WAYS}, weights=weights
    )  # fmt: skip
    plan = Plan({"v": (_stop("v", "a", 1, 130),), "w": (_stop("w", "a", 1, 130, 1), _stop("w", "b", 1, 210))})
    road = 2 * 200
    assert plan_cost(problem, plan) == road + 2 * 30 + 10 + 30
    once = replace(problem, weights=replace(weights, late_each_seat=False))
    assert plan_cost(once, plan) == road + 30 + 10 + 30
    usual = replace(problem, weights=Weights())
    assert plan_cost(usual, plan) == road + 2 * 1200 + 4 * (30 + 10)
