"""When everything happens, once the order of stops is given: the earliest times that respect every rule.

Crew members start together, linked visits keep their gaps, breaks are taken, locked stops stay where they are.
"""

from collections.abc import Sequence

from numpy import ndarray

from dispatch.easing import ease, short_enough, way_home
from dispatch.plan import Plan, Stop
from dispatch.problem import Break, Link, Problem, Visit, Worker
from dispatch.sharing import turns
from dispatch.standing import Standing, shift_of, standing_of

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
    if not shifts:
        return [stop.start_s for stop in route] if all(stop.locked for stop in route) else None
    begun = route[: max((n + 1 for n, stop in enumerate(route) if stop.locked), default=0)]
    stand = standing_of(problem, worker, begun)
    now = stand if not begun else standing_of(problem, worker, ())
    starts: list[int] = []
    for stop in route:
        if stop.locked:
            starts.append(stop.start_s)
            over = max(stop.end_s, problem.now_s)
            left = tuple(rest for rest in now.left if rest.latest_s >= stop.start_s)
            now = Standing(shift_of(worker, stop), stop.place, over, over, left, ())
            now = stand if len(starts) == len(begun) else now
            continue
        floor = max(earliest(visits[stop.visit], stop), floors.get((stop.visit, stop.kind), 0))
        reached = _reached(matrix, worker, now, stop, floor)
        if reached is None or reached[0] > latest(visits[stop.visit], stop):
            return None
        start, now = reached
        starts.append(start)
    free = now.idle_s
    for rest in now.left:
        if max(free, rest.earliest_s) > rest.latest_s:
            return None
        free = max(free, rest.earliest_s) + rest.duration_s
    return starts


def _reached(matrix: ndarray, worker: Worker, now: Standing, stop: Stop, floor: int) -> tuple[int, Standing] | None:
    """When a stop can begin in this or a later shift, and how the worker stands then; None when no shift has room."""
    duration = stop.end_s - stop.start_s
    home = way_home(matrix, worker, stop.place)
    for shift in range(now.shift, len(worker.shifts)):
        same = shift == now.shift
        ride = int(matrix[now.place if same else worker.start_place, stop.place])
        leaves = now.free_s if same else max(worker.shifts[shift].start_s, now.free_s)
        start, rests = _leg(now.idle_s, ride, max(floor, leaves + ride), duration, now.left)
        if start + duration + home <= worker.shifts[shift].end_s:
            over = start + duration
            return start, Standing(shift, stop.place, over, over, now.left[rests:], ())
    return None


def _leg(idle: int, ride: int, floor: int, duration: int, pending: Sequence[Break]) -> tuple[int, int]:
    """Start of the next stop and how many breaks are taken before it: when they fit the wait, or must not be put off.

    Time off before a shift is a wait too: `idle` is when the worker had nothing to do any more.
    """
    start = max(idle + ride, floor)
    rests = 0
    for rest in pending:
        begin = max(idle, rest.earliest_s)
        fits = begin + rest.duration_s + ride <= start and begin <= rest.latest_s
        if not fits and start + duration <= rest.latest_s:
            break
        if begin > rest.latest_s:
            break
        idle = begin + rest.duration_s
        start = max(idle + ride, floor)
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
