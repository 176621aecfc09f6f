"""Improving a plan: the compiled search, then OR-Tools routing from its answer. Only `exact` knows OR-Tools besides.

Measured pitfalls of ortools 9.15 decide the shape: allowed vehicles go through VehicleVar (the direct call is broken in
the wheel), matrices are lists, crews are coupled by equal start and both precedences and must be in the warm start, and
the search holds the interpreter's lock, so callers run it in a process of its own.
"""

import time
from collections.abc import Callable
from concurrent.futures import Executor
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from dispatch.check import check_plan
from dispatch.cost import late_prices, plan_cost
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Seat, Shift, Visit, Worker
from dispatch.rules import refusal
from dispatch.search import construct, search
from dispatch.standing import standing_of
from dispatch.timing import index, retime
from dispatch.zones import search_wide

MOST_STOPS = 250  # above this one model searches badly; measured
_PLENTY_S = 5.0  # from here OR-Tools gets its share
_POLISH = 0.05


class _Day(Struct):
    """Bookkeeping between stops and the model's node numbers."""

    workers: list[Worker]
    prefixes: list[tuple[Stop, ...]]
    stops: list[Stop]
    routes: list[list[int]]


def improve(
    problem: Problem,
    plan: Plan,
    seconds: float,
    seed: int,
    *,
    iterations: int | None = None,
    told: Callable[[float, float], None] | None = None,
    executor: Executor | None = None,
    threads: int = 1,
) -> Plan:
    """A plan that costs no more than the one given and breaks no rule. What the plan serves stays served.

    The compiled search has the time; where there is plenty, OR-Tools polishes its answer. With `iterations` the clock is
    not looked at and OR-Tools is left out, so that the result depends on the seed alone. `told` hears the share of the
    time used and the cost so far. With an `executor` as many searches run side by side as it has `threads` (or
    processes, or machines); days of thousands of visits are then searched in parts.
    """
    best = retime(problem, construct(problem, plan)) or plan
    if plan_cost(problem, best) > plan_cost(problem, plan) or check_plan(problem, best):
        best = plan
    polish = seconds * _POLISH if iterations is None and seconds >= _PLENTY_S else 0.0
    if executor is None:
        searched = search(
            problem, best, seed=seed, clock=time.monotonic, seconds=seconds - polish, iterations=iterations, told=told
        )
    else:
        searched = search_wide(
            problem, best, seed=seed, clock=time.monotonic, executor=executor, threads=threads,
            seconds=seconds - polish, iterations=iterations, told=told,
        )  # fmt: skip
    best = _better(problem, best, searched)
    if best.unserved:  # built anew, units of equipment may be shared out so that one more visit finds one
        best = _better(problem, best, construct(problem, best))
    day = _day(problem, best)
    if polish and 1 < len(day.stops) <= MOST_STOPS and _polishable(problem):
        found = _route(problem, day, polish)
        timed = None if found is None else retime(problem, Plan({**best.routes, **found}, best.unserved))
        best = best if timed is None else _better(problem, best, timed)
    return best


def warm() -> None:
    """Compile the search, or load it from where it was kept, before anybody waits for it."""
    way = np.asarray([[0, 60], [60, 0]], np.int32)
    seat = Seat(frozenset(), 60)
    worker = Worker(id="w", provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 36_000),))
    other = msgspec.structs.replace(worker, id="x")
    crew = Visit("v", 1, (seat, seat), 0, 30_000)
    problem = Problem(workers=(worker, other), visits=(crew,), travel={"car": way})
    search(problem, construct(problem), seed=1, clock=time.monotonic, iterations=2)


def _better(problem: Problem, old: Plan, new: Plan) -> Plan:
    keeps = set(old.unserved).issuperset(new.unserved)
    return new if keeps and plan_cost(problem, new) < plan_cost(problem, old) and not check_plan(problem, new) else old


def _polishable(problem: Problem) -> bool:
    """Whether the routing model knows all that counts: no wishes or promises, limits of whole days, equipment, fairness."""
    wished = any(v.promised or v.preferred_worker or v.known_workers or v.languages for v in problem.visits)
    limited = any((w.max_span_s, w.max_work_s, w.max_heavy) != (None, None, None) for w in problem.workers)
    sharing = any(visit.equipment for visit in problem.visits)
    return not (wished or limited or sharing or problem.weights.uneven)


def _day(problem: Problem, plan: Plan) -> _Day:
    day = _Day([], [], [], [])
    for worker in problem.workers:
        if len(worker.shifts) != 1:
            continue
        route = plan.routes.get(worker.id, ())
        fixed = max((i + 1 for i, stop in enumerate(route) if stop.locked), default=0)
        day.workers.append(worker)
        day.prefixes.append(route[:fixed])
        first = len(day.stops)
        day.stops += route[fixed:]
        day.routes.append(list(range(first, len(day.stops))))
    return day


def _route(problem: Problem, day: _Day, seconds: float) -> dict[str, tuple[Stop, ...]] | None:
    """Let the routing solver reorder and reassign every open stop; None when it finds nothing or cannot start."""
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    count, fleet = len(day.stops), len(day.workers)
    starts = [count + v for v in range(fleet)]
    ends = [count + fleet + v for v in range(fleet)]
    manager = pywrapcp.RoutingIndexManager(count + 2 * fleet, fleet, starts, ends)
    routing = pywrapcp.RoutingModel(manager)
    _, visits = index(problem)
    time_of = _add_time(problem, day, routing)
    _add_visits(problem, day, manager, routing, time_of, visits)
    routing.CloseModel()
    warm = routing.ReadAssignmentFromRoutes([list(route) for route in day.routes], True)
    if warm is None:
        return None
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    parameters.time_limit.FromMilliseconds(int(seconds * 1000))
    answer = routing.SolveFromAssignmentWithParameters(warm, parameters)
    return None if answer is None else _read(day, manager, routing, answer, time_of)


def _add_time(problem: Problem, day: _Day, routing: Any) -> Any:
    count, fleet = len(day.stops), len(day.workers)
    places = [stop.place for stop in day.stops]
    at_start = [p[-1].place if p else w.start_place for w, p in zip(day.workers, day.prefixes, strict=True)]
    at_end = [w.start_place if w.end_place is None else w.end_place for w in day.workers]
    nodes = np.asarray(places + at_start + at_end)
    busy = np.asarray([stop.end_s - stop.start_s for stop in day.stops] + [0] * (2 * fleet))
    by_mode: dict[tuple[str, bool], tuple[int, int]] = {}
    for worker in day.workers:
        key = (worker.mode, worker.end_place is None)
        if key not in by_mode:
            ways = problem.travel[worker.mode][np.ix_(nodes, nodes)].astype(np.int64)
            if worker.end_place is None:
                ways[:, count + fleet :] = 0
            by_mode[key] = (
                routing.RegisterTransitMatrix(ways.tolist()),
                routing.RegisterTransitMatrix((ways + busy[:, None]).tolist()),
            )
    times: list[int] = []
    for v, worker in enumerate(day.workers):
        ride, whole = by_mode[worker.mode, worker.end_place is None]
        routing.SetArcCostEvaluatorOfVehicle(ride, v)
        times.append(whole)
    far = 2 * max([worker.shifts[0].end_s for worker in day.workers] + [visit.latest_s for visit in problem.visits])
    routing.AddDimensionWithVehicleTransits(times, far, far, False, "time")
    time_of = routing.GetDimensionOrDie("time")
    transits = [int(b) for b in busy]
    for v, (worker, prefix) in enumerate(zip(day.workers, day.prefixes, strict=True)):
        stand = standing_of(problem, worker, prefix)
        begin = stand.free_s
        last = max(worker.shifts[0].end_s, begin)
        time_of.CumulVar(routing.Start(v)).SetRange(begin, last)
        time_of.CumulVar(routing.End(v)).SetRange(begin, last)
        rests = [
            routing.solver().FixedDurationIntervalVar(
                max(b.earliest_s, stand.idle_s), b.latest_s, b.duration_s, False, f"break {v}"
            )
            for b in stand.left
        ]
        if rests:
            time_of.SetBreakIntervalsOfVehicle(rests, v, [*transits, *([0] * max(0, routing.Size() - len(transits)))])
    return time_of


def _add_visits(
    problem: Problem, day: _Day, manager: Any, routing: Any, time_of: Any, visits: dict[str, Visit]
) -> None:
    solver = routing.solver()
    nodes: dict[str, list[int]] = {}
    for number, stop in enumerate(day.stops):
        visit = visits[stop.visit]
        at = manager.NodeToIndex(number)
        allowed = [v for v, worker in enumerate(day.workers) if refusal(worker, visit, visit.seats[stop.seat]) is None]
        if len(visit.seats) > 1:
            provider = next(w.provider for w in day.workers if w.id == stop.worker)
            allowed = [v for v in allowed if day.workers[v].provider == provider]
        carried = stop.kind == "drop" and not any(o.visit == stop.visit and o.kind == "pickup" for o in day.stops)
        begun = any(other.visit == stop.visit for prefix in day.prefixes for other in prefix if other.seat != stop.seat)
        if carried or begun:  # the meal is in this worker's box; the colleague is on the way already
            allowed = [v for v, worker in enumerate(day.workers) if worker.id == stop.worker]
        routing.VehicleVar(at).SetValues(allowed)
        if stop.kind == "pickup" and visit.delivery is not None:
            time_of.CumulVar(at).SetRange(visit.delivery.ready_s, visit.latest_s)
            continue
        time_of.CumulVar(at).SetRange(visit.earliest_s, visit.latest_s)
        if visit.due_s is not None:
            time_of.SetCumulVarSoftUpperBound(at, visit.due_s, late_prices(problem.weights, visit)[1])
        nodes.setdefault(stop.visit, []).append(at)
    for number, stop in enumerate(day.stops):
        delivery = visits[stop.visit].delivery
        if stop.kind == "pickup" and delivery is not None:
            fetch, bring = manager.NodeToIndex(number), nodes[stop.visit][0]
            routing.AddPickupAndDelivery(fetch, bring)
            solver.Add(routing.VehicleVar(fetch) == routing.VehicleVar(bring))
            solver.Add(time_of.CumulVar(fetch) <= time_of.CumulVar(bring))
            if delivery.max_ride_s is not None:
                limit = delivery.max_ride_s + delivery.pickup_duration_s
                solver.Add(time_of.CumulVar(bring) - time_of.CumulVar(fetch) <= limit)
    for crew in nodes.values():
        for one, other in pairwise(crew):
            solver.Add(time_of.CumulVar(one) == time_of.CumulVar(other))
            time_of.AddNodePrecedence(one, other, 0)
            time_of.AddNodePrecedence(other, one, 0)
        for i, one in enumerate(crew):
            for other in crew[i + 1 :]:
                solver.Add(routing.VehicleVar(one) != routing.VehicleVar(other))
    for link in problem.links:
        if link.before in nodes and link.after in nodes:
            length = max(s.duration_s for s in visits[link.before].seats) if link.from_end else 0
            first, then = nodes[link.before][0], nodes[link.after][0]
            time_of.AddNodePrecedence(first, then, link.min_gap_s + length)
            if link.max_gap_s is not None:
                solver.Add(time_of.CumulVar(then) - time_of.CumulVar(first) <= link.max_gap_s + length)


def _read(day: _Day, manager: Any, routing: Any, answer: Any, time_of: Any) -> dict[str, tuple[Stop, ...]]:
    routes: dict[str, tuple[Stop, ...]] = {}
    for v, (worker, prefix) in enumerate(zip(day.workers, day.prefixes, strict=True)):
        route = list(prefix)
        at = answer.Value(routing.NextVar(routing.Start(v)))
        while not routing.IsEnd(at):
            stop = day.stops[manager.IndexToNode(at)]
            start = answer.Min(time_of.CumulVar(at))
            route.append(
                Stop(worker.id, stop.kind, stop.visit, stop.seat, stop.place, start, start + stop.end_s - stop.start_s)
            )
            at = answer.Value(routing.NextVar(at))
        routes[worker.id] = tuple(route)
    return routes
