"""The independent oracle: is a plan what it claims to be? Shares no code with the rules, costs or search it judges."""

from collections import Counter

from msgspec import Struct

from dispatch.measures import (
    day_s,
    heavy_seats,
    home_s,
    kept_units,
    shift_number,
    unfit,
    units_there,
    way_there,
    worked_s,
)
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker
from dispatch.servable import place_left

_EVER = 10**12


class Violation(Struct, frozen=True):
    """One broken rule: which, about whom, and the figures."""

    rule: str
    subject: str
    detail: str = ""


def check_plan(problem: Problem, plan: Plan, *, unserved: bool = False) -> list[Violation]:
    """Every rule the plan breaks; with `unserved`, also every unserved visit that would fit with nobody else moved.

    What is locked has happened: it is held against nobody.
    """
    workers = {worker.id: worker for worker in problem.workers}
    visits = {visit.id: visit for visit in problem.visits}
    found = [Violation("unknown_visit", name, "unserved") for name in plan.unserved if name not in visits]
    unclear = False
    for worker_id, route in plan.routes.items():
        if worker_id not in workers:
            found.append(Violation("unknown_worker", worker_id))
            unclear = True
            continue
        strange = _strange(worker_id, route, visits)
        found += strange or _route(problem, workers[worker_id], route, visits)
        unclear = unclear or bool(strange)
    if unclear:  # whatever ties routes together cannot be judged where one of them says nothing
        return found
    found += _crews(plan, workers, visits)
    found += _links(problem, plan)
    found += _equipment(problem, plan, visits)
    if unserved:
        places = {name: place_left(problem, plan, visits[name]) for name in plan.unserved if name in visits}
        found += [Violation("servable", name, place) for name, place in places.items() if place is not None]
    return found


def _strange(worker_id: str, route: tuple[Stop, ...], visits: dict[str, Visit]) -> list[Violation]:
    """Stops that say nothing: of somebody else, of a visit, seat or kind that is not there."""
    found: list[Violation] = []
    for stop in route:
        visit = visits.get(stop.visit)
        if stop.worker != worker_id:
            found.append(Violation("worker", stop.visit, f"{stop.worker} in the route of {worker_id}"))
        if stop.kind == "break":
            found += [] if stop.locked else [Violation("kind", stop.visit, "a hold that has not begun")]
        elif visit is None:
            found.append(Violation("unknown_visit", stop.visit))
        elif not 0 <= stop.seat < len(visit.seats):
            found.append(Violation("crew_size", stop.visit, f"no seat {stop.seat}"))
        elif (stop.kind == "visit") != (visit.delivery is None):
            found.append(Violation("kind", stop.visit, stop.kind))
    return found


def _route(problem: Problem, worker: Worker, route: tuple[Stop, ...], visits: dict[str, Visit]) -> list[Violation]:
    found: list[Violation] = []
    box = 0
    aboard: dict[str, int] = {}
    for before, stop, behind in zip((None, *route), route, (*route[1:], None), strict=False):
        visit = visits.get(stop.visit)
        meal = None if visit is None or stop.kind == "break" else visit.delivery
        if meal is not None and stop.kind == "pickup":
            box += meal.load
            aboard[stop.visit] = stop.end_s
        elif meal is not None:
            box -= meal.load
        if stop.locked or visit is None:
            continue
        found += _reached(problem, worker, before, stop) + _in_shift(problem, worker, stop, behind)
        found += _as_asked(visit, stop)
        if stop.kind == "pickup":
            if box > worker.box_capacity:
                found.append(Violation("capacity", worker.id))
            continue
        if not visit.earliest_s <= stop.start_s <= visit.latest_s:
            found.append(Violation("window", stop.visit, f"{stop.start_s} not in {visit.earliest_s}..{visit.latest_s}"))
        if meal is not None:
            if stop.visit not in aboard:
                found.append(Violation("pickup_first", stop.visit))
            elif meal.max_ride_s is not None and stop.start_s - aboard[stop.visit] > meal.max_ride_s:
                found.append(Violation("max_ride", stop.visit))
    found += _whole(problem, worker, route, visits)
    found += _rests(problem, worker, route)
    return found


def _reached(problem: Problem, worker: Worker, before: Stop | None, stop: Stop) -> list[Violation]:
    """Whether the worker can be there by then, and nothing begins in the past."""
    number = shift_number(worker, stop)
    leaves = None if before is None else before.end_s
    if worker.shifts and (before is None or shift_number(worker, before) < number):
        opens = worker.shifts[number].start_s
        leaves = opens if leaves is None else max(leaves, opens)
    needed = way_there(problem, worker, before, stop)
    found: list[Violation] = []
    if leaves is not None and stop.start_s < leaves + needed:
        found.append(Violation("travel", stop.visit, f"{worker.id}: {stop.start_s} < {leaves} + {needed}"))
    if stop.start_s < problem.now_s:
        found.append(Violation("now", stop.visit, f"{worker.id}: {stop.start_s} < {problem.now_s}"))
    return found


def _in_shift(problem: Problem, worker: Worker, stop: Stop, behind: Stop | None) -> list[Violation]:
    """Whether a stop lies in a shift, and the last of each leaves time for the way home."""
    shift = next((s for s in worker.shifts if s.start_s <= stop.start_s and stop.end_s <= s.end_s), None)
    if shift is None:
        return [Violation("shift", stop.visit, f"{worker.id}: {stop.start_s}..{stop.end_s}")]
    if behind is not None and shift_number(worker, behind) == shift_number(worker, stop):
        return []
    home = stop.end_s + home_s(problem, worker, stop)
    return [] if home <= shift.end_s else [Violation("return", worker.id, f"{home} > {shift.end_s}")]


def _as_asked(visit: Visit, stop: Stop) -> list[Violation]:
    """Whether a stop is where, and as long as, its visit asks, and a meal is fetched once it is ready."""
    place, lasts = visit.place, visit.seats[stop.seat].duration_s
    found: list[Violation] = []
    if stop.kind == "pickup" and visit.delivery is not None:
        place, lasts = visit.delivery.pickup_place, visit.delivery.pickup_duration_s
        if stop.start_s < visit.delivery.ready_s:
            found.append(Violation("ready", stop.visit))
    if stop.place != place:
        found.append(Violation("place", stop.visit, f"{stop.place} and not {place}"))
    if stop.end_s - stop.start_s != lasts:
        found.append(Violation("duration", stop.visit, f"{stop.end_s - stop.start_s} and not {lasts}"))
    return found


def _whole(problem: Problem, worker: Worker, route: tuple[Stop, ...], visits: dict[str, Visit]) -> list[Violation]:
    """What the route as a whole may hold and how long it may last."""
    found: list[Violation] = []
    if all(stop.locked for stop in route):
        return found
    load = sum(visits[stop.visit].load for stop in route if stop.visit in visits and stop.kind != "pickup")
    if worker.capacity is not None and load > worker.capacity:
        found.append(Violation("capacity", worker.id, f"{load} > {worker.capacity}"))
    heavy = heavy_seats(route, visits)
    if worker.max_heavy is not None and heavy > worker.max_heavy:
        found.append(Violation("heavy", worker.id, f"{heavy} > {worker.max_heavy}"))
    work = worked_s(problem, worker, route)
    if worker.max_work_s is not None and work > worker.max_work_s:
        found.append(Violation("work", worker.id, f"{work} > {worker.max_work_s}"))
    span = day_s(problem, worker, route)
    if worker.max_span_s is not None and span > worker.max_span_s:
        found.append(Violation("span", worker.id, f"{span} > {worker.max_span_s}"))
    return found


def _rests(problem: Problem, worker: Worker, route: tuple[Stop, ...]) -> list[Violation]:
    """Each break must find a hole that neither work nor the way to the next stop needs; a hole used is used up.

    A break that what has begun left no room for is held against nobody.
    """
    if all(stop.locked for stop in route):
        return []
    begun = route[: max((n + 1 for n, stop in enumerate(route) if stop.locked), default=0)]
    excused = {number for number, _ in _restless(problem, worker, begun)}
    return [
        Violation("break", worker.id, f"{begin} > {worker.breaks[number].latest_s}")
        for number, begin in _restless(problem, worker, route)
        if number not in excused
    ]


def _restless(problem: Problem, worker: Worker, route: tuple[Stop, ...]) -> list[tuple[int, int]]:
    """By number the breaks that find no room, with when they could begin."""
    holes: list[tuple[int, int]] = []
    for before, behind in zip([None, *route], [*route, None], strict=True):
        opens = -_EVER if before is None else before.end_s
        closes = _EVER if behind is None else behind.start_s - way_there(problem, worker, before, behind)
        holes.append((opens, closes))
    found: list[tuple[int, int]] = []
    used = -_EVER
    for number, rest in enumerate(worker.breaks):
        soonest = max(rest.earliest_s, used)
        begin = min(max(lo, soonest) for lo, hi in holes if max(lo, soonest) + rest.duration_s <= hi)
        if begin > rest.latest_s:
            found.append((number, begin))
        else:
            used = begin + rest.duration_s
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
                found.append(Violation(rule, visit_id, stop.worker))
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
            found.append(Violation("apart", link.after, link.before))
        base = max(s.end_s for s in first) if link.from_end else min(s.start_s for s in first)
        gap = min(s.start_s for s in then) - base
        if (gap < link.min_gap_s and not begun) or (link.max_gap_s is not None and gap > link.max_gap_s):
            found.append(Violation("gap", link.after, f"{gap} not in {link.min_gap_s}..{link.max_gap_s}"))
    return found


def _equipment(problem: Problem, plan: Plan, visits: dict[str, Visit]) -> list[Violation]:
    """At no moment are more units kept than there are."""
    providers = {worker.id: worker.provider for worker in problem.workers}
    crews = {stop.visit: providers.get(stop.worker, "") for route in plan.routes.values() for stop in route}
    wanted = {(kind, crews[v.id]) for v in visits.values() for kind in v.equipment if v.id in crews}
    short: dict[tuple[str, str], str] = {}
    for kind, provider in sorted(wanted):
        kept = kept_units(problem, plan, kind, provider)
        units = units_there(problem, kind, provider)
        for instant in {start for start, *_ in kept}:
            there = [use for use in kept if use[0] <= instant < use[1]]
            planned = [name for _, _, happened, name in there if not happened]
            if len(there) > units and planned:
                short[max(planned), kind] = f"{kind}: {len(there)} > {units} at {instant}"
    return [Violation("equipment", name, detail) for (name, _), detail in short.items()]
