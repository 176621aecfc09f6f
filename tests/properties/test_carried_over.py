"""An improvement found for a day that has moved on: carried over where it still fits, and only there."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from msgspec.structs import replace

from backend.scheduling.rebase import carry_over
from backend.scheduling.settling import Standing
from backend.scheduling.snapshots import Day
from dispatch import (
    Insertion,
    Plan,
    Problem,
    Seat,
    Shift,
    Visit,
    Worker,
    check_plan,
    construct,
    improve,
    insert,
    plan_cost,
    remove,
)
from tests.support.judge import judge

_DAYS = 100
_ROWS: Any = None  # of a day only the plan and the order of its places are read


def _town(number: int) -> Problem:
    """A zone's morning on a plane: five workers of two providers, fourteen visits with windows of an hour or three."""
    chance = random.Random(number)
    points = [(chance.uniform(0, 6000), chance.uniform(0, 6000)) for _ in range(16)]
    ways = np.array([[int(np.hypot(a - c, b - d) / 4) for c, d in points] for a, b in points], np.int32)
    workers = tuple(
        Worker(
            id=f"w{n}", provider="pq"[n % 2], skills=frozenset({"bath"}), gender="female", mode="car", start_place=n % 2,
            end_place=n % 2, shifts=(Shift(0, 20_000),),
        )
        for n in range(5)
    )  # fmt: skip
    visits = list[Visit]()
    for n in range(14):
        opens = chance.randrange(0, 14_000)
        seats = (Seat(frozenset({"bath"}), 1500),) * chance.choice((1, 1, 1, 2))
        visits.append(
            Visit(
                id=f"v{n}", place=n + 2, seats=seats, earliest_s=opens, latest_s=opens + chance.choice((3600, 10_000))
            )
        )
    return Problem(workers=workers, visits=tuple(visits), travel={"car": ways})


def _day(problem: Problem, plan: Plan, places: list[UUID]) -> Day:
    return Day(_ROWS, datetime(2030, 3, 12, tzinfo=UTC), problem.now_s, places, problem, plan)


def _meanwhile(chance: random.Random, problem: Problem, plan: Plan) -> tuple[Problem, Plan, str]:
    """The day a moment later: nothing happened, a visit was called off, or another one booked."""
    served = sorted({stop.visit for route in plan.routes.values() for stop in route})
    chosen = chance.choice(served) if served else ""
    gone = [visit for visit in problem.visits if visit.id == chosen]
    what = chance.choice(("nothing", "called off", "booked"))
    if what == "nothing" or not gone:
        return problem, plan, "nothing"
    links = tuple(link for link in problem.links if chosen not in {link.before, link.after})
    without = replace(problem, visits=tuple(v for v in problem.visits if v.id != chosen), links=links)
    if what == "called off":
        left = remove(plan, chosen)
        return without, Plan(left.routes, tuple(name for name in left.unserved if name != chosen)), what
    new = replace(gone[0], id="new")
    with_new = replace(problem, visits=(*problem.visits, new))
    placed = insert(with_new, plan, new)
    return (with_new, placed.plan, what) if isinstance(placed, Insertion) else (problem, plan, "nothing")


def test_what_is_carried_over_keeps_every_rule_costs_less_and_touches_nothing_others_changed() -> None:
    carried = Counter[str]()
    for number in range(_DAYS):
        chance = random.Random(number)
        problem = _town(number)
        built = construct(problem)
        better = improve(problem, built, 0, number, iterations=6)
        places = [UUID(int=n + 1) for n in range(len(next(iter(problem.travel.values()))))]
        then = _day(problem, built, places)
        later, current, what = _meanwhile(chance, problem, built)
        assert judge(later, current) == []
        now = _day(later, current, places)
        found = carry_over(then, better, now, Standing(later, current))
        assert (
            carry_over(_day(problem, better, places), built, _day(problem, better, places), Standing(problem, better))
            is None
        )
        if found is None:
            continue
        carried[what] += 1
        assert check_plan(later, found) == judge(later, found) == []
        assert plan_cost(later, found) < plan_cost(later, current)
        assert set(found.unserved) <= set(current.unserved)
        for worker, route in current.routes.items():
            if [s.visit for s in route] != [s.visit for s in built.routes.get(worker, ())]:
                assert [s.visit for s in found.routes[worker]] == [s.visit for s in route], "others changed this one"
    assert min(carried[what] for what in ("nothing", "called off", "booked")) >= 5, carried


def test_an_improvement_of_routes_that_have_changed_is_not_written_over_them() -> None:
    """What the search moved from one worker to another stays where it is when one of the two has been changed since."""
    refused = 0
    for number in range(_DAYS):
        problem = _town(number)
        built = construct(problem)
        better = improve(problem, built, 0, number, iterations=6)
        changed = [w for w in built.routes if [s.visit for s in better.routes[w]] != [s.visit for s in built.routes[w]]]
        if not changed or plan_cost(problem, better) >= plan_cost(problem, built):
            continue
        places = [UUID(int=n + 1) for n in range(len(next(iter(problem.travel.values()))))]
        lost = {stop.visit for worker in changed for stop in built.routes[worker]}
        emptied = built
        for visit in lost:
            emptied = remove(emptied, visit)
        later = replace(problem, visits=tuple(v for v in problem.visits if v.id not in lost),
                        links=tuple(x for x in problem.links if not lost & {x.before, x.after}))  # fmt: skip
        if not lost:
            continue
        refused += 1
        current = Plan(emptied.routes, tuple(v.id for v in later.visits if v.id in emptied.unserved))
        found = carry_over(_day(problem, built, places), better, _day(later, current, places), Standing(later, current))
        assert found is None
    assert refused > 10
