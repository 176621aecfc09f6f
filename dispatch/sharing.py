"""Which unit of equipment serves which visit. Units of one pool are interchangeable, so that a plan does not name them."""

from msgspec import Struct

from dispatch.plan import Plan
from dispatch.problem import Link, Problem, Visit

_FAR = 10**12


class Unit(Struct, frozen=True):
    """One of the units of a kind; `provider` None: everybody's."""

    kind: str
    provider: str | None


class Use(Struct, frozen=True):
    """A unit of a kind needed by a visit, from its start until it can be used again, seconds."""

    visit: str
    kind: str
    provider: str
    start_s: int
    end_s: int


def units_of(problem: Problem) -> list[Unit]:
    """Every unit there is."""
    return [Unit(pool.kind, pool.provider) for pool in problem.equipment for _ in range(pool.count)]


def busy_s(problem: Problem, visit: Visit, kind: str) -> int:
    """How long a visit keeps a unit: its longest seat and the turnaround."""
    turnaround = max((pool.turnaround_s for pool in problem.equipment if pool.kind == kind), default=0)
    return max(seat.duration_s for seat in visit.seats) + turnaround


def uses_of(problem: Problem, plan: Plan) -> list[Use]:
    """Everything that is used in a plan, by start."""
    needing = {visit.id: visit for visit in problem.visits if visit.equipment}
    providers = {worker.id: worker.provider for worker in problem.workers}
    found: dict[str, Use] = {}
    for worker, route in plan.routes.items():
        for stop in route:
            visit = needing.get(stop.visit)
            if visit is None:
                continue
            for kind in visit.equipment:
                end = stop.start_s + busy_s(problem, visit, kind)
                use = Use(stop.visit, kind, providers.get(worker, ""), stop.start_s, end)
                found[f"{stop.visit} {kind}"] = use
    return sorted(found.values(), key=lambda use: (use.start_s, use.visit, use.kind))


def shared_out(units: list[Unit], uses: list[Use], free: list[int]) -> list[int] | None:
    """A unit for every use, which must come by start; `free` says from when, and is brought up to date.

    The unit that waited shortest is taken. None when some use finds no unit free: then there are too few.
    """
    taken: list[int] = []
    for use in uses:
        chosen = _soonest(units, use, free)
        if chosen is None or free[chosen] > use.start_s:
            return None
        free[chosen] = use.end_s
        taken.append(chosen)
    return taken


def stretched(units: list[Unit], uses: list[Use], free: list[int]) -> tuple[list[int], list[Use]]:
    """The same where there may be too few: a use without a unit gets one of its own, numbered behind the others.

    Returns the unit of every use, and the uses that have one of their own.
    """
    taken: list[int] = []
    alone: list[Use] = []
    for use in uses:
        found = shared_out(units, [use], free)
        if found is None:
            found = [len(units) + len(alone)]
            alone.append(use)
        taken += found
    return taken, alone


def keep_begun(units: list[Unit], uses: list[Use], free: list[int]) -> None:
    """Let what has begun keep a unit, even where there are too few: it has happened. `free` is brought up to date."""
    for use in uses:
        chosen = _soonest(units, use, free)
        if chosen is not None:
            free[chosen] = max(free[chosen], use.end_s)


def turns(problem: Problem, plan: Plan) -> list[Link]:
    """Who waits for whose unit: the order in which the plan's visits take turns, as gaps between them."""
    units = units_of(problem)
    free = [-_FAR] * len(units)
    before: list[Use | None] = [None] * len(units)
    found: list[Link] = []
    for use in uses_of(problem, plan) if units else ():
        chosen = _soonest(units, use, free)
        if chosen is None:
            continue
        previous = before[chosen]
        if previous is not None:
            found.append(Link(previous.visit, use.visit, previous.end_s - previous.start_s))
        free[chosen], before[chosen] = max(free[chosen], use.end_s), use
    return found


def _soonest(units: list[Unit], use: Use, free: list[int]) -> int | None:
    """Of the units free by then the one that waited shortest, else the one free first; None when nobody has any."""
    able = [u for u, unit in enumerate(units) if unit.kind == use.kind and unit.provider in {None, use.provider}]
    idle = [u for u in able if free[u] <= use.start_s]
    if idle:
        return max(idle, key=lambda u: (free[u], -u))
    return min(able, key=lambda u: free[u]) if able else None
