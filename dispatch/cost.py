"""Soft costs of a plan, in travelled seconds."""

from collections.abc import Sequence

from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Weights, Worker


def lateness_cost(weights: Weights, visit: Visit, start_s: int) -> int:
    """What starting then costs: nothing until the visit is due."""
    late = 0 if visit.due_s is None else max(0, start_s - visit.due_s)
    cost = weights.late_flat + weights.late_s * late if late else 0
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
    """Travel, lateness and the penalties of what is not served."""
    visits = {visit.id: visit for visit in problem.visits}
    total = sum(visits[v].drop_penalty for v in plan.unserved if v in visits)
    workers = {worker.id: worker for worker in problem.workers}
    for worker_id, route in plan.routes.items():
        total += problem.weights.travel_s * route_travel_s(problem, workers[worker_id], route)
        for stop in route:
            if stop.kind in {"visit", "drop"} and stop.seat == 0:
                total += lateness_cost(problem.weights, visits[stop.visit], stop.start_s)
    return total
