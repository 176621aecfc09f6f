"""When everything happens, once the order of stops is given: the earliest times that respect every rule.

Crew members start together, linked visits keep their gaps, breaks are taken, locked stops stay where they are.
"""

from collections.abc import Sequence

from dispatch.easing import ease, short_enough, way_home
from dispatch.plan import Plan, Stop
from dispatch.problem import Break, Link, Problem, Visit, Worker
from dispatch.sharing import turns

_ROUNDS = 60


def index(problem: Problem) -> tuple[dict[str, Worker], dict[str, Visit]]:
    """Workers and visits by id."""
    return {w.id: w for w in problem.workers}, {v.id: v for v in problem.visits}


def earliest(visit: Visit, stop: Stop) -> int:
    """Before this the stop cannot begin whatever the road says."""
    if stop.kind == "pickup" and visit.delivery is not None:
        return max(visit.delivery.ready_s, fetched_after(visit, not_before(visit)))
    return not_before(visit)


def not_before(visit: Visit) -> int:
    """The earliest start that is planned: the window's, and no earlier than was told, but for the tolerance."""
    told = visit.promised
    if told is None or told.start_s is None:
        return visit.earliest_s
    return max(visit.earliest_s, min(told.start_s - told.free_s, visit.latest_s))


def fetched_after(visit: Visit, drop_s: int) -> int:
    """The earliest pick-up that keeps a hot meal's ride when it cannot be handed over before an instant."""
    meal = visit.delivery
    return 0 if meal is None or meal.max_ride_s is None else drop_s - meal.max_ride_s - meal.pickup_duration_s


def latest(visit: Visit, stop: Stop) -> int:
    """After this the stop must not begin."""
    if stop.kind == "pickup" and visit.delivery is not None:
        return visit.latest_s - visit.delivery.pickup_duration_s
    return visit.latest_s


def free_again(problem: Problem, worker: Worker, begun: Sequence[Stop]) -> int:
    """When a worker with shifts can leave: what has begun is over, and so is the break they are on by now."""
    free = max(begun[-1].end_s if begun else worker.shifts[0].start_s, problem.now_s)
    matrix = problem.travel[worker.mode]
    used = hole = 0
    for rest in worker.breaks if worker.breaks and worker.breaks[0].latest_s < problem.now_s else ():
        while hole < len(begun):
            way = int(matrix[begun[hole - 1].place if hole else worker.start_place, begun[hole].place])
            if max(used, rest.earliest_s) + rest.duration_s + way <= begun[hole].start_s:
                break
            used = max(used, begun[hole].end_s)
            hole += 1
        begin = max(used, rest.earliest_s)
        if rest.latest_s >= problem.now_s:
            break
        if begin <= rest.latest_s:
            used = begin + rest.duration_s
            free = max(free, used) if hole == len(begun) else free
    return free


def walk(
    problem: Problem,
    worker: Worker,
    route: Sequence[Stop],
    visits: dict[str, Visit],
    floors: dict[tuple[str, str], int],
) -> list[int] | None:
    """Start times of one route in its order, never before the floors by (visit, kind); None when it cannot be done."""
    matrix = problem.travel[worker.mode]
    shifts = worker.shifts
    if not route:
        return []
    if not shifts and not all(stop.locked for stop in route):
        return None
    shift_at = 0
    place = worker.start_place
    begun = route[: max((n + 1 for n, stop in enumerate(route) if stop.locked), default=0)]
    again = free_again(problem, worker, begun)
    free = max(shifts[0].start_s, problem.now_s) if begun and shifts else again
    # a break that could have begun until now has been taken by whoever had nothing to do
    pending: list[Break] = [b for b in worker.breaks if b.latest_s >= problem.now_s]
    starts: list[int] = []
    for stop in route:
        if stop.locked:
            starts.append(stop.start_s)
            place, free = stop.place, max(stop.end_s, problem.now_s)
            free = max(free, again) if len(starts) == len(begun) else free
            pending = [b for b in pending if b.latest_s >= stop.start_s]
            continue
        visit = visits[stop.visit]
        duration = stop.end_s - stop.start_s
        floor = max(earliest(visit, stop), floors.get((stop.visit, stop.kind), 0))
        start, rests = _leg(free, int(matrix[place, stop.place]), floor, duration, pending)
        while start + duration + way_home(matrix, worker, stop.place) > shifts[shift_at].end_s:
            shift_at += 1
            if shift_at >= len(shifts):
                return None
            place = worker.start_place
            free = max(shifts[shift_at].start_s, again)
            start, rests = _leg(free, int(matrix[place, stop.place]), floor, duration, pending)
        if start > latest(visit, stop):
            return None
        pending = pending[rests:]
        starts.append(start)
        place, free = stop.place, start + duration
    for rest in pending:
        if max(free, rest.earliest_s) > rest.latest_s:
            return None
        free = max(free, rest.earliest_s) + rest.duration_s
    return starts


def _leg(free: int, ride: int, floor: int, duration: int, pending: Sequence[Break]) -> tuple[int, int]:
    """Start of the next stop and how many breaks are taken before it: when they fit the wait, or must not be put off."""
    start = max(free + ride, floor)
    rests = 0
    for rest in pending:
        begin = max(free, rest.earliest_s)
        fits = begin + rest.duration_s + ride <= start and begin <= rest.latest_s
        if not fits and start + duration <= rest.latest_s:
            break
        if begin > rest.latest_s:
            break
        free = begin + rest.duration_s
        start = max(free + ride, floor)
        rests += 1
    return start, rests


def retime(problem: Problem, plan: Plan) -> Plan | None:
    """The earliest times for the given orders of stops; None when a hard rule cannot be kept so."""
    workers, visits = index(problem)
    floors: dict[tuple[str, str], int] = {}
    dirty = set(plan.routes)
    times: dict[str, list[int]] = {}
    crews: dict[str, list[tuple[str, int]]] = {}
    for worker, route in plan.routes.items():
        for i, stop in enumerate(route):
            if stop.kind != "pickup" and stop.visit:
                crews.setdefault(stop.visit, []).append((worker, i))
    links = (*problem.links, *turns(problem, plan))
    for _ in range(_ROUNDS):
        for worker in dirty:
            starts = walk(problem, workers[worker], plan.routes[worker], visits, floors)
            if starts is None:
                return None
            times[worker] = starts
        dirty = _together(plan, times, crews, floors) | _gaps(links, visits, plan, times, crews, floors)
        if not dirty:
            break
    else:
        return None
    routes = {
        worker: tuple(stop if stop.locked else stop.at(start) for stop, start in zip(route, times[worker], strict=True))
        for worker, route in plan.routes.items()
    }
    if not _rides_kept(visits, routes):
        return None
    eased = ease(problem, Plan(routes, plan.unserved))
    return eased if all(short_enough(problem, workers[name], route) for name, route in eased.routes.items()) else None


def _together(
    plan: Plan, times: dict[str, list[int]], crews: dict[str, list[tuple[str, int]]], floors: dict[tuple[str, str], int]
) -> set[str]:
    """Raise each crew to its last member's start; returns the workers to walk again."""
    dirty: set[str] = set()
    for visit, members in crews.items():
        if len(members) < 2:
            continue
        start = max(times[worker][i] for worker, i in members)
        for worker, i in members:
            if times[worker][i] < start and not plan.routes[worker][i].locked:
                floors[visit, "visit"] = start
                dirty.add(worker)
    return dirty


def _gaps(
    links: Sequence[Link],
    visits: dict[str, Visit],
    plan: Plan,
    times: dict[str, list[int]],
    crews: dict[str, list[tuple[str, int]]],
    floors: dict[tuple[str, str], int],
) -> set[str]:
    """Keep the gaps between linked visits, by moving the later one or, for a gap grown too long, the earlier one."""
    dirty: set[str] = set()
    for link in links:
        before, after = crews.get(link.before), crews.get(link.after)
        if not before or not after:
            continue
        length = max(plan.routes[w][i].end_s - plan.routes[w][i].start_s for w, i in before) if link.from_end else 0
        first = max(times[w][i] for w, i in before) + length
        then = max(times[w][i] for w, i in after)
        if then < first + link.min_gap_s:
            dirty |= _raise(visits[link.after], first + link.min_gap_s, after, plan, floors)
        elif link.max_gap_s is not None and then > first + link.max_gap_s:
            dirty |= _raise(visits[link.before], then - link.max_gap_s - length, before, plan, floors)
        dirty |= _fetched(visits[link.before], before, times, floors)
        dirty |= _fetched(visits[link.after], after, times, floors)
    return dirty


def _fetched(
    visit: Visit,
    members: Sequence[tuple[str, int]],
    times: dict[str, list[int]],
    floors: dict[tuple[str, str], int],
) -> set[str]:
    """A meal whose hand-over had to wait is fetched later, also when the worker then begins later than asked."""
    if (visit.id, "drop") not in floors:
        return set()
    wanted = fetched_after(visit, max(times[worker][i] for worker, i in members))
    if wanted <= floors.get((visit.id, "pickup"), 0):
        return set()
    floors[visit.id, "pickup"] = wanted
    return {worker for worker, _ in members}


def _raise(
    visit: Visit, start: int, members: Sequence[tuple[str, int]], plan: Plan, floors: dict[tuple[str, str], int]
) -> set[str]:
    moved = {worker for worker, i in members if not plan.routes[worker][i].locked}
    for worker, i in members:
        floors[visit.id, plan.routes[worker][i].kind] = start
    if visit.delivery is not None:
        floors[visit.id, "pickup"] = fetched_after(visit, start)
    return moved


def _rides_kept(visits: dict[str, Visit], routes: dict[str, tuple[Stop, ...]]) -> bool:
    for route in routes.values():
        left: dict[str, int] = {}
        for stop in route:
            if stop.kind == "pickup":
                left[stop.visit] = stop.end_s
            elif stop.kind == "drop" and stop.visit in left and not stop.locked:
                delivery = visits[stop.visit].delivery
                limit = delivery.max_ride_s if delivery else None
                if limit is not None and stop.start_s - left[stop.visit] > limit:
                    return False
    return True
