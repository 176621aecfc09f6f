"""The oracle's rules about one worker's day: ways, shifts, windows, box, rides, breaks and what a whole day may hold."""

from collections.abc import Callable

from msgspec import Struct

from dispatch.measures import day_s, heavy_seats, home_s, shift_number, way_there, worked_s
from dispatch.plan import Stop
from dispatch.problem import Problem, Visit, Worker

_EVER = 10**12


class Violation(Struct, frozen=True):
    """One broken rule: which, about whom, and the figures: words and, as whole numbers, instants and lengths in seconds."""

    rule: str
    subject: str
    figures: tuple[str | int, ...] = ()

    @property
    def detail(self) -> str:
        """The figures in one text, times in seconds of the day."""
        return self.told(str)

    def told(self, time: Callable[[int], str]) -> str:
        """The same with times as their reader counts them."""
        return "".join(time(part) if isinstance(part, int) else part for part in self.figures)


def check_route(problem: Problem, worker: Worker, route: tuple[Stop, ...], visits: dict[str, Visit]) -> list[Violation]:
    """Return every rule that one worker's day breaks by itself; what ties days together is judged elsewhere."""
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
            found.append(
                Violation("window", stop.visit, (stop.start_s, " not in ", visit.earliest_s, "..", visit.latest_s))
            )
        if meal is not None:
            if stop.visit not in aboard:
                found.append(Violation("pickup_first", stop.visit))
            elif meal.max_ride_s is not None and stop.start_s - aboard[stop.visit] > meal.max_ride_s:
                found.append(Violation("max_ride", stop.visit))
    found += _whole(problem, worker, route, visits)
    found += _rests(problem, worker, route)
    return found


def _reached(problem: Problem, worker: Worker, before: Stop | None, stop: Stop) -> list[Violation]:
    """Check that the worker can be there by then, and that nothing begins in the past."""
    number = shift_number(worker, stop)
    leaves = None if before is None else before.end_s
    if worker.shifts:
        opens = worker.shifts[number].start_s
        leaves = opens if leaves is None else max(leaves, opens)
    needed = way_there(problem, worker, before, stop)
    found: list[Violation] = []
    if leaves is not None and stop.start_s < leaves + needed:
        found.append(Violation("travel", stop.visit, (worker.id, ": ", stop.start_s, " < ", leaves, " + ", needed)))
    if stop.start_s < problem.now_s:
        found.append(Violation("now", stop.visit, (worker.id, ": ", stop.start_s, " < ", problem.now_s)))
    return found


def _in_shift(problem: Problem, worker: Worker, stop: Stop, behind: Stop | None) -> list[Violation]:
    """Check that a stop lies in a shift, and the last of each leaves time for the way home."""
    shift = next((s for s in worker.shifts if s.start_s <= stop.start_s and stop.end_s <= s.end_s), None)
    if shift is None:
        return [Violation("shift", stop.visit, (worker.id, ": ", stop.start_s, "..", stop.end_s))]
    if behind is not None and shift_number(worker, behind) == shift_number(worker, stop):
        return []
    home = stop.end_s + home_s(problem, worker, stop)
    return [] if home <= shift.end_s else [Violation("return", worker.id, (home, " > ", shift.end_s))]


def _as_asked(visit: Visit, stop: Stop) -> list[Violation]:
    """Check that a stop is where, and as long as, its visit asks, and a meal is fetched once it is ready."""
    place, lasts = visit.place, visit.seats[stop.seat].duration_s
    found: list[Violation] = []
    if stop.kind == "pickup" and visit.delivery is not None:
        place, lasts = visit.delivery.pickup_place, visit.delivery.pickup_duration_s
        if stop.start_s < visit.delivery.ready_s:
            found.append(Violation("ready", stop.visit))
    if stop.place != place:
        found.append(Violation("place", stop.visit, (f"{stop.place} and not {place}",)))
    if stop.end_s - stop.start_s != lasts:
        found.append(Violation("duration", stop.visit, (stop.end_s - stop.start_s, " and not ", lasts)))
    return found


def _whole(problem: Problem, worker: Worker, route: tuple[Stop, ...], visits: dict[str, Visit]) -> list[Violation]:
    """Check what the route as a whole holds and how long it lasts."""
    found: list[Violation] = []
    if all(stop.locked for stop in route):
        return found
    load = sum(visits[stop.visit].load for stop in route if stop.visit in visits and stop.kind != "pickup")
    if worker.capacity is not None and load > worker.capacity:
        found.append(Violation("capacity", worker.id, (f"{load} > {worker.capacity}",)))
    heavy = heavy_seats(route, visits)
    if worker.max_heavy is not None and heavy > worker.max_heavy:
        found.append(Violation("heavy", worker.id, (f"{heavy} > {worker.max_heavy}",)))
    work = worked_s(problem, worker, route)
    if worker.max_work_s is not None and work > worker.max_work_s:
        found.append(Violation("work", worker.id, (work, " > ", worker.max_work_s)))
    span = day_s(problem, worker, route)
    if worker.max_span_s is not None and span > worker.max_span_s:
        found.append(Violation("span", worker.id, (span, " > ", worker.max_span_s)))
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
        Violation("break", worker.id, (begin, " > ", worker.breaks[number].latest_s))
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
