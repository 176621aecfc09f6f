"""Annealing over lists: every visit has a place in one order of the whole day, every seat a worker.

Reading the order from its beginning, each visit begins when all its workers can be there; visits tied by gaps are read
together. Whatever the order, crews never wait for each other in a ring, so that almost any change is a plan. After a
change only those are read again who stand elsewhere than before, until they stand as before: on days full of crews and
ties that is cheaper than following changes through the routes.
"""

import numpy as np

from dispatch.engine.chance import chance
from dispatch.engine.compiling import compiled, inlined
from dispatch.engine.day import NONE, Day, Records
from dispatch.engine.lists import BUSY, MARK, STIRRED, TOUCHED, Lists
from dispatch.engine.places import NEVER
from dispatch.engine.timing import home_of, leg_between, rests_left_fit, step, visit_cost

_READ_AGAIN = 6


@inlined
def _copy(one: Records, i: int, other: Records, j: int) -> None:
    """Field by field: numba copies whole records slowly."""
    one[i].place, one[i].free = other[j].place, other[j].free
    one[i].shift, one[i].rests, one[i].last = other[j].shift, other[j].rests, other[j].last


@inlined
def _same(one: Records, i: int, other: Records, j: int) -> bool:
    """Whether a worker stands there as before; the place goes with the last node."""
    return (
        one[i].free == other[j].free
        and one[i].last == other[j].last
        and one[i].shift == other[j].shift
        and one[i].rests == other[j].rests
    )


@inlined
def _stir(s: Lists, w: int, kept: Records, i: int) -> None:
    """From here on a worker may stand elsewhere than what is kept says; until now it was so."""
    _copy(s.tail, w, kept, i)
    s.stirred[w] = 1
    s.counts[STIRRED] += 1
    s.busy[s.counts[BUSY]] = w
    s.counts[BUSY] += 1


@inlined
def _calm(s: Lists, w: int) -> None:
    s.stirred[w] = 0
    s.counts[STIRRED] -= 1


@compiled
def _stood(d: Day, s: Lists, w: int, i: int, gone: int, unit: int, n: int, old: int) -> tuple[int, int]:
    """Where the kept list has a worker just before position i: (node, 0) before that node, (worker, 1) in the evening.

    The unit that moves was read at position `gone`; its node `n` belonged to worker `old`.
    """
    count = s.order.shape[0]
    for j in range(i, count + 1):
        if j == gone:
            for k in range(s.unit_first[unit], s.unit_first[unit + 1]):
                v = s.unit_visits[k]
                for m in range(d.visit[v].first, d.visit[v].end):
                    if (old if m == n else s.worker[m]) == w:
                        return m, 0
        if j == count:
            break
        u = s.order[j]
        for k in range(s.unit_first[u], s.unit_first[u + 1]):
            v = s.unit_visits[k]
            for m in range(d.visit[v].first, d.visit[v].end):
                if s.worker[m] == w:
                    return m, 0
    return w, 1


@inlined
def _reaches(d: Day, s: Lists, u: int) -> bool:
    """Whether somebody of a unit stands elsewhere than before."""
    for k in range(s.unit_first[u], s.unit_first[u + 1]):
        v = s.unit_visits[k]
        for n in range(d.visit[v].first, d.visit[v].end):
            if s.stirred[s.worker[n]]:
                return True
    return False


@inlined
def _read_again(d: Day, s: Lists, u: int) -> bool:
    """Read a unit and note what it found; False when it cannot be served so."""
    cost = _read_unit(d, s, u)
    if cost >= NEVER:
        return False
    late = 0.0
    for k in range(s.unit_first[u], s.unit_first[u + 1]):
        v = s.unit_visits[k]
        cost += visit_cost(d, v, s.start[v])
        late = max(late, float(s.start[v] - d.visit[v].due))
    s.tried[u].cost, s.tried[u].late, s.tried[u].mark = cost, late, s.counts[MARK]
    s.touched[s.counts[TOUCHED]] = u
    s.counts[TOUCHED] += 1
    return True


@inlined
def _leave(d: Day, s: Lists, unit: int, n: int, old: int) -> None:
    """The place in the list where the unit was read is passed: its workers go on without it, or stand as after it."""
    for k in range(s.unit_first[unit], s.unit_first[unit + 1]):
        v = s.unit_visits[k]
        for m in range(d.visit[v].first, d.visit[v].end):
            w = old if m == n else s.worker[m]
            if not s.stirred[w]:
                _stir(s, w, s.before, m)
            elif _same(s.tail, w, s.behind, m):
                _calm(s, w)


@inlined
def _read_moved(d: Day, s: Lists, unit: int, i: int, gone: int, n: int, old: int, stays: bool) -> bool:
    """Read the unit that moves, at its new position."""
    for k in range(s.unit_first[unit], s.unit_first[unit + 1]):
        v = s.unit_visits[k]
        for m in range(d.visit[v].first, d.visit[v].end):
            w = s.worker[m]
            if not s.stirred[w]:
                at, late = _stood(d, s, w, i + 1, gone, unit, n, old)
                if late:
                    _stir(s, w, s.evening, at)
                else:
                    _stir(s, w, s.before, at)
    if not _read_again(d, s, unit):
        return False
    if stays:
        _calm_again(d, s, unit, old, s.worker[n] if n >= 0 else NONE)
    return True


@inlined
def _calm_again(d: Day, s: Lists, u: int, old: int, new: int) -> None:
    """Whoever stands after a unit as they did before this change is not followed further; who exchanged a seat is."""
    for k in range(s.unit_first[u], s.unit_first[u + 1]):
        v = s.unit_visits[k]
        for n in range(d.visit[v].first, d.visit[v].end):
            w = s.worker[n]
            if w != old and w != new and s.stirred[w] and _same(s.tail, w, s.behind, n):
                _calm(s, w)


@inlined
def _read_reached(d: Day, s: Lists, u: int) -> bool:
    """Read a unit somebody of whom stands elsewhere than before; who then stands as before is not followed further."""
    for k in range(s.unit_first[u], s.unit_first[u + 1]):
        v = s.unit_visits[k]
        for n in range(d.visit[v].first, d.visit[v].end):
            if not s.stirred[s.worker[n]]:
                _stir(s, s.worker[n], s.before, n)
    if not _read_again(d, s, u):
        return False
    _calm_again(d, s, u, NONE, NONE)
    return True


@compiled
def _read(d: Day, s: Lists, at: int, to: int, n: int, old: int) -> float:
    """Read what a change of the list reaches; returns the cost of the whole day, or NEVER when it is no plan.

    The unit now at position `to` was at `at`; its node `n` belonged to worker `old`.
    """
    count = s.order.shape[0]
    unit = s.order[to]
    s.counts[STIRRED] = s.counts[TOUCHED] = s.counts[BUSY] = 0
    s.counts[MARK] += 1
    leaves = at if to >= at else at + 1
    cost = s.sums[0]
    for i in range(min(at, to), count):
        if i == leaves:
            _leave(d, s, unit, n, old)
        if i == to:
            good = _read_moved(d, s, unit, i, leaves if leaves > i else NONE, n, old, to == at)
        elif s.counts[STIRRED] == 0:
            if i > to and i >= leaves:
                break
            continue
        elif _reaches(d, s, s.order[i]):
            good = _read_reached(d, s, s.order[i])
        else:
            continue
        if not good:
            return NEVER
        u = s.order[i]
        cost += s.tried[u].cost - s.read[u].cost
    if leaves == count:
        _leave(d, s, unit, n, old)
    for k in range(s.counts[BUSY]):
        w = s.busy[k]
        if s.stirred[w] and not d.worker[w].simple and not rests_left_fit(d, w, s.tail[w].free, s.tail[w].rests):
            return NEVER
    return cost + d.worst_rate * _worst(d, s)


@inlined
def _worst(d: Day, s: Lists) -> float:
    """The greatest lateness after the change."""
    worst = 0.0
    fell = False
    for k in range(s.counts[TOUCHED]):
        u = s.touched[k]
        worst = max(worst, s.tried[u].late)
        fell = fell or s.read[u].late >= s.sums[1]
    if d.worst_rate == 0.0:
        return 0.0
    if not fell:
        return max(worst, s.sums[1])
    for u in range(s.order.shape[0]):
        if s.tried[u].mark != s.counts[MARK]:
            worst = max(worst, s.read[u].late)
    return worst


@inlined
def _forget(s: Lists) -> None:
    """Nobody is stirred any more."""
    for k in range(s.counts[BUSY]):
        s.stirred[s.busy[k]] = 0


@inlined
def _read_unit(d: Day, s: Lists, u: int) -> float:
    """Append a unit's visits to their workers' days; returns what the ways and wishes cost, or NEVER.

    When a gap grows too long the earlier visit waits, and the unit is read once more.
    """
    first, end = s.unit_first[u], s.unit_first[u + 1]
    for k in range(first, end):
        s.floor[s.unit_visits[k]] = 0
    for _ in range(_READ_AGAIN):
        cost = 0.0
        again = False
        k = first
        while k < end and not again:
            v = s.unit_visits[k]
            start = _begin_of(d, s, v)
            if start < 0:
                return NEVER
            s.start[v] = start
            cost += _append(d, s, v, start)
            k += 1
            if d.visit[v].group >= 0:
                again = _stretched(d, s, v)
        if not again:
            return cost
        while k > first:
            k -= 1
            v = s.unit_visits[k]
            for n in range(d.visit[v].end - 1, d.visit[v].first - 1, -1):
                _copy(s.tail, s.worker[n], s.tried_before, n)
    return NEVER


@inlined
def _stretched(d: Day, s: Lists, v: int) -> bool:
    """Whether a gap before this visit has grown too long; the floor of the visit before is raised."""
    g = d.visit[v].group
    raised = False
    for k in range(d.group[g].link_first, d.group[g].link_end):
        one = d.link[k].before
        if d.link[k].after == v and s.start[v] > s.start[one] + d.link[k].most:
            s.floor[one] = s.start[v] - d.link[k].most
            raised = True
    return raised


@inlined
def _append(d: Day, s: Lists, v: int, start: int) -> float:
    """Put a visit at the end of its workers' days."""
    cost = 0.0
    for n in range(d.visit[v].first, d.visit[v].end):
        w = s.worker[n]
        _copy(s.tried_before, n, s.tail, w)
        last = s.tail[w].last
        _, shift, rests = step(d, w, s.tail[w].free, s.tail[w].shift, s.tail[w].rests, s.tail[w].place, n, start)
        home = home_of(d, w, d.node[n].place) - (
            home_of(d, w, d.node[last].place) if last < d.nodes or d.worker[w].out else 0
        )
        cost += d.travel_rate * (leg_between(d, w, last, n) + home)
        if d.wish.shape[0] > 0:
            cost += d.wish[n, w]
        s.tail[w].place, s.tail[w].free = d.node[n].place, start + d.node[n].duration
        s.tail[w].shift, s.tail[w].rests, s.tail[w].last = shift, rests, n
        _copy(s.tried_behind, n, s.tail, w)
    return cost


@inlined
def _begin_of(d: Day, s: Lists, v: int) -> int:
    """When all of a visit's crew can begin, no earlier than the visits tied before it allow; -1 when that is never."""
    first, end = d.visit[v].first, d.visit[v].end
    start = max(d.node[first].opens, s.floor[v])
    g = d.visit[v].group
    if g >= 0:
        for k in range(d.group[g].link_first, d.group[g].link_end):
            if d.link[k].after == v:
                start = max(start, s.start[d.link[k].before] + d.link[k].least)
                if d.link[k].apart and _share(d, s, d.link[k].before, v):
                    return -1
    for n in range(first + 1, end):
        for m in range(first, n):
            one, other = d.worker[s.worker[m]].provider, d.worker[s.worker[n]].provider
            if s.worker[m] == s.worker[n] or (one != other and one >= 0 and other >= 0):
                return -1
    moved = True
    while moved:
        moved = False
        for n in range(first, end):
            w = s.worker[n]
            begin, _, _ = step(d, w, s.tail[w].free, s.tail[w].shift, s.tail[w].rests, s.tail[w].place, n, start)
            if begin < 0:
                return -1
            if begin > start:
                start = begin
                moved = n > first or moved
    return start


@inlined
def _share(d: Day, s: Lists, one: int, other: int) -> bool:
    for n in range(d.visit[one].first, d.visit[one].units):
        for m in range(d.visit[other].first, d.visit[other].units):
            if s.worker[n] == s.worker[m]:
                return True
    return False


@inlined
def _shift_to(s: Lists, at: int, to: int) -> None:
    """Move the visit at one position to another, the others closing up."""
    u = s.order[at]
    pace = 1 if to > at else -1
    i = at
    while i != to:
        s.order[i] = s.order[i + pace]
        i += pace
    s.order[to] = u


@inlined
def _keep(d: Day, s: Lists) -> None:
    """Make what was tried the reading in force."""
    s.sums[1] = _worst(d, s)
    for k in range(s.counts[TOUCHED]):
        u = s.touched[k]
        s.sums[0] += s.tried[u].cost - s.read[u].cost
        s.read[u].cost, s.read[u].late = s.tried[u].cost, s.tried[u].late
        for i in range(s.unit_first[u], s.unit_first[u + 1]):
            v = s.unit_visits[i]
            for n in range(d.visit[v].first, d.visit[v].end):
                _copy(s.before, n, s.tried_before, n)
                _copy(s.behind, n, s.tried_behind, n)
    for k in range(s.counts[BUSY]):
        w = s.busy[k]
        if s.stirred[w]:
            _copy(s.evening, w, s.tail, w)


@compiled
def read_all(d: Day, s: Lists) -> float:
    """Read the whole list anew; NEVER when it is no plan."""
    for w in range(d.workers):
        s.tail[w].place = d.node[d.nodes + w].place
        s.tail[w].free = d.worker[w].free
        s.tail[w].shift = d.worker[w].shift_first
        s.tail[w].rests = d.worker[w].break_first
        s.tail[w].last = d.nodes + w
        s.stirred[w] = 1
        s.busy[w] = w
    s.counts[BUSY] = d.workers
    s.counts[TOUCHED] = 0
    s.counts[MARK] += 1
    for i in range(s.order.shape[0]):
        if not _read_again(d, s, s.order[i]):
            return NEVER
    for w in range(d.workers):
        if not d.worker[w].simple and not rests_left_fit(d, w, s.tail[w].free, s.tail[w].rests):
            return NEVER
    s.sums[0] = s.sums[1] = 0.0
    for u in range(s.order.shape[0]):
        s.read[u].cost = s.read[u].late = 0.0
    _keep(d, s)
    _forget(s)
    return s.sums[0] + d.worst_rate * s.sums[1]


@compiled
def anneal_lists(
    d: Day, s: Lists, steps: int, hot: float, cold: float, current: float, best: float
) -> tuple[float, float]:
    """So many changes of the list, cooling from `hot` to `cold`; returns the present and the best cost.

    The list must have been read. A visit moves to another position, a seat to another worker, or both.
    """
    heat = hot
    ratio = (cold / hot) ** (1.0 / max(1, steps - 1))
    count = s.order.shape[0]
    reach = max(2, count // 5)
    for _ in range(steps):
        heat *= ratio
        at = int(chance(s.random) * count)
        u = s.order[at]
        v = s.unit_visits[s.unit_first[u] + int(chance(s.random) * (s.unit_first[u + 1] - s.unit_first[u]))]
        to = at
        way = chance(s.random)
        if way < 0.75:
            off = 1 + int(chance(s.random) * reach)
            to = at + off if chance(s.random) < 0.5 else at - off
            to = min(count - 1, max(0, to))
        n = NONE
        w = NONE
        if way >= 0.35 or to == at:
            first, end = d.visit[v].first, d.visit[v].end
            n = first + int(chance(s.random) * (end - first))
            many = s.choice_first[n + 1] - s.choice_first[n]
            w = s.choices[s.choice_first[n] + int(chance(s.random) * many)]
            if w == s.worker[n] and to == at:
                continue
        limit = current - heat * np.log(max(chance(s.random), 1e-300))
        old = s.worker[n] if n >= 0 else NONE
        if to != at:
            _shift_to(s, at, to)
        if n >= 0:
            s.worker[n] = w
        cost = _read(d, s, at, to, n, old)
        if cost < limit:
            _keep(d, s)
            _forget(s)
            current = cost
            if cost < best - 1e-7:
                best = cost
                for i in range(count):
                    s.best_order[i] = s.order[i]
                for i in range(d.nodes):
                    s.best_worker[i] = s.worker[i]
            continue
        _forget(s)
        if n >= 0:
            s.worker[n] = old
        if to != at:
            _shift_to(s, to, at)
    return current, best
