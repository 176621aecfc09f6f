"""Putting one more visit into a plan, without moving anybody to another worker.

A crew needs one gap per seat, of one provider, that share a start; a meal is tried in every pair of gaps of one route.
"""

from collections.abc import Sequence

import numpy as np

from dispatch.cost import lateness_cost
from dispatch.gaps import Gap, candidate_starts, crew_at, keeps_breaks, openings, pushed
from dispatch.meals import insert_meal
from dispatch.outcome import Insertion, Refusal, Slot, refused
from dispatch.plan import Plan, Stop, remove
from dispatch.problem import Problem, Visit


def quote(problem: Problem, plan: Plan, visit: Visit, starts: Sequence[int]) -> list[Slot]:
    """For every start asked, the best crew that can begin then; starts nobody can keep are left out."""
    found = openings(problem, plan, visit)
    keeps = keeps_breaks(problem, plan, visit)
    wanted = np.asarray(starts, dtype=np.int64)
    possible = np.ones(len(wanted), dtype=bool)
    for gaps in found.seats:
        lo = np.asarray([gap.lo for gap in gaps], dtype=np.int64)
        hi = np.asarray([gap.hi for gap in gaps], dtype=np.int64)
        possible &= ((lo[None, :] <= wanted[:, None]) & (wanted[:, None] <= hi[None, :])).any(axis=1)
    slots: list[Slot] = []
    for start in wanted[possible].tolist():
        crew = crew_at(found.seats, start, keeps)
        if crew is not None:
            late = max(0, start - visit.due_s) if visit.due_s is not None else 0
            price = crew[0] + lateness_cost(problem.weights, visit, start)
            slots.append(Slot(start, price, tuple(gap.worker for gap in crew[1]), late))
    return slots


def insert(problem: Problem, plan: Plan, visit: Visit) -> Insertion | Refusal:
    """The cheapest way to serve one more visit, or why nobody can.

    When only the gap to a linked visit stands in the way, that visit is planned anew together with this one.
    """
    if visit.delivery is not None:
        return insert_meal(problem, plan, visit)
    alone = _insert_alone(problem, plan, visit)
    if isinstance(alone, Insertion):
        return alone
    return _insert_with_partner(problem, plan, visit) or alone


def _insert_with_partner(problem: Problem, plan: Plan, visit: Visit) -> Insertion | None:
    """Take a linked visit that has not begun out of the plan, put this one in, and the other back beside it."""
    by_id = {other.id: other for other in problem.visits}
    for link in problem.links:
        name = link.before if link.after == visit.id else link.after if link.before == visit.id else None
        stops = plan.stops_of(name) if name is not None else []
        if name is None or not stops or any(stop.locked or stop.kind != "visit" for stop in stops):
            continue
        cleared = remove(plan, name)
        for first, second in ((visit, by_id[name]), (by_id[name], visit)):
            one = _insert_alone(problem, cleared, first)
            two = _insert_alone(problem, one.plan, second) if isinstance(one, Insertion) else one
            if isinstance(one, Insertion) and isinstance(two, Insertion):
                return Insertion(two.plan, tuple(two.plan.stops_of(visit.id)), one.cost + two.cost)
    return None


def _insert_alone(problem: Problem, plan: Plan, visit: Visit) -> Insertion | Refusal:
    found = openings(problem, plan, visit)
    keeps = keeps_breaks(problem, plan, visit)
    workers = {worker.id: worker for worker in problem.workers}
    best: tuple[int, int, tuple[Gap, ...]] | None = None
    for start in candidate_starts(problem, found.seats):
        late = lateness_cost(problem.weights, visit, start)
        if best is not None and late > best[0]:
            break
        crew = crew_at(found.seats, start, keeps)
        if crew is not None and (best is None or crew[0] + late < best[0]):
            best = (crew[0] + late, start, crew[1])
    if best is None:
        return refused(visit, found.refusals, problem)
    total, start, crew_gaps = best
    routes = dict(plan.routes)
    stops: list[Stop] = []
    for number, gap in enumerate(crew_gaps):
        seat = visit.seats[number]
        stop = Stop(gap.worker, "visit", visit.id, number, visit.place, start, start + seat.duration_s)
        stops.append(stop)
        route = routes.get(gap.worker, ())
        routes[gap.worker] = pushed(problem, workers[gap.worker], route[: gap.position], stop, route[gap.position :])
    return Insertion(Plan(routes, tuple(u for u in plan.unserved if u != visit.id)), tuple(stops), total)
