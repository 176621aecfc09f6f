"""Random days with whatever the rules know, all together, and plans of them: made by the planner, or spoilt on purpose."""

import random

from msgspec.structs import replace

from dispatch import Insertion, Plan, Problem, Stop, construct, improve, insert, remove, retime
from tests.support.brute import random_problem
from tests.support.judge import judge

NIGHT_S = 70_000  # how far a day is moved so that its shifts reach into the night


def random_day(chance: random.Random) -> Problem:
    """Split shifts, breaks anywhere, nights, equipment, limits, deliveries, crews, links; sometimes a plain day."""
    problem = random_problem(chance)
    if chance.random() < 0.2:  # a plain day: one shift, no break, no limit
        workers = tuple(
            replace(w, shifts=w.shifts[:1], breaks=(), max_span_s=None, max_work_s=None, max_heavy=None)
            for w in problem.workers
        )
        problem = replace(problem, workers=workers, equipment=(), links=())
        problem = replace(problem, visits=tuple(replace(v, equipment=frozenset()) for v in problem.visits))
    return _moved(problem, NIGHT_S) if chance.random() < 0.2 else problem


def _moved(problem: Problem, by: int) -> Problem:
    """The same day so much later."""
    workers = tuple(
        replace(
            w,
            shifts=tuple(replace(s, start_s=s.start_s + by, end_s=s.end_s + by) for s in w.shifts),
            breaks=tuple(replace(b, earliest_s=b.earliest_s + by, latest_s=b.latest_s + by) for b in w.breaks),
        )
        for w in problem.workers
    )
    visits = tuple(
        replace(
            v,
            earliest_s=v.earliest_s + by,
            latest_s=v.latest_s + by,
            due_s=None if v.due_s is None else v.due_s + by,
            delivery=None if v.delivery is None else replace(v.delivery, ready_s=v.delivery.ready_s + by),
            promised=None
            if v.promised is None or v.promised.start_s is None
            else replace(v.promised, start_s=v.promised.start_s + by),
        )
        for v in problem.visits
    )
    return replace(problem, workers=workers, visits=visits)


def random_plans(chance: random.Random, problem: Problem) -> list[tuple[Problem, Plan]]:
    """What the planner makes of a day: a plan from nothing, and one way to go on from it."""
    built = construct(problem)
    way = chance.choice((_improved, _retimed, _put_back, _under_way, _under_way))
    more = way(chance, problem, built)
    return [(problem, built)] if more is None else [(problem, built), more]


def _improved(chance: random.Random, problem: Problem, plan: Plan) -> tuple[Problem, Plan]:
    return problem, improve(problem, plan, 0, chance.randrange(99), iterations=5)


def _retimed(_: random.Random, problem: Problem, plan: Plan) -> tuple[Problem, Plan] | None:
    timed = retime(problem, plan)
    return None if timed is None else (problem, timed)


def _put_back(chance: random.Random, problem: Problem, plan: Plan) -> tuple[Problem, Plan] | None:
    """A visit taken out and put in again; a break that finds no room without it is lost either way."""
    served = sorted({stop.visit for route in plan.routes.values() for stop in route})
    chosen = chance.choice(served) if served else ""
    for visit in problem.visits:
        if visit.id == chosen:
            rest = remove(plan, visit.id)
            again = insert(problem, rest, visit)
            if not isinstance(again, Insertion):
                return None
            broken = set(judge(problem, again.plan))
            return None if broken and broken <= set(judge(problem, rest)) else (problem, again.plan)
    return None


def _under_way(chance: random.Random, problem: Problem, plan: Plan) -> tuple[Problem, Plan] | None:
    """The day at some moment, what has begun locked, improved or as it is."""
    starts = sorted(stop.start_s for route in plan.routes.values() for stop in route)
    if not starts:
        return None
    now = max(0, chance.choice(starts) + chance.randrange(-500, 500))
    routes = {w: tuple(replace(s, locked=s.start_s < now) for s in route) for w, route in plan.routes.items()}
    later, begun = replace(problem, now_s=now), Plan(routes, plan.unserved)
    return (later, begun) if chance.random() < 0.5 else _improved(chance, later, begun)


def spoilt(chance: random.Random, problem: Problem, plan: Plan) -> Plan:
    """The plan with one thing changed, which may break a rule or none: a time, a place, an order, a person, a visit."""
    routes = {worker: list(route) for worker, route in plan.routes.items()}
    names = [worker for worker, route in routes.items() if route]
    if not names:
        return Plan(plan.routes, plan.unserved[1:])
    worker = chance.choice(names)
    route = routes[worker]
    n = chance.randrange(len(route))
    stop = route[n]
    places = len(next(iter(problem.travel.values())))
    unserved = list(plan.unserved)
    match chance.randrange(10):
        case 0 | 1 | 2:
            route[n] = _shifted(stop, chance.choice([-2000, -600, -60, -1, 1, 60, 600, 2000]))
        case 3:
            by = chance.choice([-1, 1, 300])
            for other in routes.values():
                other[:] = [_shifted(s, by) if s.visit == stop.visit else s for s in other]
        case 4:
            route[n] = replace(stop, place=chance.randrange(places))
        case 5:
            route[n] = replace(stop, end_s=stop.end_s + chance.choice([-60, -1, 1, 60]))
        case 6:
            del route[n]
        case 7:
            other = chance.choice(sorted(routes))
            del route[n]
            at = chance.randint(0, len(routes[other]))
            routes[other].insert(at, replace(stop, worker=chance.choice([other, other, worker])))
        case 8:
            route[n] = replace(stop, locked=not stop.locked)
        case _:
            what = chance.randrange(5)
            if what == 0:
                unserved.append(stop.visit)
            elif what == 1:
                route[n] = replace(stop, kind=chance.choice(["visit", "pickup", "drop", "break"]))
            elif what == 2:
                route[n] = replace(stop, seat=chance.randrange(4))
            elif what == 3:
                m = chance.randrange(len(route))
                route[n], route[m] = route[m], route[n]
            else:
                route[n] = replace(stop, visit=chance.choice([v.id for v in problem.visits]))
    return Plan({w: tuple(r) for w, r in routes.items()}, tuple(unserved))


def _shifted(stop: Stop, by: int) -> Stop:
    return stop.at(stop.start_s + by)
