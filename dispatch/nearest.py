"""The honest baseline: whoever is free first takes the visit at the end of the day so far, with no look-ahead."""

from collections.abc import Sequence

from dispatch.meals import timed_route
from dispatch.outcome import Insertion, Refusal, WorkerRefusal, refused
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker
from dispatch.rules import refusal
from dispatch.timing import index


def insert_at_end(problem: Problem, plan: Plan, visit: Visit) -> Insertion | Refusal:
    """The worker (or crew) who can begin first, after everything already planned for them; nobody is moved."""
    _, visits = index(problem)
    visits[visit.id] = visit
    refusals: list[WorkerRefusal] = []
    ready: list[list[tuple[int, Worker]]] = []
    for seat in visit.seats:
        mine: list[tuple[int, Worker]] = []
        for worker in problem.workers:
            rule = refusal(worker, visit, seat)
            arrival = None if rule else _arrival_at_end(problem, worker, plan.routes.get(worker.id, ()), visit, visits)
            if arrival is None:
                refusals.append(WorkerRefusal(worker.id, rule or "no_gap"))
            else:
                mine.append((arrival, worker))
        ready.append(sorted(mine, key=lambda pair: pair[0]))
    best: tuple[int, list[Worker]] | None = None
    for provider in dict.fromkeys(worker.provider for worker in problem.workers):
        crew: list[Worker] = []
        start = 0
        for seat_ready in ready:
            pick = next(((t, w) for t, w in seat_ready if w.provider == provider and w not in crew), None)
            if pick is None:
                break
            start = max(start, pick[0])
            crew.append(pick[1])
        if len(crew) == len(visit.seats) and (best is None or start < best[0]):
            best = (start, crew)
    if best is None:
        return refused(visit, refusals, problem)
    return _appended(problem, plan, visit, visits, best[1], best[0])


def _arrival_at_end(
    problem: Problem, worker: Worker, route: Sequence[Stop], visit: Visit, visits: dict[str, Visit]
) -> int | None:
    stops = _own_stops(worker, visit, 0)
    timed = timed_route(problem, worker, (*route, *stops), visits)
    return None if timed is None else timed[-len(stops)].start_s


def _own_stops(worker: Worker, visit: Visit, seat: int) -> tuple[Stop, ...]:
    busy = visit.seats[seat].duration_s
    if visit.delivery is None:
        return (Stop(worker.id, "visit", visit.id, seat, visit.place, visit.earliest_s, visit.earliest_s + busy),)
    fetch = visit.delivery
    return (
        Stop(worker.id, "pickup", visit.id, 0, fetch.pickup_place, 0, fetch.pickup_duration_s),
        Stop(worker.id, "drop", visit.id, 0, visit.place, 0, busy),
    )


def _appended(
    problem: Problem, plan: Plan, visit: Visit, visits: dict[str, Visit], crew: Sequence[Worker], start: int
) -> Insertion | Refusal:
    routes = dict(plan.routes)
    own: list[Stop] = []
    for seat, worker in enumerate(crew):
        stops = _own_stops(worker, visit, seat)
        if visit.delivery is None:
            stops = tuple(stop.at(start) for stop in stops)
            if start > visit.latest_s:
                return Refusal(visit.id, (), "window")
            routes[worker.id] = (*routes.get(worker.id, ()), *stops)
        else:
            timed = timed_route(problem, worker, (*routes.get(worker.id, ()), *stops), visits)
            if timed is None:
                return Refusal(visit.id, (), "no_gap")
            routes[worker.id] = timed
        own += [stop for stop in routes[worker.id] if stop.visit == visit.id]
    return Insertion(Plan(routes, tuple(u for u in plan.unserved if u != visit.id)), tuple(own), 0)
