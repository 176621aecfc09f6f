"""The honest baseline: the nearest free worker takes the order at the end of their route. No look-ahead, no improvement."""

from msgspec import Struct

from dispatch import Insertion, Plan, Problem, Refusal, Stop, Visit, Worker, WorkerRefusal, refusal


class _Candidate(Struct, frozen=True):
    """One worker with the place and time they become free, and the stops the order would add."""

    worker: Worker
    seat: int
    free_s: int
    ride_s: int
    stops: tuple[Stop, ...]


def insert_nearest(problem: Problem, plan: Plan, visit: Visit) -> Insertion | Refusal:
    """Whoever is idle now and nearest goes; while all are busy, whoever is free first. A crew is chosen seat by seat."""
    lo, hi = _bounds(problem, plan, visit)
    refusals: dict[str, WorkerRefusal] = {}
    chosen: list[_Candidate] = []
    for number, seat in enumerate(visit.seats):
        candidates: list[_Candidate] = []
        for worker in problem.workers:
            if any(other.worker.id == worker.id for other in chosen):
                continue
            if chosen and worker.provider != chosen[0].worker.provider:
                continue
            rule = refusal(worker, visit, seat) or (None if worker.shifts else "no_shift")
            found = None if rule else _append(problem, plan, worker, visit, number, lo, hi)
            if found is None:
                refusals.setdefault(worker.id, WorkerRefusal(worker.id, rule or "no_gap"))
            else:
                candidates.append(found)
        if not candidates:
            return _refusal(visit, refusals)
        chosen.append(min(candidates, key=lambda c: (max(c.free_s, problem.now_s), c.ride_s, c.worker.id)))
    return _together(problem, plan, visit, chosen, hi) or _refusal(visit, refusals)


def _refusal(visit: Visit, refusals: dict[str, WorkerRefusal]) -> Refusal:
    rules = [refusal.rule for refusal in refusals.values()]
    summary = max(set(rules), key=rules.count) if rules else "no_shift"
    return Refusal(visit.id, tuple(refusals.values()), summary)


def _bounds(problem: Problem, plan: Plan, visit: Visit) -> tuple[int, int]:
    """The starts the links to visits already planned leave open."""
    lo, hi = visit.earliest_s, visit.latest_s
    for link in problem.links:
        stops = [s for s in plan.stops_of(link.before) if s.kind != "pickup"] if link.after == visit.id else []
        if stops:
            base = max(s.end_s for s in stops) if link.from_end else min(s.start_s for s in stops)
            lo = max(lo, base + link.min_gap_s)
            hi = hi if link.max_gap_s is None else min(hi, base + link.max_gap_s)
    return lo, hi


def _append(
    problem: Problem, plan: Plan, worker: Worker, visit: Visit, number: int, lo: int, hi: int
) -> _Candidate | None:
    """The order after everything the worker already has, or None when it comes too late for it or for the shift."""
    ways = problem.travel[worker.mode]
    route = plan.routes.get(worker.id, ())
    for shift in worker.shifts:
        inside = bool(route) and route[-1].end_s > shift.start_s
        place = route[-1].place if inside else worker.start_place
        free = max(route[-1].end_s if inside else shift.start_s, problem.now_s)
        duration = visit.seats[number].duration_s
        stops: list[Stop] = []
        meal = visit.delivery
        ride = int(ways[place, meal.pickup_place if meal else visit.place])
        if meal is None:
            start = max(free + ride, lo)
        else:
            begin = max(free + ride, meal.ready_s)
            done = begin + meal.pickup_duration_s
            stops.append(Stop(worker.id, "pickup", visit.id, number, meal.pickup_place, begin, done))
            start = max(done + int(ways[meal.pickup_place, visit.place]), lo)
        home = int(ways[visit.place, worker.end_place]) if worker.end_place is not None else 0
        if start > hi or start + duration + home > shift.end_s:
            continue
        kind = "drop" if meal else "visit"
        stops.append(Stop(worker.id, kind, visit.id, number, visit.place, start, start + duration))
        return _Candidate(worker, number, free, ride, tuple(stops))
    return None


def _together(problem: Problem, plan: Plan, visit: Visit, chosen: list[_Candidate], hi: int) -> Insertion | None:
    """The whole crew begins when its last member is there."""
    start = max(candidate.stops[-1].start_s for candidate in chosen)
    if start > hi:
        return None
    routes = dict(plan.routes)
    stops: list[Stop] = []
    for candidate in chosen:
        worker = candidate.worker
        mine = (*candidate.stops[:-1], candidate.stops[-1].at(start))
        home = int(problem.travel[worker.mode][visit.place, worker.end_place]) if worker.end_place is not None else 0
        if not any(shift.start_s <= start and mine[-1].end_s + home <= shift.end_s for shift in worker.shifts):
            return None
        routes[worker.id] = (*routes.get(worker.id, ()), *mine)
        stops += mine
    ride = sum(candidate.ride_s for candidate in chosen)
    return Insertion(Plan(routes, tuple(u for u in plan.unserved if u != visit.id)), tuple(stops), ride)
