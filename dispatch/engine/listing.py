"""Annealing over lists: every visit has a place in one order of the whole day, every seat a worker.

Reading the order from its beginning, each visit begins when all its workers can be there. Whatever the order, crews never
wait for each other in a ring, so that almost any change is a plan. A visit tied to an earlier one stands behind it; where
the gap would grow too long, the earlier one gets a floor and the reading begins again. After a change only those are read
again who stand elsewhere than before, until they stand as before: on days full of crews and ties that is cheaper than
following changes through the routes.
"""

import numpy as np

from dispatch.engine.chance import chance
from dispatch.engine.compiling import compiled, inlined
from dispatch.engine.day import NONE, Day, Records
from dispatch.engine.lists import BUSY, CALLED, LIFTED, MARK, SINCE, STIRRED, TOUCHED, WANTED, Lists
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


@inlined
def _call(s: Lists, v: int) -> None:
    """The visit is to be read again although its workers stand as before."""
    if s.called[v] != s.counts[MARK]:
        s.called[v] = s.counts[MARK]
        s.counts[CALLED] += 1


@inlined
def _lift(s: Lists, v: int, floor: int) -> None:
    """Another floor for a visit while this change is tried."""
    if s.tried[v].floor == s.read[v].floor and floor != s.read[v].floor:
        s.lifted[s.counts[LIFTED]] = v
        s.counts[LIFTED] += 1
    s.tried[v].floor = floor


@inlined
def _start_of(s: Lists, v: int) -> int:
    """When a visit begins, in this reading if it was read again."""
    return s.tried[v].start if s.tried[v].mark == s.counts[MARK] else s.read[v].start


@compiled
def _stood(d: Day, s: Lists, w: int, i: int, gone: int, moved: int, n: int, old: int) -> tuple[int, int]:
    """Where the kept list has a worker just before position i: (node, 0) before that node, (worker, 1) in the evening.

    The visit that moves was read at position `gone`; its node `n` belonged to worker `old`.
    """
    count = s.order.shape[0]
    for j in range(i, count + 1):
        if j == gone:
            for m in range(d.visit[moved].first, d.visit[moved].end):
                if (old if m == n else s.worker[m]) == w:
                    return m, 0
        if j == count:
            break
        v = s.order[j]
        for m in range(d.visit[v].first, d.visit[v].end):
            if s.worker[m] == w:
                return m, 0
    return w, 1


@inlined
def _reaches(d: Day, s: Lists, v: int) -> bool:
    """Whether somebody of a visit stands elsewhere than before, or it was called for."""
    reached = s.called[v] == s.counts[MARK]
    for n in range(d.visit[v].first, d.visit[v].end):
        reached = reached or s.stirred[s.worker[n]] == 1
    return reached


@inlined
def _read_visit(d: Day, s: Lists, v: int, moved: int) -> bool:
    """Append a visit to its workers' days and note what it costs; False when it cannot be served so.

    `WANTED` then names an earlier visit that must not begin before `SINCE`, if that is why.
    """
    start = _begin_of(d, s, v)
    if start < 0:
        return False
    g = d.visit[v].group
    if g >= 0:
        for k in range(d.group[g].link_first, d.group[g].link_end):
            one = d.link[k].before
            if d.link[k].after == v and start > _start_of(s, one) + d.link[k].most:
                s.counts[WANTED], s.counts[SINCE] = one, start - d.link[k].most
                return False
    s.tried[v].cost = _append(d, s, v, start) + visit_cost(d, v, start)
    s.tried[v].late = max(0.0, float(start - d.visit[v].due))
    s.tried[v].start, s.tried[v].mark = start, s.counts[MARK]
    s.touched[s.counts[TOUCHED]] = v
    s.counts[TOUCHED] += 1
    if s.called[v] == s.counts[MARK]:
        s.counts[CALLED] -= 1
    if g >= 0 and (start != s.read[v].start or v == moved):
        for k in range(d.group[g].link_first, d.group[g].link_end):
            if d.link[k].before == v:
                _call(s, d.link[k].after)
    return True


@inlined
def _leave(d: Day, s: Lists, moved: int, n: int, old: int) -> None:
    """The place in the list where the visit was read is passed: its workers go on without it, or stand as after it."""
    for m in range(d.visit[moved].first, d.visit[moved].end):
        w = old if m == n else s.worker[m]
        if not s.stirred[w]:
            _stir(s, w, s.before, m)
        elif _same(s.tail, w, s.behind, m):
            _calm(s, w)


@inlined
def _read_moved(d: Day, s: Lists, moved: int, i: int, gone: int, n: int, old: int) -> bool:
    """Read the visit that moves, at its new position."""
    for m in range(d.visit[moved].first, d.visit[moved].end):
        w = s.worker[m]
        if not s.stirred[w]:
            at, evening = _stood(d, s, w, i + 1, gone, moved, n, old)
            if evening:
                _stir(s, w, s.evening, at)
            else:
                _stir(s, w, s.before, at)
    return _read_visit(d, s, moved, moved)


@inlined
def _calm_again(d: Day, s: Lists, v: int, new: int) -> None:
    """Whoever stands after a visit as they did before this change is not followed further; who has taken a seat is."""
    for n in range(d.visit[v].first, d.visit[v].end):
        w = s.worker[n]
        if w != new and s.stirred[w] and _same(s.tail, w, s.behind, n):
            _calm(s, w)


@inlined
def _read_reached(d: Day, s: Lists, v: int, moved: int) -> bool:
    """Read a visit somebody of whom stands elsewhere than before."""
    for n in range(d.visit[v].first, d.visit[v].end):
        if not s.stirred[s.worker[n]]:
            _stir(s, s.worker[n], s.before, n)
    if not _read_visit(d, s, v, moved):
        return False
    _calm_again(d, s, v, NONE)
    return True


@compiled
def _read(d: Day, s: Lists, at: int, to: int, n: int, old: int) -> float:
    """Read what a change of the list reaches; returns the cost of the whole day, or NEVER when it is no plan.

    The visit now at position `to` was at `at`; its node `n` belonged to worker `old`.
    """
    count = s.order.shape[0]
    moved = s.order[to]
    s.counts[STIRRED] = s.counts[TOUCHED] = s.counts[BUSY] = s.counts[CALLED] = 0
    s.counts[MARK] += 1
    s.counts[WANTED] = NONE
    low = min(at, to)
    for k in range(s.counts[LIFTED]):
        _call(s, s.lifted[k])
        low = min(low, s.at[s.lifted[k]])
    leaves = at if to >= at else at + 1
    cost = s.sums[0]
    for i in range(low, count):
        if i == leaves:
            _leave(d, s, moved, n, old)
        v = s.order[i]
        if i == to:
            good = _read_moved(d, s, moved, i, leaves if leaves > i else NONE, n, old)
            if good and to == at:
                _calm_again(d, s, moved, s.worker[n] if n >= 0 else NONE)
        elif s.counts[STIRRED] == 0 and s.counts[CALLED] == 0:
            if i > to and i >= leaves:
                break
            continue
        elif _reaches(d, s, v):
            good = _read_reached(d, s, v, moved)
        else:
            continue
        if not good:
            return NEVER
        cost += s.tried[v].cost - s.read[v].cost
    if leaves == count:
        _leave(d, s, moved, n, old)
    for k in range(s.counts[BUSY]):
        w = s.busy[k]
        if s.stirred[w] and not d.worker[w].simple and not rests_left_fit(d, w, s.tail[w].free, s.tail[w].rests):
            return NEVER
    return cost + d.worst_rate * _worst(d, s)


@compiled
def _read_change(d: Day, s: Lists, at: int, to: int, n: int, old: int) -> float:
    """The same, with floors for those a gap to whom would grow too long; `LIFTED` says whose floors are tried."""
    s.counts[LIFTED] = 0
    moved = s.order[to]
    g = d.visit[moved].group
    if g >= 0:
        for k in range(d.group[g].first, d.group[g].end):
            _lift(s, d.group_visits[k], 0)
    cost = NEVER
    for _ in range(_READ_AGAIN):
        cost = _read(d, s, at, to, n, old)
        if cost < NEVER or s.counts[WANTED] < 0:
            break
        _lift(s, s.counts[WANTED], s.counts[SINCE])
        _forget(s)
    return cost


@inlined
def _worst(d: Day, s: Lists) -> float:
    """The greatest lateness after the change."""
    worst = 0.0
    fell = False
    for k in range(s.counts[TOUCHED]):
        v = s.touched[k]
        worst = max(worst, s.tried[v].late)
        fell = fell or s.read[v].late >= s.sums[1]
    if d.worst_rate == 0.0:
        return 0.0
    if not fell:
        return max(worst, s.sums[1])
    for v in range(s.order.shape[0]):
        if s.tried[v].mark != s.counts[MARK]:
            worst = max(worst, s.read[v].late)
    return worst


@inlined
def _forget(s: Lists) -> None:
    """Nobody is stirred any more."""
    for k in range(s.counts[BUSY]):
        s.stirred[s.busy[k]] = 0


@inlined
def _sink(s: Lists) -> None:
    """The floors as they were before the change."""
    for k in range(s.counts[LIFTED]):
        v = s.lifted[k]
        s.tried[v].floor = s.read[v].floor
    s.counts[LIFTED] = 0


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
    start = max(d.node[first].opens, s.tried[v].floor)
    g = d.visit[v].group
    if g >= 0:
        for k in range(d.group[g].link_first, d.group[g].link_end):
            if d.link[k].after == v:
                start = max(start, _start_of(s, d.link[k].before) + d.link[k].least)
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
    v = s.order[at]
    pace = 1 if to > at else -1
    i = at
    while i != to:
        s.order[i] = s.order[i + pace]
        s.at[s.order[i]] = i
        i += pace
    s.order[to] = v
    s.at[v] = to


@inlined
def _between(d: Day, s: Lists, v: int, to: int) -> int:
    """The nearest position to the one wanted that keeps a visit behind and before those it is tied to."""
    g = d.visit[v].group
    if g >= 0:
        for k in range(d.group[g].link_first, d.group[g].link_end):
            if d.link[k].before == v:
                to = min(to, s.at[d.link[k].after] - 1)
            if d.link[k].after == v:
                to = max(to, s.at[d.link[k].before] + 1)
    return to


@inlined
def _keep(d: Day, s: Lists) -> None:
    """Make what was tried the reading in force."""
    s.sums[1] = _worst(d, s)
    for k in range(s.counts[TOUCHED]):
        v = s.touched[k]
        s.sums[0] += s.tried[v].cost - s.read[v].cost
        s.read[v].cost, s.read[v].late, s.read[v].start = s.tried[v].cost, s.tried[v].late, s.tried[v].start
        for n in range(d.visit[v].first, d.visit[v].end):
            _copy(s.before, n, s.tried_before, n)
            _copy(s.behind, n, s.tried_behind, n)
    for k in range(s.counts[LIFTED]):
        v = s.lifted[k]
        s.read[v].floor = s.tried[v].floor
    s.counts[LIFTED] = 0
    for k in range(s.counts[BUSY]):
        w = s.busy[k]
        if s.stirred[w]:
            _copy(s.evening, w, s.tail, w)


@compiled
def _read_through(d: Day, s: Lists) -> bool:
    """Read the whole list; False when it is no plan."""
    for w in range(d.workers):
        s.tail[w].place = d.node[d.nodes + w].place
        s.tail[w].free = d.worker[w].free
        s.tail[w].shift = d.worker[w].shift_first
        s.tail[w].rests = d.worker[w].break_first
        s.tail[w].last = d.nodes + w
        s.stirred[w] = 1
        s.busy[w] = w
    s.counts[BUSY] = d.workers
    s.counts[TOUCHED] = s.counts[CALLED] = 0
    s.counts[MARK] += 1
    s.counts[WANTED] = NONE
    for i in range(s.order.shape[0]):
        if not _read_visit(d, s, s.order[i], NONE):
            return False
    for w in range(d.workers):
        if not d.worker[w].simple and not rests_left_fit(d, w, s.tail[w].free, s.tail[w].rests):
            return False
    return True


@compiled
def read_all(d: Day, s: Lists) -> float:
    """Read the whole list anew; NEVER when it is no plan."""
    for v in range(s.order.shape[0]):
        s.tried[v].floor = s.read[v].floor
        s.read[v].cost = s.read[v].late = 0.0
    s.sums[0] = s.sums[1] = 0.0
    s.counts[LIFTED] = 0
    for _ in range(_READ_AGAIN * (1 + d.link.shape[0])):
        good = _read_through(d, s)
        _forget(s)
        if good:
            for w in range(d.workers):
                s.stirred[w] = 1
            _keep(d, s)
            for v in range(s.order.shape[0]):
                s.read[v].floor = s.tried[v].floor
            _forget(s)
            return s.sums[0] + d.worst_rate * s.sums[1]
        if s.counts[WANTED] < 0:
            break
        s.tried[s.counts[WANTED]].floor = s.counts[SINCE]
    return NEVER


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
        v = s.order[at]
        to = at
        way = chance(s.random)
        if way < 0.75:
            off = 1 + int(chance(s.random) * reach)
            to = at + off if chance(s.random) < 0.5 else at - off
            to = _between(d, s, v, min(count - 1, max(0, to)))
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
        cost = _read_change(d, s, at, to, n, old)
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
        _sink(s)
        if n >= 0:
            s.worker[n] = old
        if to != at:
            _shift_to(s, to, at)
    return current, best
