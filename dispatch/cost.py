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
    """Travel, lateness, the greatest lateness, and the penalties of what is not served."""
    weights = problem.weights
    visits = {visit.id: visit for visit in problem.visits}
    total = sum(visits[v].drop_penalty for v in plan.unserved if v in visits)
    workers = {worker.id: worker for worker in problem.workers}
    latest = 0
    for worker_id, route in plan.routes.items():
        total += weights.travel_s * route_travel_s(problem, workers[worker_id], route)
        for stop in route:
            if stop.kind in {"visit", "drop"} and (stop.seat == 0 or weights.late_each_seat):
                total += lateness_cost(weights, visits[stop.visit], stop.start_s)
                latest = max(latest, lateness_s(visits[stop.visit], stop.start_s))
    return total + int(weights.late_max_s * latest)
