"""Kernels for equipment in a plan that is asked about: when a unit is free, and who has which unit from then on.

A visit gets equipment only where a unit is free in the plan as it stands. Which unit that is nobody is told: whenever one
more use comes in, later ones take turns anew, by the same rule as in `sharing.turns`.
"""

from dispatch.engine.compiling import inlined
from dispatch.engine.day import FAR, Day, State
from dispatch.engine.openings import Asked
from dispatch.engine.timing import put, queue_node, take_out


@inlined
def _open_to(d: Day, n: int, u: int, provider: int) -> bool:
    """Whether a unit is of the kind the node asks for, and everybody's or this provider's."""
    owner = d.worker[u].provider
    return bool(d.fits[n, u]) and (owner < 0 or owner == provider)


@inlined
def _lasting(d: Day, u: int) -> bool:
    """Whether a unit is there all day, and not only made up for a use that has none."""
    return bool(d.shift[d.worker[u].shift_first].end >= FAR)


@inlined
def _full_until(d: Day, s: State, n: int, provider: int, moment: int) -> int:
    """When the first of all units, busy at a moment, is free again; that moment itself when one is free then."""
    units, busy = 0, 0
    soonest = FAR
    for u in range(d.persons, d.workers):
        if not _open_to(d, n, u, provider):
            continue
        units += _lasting(d, u)
        free = d.worker[u].free if _lasting(d, u) else moment
        m = s.node[d.nodes + u].after
        while m < d.nodes and s.node[m].start <= moment:
            free = s.node[m].done
            m = s.node[m].after
        if free > moment:
            busy += 1
            soonest = min(soonest, free)
    return moment if busy < units else soonest


@inlined
def _room_from(d: Day, s: State, n: int, provider: int, begin: int) -> int:
    """The first moment, not before `begin`, from which a unit is free for as long as the node needs it, or FAR."""
    while begin < FAR:
        free = _full_until(d, s, n, provider, begin)
        for u in range(d.persons, d.workers):
            if free > begin or not _open_to(d, n, u, provider):
                continue
            m = s.node[d.nodes + u].after
            while m < d.nodes and s.node[m].start <= begin:
                m = s.node[m].after
            while m < d.nodes and s.node[m].start < begin + d.node[n].duration and free <= begin:
                again = _full_until(d, s, n, provider, s.node[m].start)
                free = again if again > s.node[m].start else free
                m = s.node[m].after
        if free <= begin:
            break
        begin = free
    return begin


@inlined
def free_from(d: Day, s: State, v: int, provider: int, begin: int) -> int:
    """The first moment, not before `begin`, at which everything a visit of this provider needs is free, or FAR."""
    again = True
    while again:
        again = False
        for n in range(d.visit[v].units, d.visit[v].end):
            free = _room_from(d, s, n, provider, begin)
            again = again or free > begin
            begin = free
        again = again and begin < FAR
    return begin


@inlined
def _turn(d: Day, a: Asked, begin: int) -> int:
    """Of the units free by then the one that waited shortest, else the one free first; -1 when there is none."""
    idle, first = -1, -1
    for u in range(d.persons, d.workers):
        if a.unit_last[u] < 0:
            continue
        if a.unit_free[u] <= begin and (idle < 0 or a.unit_free[u] > a.unit_free[idle]):
            idle = u
        if first < 0 or a.unit_free[u] < a.unit_free[first]:
            first = u
    return idle if idle >= 0 else first


@inlined
def take_units(d: Day, s: State, a: Asked, v: int, start: int) -> bool:
    """Put the visit's equipment in, and let all later uses of the same pools take turns anew; the crew is there already."""
    provider = d.worker[s.node[d.visit[v].first].route].provider
    for n in range(d.visit[v].units, d.visit[v].end):
        for u in range(d.persons, d.workers):
            a.unit_last[u] = -1
            if not _open_to(d, n, u, provider) or not _lasting(d, u):
                continue
            p = d.nodes + u
            free = d.worker[u].free
            while s.node[p].after < d.nodes and s.node[s.node[p].after].start < start:
                p = s.node[p].after
                free = s.node[p].done
            a.unit_last[u], a.unit_free[u], a.unit_next[u] = p, free, s.node[p].after
        chosen = _turn(d, a, start)
        if chosen < 0 or not put(d, s, n, chosen, a.unit_last[chosen]):
            return False
        a.unit_last[chosen], a.unit_free[chosen] = n, start + d.node[n].duration
        while True:
            now = -1
            for u in range(d.persons, d.workers):
                if a.unit_last[u] < 0 or a.unit_next[u] >= d.nodes:
                    continue
                if now < 0 or s.node[a.unit_next[u]].start < s.node[a.unit_next[now]].start:
                    now = u
            if now < 0:
                break
            m = a.unit_next[now]
            a.unit_next[now] = s.node[m].after
            begin, done = s.node[m].start, s.node[m].done
            chosen = _turn(d, a, begin)
            if chosen != now or s.node[m].before != a.unit_last[chosen]:
                if not take_out(d, s, m) or not put(d, s, m, chosen, a.unit_last[chosen]):
                    return False
                queue_node(d, s, m)
            a.unit_last[chosen], a.unit_free[chosen] = m, max(a.unit_free[chosen], done)
    return True
