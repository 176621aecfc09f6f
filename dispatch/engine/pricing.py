"""Kernels that price what is timed: a start, uneven work, a plan."""

from dispatch.engine.compiling import compiled, entry, inlined, inlined_entry
from dispatch.engine.day import DROPPED, SOFT, TRAVEL, WISHES, WORST, Day, State


@inlined_entry
def visit_cost(d: Day, v: int, start: int) -> float:
    """Price a start: lateness, a cooling meal, a moved promise."""
    cost = 0.0
    late = start - d.visit[v].due
    if late > 0:
        cost += d.visit[v].late_flat + d.visit[v].late_rate * late
    if d.visit[v].wait_rate > 0.0 and start > d.visit[v].ready:
        cost += d.visit[v].wait_rate * (start - d.visit[v].ready)
    if d.visit[v].moved_rate > 0.0:
        off = abs(start - d.visit[v].promised) - d.visit[v].moved_free
        if off > 0:
            cost += d.visit[v].moved_rate * off
    return cost


@inlined
def price(d: Day, s: State) -> float:
    """Price the served visits as they are now."""
    return d.travel_rate * s.sums[TRAVEL] + s.sums[SOFT] + d.worst_rate * s.sums[WORST] + s.sums[WISHES]


@entry
def total(d: Day, s: State) -> float:
    """Price the plan as it is now."""
    return price(d, s) + s.sums[DROPPED]


@compiled
def worst_again(d: Day, s: State) -> None:
    """Find the greatest lateness from scratch; taking stops out may have lowered it."""
    worst = 0
    for n in range(d.nodes):
        if d.node[n].priced and s.node[n].route >= 0:
            late = s.node[n].start - d.visit[d.node[n].visit].due
            worst = max(worst, late)
    s.sums[WORST] = worst


@inlined
def uneven_more(d: Day, s: State, w: int, busy: int) -> float:
    """Price so much more handling of a worker beyond an even share; negative for less."""
    before = max(0, s.worker[w].handled - d.worker[w].share)
    after = max(0, s.worker[w].handled + busy - d.worker[w].share)
    return d.worker[w].uneven * (float(after) * float(after) - float(before) * float(before))
