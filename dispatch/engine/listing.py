"""Annealing over lists: every visit has a place in one order of the whole day, every seat a worker.

Reading the order from its beginning, each visit begins when all its workers can be there; visits tied by gaps are read
together. Whatever the order, crews never wait for each other in a ring, so that almost any change is a plan. For days full of crews and ties, where most stops
depend on many others, reading a list again is cheaper than following the changes through the routes.
"""

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from dispatch.engine.chance import chance
from dispatch.engine.compiling import compiled, inlined
from dispatch.engine.day import NONE, Day, Records
from dispatch.engine.places import NEVER
from dispatch.engine.timing import home_of, leg_between, rests_left_fit, step, visit_cost

_READ_AGAIN = 6

TAIL = np.dtype(
    [("place", np.int64), ("free", np.int64), ("shift", np.int64), ("rests", np.int64), ("last", np.int64)], align=True
)


class Lists(NamedTuple):
    """One order of the day's visits, what reading it found, and the change being tried."""

    order: Records  # int64 (units)
    unit_first: Records  # int64 (units + 1): a unit is one visit, or several tied by gaps
    unit_visits: Records  # int64 (visits)
    worker: Records  # int64 (nodes)
    start: Records  # int64 (visits): scratch of the unit being read
    floor: Records  # int64 (visits): scratch
    cost: Records  # float64 (units + 1): of everything before each position
    worst: Records  # float64 (units + 1)
    prior: Records  # TAIL (nodes): the worker before taking the node
    tail: Records  # TAIL (workers)
    evening: Records  # TAIL (workers): after the whole list
    tried_cost: Records  # float64 (units + 1)
    tried_worst: Records  # float64 (units + 1)
    tried_prior: Records  # TAIL (nodes)
    choices: Records  # int64: workers who may take a node, node by node
    choice_first: Records  # int64 (nodes + 1)
    best_order: Records
    best_worker: Records
    random: Records  # uint64 (1)


def lists_of(day: Day, starts: ndarray, worker: ndarray, seed: int) -> Lists:
    """Lists that begin in the order of the visits' starts, with a worker for every node."""
    n = day.nodes
    choices = [
        np.asarray([worker[i]]) if day.visit[day.node[i]["visit"]]["fixed"] else np.flatnonzero(day.fits[i])
        for i in range(n)
    ]
    single = [[v] for v in range(day.visits) if day.visit[v]["group"] < 0]
    tied = [sorted(day.group_visits[g["first"] : g["end"]].tolist(), key=lambda v: starts[v]) for g in day.group]
    units = sorted(single + tied, key=lambda unit: starts[unit[0]])
    count = len(units)
    return Lists(
        order=np.arange(count), unit_first=np.cumsum([0, *(len(unit) for unit in units)]).astype(np.int64),
        unit_visits=np.asarray([v for unit in units for v in unit], np.int64), worker=worker.astype(np.int64),
        start=np.zeros(day.visits, np.int64), floor=np.zeros(day.visits, np.int64), cost=np.zeros(count + 1),
        worst=np.zeros(count + 1), prior=np.zeros(n, TAIL), tail=np.zeros(day.workers, TAIL),
        evening=np.zeros(day.workers, TAIL), tried_cost=np.zeros(count + 1), tried_worst=np.zeros(count + 1),
        tried_prior=np.zeros(n, TAIL), choices=np.concatenate(choices).astype(np.int64),
        choice_first=np.cumsum([0, *(len(c) for c in choices)]).astype(np.int64), best_order=np.arange(count),
        best_worker=worker.astype(np.int64),
        random=np.asarray([(2 * seed + 1) * 0x9E3779B97F4A7C15 % (1 << 64)], np.uint64),
    )  # fmt: skip


def sequence_of(day: Day, lists: Lists) -> ndarray:
    """The nodes of the best list in the order they are read."""
    visits = [lists.unit_visits[lists.unit_first[u] : lists.unit_first[u + 1]] for u in lists.best_order]
    rows = [np.arange(day.visit[v]["first"], day.visit[v]["end"]) for unit in visits for v in unit]
    return np.concatenate(rows).astype(np.int64)


@inlined
def _copy(one: Records, i: int, other: Records, j: int) -> None:
    """Field by field: numba copies whole records slowly."""
    one[i].place, one[i].free = other[j].place, other[j].free
    one[i].shift, one[i].rests, one[i].last = other[j].shift, other[j].rests, other[j].last


@compiled
def _begin(d: Day, s: Lists) -> None:
    for w in range(d.workers):
        s.tail[w].place = d.node[d.nodes + w].place
        s.tail[w].free = d.worker[w].free
        s.tail[w].shift = d.worker[w].shift_first
        s.tail[w].rests = d.worker[w].break_first
        s.tail[w].last = d.nodes + w


@inlined
def _rewind(d: Day, s: Lists, at: int) -> None:
    """Put every worker back to where they stood before a position of the list."""
    for w in range(d.workers):
        _copy(s.tail, w, s.evening, w)
    for i in range(s.order.shape[0] - 1, at - 1, -1):
        u = s.order[i]
        for k in range(s.unit_first[u + 1] - 1, s.unit_first[u] - 1, -1):
            v = s.unit_visits[k]
            for n in range(d.visit[v].first, d.visit[v].end):
                _copy(s.tail, s.worker[n], s.prior, n)


@compiled
def _read(d: Day, s: Lists, at: int, limit: float) -> float:
    """Read the list from a position; returns the cost of the whole day, or NEVER when it passes the limit.

    The workers' tails must be as the last kept reading left them before that position.
    """
    cost = s.cost[at]
    worst = s.worst[at]
    count = s.order.shape[0]
    for i in range(at, count):
        s.tried_cost[i], s.tried_worst[i] = cost, worst
        u = s.order[i]
        more = _read_unit(d, s, u)
        if more >= NEVER:
            return NEVER
        cost += more
        for k in range(s.unit_first[u], s.unit_first[u + 1]):
            v = s.unit_visits[k]
            cost += visit_cost(d, v, s.start[v])
            worst = max(worst, float(s.start[v] - d.visit[v].due))
        if cost + d.worst_rate * worst > limit:
            return NEVER
    s.tried_cost[count], s.tried_worst[count] = cost, worst
    for w in range(d.workers):
        if not d.worker[w].simple and not rests_left_fit(d, w, s.tail[w].free, s.tail[w].rests):
            return NEVER
    return cost + d.worst_rate * worst


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
                _copy(s.tail, s.worker[n], s.tried_prior, n)
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
        _copy(s.tried_prior, n, s.tail, w)
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
def _keep(d: Day, s: Lists, at: int) -> None:
    """Make the reading from a position on the one in force."""
    count = s.order.shape[0]
    for i in range(at, count):
        s.cost[i], s.worst[i] = s.tried_cost[i], s.tried_worst[i]
        u = s.order[i]
        for k in range(s.unit_first[u], s.unit_first[u + 1]):
            v = s.unit_visits[k]
            for n in range(d.visit[v].first, d.visit[v].end):
                _copy(s.prior, n, s.tried_prior, n)
    s.cost[count], s.worst[count] = s.tried_cost[count], s.tried_worst[count]
    for w in range(d.workers):
        _copy(s.evening, w, s.tail, w)


@compiled
def read_all(d: Day, s: Lists) -> float:
    """Read the whole list anew; NEVER when it is no plan."""
    _begin(d, s)
    cost = _read(d, s, 0, NEVER)
    if cost < NEVER:
        _keep(d, s, 0)
    return cost


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
        low = min(at, to)
        limit = current - heat * np.log(max(chance(s.random), 1e-300))
        old = s.worker[n] if n >= 0 else NONE
        _rewind(d, s, low)
        if to != at:
            _shift_to(s, at, to)
        if n >= 0:
            s.worker[n] = w
        cost = _read(d, s, low, limit)
        if cost < limit:
            _keep(d, s, low)
            current = cost
            if cost < best - 1e-7:
                best = cost
                for i in range(count):
                    s.best_order[i] = s.order[i]
                for i in range(d.nodes):
                    s.best_worker[i] = s.worker[i]
            continue
        if n >= 0:
            s.worker[n] = old
        if to != at:
            _shift_to(s, to, at)
    return current, best
