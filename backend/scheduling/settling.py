"""Bringing a day's times up to what has really happened, and its limits to what can still be kept."""

from collections.abc import Mapping

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
    if not any(stop.locked for route in day.plan.routes.values() for stop in route):
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
    """The worker with a shift that lasts until the planned stops are done; a rest that found no room is left out."""
    if restless:
        worker = msgspec.structs.replace(worker, breaks=())
    if not route or route[-1].locked or not worker.shifts:
        return worker
    way = 0 if worker.end_place is None else int(problem.travel[worker.mode][route[-1].place, worker.end_place])
    last = worker.shifts[-1]
    if route[-1].end_s + way <= last.end_s:
        return worker
    return msgspec.structs.replace(worker, shifts=(*worker.shifts[:-1], Shift(last.start_s, route[-1].end_s + way)))


def _forgiving(problem: Problem) -> Problem:
    visits = tuple(
        msgspec.structs.replace(v, latest_s=v.latest_s + _LATE_S, due_s=v.latest_s if v.due_s is None else v.due_s)
        for v in problem.visits
    )
    workers = tuple(
        msgspec.structs.replace(w, breaks=(), shifts=tuple(Shift(s.start_s, s.end_s + _LATE_S) for s in w.shifts))
        for w in problem.workers
    )
    return msgspec.structs.replace(problem, visits=visits, workers=workers)
