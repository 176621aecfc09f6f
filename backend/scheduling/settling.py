"""Bringing a day's times up to what has really happened."""

import msgspec

from backend.scheduling.snapshots import Day
from dispatch import Plan, Problem, Shift, retime

_LATE_S = 6 * 3600  # how far a day may slip before its times are no longer told


def settled(day: Day) -> Plan:
    """The day's plan with times brought up to what has really happened.

    When that breaks a promised window, lateness is the truth: the times say so, and nobody is dropped for it.
    """
    if not any(stop.locked for route in day.plan.routes.values() for stop in route):
        return day.plan
    return retime(day.problem, day.plan) or retime(_forgiving(day.problem), day.plan) or day.plan


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
