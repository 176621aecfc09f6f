"""Whether a visit left out would have fitted, against every second, position and crew, on days of a few seconds."""

import itertools
import random
from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from dispatch import (
    Break,
    Delivery,
    Equipment,
    Link,
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
    plan_cost,
)
from tests.support.effort import SEED, announce, effort

END_S = 24


def test_a_visit_is_called_servable_exactly_when_some_place_keeps_every_rule_and_pays() -> None:
    """With breaks, split shifts, boxes, rides, limits, crews, links, equipment and prices, on a day planned or begun."""
    announce("visits left out")
    said = {True: 0, False: 0}
    for number in range(effort(150, 3000)):
        chance = random.Random(SEED * 1_000_003 + number)
        problem, plan = _day(chance)
        visit = problem.visits[-1]
        told = [one for one in check_plan(problem, plan, unserved=True) if one.subject == visit.id]
        cheap = plan_cost(problem, plan)
        kept = (found for found in _ways(problem, plan, visit) if plan_cost(problem, found) <= cheap)
        possible = next((found for found in kept if not check_plan(problem, found)), None)
        assert bool(told) == (possible is not None), (number, told, possible)
        said[bool(told)] += 1
    assert min(said.values()) > sum(said.values()) / 10


def _day(chance: random.Random) -> tuple[Problem, Plan]:
    """A day, and a sound plan of all of it that could be served but the last visit."""
    ways = np.array([[0 if a == b else chance.randrange(4) for b in range(3)] for a in range(3)], np.int32)
    team = tuple(_worker(chance, n) for n in range(chance.choice([1, 2])))
    visits = tuple(_visit(chance, f"v{n}") for n in range(chance.choice([1, 2, 3])))
    links = ()
    if len(visits) > 1 and chance.random() < 0.3:
        one, other = chance.sample(["v0", visits[-1].id], 2)
        most = chance.choice([None, 9])
        links = (Link(one, other, chance.randrange(5), most, chance.random() < 0.5, chance.random() < 0.3),)
    things = (Equipment("tub", 1, chance.choice([0, 2])),)
    weights = Weights(uneven=chance.choice([0, 0, 2]), late_max_s=chance.choice([0, 3]))
    problem = Problem(
        workers=team, visits=visits, links=links, equipment=things, weights=weights, travel={"car": ways}
    )  # fmt: skip
    plan = Plan({worker.id: () for worker in team}, tuple(visit.id for visit in visits))
    for visit in visits[:-1]:
        sound = [found for found in _ways(problem, plan, visit) if not check_plan(problem, found)]
        plan = chance.choice(sound) if sound else plan
    if chance.random() < 0.4:
        problem = replace(problem, now_s=chance.randrange(END_S))
        routes = {w: tuple(replace(s, locked=s.start_s < problem.now_s) for s in r) for w, r in plan.routes.items()}
        plan = Plan(routes, plan.unserved)
    return problem, plan


def _worker(chance: random.Random, name: int) -> Worker:
    cut = chance.randrange(8, 16)
    shifts = chance.choice([(Shift(0, END_S),), (Shift(1, cut), Shift(cut + chance.randrange(5), END_S))])
    begins = [chance.randrange(END_S) for _ in range(chance.choice([0, 1, 1, 2]))]
    return Worker(
        id=f"w{name}", provider=chance.choice("pq") if chance.random() < 0.3 else "p", skills=frozenset(), start_place=0,
        end_place=chance.choice([None, 0]), shifts=shifts, box_capacity=chance.choice([0, 1, 2]),
        breaks=tuple(Break(at, at + chance.randrange(8), chance.randrange(4)) for at in begins),
        capacity=chance.choice([None, None, 2]), max_span_s=chance.choice([None, None, 14]),
        max_work_s=chance.choice([None, None, 9]), max_heavy=chance.choice([None, None, 0, 1]),
    )  # fmt: skip


def _visit(chance: random.Random, name: str) -> Visit:
    lo = chance.randrange(16)
    meal = (
        Delivery(chance.randrange(3), max(0, lo - 4), 1, chance.choice([None, 1, 3]))
        if chance.random() < 0.35
        else None
    )
    crew = 1 if meal else chance.choice([1, 1, 2])
    told = Promise(lo + chance.randrange(6), frozenset(), 1)
    return Visit(
        name, chance.randrange(3), tuple(Seat(frozenset(), chance.randrange(1, 4), heavy=chance.random() < 0.3) for _ in range(crew)),
        lo, lo + chance.randrange(10), due_s=chance.choice([None, lo + 2]), delivery=meal,
        drop_penalty=chance.choice([1, 3, 6, 1300, 10**6]), load=0 if meal else chance.randrange(3),
        equipment=frozenset() if meal else frozenset(chance.sample(["tub"], chance.randrange(2))),
        promised=chance.choice([None, None, told]), preferred_worker=chance.choice([None, "w0"]),
        known_workers=frozenset(chance.choice([(), ("w1",)])),
    )  # fmt: skip


def _ways(problem: Problem, plan: Plan, visit: Visit) -> Iterator[Plan]:
    """The plan with the visit in it: every second, every position behind what has begun, anybody sent from now on."""
    unserved = tuple(name for name in plan.unserved if name != visit.id)
    for start in range(visit.earliest_s, visit.latest_s + 1):
        for crew in itertools.permutations(problem.workers, len(visit.seats)):
            seats = [list(_routes(problem, plan, worker, visit, n, start)) for n, worker in enumerate(crew)]
            for routes in itertools.product(*seats):
                yield Plan({**plan.routes, **dict(zip((w.id for w in crew), routes, strict=True))}, unserved)


def _routes(
    problem: Problem, plan: Plan, worker: Worker, visit: Visit, seat: int, start: int
) -> Iterator[tuple[Stop, ...]]:
    """One worker's day with a seat taken at a second, in every position; of a meal also with every pick-up."""
    route = plan.routes[worker.id]
    first = max((n + 1 for n, stop in enumerate(route) if stop.locked), default=0)
    busy, meal = visit.seats[seat].duration_s, visit.delivery
    fetched = [stop for stop in plan.stops_of(visit.id) if stop.kind == "pickup"]
    if fetched and fetched[0].worker != worker.id:
        return
    for at in range(first, len(route) + 1):
        if meal is None or fetched:
            new = Stop(worker.id, "visit" if meal is None else "drop", visit.id, seat, visit.place, start, start + busy)
            day = (*route[:at], new, *route[at:])
            if _sent(problem, worker, day, at):
                yield day
            continue
        drop = Stop(worker.id, "drop", visit.id, seat, visit.place, start, start + busy)
        for begin in range(meal.ready_s, start - meal.pickup_duration_s + 1):
            new = Stop(worker.id, "pickup", visit.id, seat, meal.pickup_place, begin, begin + meal.pickup_duration_s)
            for to in range(at, len(route) + 1):
                day = (*route[:at], new, *route[at:to], drop, *route[to:])
                if _sent(problem, worker, day, at) and _sent(problem, worker, day, to + 1):
                    yield day


def _sent(problem: Problem, worker: Worker, day: tuple[Stop, ...], at: int) -> bool:
    """Nobody sets out for a new stop before now."""
    opens = max((shift.start_s for shift in worker.shifts if shift.start_s <= day[at].start_s), default=0)
    fresh = at == 0 or day[at - 1].end_s <= opens
    here = worker.start_place if fresh else day[at - 1].place
    return problem.now_s + int(problem.travel["car"][here, day[at].place]) <= day[at].start_s
