"""Hot meals: fetched and brought within one route, other meals in between where they keep their own limits."""

from collections.abc import Sequence

import msgspec

from dispatch.cost import lateness_cost, route_travel_s
from dispatch.gaps import fixed_visits, link_bounds
from dispatch.outcome import Insertion, Refusal, WorkerRefusal, refused
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker
from dispatch.rules import refusal
from dispatch.timing import index, walk

_MEAL_WORKERS = 14  # routes tried exactly for a meal, the nearest by a lower bound first


def insert_meal(problem: Problem, plan: Plan, visit: Visit) -> Insertion | Refusal:
    """Fetch and bring within one route, other meals in between where they keep their own limits."""
    delivery = visit.delivery
    if delivery is None:
        raise ValueError("not a delivery")
    _, visits = index(problem)
    lo, hi = link_bounds(problem, plan, visit)
    visit = visits[visit.id] = msgspec.structs.replace(visit, earliest_s=lo, latest_s=hi)
    fixed = fixed_visits(problem) - {visit.id}
    refusals: list[WorkerRefusal] = []
    ranked: list[tuple[int, Worker]] = []
    for worker in problem.workers:
        rule = refusal(worker, visit, visit.seats[0]) or (None if worker.shifts else "no_shift")
        if rule is not None:
            refusals.append(WorkerRefusal(worker.id, rule))
            continue
        bound = _reach(problem, worker, plan.routes.get(worker.id, ()), delivery.pickup_place, delivery.ready_s)
        if bound is None or bound + delivery.pickup_duration_s > visit.latest_s:
            refusals.append(WorkerRefusal(worker.id, "no_gap"))
            continue
        ranked.append((bound, worker))
    ranked.sort(key=lambda pair: pair[0])
    best: tuple[float, tuple[Stop, ...], Worker] | None = None
    for rank, (_, worker) in enumerate(ranked):
        if rank >= _MEAL_WORKERS and best is not None:
            break
        route, limit = plan.routes.get(worker.id, ()), best[0] if best else float("inf")
        found = _best_pair(problem, worker, route, visit, visits, fixed, limit)
        if found is not None:
            best = (found[0], found[1], worker)
        else:
            refusals.append(WorkerRefusal(worker.id, "no_gap"))
    if best is None:
        return refused(visit, refusals, problem)
    routes = {**plan.routes, best[2].id: best[1]}
    stops = tuple(stop for stop in best[1] if stop.visit == visit.id)
    return Insertion(Plan(routes, tuple(u for u in plan.unserved if u != visit.id)), stops, int(best[0]))


def _reach(problem: Problem, worker: Worker, route: Sequence[Stop], place: int, ready: int) -> int | None:
    """The earliest the worker could be at a place, over every gap of the route."""
    matrix = problem.travel[worker.mode]
    first = max((i + 1 for i, stop in enumerate(route) if stop.locked), default=0)
    bounds: list[int] = []
    if first == 0:
        bounds = [
            max(s.start_s, problem.now_s) + int(matrix[worker.start_place, place])
            for s in worker.shifts
            if s.end_s > problem.now_s
        ]
    bounds += [max(stop.end_s, problem.now_s) + int(matrix[stop.place, place]) for stop in route[max(0, first - 1) :]]
    return max(min(bounds), ready) if bounds else None


def _best_pair(
    problem: Problem,
    worker: Worker,
    route: Sequence[Stop],
    visit: Visit,
    visits: dict[str, Visit],
    fixed: set[str],
    limit: float,
) -> tuple[float, tuple[Stop, ...]] | None:
    delivery = visit.delivery
    if delivery is None:
        return None
    first = max((i + 1 for i, stop in enumerate(route) if stop.locked), default=0)
    base = _route_cost(problem, worker, route, visits)
    pickup = Stop(worker.id, "pickup", visit.id, 0, delivery.pickup_place, 0, delivery.pickup_duration_s)
    drop = Stop(worker.id, "drop", visit.id, 0, visit.place, 0, visit.seats[0].duration_s)
    best: tuple[float, tuple[Stop, ...]] | None = None
    for i in range(first, len(route) + 1):
        for j in range(i, min(len(route), i + 4) + 1):
            trial = (*route[:i], pickup, *route[i:j], drop, *route[j:])
            timed = timed_route(problem, worker, trial, visits, fixed)
            if timed is None:
                continue
            extra = _route_cost(problem, worker, timed, visits) - base
            if extra < limit and (best is None or extra < best[0]):
                best = (extra, timed)
    return best


def timed_route(
    problem: Problem, worker: Worker, route: Sequence[Stop], visits: dict[str, Visit], fixed: set[str]
) -> tuple[Stop, ...] | None:
    """The route at its earliest times, if windows, rides and the box allow it and the fixed visits need not move."""
    held = {(s.visit, s.kind): s.start_s for s in route if s.visit in fixed}
    starts = walk(problem, worker, route, visits, held)
    if starts is None or any(
        held.get((s.visit, s.kind), t) != t for s, t in zip(route, starts, strict=True) if not s.locked
    ):
        return None
    timed = tuple(s if s.locked else s.at(t) for s, t in zip(route, starts, strict=True))
    load = 0
    left: dict[str, int] = {}
    for stop in timed:
        delivery = visits[stop.visit].delivery if stop.visit in visits else None
        if delivery is None:
            continue
        if stop.kind == "pickup":
            load += delivery.load
            left[stop.visit] = stop.end_s
            if load > worker.box_capacity:
                return None
        elif stop.kind == "drop":
            load -= delivery.load
            if (
                delivery.max_ride_s is not None
                and not stop.locked
                and stop.start_s - left.get(stop.visit, stop.start_s) > delivery.max_ride_s
            ):
                return None
    return timed


def _route_cost(problem: Problem, worker: Worker, route: Sequence[Stop], visits: dict[str, Visit]) -> float:
    total = problem.weights.travel_s * route_travel_s(problem, worker, route)
    for stop in route:
        if stop.kind in {"visit", "drop"} and stop.visit in visits:
            total += lateness_cost(problem.weights, visits[stop.visit], stop.start_s)
    return total
