"""Where in the routes a seat fits, as intervals of possible starts.

Each gap runs from when the worker can be there to when what follows would be spoilt. Stops of crews, linked and locked
stops do not move; others may be pushed later.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

from msgspec import Struct

from dispatch.outcome import WorkerRefusal
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker
from dispatch.rules import refusal
from dispatch.timing import index, latest

_FAR = 10**9


class Gap(Struct, frozen=True):
    """A place in one route where a seat fits, for any start from lo to hi; `detour_s` is the extra travel."""

    worker: str
    provider: str
    position: int
    lo: int
    hi: int
    detour_s: int


def slacks(
    problem: Problem, worker: Worker, route: Sequence[Stop], fixed: set[str], visits: dict[str, Visit]
) -> list[int]:
    """For every stop, how much later it may begin without breaking what follows or making anything (later) late."""
    matrix = problem.travel[worker.mode]
    allowed = [0] * len(route)
    after = _FAR
    for i in range(len(route) - 1, -1, -1):
        stop = route[i]
        duration = stop.end_s - stop.start_s
        if stop.locked or stop.kind == "break" or stop.visit in fixed:
            after = stop.start_s
            allowed[i] = 0
            continue
        visit = visits[stop.visit]
        due = latest(visit, stop)
        if visit.due_s is not None and stop.kind != "pickup":
            due = min(due, max(visit.due_s, stop.start_s))
        if i + 1 < len(route):
            due = min(due, after - int(matrix[stop.place, route[i + 1].place]) - duration)
        due = min(due, _shift_end(worker, stop.start_s) - duration - _way_home(problem, worker, stop.place))
        allowed[i] = max(0, due - stop.start_s)
        after = stop.start_s + allowed[i]
    return allowed


def _shift_end(worker: Worker, instant: int) -> int:
    return next((shift.end_s for shift in worker.shifts if shift.start_s <= instant <= shift.end_s), _FAR)


def _way_home(problem: Problem, worker: Worker, place: int) -> int:
    return int(problem.travel[worker.mode][place, worker.end_place]) if worker.end_place is not None else 0


def fixed_visits(problem: Problem) -> set[str]:
    """Visits that must not be pushed: crews and linked ones move only together, meals only by their own search."""
    linked = {name for link in problem.links for name in (link.before, link.after)}
    return linked | {visit.id for visit in problem.visits if len(visit.seats) > 1}


def gaps_of(
    problem: Problem, worker: Worker, route: Sequence[Stop], visit: Visit, duration: int, slack: Sequence[int]
) -> list[Gap]:
    """Every place in a route where the seat fits."""
    matrix = problem.travel[worker.mode]
    found: list[Gap] = []
    first = max((i + 1 for i, stop in enumerate(route) if stop.locked), default=0)
    home = _way_home(problem, worker, visit.place)
    for shift in worker.shifts:
        for i in range(first, len(route) + 1):
            before = route[i - 1] if i and route[i - 1].end_s > shift.start_s else None
            behind = route[i] if i < len(route) else None
            if before is not None and before.start_s >= shift.end_s:
                break
            if behind is not None and before is None and behind.end_s <= shift.start_s:
                continue
            place = before.place if before else worker.start_place
            free = max(before.end_s if before else shift.start_s, problem.now_s)
            lo = max(free + int(matrix[place, visit.place]), visit.earliest_s)
            hi = min(visit.latest_s, shift.end_s - duration - home)
            detour = int(matrix[place, visit.place])
            if behind is not None and behind.start_s < shift.end_s:
                onward = int(matrix[visit.place, behind.place])
                hi = min(hi, behind.start_s + slack[i] - onward - duration)
                detour += onward - int(matrix[place, behind.place])
            elif worker.end_place is not None:
                detour += home - int(matrix[place, worker.end_place])
            if lo <= hi:
                found.append(Gap(worker.id, worker.provider, i, lo, hi, detour))
    return found


def link_bounds(problem: Problem, plan: Plan, visit: Visit) -> tuple[int, int]:
    """The starts the links to visits already planned leave open."""
    lo, hi = visit.earliest_s, visit.latest_s
    length = max(seat.duration_s for seat in visit.seats)
    for link in problem.links:
        other = link.before if link.after == visit.id else link.after if link.before == visit.id else None
        stops = [s for s in plan.stops_of(other) if s.kind != "pickup"] if other else []
        if not stops:
            continue
        if link.after == visit.id:
            base = max(s.end_s for s in stops) if link.from_end else stops[0].start_s
            lo = max(lo, base + link.min_gap_s)
            hi = hi if link.max_gap_s is None else min(hi, base + link.max_gap_s)
        else:
            base = stops[0].start_s - (length if link.from_end else 0)
            hi = min(hi, base - link.min_gap_s)
            lo = lo if link.max_gap_s is None else max(lo, base - link.max_gap_s)
    return lo, hi


class Openings(Struct, frozen=True):
    """All gaps for every seat of a visit, and why each other worker has none."""

    seats: tuple[tuple[Gap, ...], ...]
    refusals: tuple[WorkerRefusal, ...]


def openings(problem: Problem, plan: Plan, visit: Visit) -> Openings:
    """Look at every worker once per seat."""
    _, visits = index(problem)
    lo, hi = link_bounds(problem, plan, visit)
    bounded = Visit(visit.id, visit.place, visit.seats, lo, hi)
    fixed = fixed_visits(problem)
    seats: list[tuple[Gap, ...]] = []
    refusals: dict[str, WorkerRefusal] = {}
    slack_of: dict[str, list[int]] = {}
    for seat in visit.seats:
        gaps: list[Gap] = []
        for worker in problem.workers:
            rule = refusal(worker, visit, seat)
            if rule is None and not worker.shifts:
                rule = "no_shift"
            if rule is not None:
                refusals.setdefault(worker.id, WorkerRefusal(worker.id, rule))
                continue
            route = plan.routes.get(worker.id, ())
            if worker.id not in slack_of:
                slack_of[worker.id] = slacks(problem, worker, route, fixed, visits)
            mine = gaps_of(problem, worker, route, bounded, seat.duration_s, slack_of[worker.id])
            gaps += mine
            if not mine:
                rule = "no_gap" if lo <= hi else "window"
                refusals.setdefault(worker.id, WorkerRefusal(worker.id, rule))
        seats.append(tuple(gaps))
    return Openings(tuple(seats), tuple(refusals.values()))


def pushed(
    problem: Problem, worker: Worker, before: Sequence[Stop], stop: Stop, behind: Sequence[Stop]
) -> tuple[Stop, ...]:
    """The route with one more stop; what follows moves later only as far as it must."""
    matrix = problem.travel[worker.mode]
    route = [*before, stop]
    for later in behind:
        arrive = route[-1].end_s + int(matrix[route[-1].place, later.place])
        apart = any(route[-1].start_s < shift.end_s <= later.start_s for shift in worker.shifts)
        route.append(later if later.locked or apart or arrive <= later.start_s else later.at(arrive))
    return tuple(route)


def breaks_fit(problem: Problem, worker: Worker, route: Sequence[Stop]) -> bool:
    """Whether every break of the worker still finds room between the stops and the ways, at the times given."""
    matrix = problem.travel[worker.mode]
    free = 0
    for rest in worker.breaks:
        begin = max(free, rest.earliest_s)
        for n, stop in enumerate(route):
            way = int(matrix[route[n - 1].place if n else worker.start_place, stop.place])
            if begin + rest.duration_s <= stop.start_s - way:
                break
            begin = max(begin, stop.end_s)
        if begin > rest.latest_s:
            return False
        free = begin + rest.duration_s
    return True


def keeps_breaks(problem: Problem, plan: Plan, visit: Visit) -> Callable[[int, Gap, int], bool]:
    """A test of one seat in one gap at one start, for workers who have breaks to take."""
    workers = {worker.id: worker for worker in problem.workers}

    def keeps(seat: int, gap: Gap, start: int) -> bool:
        worker = workers[gap.worker]
        if not worker.breaks:
            return True
        route = plan.routes.get(worker.id, ())
        stop = Stop(worker.id, "visit", visit.id, seat, visit.place, start, start + visit.seats[seat].duration_s)
        return breaks_fit(problem, worker, pushed(problem, worker, route[: gap.position], stop, route[gap.position :]))

    return keeps


def candidate_starts(problem: Problem, seats: Sequence[Sequence[Gap]]) -> list[int]:
    """Starts worth trying: when somebody can first be there, and just after each break."""
    breaks = {worker.id: worker.breaks for worker in problem.workers}
    starts = {gap.lo for gaps in seats for gap in gaps}
    for gaps in seats:
        for gap in gaps:
            for rest in breaks[gap.worker]:
                ends = (gap.lo + rest.duration_s, rest.earliest_s + rest.duration_s, rest.latest_s + rest.duration_s)
                starts |= {end for end in ends if gap.lo < end <= gap.hi}
    return sorted(starts)


def crew_at(
    seats: Sequence[Sequence[Gap]], start: int, keeps: Callable[[int, Gap, int], bool]
) -> tuple[int, tuple[Gap, ...]] | None:
    """The cheapest crew of one provider that can begin then, or None."""
    open_seats = [sorted((g for g in gaps if g.lo <= start <= g.hi), key=lambda g: g.detour_s) for gaps in seats]
    if len(open_seats) == 1:
        alone = next((gap for gap in open_seats[0] if keeps(0, gap, start)), None)
        return (alone.detour_s, (alone,)) if alone else None
    best: tuple[int, tuple[Gap, ...]] | None = None
    for provider in sorted({gap.provider for gap in open_seats[0]}):
        choices = [
            _cheapest_workers((g for g in gaps if g.provider == provider and keeps(n, g, start)), len(seats))
            for n, gaps in enumerate(open_seats)
        ]
        for crew in product(*choices):
            if len({gap.worker for gap in crew}) == len(crew):
                total = sum(gap.detour_s for gap in crew)
                if best is None or total < best[0]:
                    best = (total, crew)
    return best


def _cheapest_workers(gaps: Iterable[Gap], count: int) -> list[Gap]:
    """The cheapest gap of as many workers as there are seats: one of them is always left for this seat."""
    chosen: dict[str, Gap] = {}
    for gap in gaps:
        if gap.worker not in chosen:
            chosen[gap.worker] = gap
            if len(chosen) == count:
                break
    return list(chosen.values())
