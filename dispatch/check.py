"""The independent oracle: is a plan what it claims to be? Shares no code with the rules or search it judges."""

from collections import Counter

from dispatch.check_route import Violation, check_route
from dispatch.measures import kept_units, unfit, units_there
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker
from dispatch.servable import place_left

_EVER = 10**12


def check_plan(problem: Problem, plan: Plan, *, unserved: bool = False) -> list[Violation]:
    """Return every rule the plan breaks; with `unserved`, also every unserved visit that would fit after all.

    It fits where nobody else is moved and it costs no more than leaving it out. What is locked has happened: it is held
    against nobody.
    """
    workers = {worker.id: worker for worker in problem.workers}
    visits = {visit.id: visit for visit in problem.visits}
    found = [Violation("unknown_visit", name, ("unserved",)) for name in plan.unserved if name not in visits]
    unclear = False
    for worker_id, route in plan.routes.items():
        if worker_id not in workers:
            found.append(Violation("unknown_worker", worker_id))
            unclear = True
            continue
        strange = _strange(worker_id, route, visits)
        found += strange or check_route(problem, workers[worker_id], route, visits)
        unclear = unclear or bool(strange)
    if unclear:  # whatever ties routes together cannot be judged where one of them says nothing
        return found
    found += _crews(plan, workers, visits)
    found += _links(problem, plan)
    found += _equipment(problem, plan, visits)
    if unserved:
        places = {name: place_left(problem, plan, visits[name]) for name in plan.unserved if name in visits}
        found += [
            Violation("servable", name, (place[0], " at ", place[1]))
            for name, place in places.items()
            if place is not None
        ]
    return found


def _strange(worker_id: str, route: tuple[Stop, ...], visits: dict[str, Visit]) -> list[Violation]:
    """Stops that say nothing: of somebody else, of a visit, seat or kind that is not there."""
    found: list[Violation] = []
    for stop in route:
        visit = visits.get(stop.visit)
        if stop.worker != worker_id:
            found.append(Violation("worker", stop.visit, (f"{stop.worker} in the route of {worker_id}",)))
        if stop.kind == "break":
            found += [] if stop.locked else [Violation("kind", stop.visit, ("a hold that has not begun",))]
        elif visit is None:
            found.append(Violation("unknown_visit", stop.visit))
        elif not 0 <= stop.seat < len(visit.seats):
            found.append(Violation("crew_size", stop.visit, (f"no seat {stop.seat}",)))
        elif (stop.kind == "visit") != (visit.delivery is None):
            found.append(Violation("kind", stop.visit, (stop.kind,)))
    return found


def _crews(plan: Plan, workers: dict[str, Worker], visits: dict[str, Visit]) -> list[Violation]:
    found: list[Violation] = []
    seen: dict[str, list[Stop]] = {}
    pickups: dict[str, list[Stop]] = {}
    left_out = Counter(plan.unserved)
    for route in plan.routes.values():
        for stop in route:
            if stop.kind != "break":
                (pickups if stop.kind == "pickup" else seen).setdefault(stop.visit, []).append(stop)
    for visit_id, visit in visits.items():
        stops = seen.get(visit_id, [])
        fetched = pickups.get(visit_id, [])
        if not stops:
            if left_out[visit_id] != 1:
                found.append(Violation("lost", visit_id))
            if any(not stop.locked for stop in fetched):
                found.append(Violation("fetched_only", visit_id))
            continue
        if left_out[visit_id]:
            found.append(Violation("served_and_unserved", visit_id))
        if all(stop.locked for stop in stops):
            continue
        if visit.delivery is not None and [stop.worker for stop in fetched] != [stops[0].worker]:
            found.append(Violation("pickup_once", visit_id))
        if sorted(stop.seat for stop in stops) != list(range(len(visit.seats))):
            found.append(Violation("crew_size", visit_id))
            continue
        here = max((stop.start_s for stop in stops if stop.locked), default=-_EVER)  # and waits for the others
        coming = {stop.start_s for stop in stops if not stop.locked}
        if len(coming) > 1 or min(coming) < here:
            found.append(Violation("crew_start", visit_id))
        if len({stop.worker for stop in stops}) < len(stops):
            found.append(Violation("crew_distinct", visit_id))
        if len({workers[stop.worker].provider for stop in stops}) > 1:
            found.append(Violation("crew_provider", visit_id))
        for stop in stops:
            rule = unfit(workers[stop.worker], visit, stop.seat)
            if rule is not None and not stop.locked:
                found.append(Violation(rule, visit_id, (stop.worker,)))
    return found


def _links(problem: Problem, plan: Plan) -> list[Violation]:
    found: list[Violation] = []
    for link in problem.links:
        first = [s for s in plan.stops_of(link.before) if s.kind != "pickup"]
        then = [s for s in plan.stops_of(link.after) if s.kind != "pickup"]
        begun = any(s.locked for s in then)  # its worker may wait; but nobody may move the earlier one away from it
        if not first or not then or (begun and all(s.locked for s in first)):
            continue
        if link.apart and {s.worker for s in first} & {s.worker for s in then}:
            found.append(Violation("apart", link.after, (link.before,)))
        base = max(s.end_s for s in first) if link.from_end else min(s.start_s for s in first)
        gap = min(s.start_s for s in then) - base
        if (gap < link.min_gap_s and not begun) or (link.max_gap_s is not None and gap > link.max_gap_s):
            most = () if link.max_gap_s is None else (link.max_gap_s,)
            found.append(Violation("gap", link.after, (gap, " not in ", link.min_gap_s, "..", *most)))
    return found


def _equipment(problem: Problem, plan: Plan, visits: dict[str, Visit]) -> list[Violation]:
    """At no moment are more units kept than there are."""
    providers = {worker.id: worker.provider for worker in problem.workers}
    crews = {stop.visit: providers.get(stop.worker, "") for route in plan.routes.values() for stop in route}
    wanted = {(kind, crews[v.id]) for v in visits.values() for kind in v.equipment if v.id in crews}
    short: dict[tuple[str, str], tuple[str | int, ...]] = {}
    for kind, provider in sorted(wanted):
        kept = kept_units(problem, plan, kind, provider)
        units = units_there(problem, kind, provider)
        for instant in {start for start, *_ in kept}:
            there = [use for use in kept if use[0] <= instant < use[1]]
            planned = [name for _, _, happened, name in there if not happened]
            if len(there) > units and planned:
                short[max(planned), kind] = (f"{kind}: {len(there)} > {units} at ", instant)
    return [Violation("equipment", name, figures) for (name, _), figures in short.items()]
