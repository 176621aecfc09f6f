"""Bringing a day's times up to what has really happened, and its limits to what can still be kept."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from backend.scheduling.snapshots import Day
from dispatch import Link, Plan, Problem, Shift, Stop, Visit, Worker, check_plan, retime

_LATE_S = 6 * 3600  # how far a day may slip before its times are no longer told


class Standing(Struct, frozen=True):
    """A day as it stands: a plan with true times, and a problem whose limits that plan keeps."""

    problem: Problem
    plan: Plan


def settled(day: Day) -> Plan:
    """The day's plan with times brought up to what has really happened.

    When that breaks a promised window, lateness is the truth: the times say so, and nobody is dropped for it.
    """
    begun = any(stop.locked for route in day.plan.routes.values() for stop in route)
    if not begun and all(_reached(day.problem, w, day.plan.routes.get(w.id, ())) for w in day.problem.workers):
        return day.plan
    return retime(day.problem, day.plan) or retime(_forgiving(day.problem), day.plan) or day.plan


def standing(day: Day) -> Standing:
    """The day as a search may go on from it.

    One courier who is late beyond the end of a shift must not keep everybody else's day from getting better: limits
    that are broken already move to where the plan keeps them, and what comes after them costs lateness.
    """
    plan = settled(day)
    problem = day.searchable
    known = {visit.id for visit in problem.visits}
    plan = Plan(plan.routes, tuple(visit for visit in plan.unserved if visit in known))
    broken = check_plan(problem, plan)
    if not broken:
        return Standing(problem, plan)
    rests = {violation.subject for violation in broken if violation.rule == "break"}
    stops: dict[str, list[Stop]] = {}
    for route in plan.routes.values():
        for stop in route:
            stops.setdefault(stop.visit, []).append(stop)
    relaxed = msgspec.structs.replace(
        problem,
        visits=tuple(_as_planned(visit, stops.get(visit.id, [])) for visit in problem.visits),
        links=tuple(_as_far(link, stops) for link in problem.links),
        workers=tuple(_until_done(problem, w, plan.routes.get(w.id, ()), w.id in rests) for w in problem.workers),
    )
    return Standing(relaxed, plan)


def _as_planned(visit: Visit, stops: list[Stop]) -> Visit:
    """The visit with a window, and a ride, as long as the plan needs them."""
    start = max((stop.start_s for stop in stops if stop.kind != "pickup"), default=visit.latest_s)
    if start > visit.latest_s:
        due = visit.latest_s if visit.due_s is None else visit.due_s
        visit = msgspec.structs.replace(visit, latest_s=start, due_s=due)
    meal = visit.delivery
    fetched = max((stop.end_s for stop in stops if stop.kind == "pickup"), default=None)
    if meal is not None and meal.max_ride_s is not None and fetched is not None and start - fetched > meal.max_ride_s:
        visit = msgspec.structs.replace(visit, delivery=msgspec.structs.replace(meal, max_ride_s=start - fetched))
    return visit


def _as_far(link: Link, stops: Mapping[str, list[Stop]]) -> Link:
    """The gap as wide, or as narrow, as the plan keeps it."""
    first = [stop for stop in stops.get(link.before, ()) if stop.kind != "pickup"]
    then = [stop for stop in stops.get(link.after, ()) if stop.kind != "pickup"]
    if not first or not then:
        return link
    base = max(stop.end_s for stop in first) if link.from_end else min(stop.start_s for stop in first)
    gap = min(stop.start_s for stop in then) - base
    longest = None if link.max_gap_s is None else max(link.max_gap_s, gap)
    return msgspec.structs.replace(link, min_gap_s=min(link.min_gap_s, gap), max_gap_s=longest)


def _until_done(problem: Problem, worker: Worker, route: tuple[Stop, ...], restless: bool) -> Worker:
    """The worker with shifts that last until the planned stops are done; a break that found no room is left out."""
    if restless:
        worker = msgspec.structs.replace(worker, breaks=())
    if not worker.shifts:
        return worker
    shifts = list(worker.shifts)
    for stop, behind in zip(route, (*route[1:], None), strict=False):
        if stop.locked:
            continue
        number = _shift_number(worker, stop)
        done = stop.end_s
        if worker.end_place is not None and (behind is None or _shift_number(worker, behind) != number):
            done += int(problem.travel[worker.mode][stop.place, worker.end_place])
        shifts[number] = Shift(shifts[number].start_s, max(shifts[number].end_s, done))
    return msgspec.structs.replace(worker, shifts=tuple(shifts))


def _shift_number(worker: Worker, stop: Stop) -> int:
    """The last shift that has begun when the stop begins, else the first."""
    return max(sum(shift.start_s <= stop.start_s for shift in worker.shifts) - 1, 0)


def _reached(problem: Problem, worker: Worker, route: Sequence[Stop]) -> bool:
    """Tell whether each shift's first stop leaves time for the way there: a leave may begin a shift later than planned."""
    if not worker.shifts or not route:
        return True
    ways = problem.travel[worker.mode]
    numbers = [_shift_number(worker, stop) for stop in route]
    first = [(stop, n) for stop, n, before in zip(route, numbers, (-1, *numbers), strict=False) if n != before]
    return all(
        stop.start_s >= worker.shifts[n].start_s + int(ways[worker.start_place, stop.place]) for stop, n in first
    )


def _longer(worker: Worker) -> Iterator[Shift]:
    """The shifts with time to be late in, each until the next one: a leave between two of them stays one."""
    for shift, behind in zip(worker.shifts, (*worker.shifts[1:], None), strict=False):
        ends = shift.end_s + _LATE_S
        yield Shift(shift.start_s, ends if behind is None else max(shift.end_s, min(ends, behind.start_s - 1)))


def _forgiving(problem: Problem) -> Problem:
    visits = tuple(
        msgspec.structs.replace(v, latest_s=v.latest_s + _LATE_S, due_s=v.latest_s if v.due_s is None else v.due_s)
        for v in problem.visits
    )
    workers = tuple(msgspec.structs.replace(w, breaks=(), shifts=tuple(_longer(w))) for w in problem.workers)
    return msgspec.structs.replace(problem, visits=visits, workers=workers)
