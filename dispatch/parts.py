"""The day of some workers alone, and which routes hang together: small problems are asked faster than whole days."""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from dispatch.plan import Plan
from dispatch.problem import Problem, Visit


def part_of(problem: Problem, plan: Plan, names: Collection[str], visit: Visit | None = None) -> Problem:
    """The day of these workers: what their routes serve, and one visit, in the form given, with what it is tied to.

    Where equipment is shared, who uses it stays known: all visits that need some, and the other workers, without shifts.
    """
    ids = {stop.visit for name in names for stop in plan.routes.get(name, ())}
    if visit is not None:
        ties = [{link.before, link.after} for link in problem.links]
        ids |= set[str]().union(*(tie for tie in ties if visit.id in tie)) - {visit.id}
    ids |= {known.id for known in problem.visits if known.equipment}
    others = [worker for worker in problem.workers if worker.id not in names] if problem.equipment else []
    mine = [worker for worker in problem.workers if worker.id in names]
    visits = [known for known in problem.visits if known.id in ids and (visit is None or known.id != visit.id)]
    return replace(
        problem,
        workers=(*mine, *(replace(worker, shifts=(), breaks=()) for worker in others)),
        visits=(*visits, *([] if visit is None else [visit])),
        links=tuple(link for link in problem.links if visit is not None or {link.before, link.after} <= ids),
    )


def tied(problem: Problem, plan: Plan) -> list[set[str]]:
    """Routes that crews and links tie together, as connected parts."""
    of: dict[str, set[str]] = {}
    for name, route in plan.routes.items():
        for stop in route:
            of.setdefault(stop.visit, set()).add(name)
    ties = [names for visit, names in of.items() if visit and len(names) > 1]
    ties += [of.get(link.before, set()) | of.get(link.after, set()) for link in problem.links]
    return joined(plan.routes, ties)


def tangles(problem: Problem, plan: Plan) -> list[set[str]]:
    """Routes that may push each other: tied ones, and those whose visits share a kind of equipment."""
    needs = {visit.id: visit.equipment for visit in problem.visits if visit.equipment}
    sharing: dict[str, set[str]] = {}
    for name, route in plan.routes.items():
        for kind in {kind for stop in route for kind in needs.get(stop.visit, ())}:
            sharing.setdefault(kind, set()).add(name)
    return joined(plan.routes, [*tied(problem, plan), *sharing.values()])


def joined(names: Iterable[str], ties: Iterable[set[str]]) -> list[set[str]]:
    """Connected parts of what the ties connect."""
    part = {name: {name} for name in names}
    for tie in ties:
        whole = set[str]().union(*(part[name] for name in tie))
        part.update(dict.fromkeys(whole, whole))
    return list({id(group): group for group in part.values()}.values())
