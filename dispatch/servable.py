"""Which unserved visits would fit into a plan with everybody else left exactly where they are, for the oracle."""

from dispatch.measures import day_s, heavy_seats, kept_units, unfit, units_there, worked_s
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker


def place_left(problem: Problem, plan: Plan, visit: Visit) -> str | None:
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
    team = sorted({worker.provider for worker in problem.workers})
    freed = {end for p in team for kind in visit.equipment for _, end, _, _ in kept_units(problem, plan, kind, p)}
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
                return f"{provider} at {start}"
    return None


def _unit_free(problem: Problem, plan: Plan, visit: Visit, provider: str, start: int) -> bool:
    """Whether one more visit would find everything it needs there, and leave enough to those planned."""
    for kind in visit.equipment:
        kept = kept_units(problem, plan, kind, provider)
        wait = max((pool.turnaround_s for pool in problem.equipment if pool.kind == kind), default=0)
        end = start + max(seat.duration_s for seat in visit.seats) + wait
        moments = {start} | {begin for begin, *_ in kept if start < begin < end}
        most = max(sum(begin <= moment < over for begin, over, *_ in kept) for moment in moments)
        if most >= units_there(problem, kind, provider):
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
    lifted = heavy_seats(route, {other.id: other for other in problem.visits}) + visit.seats[seat].heavy
    if visit.seats[seat].heavy and worker.max_heavy is not None and lifted > worker.max_heavy:
        return False
    linked = {(link.before, link.after) for link in problem.links if link.apart}
    return not any((visit.id, other) in linked or (other, visit.id) in linked for other in served)


def _holes(problem: Problem, worker: Worker, route: tuple[Stop, ...], visit: Visit, seat: int) -> list[tuple[int, int]]:
    """Spans of starts at which one worker could take one seat between two stops that stay as they are."""
    if unfit(worker, visit, seat) is not None or not _holds(problem, worker, route, visit, seat):
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
    return worked_s(problem, worker, (*route[:at], *fetch, more, *route[at:])) <= worker.max_work_s


def _within_span(
    problem: Problem, worker: Worker, route: tuple[Stop, ...], starts: tuple[int, int], lead: int, tail: int
) -> tuple[int, int]:
    """Those starts in one hole that keep the day short enough; `lead` from setting out to the start, `tail` to being back."""
    lo, hi = starts
    if worker.max_span_s is None:
        return lo, hi
    if not route:
        return lo, hi if lead + tail <= worker.max_span_s else lo - 1
    spare = worker.max_span_s - day_s(problem, worker, route)
    if hi <= route[0].start_s:
        lo = max(
            lo, route[0].start_s - int(problem.travel[worker.mode][worker.start_place, route[0].place]) + lead - spare
        )
    if lo >= route[-1].end_s:
        way = 0 if worker.end_place is None else int(problem.travel[worker.mode][route[-1].place, worker.end_place])
        hi = min(hi, route[-1].end_s + way + spare - tail)
    return lo, hi
