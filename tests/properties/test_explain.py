"""Whatever an explanation says is true: alternatives cost what they say, obstacles stand, remedies are the smallest."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch import (
    Alternative,
    Insertion,
    Link,
    Obstacle,
    Plan,
    Problem,
    Refusal,
    Relaxation,
    Seat,
    Shift,
    Stop,
    Visit,
    Worker,
    construct,
    explain,
    insert,
    plan_cost,
    relaxed,
    remove,
)
from dispatch.cost import drop_cost
from dispatch.relaxing import AnyGender, Earlier, Later, LongerShift, MoreSkills, MoreWorkers
from tests.properties.test_dispatch import days
from tests.support.verdict import verdict

GRAIN = 60


@st.composite
def short_days(draw: st.DrawFn) -> Problem:
    """Days too short for all that is asked, with wishes for a gender and people who are refused."""
    problem = draw(days())
    names = [worker.id for worker in problem.workers]
    workers = tuple(replace(w, shifts=(Shift(draw(st.integers(0, 9000)), draw(st.integers(9500, 26_000))),))
                    for w in problem.workers)  # fmt: skip
    visits = tuple(
        replace(
            visit,
            seats=tuple(replace(seat, gender=draw(st.sampled_from([None, None, "female"]))) for seat in visit.seats),
            refused_workers=frozenset(draw(st.sets(st.sampled_from(names), max_size=1))),
        )
        for visit in problem.visits
    )
    return replace(problem, workers=workers, visits=visits)


def _would_be(plan: Plan, visit: str, other: Alternative) -> Plan:
    return Plan({**plan.routes, **other.changed}, tuple(name for name in plan.unserved if name != visit))


def _true(problem: Problem, was: Problem, plan: Plan, visit: Visit, other: Alternative) -> None:
    there = _would_be(plan, visit.id, other)
    assert verdict(problem, there) == []
    saved = drop_cost(visit) if visit.id in plan.unserved else 0
    assert other.cost == plan_cost(problem, there) - plan_cost(was, plan) + saved
    stops = sorted((s for s in there.stops_of(visit.id) if s.kind != "pickup"), key=lambda stop: stop.seat)
    assert (other.crew, other.start_s) == (tuple(stop.worker for stop in stops), stops[0].start_s)


def _smaller(what: Relaxation) -> list[Relaxation]:
    """Every next smaller thing that might have given."""
    match what:
        case Later() | Earlier():
            return [type(what)(what.by_s - GRAIN)]
        case LongerShift():
            return [LongerShift(what.worker, max(0, what.before_s - GRAIN), max(0, what.after_s - GRAIN))]
        case MoreWorkers():
            return [replace(what, count=what.count - 1)]
        case AnyGender():
            return [AnyGender(some) for n in range(len(what.seats)) for some in combinations(what.seats, n)]
        case MoreSkills():
            return [
                replace(what, skills=some) for n in range(len(what.skills)) for some in combinations(what.skills, n)
            ]


def _fits(problem: Problem, plan: Plan, visit_id: str) -> bool:
    visit = next(visit for visit in problem.visits if visit.id == visit_id)
    outcome = insert(problem, plan, visit)
    return isinstance(outcome, Insertion) and verdict(problem, outcome.plan) == []


@pytest.mark.slow
@given(short_days())
@settings(max_examples=30, deadline=None)
def test_everything_said_about_a_visit_is_true(problem: Problem) -> None:
    plan = construct(problem)
    for visit in problem.visits:
        told = explain(problem, plan, visit.id, grain_s=GRAIN, remedies=9)
        assert (told.crew == ()) == (visit.id in plan.unserved)
        able = {*told.crew, *(name for other in told.alternatives for name in other.crew)}
        assert able.isdisjoint(one.worker for one in told.obstacles)
        first, *others = sorted(plan.stops_of(visit.id), key=lambda stop: stop.start_s) or [None]
        if others:
            routes = {w: tuple(replace(s, locked=s == first) for s in route) for w, route in plan.routes.items()}
            assert explain(problem, Plan(routes, plan.unserved), visit.id).begun, (
                "one of a crew, or the meal, is on the way"
            )
        assert list(told.alternatives) == sorted(told.alternatives, key=lambda o: (o.cost, o.start_s, o.crew))
        for other in told.alternatives:
            _true(problem, problem, plan, visit, other)
            assert (other.crew, other.start_s) != (told.crew, told.start_s)
        for remedy in told.remedies:
            assert visit.id in plan.unserved
            day = relaxed(problem, visit.id, remedy.relaxation)
            _true(day, problem, plan, visit, remedy.then)
            assert not visit.refused_workers.intersection(remedy.then.crew)
            for less in _smaller(remedy.relaxation):
                assert not _fits(relaxed(problem, visit.id, less), plan, visit.id), (remedy, less)


@pytest.mark.slow
@given(short_days())
@settings(max_examples=30, deadline=None)
def test_who_is_said_to_be_kept_away_is_kept_away_by_that(problem: Problem) -> None:
    """No seat of the visit can be had by that worker alone; lifting the rule by what is missing, and no less, opens one."""
    plan = construct(problem)
    workers = {worker.id: worker for worker in problem.workers}
    for visit in problem.visits:
        told = explain(problem, plan, visit.id, grain_s=GRAIN)
        for obstacle in told.obstacles:
            _stands(problem, remove(plan, visit.id), visit, workers[obstacle.worker], obstacle)


def _stands(problem: Problem, plan: Plan, visit: Visit, worker: Worker, obstacle: Obstacle) -> None:
    match obstacle.rule:
        case "refused":
            assert worker.id in visit.refused_workers
        case "no_skill":
            assert all(seat.skills - worker.skills for seat in visit.seats)
        case "gender":
            assert any(seat.gender not in {None, worker.gender} for seat in visit.seats)
        case "crew_together":
            assert len(visit.seats) > 1
        case _:
            assert not _alone(problem, plan, visit, worker, None)
            if obstacle.missing_s:
                assert _alone(problem, plan, visit, worker, obstacle)
                less = replace(obstacle, missing_s=obstacle.missing_s - GRAIN)
                assert not _alone(problem, plan, visit, worker, less)


def _alone(problem: Problem, plan: Plan, visit: Visit, worker: Worker, given_way: Obstacle | None) -> bool:
    """Whether the worker could take some seat, if the rule gave way by as much."""
    by, rule = (0, "") if given_way is None else (given_way.missing_s, given_way.rule)
    longer = tuple(Shift(s.start_s, s.end_s + (by if rule == "shift" else 0)) for s in worker.shifts)
    for seat in visit.seats:
        cut = by if rule == "no_gap" else 0
        if cut > seat.duration_s:
            continue
        one = replace(
            visit,
            seats=(replace(seat, duration_s=seat.duration_s - cut),),
            latest_s=visit.latest_s + (by if rule == "window" else 0),
        )
        visits = tuple(one if known.id == visit.id else known for known in problem.visits)
        day = replace(problem, workers=(replace(worker, shifts=longer),), visits=visits)
        if not isinstance(insert(day, plan, one), Refusal):
            return True
    return False


def test_the_cheapest_thing_that_helps_is_named_first() -> None:
    """One bather is busy until ten past; the resident may wait ten minutes, or a second bather may come."""
    told = explain(*_busy_bather(), "b")
    assert [obstacle.rule for obstacle in told.obstacles] == ["window", "no_skill", "no_skill", "refused"]
    assert told.obstacles[0].missing_s == 600
    assert told.summary == "window"
    first, second, *_ = told.remedies
    assert (first.relaxation, first.then.start_s) == (Later(600), 4200)
    assert second.relaxation == MoreWorkers("w", "p", 0, 1, ("bath",))
    problem, plan = _busy_bather(6000, 7000)
    assert [remedy.relaxation for remedy in explain(problem, plan, "b").remedies[:2]] == [Later(2640), Earlier(4620)]
    skilled = explain(*_busy_bather(), "b", remedies=9).remedies[-1]
    assert skilled.relaxation == MoreSkills("x", ("bath",))


def _busy_bather(busy_s: int = 600, asked_s: int = 3600) -> tuple[Problem, Plan]:
    ways = np.zeros((1, 1), np.int32)
    bath = frozenset({"bath"})
    team = tuple(
        Worker(id=name, provider="p", skills=skills, start_place=0, shifts=(Shift(0, 20_000),))
        for name, skills in (("w", bath), ("x", frozenset[str]()), ("x2", frozenset[str]()), ("y", bath))
    )
    seat = Seat(bath, 3600)
    a = Visit("a", 0, (seat,), busy_s, busy_s, refused_workers=frozenset({"y"}))
    b = Visit("b", 0, (seat,), asked_s, asked_s, refused_workers=frozenset({"y"}))
    problem = Problem(workers=team, visits=(a, b), travel={"car": ways})
    return problem, construct(problem)


def test_what_a_visit_is_linked_to_may_go_to_somebody_else() -> None:
    """The bath stands where its bather soon goes home; after a later meal somebody else can still give it."""
    team = tuple(
        Worker(id=name, provider="p", skills=frozenset({skill}), start_place=0, shifts=(Shift(begin, end),))
        for name, skill, begin, end in (
            ("early", "bath", 0, 900),
            ("late", "bath", 0, 9000),
            ("cook", "meal", 1000, 9000),
        )
    )
    meal = Visit("meal", 0, (Seat(frozenset({"meal"}), 300),), 0, 5000)
    bath = Visit("bath", 0, (Seat(frozenset({"bath"}), 300),), 0, 8000)
    ways = {"car": np.zeros((1, 1), np.int32)}
    problem = Problem(workers=team, visits=(meal, bath), travel=ways, links=(Link("meal", "bath", 600, 9000),))
    plan = Plan({"early": (Stop("early", "visit", "bath", 0, 0, 500, 800),), "late": (), "cook": ()}, ("meal",))
    (other,) = explain(problem, plan, "meal").alternatives
    assert (other.crew, other.start_s) == (("cook",), 1000)
    assert [stop.worker for stop in other.changed["late"]] == ["late"]
