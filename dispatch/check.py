"""The independent oracle: is a plan what it claims to be? Shares no code with the rules, costs or search it judges."""

from itertools import pairwise

from msgspec import Struct

from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker


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
    found: list[Violation] = []
    for worker_id, route in plan.routes.items():
        if worker_id not in workers:
            found.append(Violation("unknown_worker", worker_id))
            continue
        found += _route(problem, workers[worker_id], route, visits)
    found += _crews(plan, workers, visits)
    found += _links(problem, plan)
    found += _equipment(problem, plan, visits)
    if unserved:
        found += [v for visit_id in plan.unserved for v in _servable(problem, plan, visits[visit_id])]
    return found


def _route(problem: Problem, worker: Worker, route: tuple[Stop, ...], visits: dict[str, Visit]) -> list[Violation]:
    ways = problem.travel[worker.mode]
    found: list[Violation] = []
    for one, two in pairwise(route):
        if two.locked:
            continue
        same_shift = any(s.start_s <= one.start_s and two.end_s <= s.end_s for s in worker.shifts)
        needed = int(ways[one.place, two.place]) if same_shift else 0
        if two.start_s < one.end_s + needed:
            found.append(Violation("travel", two.visit, f"{worker.id}: {two.start_s} < {one.end_s} + {needed}"))
    box = 0
    aboard: dict[str, int] = {}
    for stop in route:
        visit = visits.get(stop.visit)
        if visit is None:
            if stop.kind != "break":
                found.append(Violation("unknown_visit", stop.visit))
            continue
        meal = visit.delivery
        if meal is not None and stop.kind == "pickup":
            box += meal.load
            aboard[stop.visit] = stop.end_s
        if meal is not None and stop.kind == "drop":
            box -= meal.load
        if stop.locked:
            continue
        if not any(s.start_s <= stop.start_s and stop.end_s <= s.end_s for s in worker.shifts):
            found.append(Violation("shift", stop.visit, f"{worker.id}: {stop.start_s}..{stop.end_s}"))
        if stop.kind == "pickup":
            if meal is None or stop.start_s < meal.ready_s:
                found.append(Violation("ready", stop.visit))
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
    found += _returns(problem, worker, route)
    found += _whole(problem, worker, route, visits)
    found += _rests(problem, worker, route)
    return found


def _returns(problem: Problem, worker: Worker, route: tuple[Stop, ...]) -> list[Violation]:
    if worker.end_place is None or not route or route[-1].locked:
        return []
    home = route[-1].end_s + int(problem.travel[worker.mode][route[-1].place, worker.end_place])
    return (
        []
        if any(route[-1].start_s >= s.start_s and home <= s.end_s for s in worker.shifts)
        else [Violation("return", worker.id)]
    )


def _whole(problem: Problem, worker: Worker, route: tuple[Stop, ...], visits: dict[str, Visit]) -> list[Violation]:
    """What the route as a whole may hold and how long it may last."""
    found: list[Violation] = []
    if all(stop.locked for stop in route):
        return found
    load = sum(visits[stop.visit].load for stop in route if stop.visit in visits and stop.kind != "pickup")
    if worker.capacity is not None and load > worker.capacity:
        found.append(Violation("capacity", worker.id, f"{load} > {worker.capacity}"))
    heavy = _heavy(route, visits)
    if worker.max_heavy is not None and heavy > worker.max_heavy:
        found.append(Violation("heavy", worker.id, f"{heavy} > {worker.max_heavy}"))
    work = _work(problem, worker, route)
    if worker.max_work_s is not None and work > worker.max_work_s:
        found.append(Violation("work", worker.id, f"{work} > {worker.max_work_s}"))
    span = _span(problem, worker, route)
    if worker.max_span_s is not None and span > worker.max_span_s:
        found.append(Violation("span", worker.id, f"{span} > {worker.max_span_s}"))
    return found


def _heavy(route: tuple[Stop, ...], visits: dict[str, Visit]) -> int:
    """How many heavy seats a route takes."""
    taken = [visits[stop.visit].seats[stop.seat] for stop in route if stop.kind != "pickup" and stop.visit in visits]
    return sum(seat.heavy for seat in taken)


def _work(problem: Problem, worker: Worker, route: tuple[Stop, ...]) -> int:
    """Seconds of handling and on the road, waiting and breaks left out."""
    ways = problem.travel[worker.mode]
    stops = [stop for stop in route if stop.kind != "break"]
    places = [worker.start_place, *(stop.place for stop in stops)]
    if stops and worker.end_place is not None:
        places.append(worker.end_place)
    return sum(int(ways[a, b]) for a, b in pairwise(places)) + sum(stop.end_s - stop.start_s for stop in stops)


def _span(problem: Problem, worker: Worker, route: tuple[Stop, ...]) -> int:
    """Seconds between setting out, as late as the first stop allows, and being back."""
    ways = problem.travel[worker.mode]
    home = 0 if worker.end_place is None else int(ways[route[-1].place, worker.end_place])
    return route[-1].end_s + home - route[0].start_s + int(ways[worker.start_place, route[0].place])


def _rests(problem: Problem, worker: Worker, route: tuple[Stop, ...]) -> list[Violation]:
    """Each break must find a hole that neither work nor the way to the next stop needs; a hole used is used up."""
    ways = problem.travel[worker.mode]
    holes: list[tuple[int, int]] = []
    for before, behind in zip([None, *route], [*route, None], strict=True):
        opens = before.end_s if before else 0
        # a later shift begins at the start place again
        resumed = before and behind and any(before.start_s < s.start_s <= behind.start_s for s in worker.shifts)
        here = worker.start_place if before is None or resumed else before.place
        way = int(ways[here, behind.place]) if behind else 0
        holes.append((opens, behind.start_s - way if behind else 10**9))
    found: list[Violation] = []
    used = 0
    for rest in sorted(worker.breaks, key=lambda b: b.earliest_s):
        begins = [
            max(lo, rest.earliest_s, used) for lo, hi in holes if max(lo, rest.earliest_s, used) + rest.duration_s <= hi
        ]
        begin = min(begins, default=10**9)
        if begin > rest.latest_s and any(not stop.locked for stop in route):
            found.append(Violation("break", worker.id, f"{begin} > {rest.latest_s}"))
        used = begin + rest.duration_s
    return found


def _crews(plan: Plan, workers: dict[str, Worker], visits: dict[str, Visit]) -> list[Violation]:
    found: list[Violation] = []
    seen: dict[str, list[Stop]] = {}
    for route in plan.routes.values():
        for stop in route:
            if stop.kind in {"visit", "drop"} and stop.visit in visits:
                seen.setdefault(stop.visit, []).append(stop)
    for visit_id, visit in visits.items():
        stops = seen.get(visit_id, [])
        if not stops:
            if visit_id not in plan.unserved:
                found.append(Violation("lost", visit_id))
            continue
        if visit_id in plan.unserved:
            found.append(Violation("served_and_unserved", visit_id))
        if all(stop.locked for stop in stops):
            continue
        if sorted(stop.seat for stop in stops) != list(range(len(visit.seats))):
            found.append(Violation("crew_size", visit_id))
            continue
        here = max((stop.start_s for stop in stops if stop.locked), default=0)  # and waits for the others
        coming = {stop.start_s for stop in stops if not stop.locked}
        if len(coming) > 1 or min(coming) < here:
            found.append(Violation("crew_start", visit_id))
        if len({stop.worker for stop in stops}) < len(stops):
            found.append(Violation("crew_distinct", visit_id))
        if len({workers[stop.worker].provider for stop in stops}) > 1:
            found.append(Violation("crew_provider", visit_id))
        for stop in stops:
            rule = _unfit(workers[stop.worker], visit, stop.seat)
            if rule is not None and not stop.locked:
                found.append(Violation(rule, visit_id, stop.worker))
    return found


def _unfit(worker: Worker, visit: Visit, seat: int) -> str | None:
    needed = visit.seats[seat]
    if not needed.skills.issubset(worker.skills):
        return "skills"
    if needed.gender is not None and needed.gender != worker.gender:
        return "gender"
    if worker.id in visit.refused_workers:
        return "refused"
    if visit.providers is not None and worker.provider not in visit.providers:
        return "provider"
    return None


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


def _kept(problem: Problem, plan: Plan, kind: str, provider: str) -> list[tuple[int, int, bool, str]]:
    """Start, end, whether it has happened, and visit: whenever a unit of the kind open to a provider is kept by a visit."""
    pools = [pool for pool in problem.equipment if pool.kind == kind]
    everybody = any(pool.provider is None for pool in pools)
    providers = {worker.id: worker.provider for worker in problem.workers}
    wait = max((pool.turnaround_s for pool in pools), default=0)
    found: list[tuple[int, int, bool, str]] = []
    for visit in problem.visits:
        stops = plan.stops_of(visit.id) if kind in visit.equipment else []
        if stops and (everybody or providers.get(stops[0].worker) == provider):
            start = min(stop.start_s for stop in stops)
            busy = max(seat.duration_s for seat in visit.seats)
            found.append((start, start + busy + wait, all(stop.locked for stop in stops), visit.id))
    return found


def _units(problem: Problem, kind: str, provider: str) -> int:
    return sum(pool.count for pool in problem.equipment if pool.kind == kind and pool.provider in {None, provider})


def _equipment(problem: Problem, plan: Plan, visits: dict[str, Visit]) -> list[Violation]:
    """At no moment are more units kept than there are."""
    providers = {worker.id: worker.provider for worker in problem.workers}
    crews = {stop.visit: providers.get(stop.worker, "") for route in plan.routes.values() for stop in route}
    wanted = {(kind, crews[v.id]) for v in visits.values() for kind in v.equipment if v.id in crews}
    short: dict[tuple[str, str], str] = {}
    for kind, provider in sorted(wanted):
        kept = _kept(problem, plan, kind, provider)
        units = _units(problem, kind, provider)
        for instant in {start for start, *_ in kept}:
            there = [use for use in kept if use[0] <= instant < use[1]]
            planned = [name for _, _, happened, name in there if not happened]
            if len(there) > units and planned:
                short[max(planned), kind] = f"{kind}: {len(there)} > {units} at {instant}"
    return [Violation("equipment", name, detail) for (name, _), detail in short.items()]


def _servable(problem: Problem, plan: Plan, visit: Visit) -> list[Violation]:
    """A crew of one provider in whose days the visit fits, everybody else left exactly where they are."""
    holes = [
        {
            worker.id: (worker.provider, _holes(problem, worker, plan.routes.get(worker.id, ()), visit, n))
            for worker in problem.workers
        }
        for n in range(len(visit.seats))
    ]
    first, last = _between_links(problem, plan, visit)
    opening = {max(lo, first) for seat in holes for _, spans in seat.values() for lo, _ in spans}
    team = {worker.provider for worker in problem.workers}
    freed = {end for p in team for kind in visit.equipment for _, end, _, _ in _kept(problem, plan, kind, p)}
    starts = sorted(opening | {max(end, first) for end in freed})
    for start in (s for s in starts if s <= last):
        ready = [
            {name for name, (_, spans) in seat.items() if any(lo <= start <= hi for lo, hi in spans)} for seat in holes
        ]
        for provider in team:
            if not _unit_free(problem, plan, visit, provider, start):
                continue
            crew = [{name for name in seat if holes[n][name][0] == provider} for n, seat in enumerate(ready)]
            if _matched(crew, set()):
                return [Violation("servable", visit.id, f"{provider} at {start}")]
    return []


def _unit_free(problem: Problem, plan: Plan, visit: Visit, provider: str, start: int) -> bool:
    """Whether one more visit would find everything it needs there, and leave enough to those planned."""
    for kind in visit.equipment:
        kept = _kept(problem, plan, kind, provider)
        wait = max((pool.turnaround_s for pool in problem.equipment if pool.kind == kind), default=0)
        end = start + max(seat.duration_s for seat in visit.seats) + wait
        moments = {start} | {begin for begin, *_ in kept if start < begin < end}
        most = max(sum(begin <= moment < over for begin, over, *_ in kept) for moment in moments)
        if most >= _units(problem, kind, provider):
            return False
    return True


def _between_links(problem: Problem, plan: Plan, visit: Visit) -> tuple[int, int]:
    """The starts that keep the gaps to linked visits left where they are."""
    lo, hi = 0, 10**10
    own = max(seat.duration_s for seat in visit.seats)
    for link in problem.links:
        other = {link.before: link.after, link.after: link.before}.get(visit.id)
        stops = [s for s in plan.stops_of(other) if s.kind != "pickup"] if other else []
        if not stops:
            continue
        most = 10**10 if link.max_gap_s is None else link.max_gap_s
        if link.after == visit.id:
            base = max(s.end_s for s in stops) if link.from_end else min(s.start_s for s in stops)
            lo, hi = max(lo, base + link.min_gap_s), min(hi, base + most)
        else:
            base = min(s.start_s for s in stops) - (own if link.from_end else 0)
            lo, hi = max(lo, base - most), min(hi, base - link.min_gap_s)
    return lo, hi


def _matched(seats: list[set[str]], taken: set[str]) -> bool:
    return not seats or any(_matched(seats[1:], taken | {name}) for name in seats[0] - taken)


def _holds(problem: Problem, worker: Worker, route: tuple[Stop, ...], visit: Visit, seat: int) -> bool:
    """Whether one more visit fits into the worker's bag and, beside linked visits, into the worker's hands."""
    served = {stop.visit for stop in route}
    loads = {other.id: other.load for other in problem.visits if other.id in served}
    if worker.capacity is not None and sum(loads.values()) + visit.load > worker.capacity:
        return False
    lifted = _heavy(route, {other.id: other for other in problem.visits}) + visit.seats[seat].heavy
    if visit.seats[seat].heavy and worker.max_heavy is not None and lifted > worker.max_heavy:
        return False
    linked = {(link.before, link.after) for link in problem.links if link.apart}
    return not any((visit.id, other) in linked or (other, visit.id) in linked for other in served)


def _holes(problem: Problem, worker: Worker, route: tuple[Stop, ...], visit: Visit, seat: int) -> list[tuple[int, int]]:
    """Spans of starts at which one worker could take one seat between two stops that stay as they are."""
    if _unfit(worker, visit, seat) is not None or not _holds(problem, worker, route, visit, seat):
        return []
    ways = problem.travel[worker.mode]
    meal = visit.delivery
    place = meal.pickup_place if meal else visit.place
    busy = visit.seats[seat].duration_s
    ahead = meal.pickup_duration_s + int(ways[place, visit.place]) if meal else 0
    spans: list[tuple[int, int]] = []
    for shift in worker.shifts:
        inside = [stop for stop in route if stop.end_s > shift.start_s and stop.start_s < shift.end_s]
        for before, behind in zip([None, *inside], [*inside, None], strict=True):
            free = max(before.end_s if before else shift.start_s, problem.now_s)
            arrive = free + int(ways[before.place if before else worker.start_place, place])
            lo = max(arrive, meal.ready_s if meal else visit.earliest_s) + ahead
            lo = max(lo, visit.earliest_s)
            home = int(ways[visit.place, worker.end_place]) if worker.end_place is not None else 0
            hi = min(visit.latest_s, shift.end_s - busy - home)
            if behind is not None:
                hi = min(hi, behind.start_s - int(ways[visit.place, behind.place]) - busy)
            lead = ahead + int(ways[worker.start_place, place])
            if not _done_in_time(problem, worker, route, visit, seat, (before, behind)):
                continue
            lo, hi = _within_span(problem, worker, route, (lo, hi), lead, busy + home)
            if lo <= hi:
                spans.append((lo, hi))
    return spans


def _done_in_time(
    problem: Problem,
    worker: Worker,
    route: tuple[Stop, ...],
    visit: Visit,
    seat: int,
    between: tuple[Stop | None, Stop | None],
) -> bool:
    """Whether the worker may work long enough to take one more seat between two stops."""
    if worker.max_work_s is None:
        return True
    meal = visit.delivery
    fetch = (Stop(worker.id, "pickup", visit.id, 0, meal.pickup_place, 0, meal.pickup_duration_s),) if meal else ()
    more = Stop(worker.id, "visit", visit.id, seat, visit.place, 0, visit.seats[seat].duration_s)
    at = route.index(between[1]) if between[1] else route.index(between[0]) + 1 if between[0] else 0
    return _work(problem, worker, (*route[:at], *fetch, more, *route[at:])) <= worker.max_work_s


def _within_span(
    problem: Problem, worker: Worker, route: tuple[Stop, ...], starts: tuple[int, int], lead: int, tail: int
) -> tuple[int, int]:
    """Those starts in one hole that keep the day short enough; `lead` from setting out to the start, `tail` to being back."""
    lo, hi = starts
    if worker.max_span_s is None:
        return lo, hi
    if not route:
        return lo, hi if lead + tail <= worker.max_span_s else lo - 1
    spare = worker.max_span_s - _span(problem, worker, route)
    if hi <= route[0].start_s:
        lo = max(
            lo, route[0].start_s - int(problem.travel[worker.mode][worker.start_place, route[0].place]) + lead - spare
        )
    if lo >= route[-1].end_s:
        way = 0 if worker.end_place is None else int(problem.travel[worker.mode][route[-1].place, worker.end_place])
        hi = min(hi, route[-1].end_s + way + spare - tail)
    return lo, hi
