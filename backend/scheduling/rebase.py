"""Carrying an improvement over to a day that has moved on meanwhile: whole groups of routes, or not at all."""

from collections.abc import Sequence

import msgspec

from backend.scheduling.settling import Standing
from backend.scheduling.snapshots import Day
from dispatch import Plan, Stop, check_plan, plan_cost, retime

Shape = tuple[tuple[str, str, int], ...]


def _shape(route: Sequence[Stop]) -> Shape:
    return tuple((stop.kind, stop.visit, stop.seat) for stop in route if not stop.visit.startswith("at:"))


def _progress(route: Sequence[Stop]) -> tuple[tuple[str, str, int, bool], ...]:
    """The same with what has begun meanwhile: from then on nothing may be put before it."""
    return tuple((stop.kind, stop.visit, stop.seat, stop.locked) for stop in route if not stop.visit.startswith("at:"))


def carry_over(then: Day, improved: Plan, now: Day, stand: Standing) -> Plan | None:
    """The improvement's changes that touch only routes nobody else has changed since, or None when nothing is left.

    Routes an order moved between stand or fall together. The result is checked against the day as it is now and must
    cost less than what is there; nobody at a door is made to wait longer for a colleague.
    """
    problem, current = stand.problem, stand.plan
    old = {worker: _shape(route) for worker, route in then.plan.routes.items()}
    known = {worker: _progress(route) for worker, route in then.plan.routes.items()}
    new = {worker: _shape(route) for worker, route in improved.routes.items()}
    changed = {worker for worker in new if new[worker] != old.get(worker)}
    spoilt = {worker for worker, route in current.routes.items() if _progress(route) != known.get(worker)}
    groups = _groups(changed, old, new)
    routes = dict(current.routes)
    taken = False
    for group in groups:
        if group & spoilt or not group <= routes.keys():
            continue
        for worker in group:
            routes[worker] = _replaced(current.routes[worker], improved.routes[worker], then, now)
        taken = True
    if not taken:
        return None
    served = {stop.visit for route in routes.values() for stop in route}
    merged = Plan(routes=routes, unserved=tuple(v.id for v in problem.visits if v.id not in served))
    plan = retime(problem, merged)
    if plan is None or not set(current.unserved).issuperset(plan.unserved):
        return None
    if check_plan(problem, plan) or plan_cost(problem, plan) >= plan_cost(problem, current):
        return None
    there = {stop.visit for route in current.routes.values() for stop in route if stop.locked}
    was, will_be = _together(current), _together(plan)
    return None if any(will_be.get(visit, 0) > was.get(visit, 0) for visit in there) else plan


def _together(plan: Plan) -> dict[str, int]:
    """When the last of each visit's crew is there."""
    starts: dict[str, int] = {}
    for route in plan.routes.values():
        for stop in route:
            if stop.kind == "visit":
                starts[stop.visit] = max(stop.start_s, starts.get(stop.visit, 0))
    return starts


def _replaced(current: Sequence[Stop], improved: Sequence[Stop], then: Day, now: Day) -> tuple[Stop, ...]:
    """What has begun as it stands now, the rest as improved; positions in the matrices differ from then to now."""
    begun = tuple(stop for stop in current if stop.locked)
    rest = (stop for stop in improved if not stop.locked)
    return begun + tuple(msgspec.structs.replace(s, place=now.place(then.place_ids[s.place])) for s in rest)


def _groups(changed: set[str], old: dict[str, Shape], new: dict[str, Shape]) -> list[set[str]]:
    """Workers tied together by the visits either version gives them."""
    holders: dict[str, set[str]] = {}
    for worker in changed:
        for _, visit, _ in (*old.get(worker, ()), *new[worker]):
            holders.setdefault(visit, set()).add(worker)
    groups: list[set[str]] = []
    for members in holders.values():
        joined = set(members)
        rest: list[set[str]] = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                rest.append(group)
        groups = [*rest, joined]
    return groups
