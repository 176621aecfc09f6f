"""An improvement found for a day that has moved on: carried over where it still fits, and only there."""

import functools
import itertools
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

_DAYS = 50
_MEANWHILE = ("nothing", "called off", "booked", "begun", "taken")
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


@functools.cache
def _improved(number: int) -> tuple[Problem, Plan, Plan]:
    """A town with its first plan and a better one."""
    problem = _town(number)
    built = construct(problem)
    return problem, built, improve(problem, built, 0, number, iterations=6)


def _day(problem: Problem, plan: Plan, places: list[UUID]) -> Day:
    return Day(_ROWS, datetime(2030, 3, 12, tzinfo=UTC), problem.now_s, places, problem, plan)


def _meanwhile(chance: random.Random, problem: Problem, plan: Plan, what: str) -> tuple[Problem, Plan, str]:
    """The day a moment later: nothing happened, a visit was called off or booked, somebody set out, or providers took orders."""
    served = sorted({stop.visit for route in plan.routes.values() for stop in route})
    chosen = chance.choice(served) if served else ""
    gone = [visit for visit in problem.visits if visit.id == chosen]
    if what == "nothing" or not gone:
        return problem, plan, "nothing"
    if what == "begun":
        who = chance.choice([worker for worker, route in plan.routes.items() if route])
        first, *rest = plan.routes[who]
        return problem, replace(plan, routes={**plan.routes, who: (replace(first, locked=True), *rest)}), what
    if what == "taken":
        by = {stop.visit: w.provider for w in problem.workers for stop in plan.routes[w.id] if chance.random() < 0.5}
        taken = [replace(v, providers=frozenset({by[v.id]})) if v.id in by else v for v in problem.visits]
        return replace(problem, visits=tuple(taken)), plan, what
    links = tuple(link for link in problem.links if chosen not in {link.before, link.after})
    without = replace(problem, visits=tuple(v for v in problem.visits if v.id != chosen), links=links)
    if what == "called off":
        left = remove(plan, chosen)
        return without, Plan(left.routes, tuple(name for name in left.unserved if name != chosen)), what
    new = replace(gone[0], id="new")
    with_new = replace(problem, visits=(*problem.visits, new))
    placed = insert(with_new, plan, new)
    return (with_new, placed.plan, what) if isinstance(placed, Insertion) else (problem, plan, "nothing")


def _backwards(problem: Problem, plan: Plan) -> tuple[Problem, Plan]:
    """The same with its places the other way round: the day was read anew, and others are there."""
    last = len(problem.travel["car"]) - 1
    visits = tuple(replace(visit, place=last - visit.place) for visit in problem.visits)
    workers = tuple(
        replace(w, start_place=last - w.start_place, end_place=last - w.start_place) for w in problem.workers
    )
    routes = {w: tuple(replace(stop, place=last - stop.place) for stop in route) for w, route in plan.routes.items()}
    ways = {"car": problem.travel["car"][::-1, ::-1].copy()}
    return replace(problem, visits=visits, workers=workers, travel=ways), replace(plan, routes=routes)


def test_what_is_carried_over_keeps_every_rule_costs_less_and_touches_nothing_others_changed() -> None:
    carried = Counter[str]()
    for number, thing in itertools.product(range(_DAYS), _MEANWHILE):
        chance = random.Random(number)
        problem, built, better = _improved(number)
        places = [UUID(int=n + 1) for n in range(len(next(iter(problem.travel.values()))))]
        then = _day(problem, built, places)
        *meanwhile, what = _meanwhile(chance, problem, built, thing)
        later, current = _backwards(*meanwhile)
        assert judge(later, current) == []
        now = _day(later, current, places[::-1])
        found = carry_over(then, better, now, Standing(later, current))
        if thing == "nothing":
            back = _day(problem, better, places)
            assert carry_over(back, built, back, Standing(problem, better)) is None
        if found is None:
            continue
        carried[what] += 1
        assert check_plan(later, found) == judge(later, found) == []
        assert plan_cost(later, found) < plan_cost(later, current)
        assert set(found.unserved) <= set(current.unserved)
        for worker, route in current.routes.items():
            there = [(stop.visit, stop.locked) for stop in route]
            if there != [(stop.visit, stop.locked) for stop in built.routes.get(worker, ())]:
                assert [(stop.visit, stop.locked) for stop in found.routes[worker]] == there, "others changed this one"
    assert min(carried[what] for what in _MEANWHILE) >= 5, carried
