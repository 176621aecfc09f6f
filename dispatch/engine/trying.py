"""Kernels that put a visit where it was asked about, to see what that really costs."""

from dispatch.engine.compiling import inlined, inlined_entry
from dispatch.engine.day import STEADY, STUCK, WORST, Day, State
from dispatch.engine.limits import limits_kept
from dispatch.engine.openings import Asked
from dispatch.engine.places import NEVER, keep_sums, restore_sums
from dispatch.engine.pricing import price, worst_again
from dispatch.engine.timing import propagate, put, queue_node, undo
from dispatch.engine.units import free_from, take_units

_MOST_WAITS = 40  # for a unit, when a crew that must begin later finds it taken again


@inlined_entry
def put_in(d: Day, s: State, a: Asked, v: int, start: int, ceiling: float) -> bool:
    """Put a visit's nodes where `State.found` says, with equipment from `start` on (-1: without), and time everything.

    False when a rule breaks or the price passes the ceiling. Where starts go up and down for ever, nobody who has waited
    until some instant begins earlier any more: `retime` looks at every plan that way.
    """
    mark = s.top[0]
    kept = keep_sums(s)
    if _put(d, s, a, v, start, ceiling):
        return True
    if not s.turn[STUCK]:
        return False
    undo(d, s, mark)
    restore_sums(s, kept)
    for u in range(d.visits):
        s.visit[u].floor = 0
    s.turn[STEADY] = 1
    good = _put(d, s, a, v, start, ceiling)
    s.turn[STEADY] = 0
    return good


@inlined
def _put(d: Day, s: State, a: Asked, v: int, start: int, ceiling: float) -> bool:
    """The same, as it comes."""
    first, units = d.visit[v].first, d.visit[v].units
    for i in range(units - first):
        if not put(d, s, first + i, s.found[2 * i], s.found[2 * i + 1]):
            return False
    equipped = units < d.visit[v].end and start >= 0
    good = not equipped or take_units(d, s, a, v, start)
    for n in range(first, d.visit[v].end if equipped else units):
        queue_node(d, s, n)
        queue_node(d, s, s.node[n].after)
    return propagate(d, s, ceiling) and good and (d.limits == 0 or limits_kept(d, s))


@inlined
def tried(d: Day, s: State, a: Asked, v: int, k: int, start: int, best: float) -> float:
    """What it really costs to put the visit's nodes where `State.found` says; NEVER when a rule breaks or not under `best`.

    Equipment is taken from when the crew could begin without, or when it is free next; `Asked.start` says when.
    """
    mark = s.top[0]
    kept = keep_sums(s)
    before = price(d, s)
    # on the way to its times a stop may have been later than it is in the end: the greatest lateness is found anew
    ceiling = NEVER if d.worst_rate > 0.0 else before + best
    first, units, end = d.visit[v].first, d.visit[v].units, d.visit[v].end
    cost = NEVER
    start = -1 if units < end and a.lo[k] < a.hi[k] else start
    for _ in range(_MOST_WAITS):
        if units < end and start >= 0:
            for n in range(first, end):
                d.node[n].opens = start
        begin = start
        if put_in(d, s, a, v, start, ceiling):
            if d.worst_rate > 0.0:
                worst_again(d, s)
                s.sums[WORST] = max(s.sums[WORST], kept[2])
            cost = price(d, s) - before
            begin = s.node[first].start
        undo(d, s, mark)
        restore_sums(s, kept)
        if units == end or begin == start:
            break
        cost = NEVER
        start = free_from(d, s, v, d.worker[s.found[0]].provider, begin)
        if start > a.hi[k]:
            break
    if units < end:
        for n in range(first, end):
            d.node[n].opens = a.lo[k]
    if cost >= best:
        return NEVER
    a.start[k] = start
    return cost
