"""A day read from a file: the problem in whole seconds, and how to speak of its plans in the file's own words."""

from collections.abc import Callable

from msgspec import Struct

from dispatch.cost import route_travel_s
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem

Starts = dict[str, tuple[float, ...]]


class Instance(Struct, frozen=True, kw_only=True):
    """A problem whose seconds are `unit` to one unit of the file's time.

    `names` gives (visit, seat) of the problem as (visit, service) of the file. `settle` fixes the plan and the starts, in
    the file's time, that are written down for a plan found; `objective` is what the file's benchmark counts. `judged` is
    the problem plans read back are checked against: the same, or one that forgives rounding. `points` are the coordinates
    of the places, when the file has them, for pictures only.
    """

    name: str
    form: str
    problem: Problem
    judged: Problem
    unit: int
    names: dict[tuple[str, int], tuple[str, str]]
    settle: Callable[[Plan], tuple[Plan, Starts]]
    objective: Callable[[Plan, Starts], float]
    points: tuple[tuple[float, float], ...] | None = None


def starts_of(plan: Plan, unit: int) -> Starts:
    """The plan's own starts in the file's time."""
    return {worker: tuple(stop.start_s / unit for stop in route) for worker, route in plan.routes.items()}


def travelled(problem: Problem, plan: Plan) -> int:
    """Seconds on the road, over all routes."""
    workers = {worker.id: worker for worker in problem.workers}
    return sum(route_travel_s(problem, workers[worker], route) for worker, route in plan.routes.items())


def drop_waiting(problem: Problem, plan: Plan) -> Plan:
    """The plan with routes that set out as late as their own end allows, so that no day is longer than it must be.

    For days without crews, links, breaks and meals.
    """
    visits = {visit.id: visit for visit in problem.visits}
    routes: dict[str, tuple[Stop, ...]] = {}
    for worker in problem.workers:
        ways = problem.travel[worker.mode]
        later: list[Stop] = []
        for stop in reversed(plan.routes.get(worker.id, ())):
            start = stop.start_s
            if later and not stop.locked:
                way = int(ways[stop.place, later[-1].place])
                start = min(visits[stop.visit].latest_s, later[-1].start_s - way - (stop.end_s - stop.start_s))
            later.append(stop.at(max(start, stop.start_s)))
        routes[worker.id] = tuple(reversed(later))
    return Plan(routes, plan.unserved)
