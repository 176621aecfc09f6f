"""Putting one more visit into a plan, without moving anybody to another worker.

For single seats and crews every gap of every route is an interval of possible starts: from when the worker can be there
to when what follows would be spoilt. Stops of crews, linked and locked stops do not move; others may be pushed later.
A crew needs one interval per seat, of one provider, that share a start. A meal is tried in every pair of gaps of one route.
"""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
from msgspec import Struct

from dispatch.cost import lateness_cost, route_travel_s
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker
from dispatch.rules import refusal
from dispatch.timing import earliest, index, latest, walk

_FAR = 10**9
_MEAL_WORKERS = 14  # routes tried exactly for a meal, the nearest by a lower bound first


class Gap(Struct, frozen=True):
    """A place in one route where a seat fits, for any start from lo to hi; `detour_s` is the extra travel."""

    worker: str
    provider: str
    position: int
    lo: int
    hi: int
    detour_s: int


class WorkerRefusal(Struct, frozen=True):
    """The first rule that keeps one worker from a visit."""

    worker: str
    rule: str
    detail: str = ""


class Insertion(Struct, frozen=True):
    """A visit placed: the new plan, the visit's own stops, and what it cost."""

    plan: Plan
    stops: tuple[Stop, ...]
    cost: int


class Refusal(Struct, frozen=True):
    """Nobody can: per worker the first rule that refuses, and the commonest of them."""

    visit: str
    reasons: tuple[WorkerRefusal, ...]
    summary: str


class Slot(Struct, frozen=True):
    """A start that can be promised, with its crew in seat order and its cost."""

    start_s: int
    cost: int
    crew: tuple[str, ...]
    late_s: int


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


def fixed_visits(problem: Problem, plan: Plan) -> set[str]:
    """Visits that must not be pushed: crews and linked ones move only together."""
    linked = {name for link in problem.links for name in (link.before, link.after)}
    return linked | {visit.id for visit in problem.visits if len(visit.seats) > 1} | _carried(plan)


def _carried(plan: Plan) -> set[str]:
    """Meals whose ride is limited by a pickup elsewhere in the route are pushed only by their own search."""
    return {stop.visit for route in plan.routes.values() for stop in route if stop.kind == "drop" and stop.locked}


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


def _link_bounds(problem: Problem, plan: Plan, visit: Visit) -> tuple[int, int]:
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
    lo, hi = _link_bounds(problem, plan, visit)
    bounded = Visit(visit.id, visit.place, visit.seats, lo, hi)
    fixed = fixed_visits(problem, plan)
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
            if worker.breaks:
                mine = [
                    gap for gap in mine if _breaks_kept(problem, worker, route, visit, gap, seat.duration_s, visits)
                ]
            gaps += mine
            if not mine:
                rule = "no_gap" if lo <= hi else "window"
                refusals.setdefault(worker.id, WorkerRefusal(worker.id, rule))
        seats.append(tuple(gaps))
    return Openings(tuple(seats), tuple(refusals.values()))


def _breaks_kept(
    problem: Problem,
    worker: Worker,
    route: Sequence[Stop],
    visit: Visit,
    gap: Gap,
    duration: int,
    visits: dict[str, Visit],
) -> bool:
    stop = Stop(worker.id, "visit", visit.id, 0, visit.place, gap.lo, gap.lo + duration)
    trial = (*route[: gap.position], stop, *route[gap.position :])
    return walk(problem, worker, trial, {**visits, visit.id: visit}, {}) is not None


def crew_at(seats: Sequence[Sequence[Gap]], start: int) -> tuple[int, tuple[Gap, ...]] | None:
    """The cheapest crew of one provider that can begin then, or None."""
    open_seats = [sorted((g for g in gaps if g.lo <= start <= g.hi), key=lambda g: g.detour_s) for gaps in seats]
    if len(open_seats) == 1:
        return (open_seats[0][0].detour_s, (open_seats[0][0],)) if open_seats[0] else None
    best: tuple[int, tuple[Gap, ...]] | None = None
    for provider in sorted({gap.provider for gap in open_seats[0]}):
        choices = [_cheapest_workers(gaps, provider, len(seats)) for gaps in open_seats]
        for crew in product(*choices):
            if len({gap.worker for gap in crew}) == len(crew):
                total = sum(gap.detour_s for gap in crew)
                if best is None or total < best[0]:
                    best = (total, crew)
    return best


def _cheapest_workers(gaps: Iterable[Gap], provider: str, count: int) -> list[Gap]:
    """The cheapest gap of as many workers as there are seats: one of them is always left for this seat."""
    chosen: dict[str, Gap] = {}
    for gap in gaps:
        if gap.provider == provider and gap.worker not in chosen:
            chosen[gap.worker] = gap
            if len(chosen) == count:
                break
    return list(chosen.values())


def quote(problem: Problem, plan: Plan, visit: Visit, starts: Sequence[int]) -> list[Slot]:
    """For every start asked, the best crew that can begin then; starts nobody can keep are left out."""
    found = openings(problem, plan, visit)
    wanted = np.asarray(starts, dtype=np.int64)
    possible = np.ones(len(wanted), dtype=bool)
    for gaps in found.seats:
        lo = np.asarray([gap.lo for gap in gaps], dtype=np.int64)
        hi = np.asarray([gap.hi for gap in gaps], dtype=np.int64)
        possible &= ((lo[None, :] <= wanted[:, None]) & (wanted[:, None] <= hi[None, :])).any(axis=1)
    slots: list[Slot] = []
    for start in wanted[possible].tolist():
        crew = crew_at(found.seats, start)
        if crew is not None:
            late = max(0, start - visit.due_s) if visit.due_s is not None else 0
            price = crew[0] + lateness_cost(problem.weights, visit, start)
            slots.append(Slot(start, price, tuple(gap.worker for gap in crew[1]), late))
    return slots


def insert(problem: Problem, plan: Plan, visit: Visit) -> Insertion | Refusal:
    """The cheapest way to serve one more visit, or why nobody can."""
    if visit.delivery is not None:
        return _insert_meal(problem, plan, visit)
    found = openings(problem, plan, visit)
    candidates = sorted({gap.lo for gaps in found.seats for gap in gaps})
    best: tuple[int, int, tuple[Gap, ...]] | None = None
    for start in candidates:
        late = lateness_cost(problem.weights, visit, start)
        if best is not None and late > best[0]:
            break
        crew = crew_at(found.seats, start)
        if crew is not None and (best is None or crew[0] + late < best[0]):
            best = (crew[0] + late, start, crew[1])
    if best is None:
        return _refused(visit, found.refusals, problem)
    total, start, crew_gaps = best
    routes = dict(plan.routes)
    stops: list[Stop] = []
    for number, gap in enumerate(crew_gaps):
        seat = visit.seats[number]
        stop = Stop(gap.worker, "visit", visit.id, number, visit.place, start, start + seat.duration_s)
        stops.append(stop)
        route = routes.get(gap.worker, ())
        routes[gap.worker] = pushed(problem, route[: gap.position], stop, route[gap.position :])
    return Insertion(Plan(routes, tuple(u for u in plan.unserved if u != visit.id)), tuple(stops), total)


def pushed(problem: Problem, before: Sequence[Stop], stop: Stop, behind: Sequence[Stop]) -> tuple[Stop, ...]:
    """The route with one more stop; what follows moves later only as far as it must."""
    worker = next(w for w in problem.workers if w.id == stop.worker)
    matrix = problem.travel[worker.mode]
    route = [*before, stop]
    for later in behind:
        arrive = route[-1].end_s + int(matrix[route[-1].place, later.place])
        if later.locked or arrive <= later.start_s:
            route.append(later)
            continue
        route.append(later.at(arrive))
    return tuple(route)


def _refused(visit: Visit, refusals: Sequence[WorkerRefusal], problem: Problem) -> Refusal:
    rules = [reason.rule for reason in refusals]
    if not problem.workers:
        return Refusal(visit.id, (), "no_shift")
    serious = [rule for rule in rules if rule in {"no_gap", "window"}]
    summary = max(set(serious or rules), key=(serious or rules).count) if rules else "crew_together"
    return Refusal(visit.id, tuple(refusals), summary)


def _insert_meal(problem: Problem, plan: Plan, visit: Visit) -> Insertion | Refusal:
    """Fetch and bring within one route, other meals in between where they keep their own limits."""
    delivery = visit.delivery
    if delivery is None:
        raise ValueError("not a delivery")
    _, visits = index(problem)
    visits[visit.id] = visit
    refusals: list[WorkerRefusal] = []
    ranked: list[tuple[int, Worker]] = []
    for worker in problem.workers:
        rule = refusal(worker, visit, visit.seats[0]) or (None if worker.shifts else "no_shift")
        if rule is not None:
            refusals.append(WorkerRefusal(worker.id, rule))
            continue
        bound = _reach(problem, worker, plan.routes.get(worker.id, ()), delivery.pickup_place, delivery.ready_s)
        if bound is None or bound + delivery.pickup_duration_s > visit.latest_s:
            refusals.append(WorkerRefusal(worker.id, "no_gap"))
            continue
        ranked.append((bound, worker))
    ranked.sort(key=lambda pair: pair[0])
    best: tuple[float, tuple[Stop, ...], Worker] | None = None
    for rank, (_, worker) in enumerate(ranked):
        if rank >= _MEAL_WORKERS and best is not None:
            break
        found = _best_pair(
            problem, worker, plan.routes.get(worker.id, ()), visit, visits, best[0] if best else float("inf")
        )
        if found is not None:
            best = (found[0], found[1], worker)
        else:
            refusals.append(WorkerRefusal(worker.id, "no_gap"))
    if best is None:
        return _refused(visit, refusals, problem)
    routes = {**plan.routes, best[2].id: best[1]}
    stops = tuple(stop for stop in best[1] if stop.visit == visit.id)
    return Insertion(Plan(routes, tuple(u for u in plan.unserved if u != visit.id)), stops, int(best[0]))


def _reach(problem: Problem, worker: Worker, route: Sequence[Stop], place: int, ready: int) -> int | None:
    """The earliest the worker could be at a place, over every gap of the route."""
    matrix = problem.travel[worker.mode]
    first = max((i + 1 for i, stop in enumerate(route) if stop.locked), default=0)
    bounds: list[int] = []
    if first == 0:
        bounds = [
            max(s.start_s, problem.now_s) + int(matrix[worker.start_place, place])
            for s in worker.shifts
            if s.end_s > problem.now_s
        ]
    bounds += [max(stop.end_s, problem.now_s) + int(matrix[stop.place, place]) for stop in route[max(0, first - 1) :]]
    return max(min(bounds), ready) if bounds else None


def _best_pair(
    problem: Problem, worker: Worker, route: Sequence[Stop], visit: Visit, visits: dict[str, Visit], limit: float
) -> tuple[float, tuple[Stop, ...]] | None:
    delivery = visit.delivery
    if delivery is None:
        return None
    first = max((i + 1 for i, stop in enumerate(route) if stop.locked), default=0)
    base = _route_cost(problem, worker, route, visits)
    pickup = Stop(worker.id, "pickup", visit.id, 0, delivery.pickup_place, 0, delivery.pickup_duration_s)
    drop = Stop(worker.id, "drop", visit.id, 0, visit.place, 0, visit.seats[0].duration_s)
    best: tuple[float, tuple[Stop, ...]] | None = None
    for i in range(first, len(route) + 1):
        for j in range(i, min(len(route), i + 4) + 1):
            trial = (*route[:i], pickup, *route[i:j], drop, *route[j:])
            timed = timed_route(problem, worker, trial, visits)
            if timed is None:
                continue
            extra = _route_cost(problem, worker, timed, visits) - base
            if extra < limit and (best is None or extra < best[0]):
                best = (extra, timed)
    return best


def timed_route(
    problem: Problem, worker: Worker, route: Sequence[Stop], visits: dict[str, Visit]
) -> tuple[Stop, ...] | None:
    """The route at its earliest times, if windows, rides and the box allow it."""
    crews = {(s.visit, s.kind): s.start_s for s in route if s.visit in visits and len(visits[s.visit].seats) > 1}
    starts = walk(problem, worker, route, visits, crews)
    if starts is None or any(
        crews.get((s.visit, s.kind), t) != t for s, t in zip(route, starts, strict=True) if not s.locked
    ):
        return None
    timed = tuple(s if s.locked else s.at(t) for s, t in zip(route, starts, strict=True))
    load = 0
    left: dict[str, int] = {}
    for stop in timed:
        delivery = visits[stop.visit].delivery if stop.visit in visits else None
        if delivery is None:
            continue
        if stop.kind == "pickup":
            load += delivery.load
            left[stop.visit] = stop.end_s
            if load > worker.box_capacity:
                return None
        elif stop.kind == "drop":
            load -= delivery.load
            if (
                delivery.max_ride_s is not None
                and not stop.locked
                and stop.start_s - left.get(stop.visit, stop.start_s) > delivery.max_ride_s
            ):
                return None
    return timed


def _route_cost(problem: Problem, worker: Worker, route: Sequence[Stop], visits: dict[str, Visit]) -> float:
    total = problem.weights.travel_s * route_travel_s(problem, worker, route)
    for stop in route:
        if stop.kind in {"visit", "drop"} and stop.visit in visits:
            total += lateness_cost(problem.weights, visits[stop.visit], stop.start_s)
    return total


__all__ = ["Gap", "Insertion", "Refusal", "Slot", "WorkerRefusal", "earliest", "insert", "quote"]
