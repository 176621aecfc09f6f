"""Soft costs of a plan, in travelled seconds."""

from collections.abc import Sequence

from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Weights, Worker


def lateness_s(visit: Visit, start_s: int) -> int:
    """Seconds a start comes after the visit was due."""
    return 0 if visit.due_s is None else max(0, start_s - visit.due_s)


def late_prices(weights: Weights, visit: Visit) -> tuple[int, int]:
    """What being late costs at all, and then for each second."""
    if visit.delivery is not None:
        return weights.meal_late_flat, weights.meal_late_s
    return weights.late_flat, weights.late_s


def lateness_cost(weights: Weights, visit: Visit, start_s: int) -> int:
    """What starting then costs: nothing until the visit is due."""
    late = lateness_s(visit, start_s)
    flat, rate = late_prices(weights, visit)
    cost = flat + rate * late if late else 0
    if visit.delivery is not None:
        cost += int(weights.wait_s * max(0, start_s - visit.delivery.ready_s))
    return cost


def moved_cost(weights: Weights, visit: Visit, start_s: int) -> float:
    """What starting then costs because another start was told: nothing within the tolerance of the promise."""
    told = visit.promised
    if told is None or told.start_s is None:
        return 0.0
    return weights.moved_s * max(0, abs(start_s - told.start_s) - told.free_s)


def wish_cost(weights: Weights, visit: Visit, worker: Worker) -> int:
    """What this one of the crew costs beside travel: not the one told, not known to the resident, no language shared."""
    cost = 0
    if visit.promised is not None and visit.promised.workers and worker.id not in visit.promised.workers:
        cost += weights.changed
    if visit.known_workers and worker.id not in visit.known_workers:
        cost += weights.known
    if visit.languages and not visit.languages & worker.languages:
        cost += weights.language
    return cost


def drop_cost(visit: Visit) -> int:
    """What leaving a visit out costs."""
    return visit.drop_penalty * (1 + visit.priority)


def even_shares(problem: Problem) -> dict[str, int]:
    """How much of the day's handling each worker would do if it went by the length of their shifts, seconds."""
    asked = sum(seat.duration_s for visit in problem.visits for seat in visit.seats)
    asked += sum(visit.delivery.pickup_duration_s for visit in problem.visits if visit.delivery is not None)
    there = {worker.id: sum(s.end_s - s.start_s for s in worker.shifts) for worker in problem.workers}
    return {name: asked * own // max(1, sum(there.values())) for name, own in there.items()}


def uneven_cost(weights: Weights, share_s: int, handled_s: int) -> float:
    """What a worker's handling costs beyond an even share: an hour too much weighs more than twice half an hour."""
    over = max(0, handled_s - share_s)
    return weights.uneven * over * over / share_s if share_s > 0 else 0.0


def route_travel_s(problem: Problem, worker: Worker, route: Sequence[Stop]) -> int:
    """Seconds on the road, from the start place through the stops to the end place."""
    matrix = problem.travel[worker.mode]
    here, total = worker.start_place, 0
    for stop in route:
        if stop.kind != "break":
            total += int(matrix[here, stop.place])
            here = stop.place
    if worker.end_place is not None and route:
        total += int(matrix[here, worker.end_place])
    return total


def plan_cost(problem: Problem, plan: Plan) -> int:
    """Travel, lateness, the greatest lateness, moved promises, wishes not met, uneven work, and what is not served."""
    return round(unrounded_cost(problem, plan))


def unrounded_cost(problem: Problem, plan: Plan) -> float:
    """The cost of a plan before its sum is rounded, for who adds something to it."""
    weights = problem.weights
    visits = {visit.id: visit for visit in problem.visits}
    total = float(sum(drop_cost(visits[v]) for v in plan.unserved if v in visits))
    workers = {worker.id: worker for worker in problem.workers}
    shares = even_shares(problem) if weights.uneven else {}
    latest = 0
    crews: dict[str, set[str]] = {}
    for worker_id, route in plan.routes.items():
        worker = workers[worker_id]
        total += weights.travel_s * route_travel_s(problem, worker, route)
        if shares:
            handled = sum(stop.end_s - stop.start_s for stop in route if stop.kind != "break")
            total += uneven_cost(weights, shares[worker_id], handled)
        for stop in route:
            if stop.kind not in {"visit", "drop"}:
                continue
            visit = visits[stop.visit]
            first = stop.visit not in crews
            crews.setdefault(stop.visit, set()).add(worker_id)
            total += wish_cost(weights, visit, worker)
            if first:
                total += moved_cost(weights, visit, stop.start_s)
            if stop.seat == 0 or weights.late_each_seat:
                total += lateness_cost(weights, visit, stop.start_s)
                latest = max(latest, lateness_s(visit, stop.start_s))
    wished = (
        visits[name].preferred_worker for name, crew in crews.items() if visits[name].preferred_worker not in crew
    )
    total += weights.preferred * sum(name is not None for name in wished)
    return total + weights.late_max_s * latest
