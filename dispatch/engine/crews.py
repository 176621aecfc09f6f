"""Kernels that find the cheapest crew for one visit, and the equipment it needs."""

from dispatch.engine.compiling import compiled
from dispatch.engine.day import CROWD, FAR, TRYING, WALK, WORST, Day, State
from dispatch.engine.limits import day_bounded
from dispatch.engine.places import NEVER, best_gap, tied_window, trial, walk_on
from dispatch.engine.pricing import uneven_more, visit_cost
from dispatch.engine.timing import leg_between, step

_TIMES_TRIED = 4  # moments at which equipment is free
_CREWS_TRIED = 10  # combinations looked at exactly, the most promising first


@compiled
def best_crew(d: Day, s: State, v: int, blink: float, limit: float) -> float:
    """The cheapest crew found, left in `found`; with equipment, at the first few times at which that is free."""
    if d.visit[v].units == d.visit[v].end:
        return _crew_from(d, s, v, blink, limit, -FAR)
    best = limit
    size = d.visit[v].end - d.visit[v].first
    closes = d.node[d.visit[v].first].closes
    floor = d.node[d.visit[v].first].opens
    for _ in range(_TIMES_TRIED):
        cost = _crew_from(d, s, v, blink, best, floor)
        if cost < best:
            best = cost
            for i in range(2 * size):
                s.crew_best[i] = s.found[i]
        floor = _next_free(d, s, v, floor)
        if floor > closes:
            break
    if best < limit:
        for i in range(2 * size):
            s.found[i] = s.crew_best[i]
    return best


@compiled
def _next_free(d: Day, s: State, v: int, after: int) -> int:
    """The next moment at which a unit of what the visit needs becomes free for long enough, or FAR."""
    soonest = FAR
    for n in range(d.visit[v].units, d.visit[v].end):
        for u in range(d.persons, d.workers):
            if not d.fits[n, u]:
                continue
            p = s.node[d.nodes + u].after
            while p < d.nodes and s.node[p].done < soonest:
                q = s.node[p].after
                free = s.node[p].done
                if free > after and (q >= d.nodes or free + d.node[n].duration <= s.node[q].start):
                    soonest = free
                p = q
    return soonest


@compiled
def _crew_from(d: Day, s: State, v: int, blink: float, limit: float, least: int) -> float:
    """The cheapest crew found from a time on: the best gaps of each seat combined, the promising ones tried for real."""
    first = d.visit[v].first
    size = d.visit[v].units - first
    c0 = c1 = c2 = c3 = 1
    for seat in range(size):
        count = int(best_gap(d, s, v, first + seat, seat, blink, NEVER, least))
        if count == 0:
            return NEVER
        if seat == 0:
            c0 = count
        elif seat == 1:
            c1 = count
        elif seat == 2:
            c2 = count
        else:
            c3 = count
    if size > 2:
        c0, c1, c2, c3 = min(c0, 6), min(c1, 6), min(c2, 6), min(c3, 4)
    count = 0
    for a in range(c0):
        wa = s.seat_worker[0, a]
        for b in range(c1):
            wb = s.seat_worker[1, b]
            if size > 1 and (wb == wa or d.worker[wb].provider != d.worker[wa].provider):
                continue
            for c in range(c2):
                wc = s.seat_worker[2, c]
                if size > 2 and (wc == wa or wc == wb or d.worker[wc].provider != d.worker[wa].provider):
                    continue
                for e in range(c3):
                    we = s.seat_worker[3, e]
                    if size > 3 and (
                        we == wa or we == wb or we == wc or d.worker[we].provider != d.worker[wa].provider
                    ):
                        continue
                    bound = _crew_bound(d, s, v, size, a, b, c, e)
                    if bound < limit and count < s.crew_bound.shape[0]:
                        s.crew_bound[count] = bound
                        s.crew_seats[count] = ((a * CROWD + b) * CROWD + c) * CROWD + e
                        count += 1
    best = limit
    chosen = -1
    for _ in range(_CREWS_TRIED):
        at = -1
        for i in range(count):
            if s.crew_bound[i] < best and (at < 0 or s.crew_bound[i] < s.crew_bound[at]):
                at = i
        if at < 0:
            break
        s.crew_bound[at] = NEVER
        cost = _crew_cost(d, s, v, _choose(s, size, s.crew_seats[at]), best)
        if cost < best:
            best = cost
            chosen = s.crew_seats[at]
    if chosen >= 0:
        _take_units(d, s, v, max(_choose(s, size, chosen), tied_window(d, s, v)[0]))
    return best


@compiled
def _take_units(d: Day, s: State, v: int, start: int) -> int:
    """Put into `found` a unit of each equipment the crew there needs; returns when all are free together, or FAR.

    Nothing that a unit is planned for moves. Of units free at once the one that waited shortest is taken, so that long
    gaps stay whole.
    """
    first = d.visit[v].first
    begin = start
    again = True
    while again:
        again = False
        for n in range(d.visit[v].units, d.visit[v].end):
            soonest, since = FAR, -FAR
            for u in range(d.persons, d.workers):
                owner = d.worker[u].provider
                if not d.fits[n, u] or (owner >= 0 and owner != d.worker[s.found[0]].provider):
                    continue
                p = d.nodes + u
                q = s.node[p].after
                while q < d.nodes and max(s.node[p].done, begin) + d.node[n].duration > s.node[q].start:
                    p = q
                    q = s.node[p].after
                free = max(s.node[p].done, begin)
                if free < soonest or (free == soonest and s.node[p].done > since):
                    soonest, since = free, s.node[p].done
                    s.found[2 * (n - first)], s.found[2 * (n - first) + 1] = u, p
            if soonest > d.node[n].closes:
                return FAR
            if soonest > begin:
                begin = soonest
                again = n > d.visit[v].units
    return begin


@compiled
def _crew_start(s: State, size: int, a: int, b: int, c: int, e: int) -> int:
    """When the last of the crew can begin."""
    start = s.seat_time[0, a]
    if size > 1:
        start = max(start, s.seat_time[1, b])
    if size > 2:
        start = max(start, s.seat_time[2, c])
    if size > 3:
        start = max(start, s.seat_time[3, e])
    return start


@compiled
def _crew_bound(d: Day, s: State, v: int, size: int, a: int, b: int, c: int, e: int) -> float:
    """Less than any real cost of this crew: what each seat costs alone, and the wait for the last of them."""
    bound = s.seat_cost[0, a]
    if size > 1:
        bound += s.seat_cost[1, b]
    if size > 2:
        bound += s.seat_cost[2, c]
    if size > 3:
        bound += s.seat_cost[3, e]
    start = _crew_start(s, size, a, b, c, e)
    if start > d.node[d.visit[v].first].closes:
        return NEVER
    return bound + visit_cost(d, v, start) - visit_cost(d, v, s.seat_time[0, a])


@compiled
def _choose(s: State, size: int, seats: int) -> int:
    """Put a combination of seat candidates into `found`; returns when the last of them can begin."""
    start = 0
    for i in range(3, -1, -1):
        at = seats % CROWD
        seats //= CROWD
        if i < size:
            s.found[2 * i], s.found[2 * i + 1] = s.seat_worker[i, at], s.seat_after[i, at]
            start = max(start, s.seat_time[i, at])
    return start


@compiled
def _crew_cost(d: Day, s: State, v: int, start: int, best: float) -> float:
    """What the crew in `found` really costs: followed along each route, or tried where routes meet.

    The equipment it needs is added to `found`.
    """
    first = d.visit[v].first
    size = d.visit[v].units - first
    lo, hi = tied_window(d, s, v)
    start = max(start, lo)
    if d.visit[v].units < d.visit[v].end:
        start = _take_units(d, s, v, start)
        if start >= FAR:
            return NEVER
    cost = visit_cost(d, v, start) + d.worst_rate * max(0.0, start - d.visit[v].due - s.sums[WORST])
    trying = start > hi
    if d.wish.shape[0] > 0:  # the wishes of all first: one seat may give back what another costs
        for i in range(size):
            cost += float(d.wish[first + i, s.found[2 * i]])
    if d.limits:
        for i in range(size):
            cost += uneven_more(d, s, s.found[2 * i], d.node[first + i].duration)
    for i in range(size):
        n, w, p = first + i, s.found[2 * i], s.found[2 * i + 1]
        q = s.node[p].after
        m = d.worker[w].mode
        begin, shift, rests = step(d, w, s.node[p].done, s.node[p].shift, s.node[p].rests, d.node[p].place, n, start)
        if begin < 0:
            return NEVER
        there = int(d.reverse[m, d.node[n].place, d.node[p].place])
        onward = leg_between(d, w, n, q)
        s.turn[WALK] += 1
        cost += d.travel_rate * (there + onward - s.node[p].leg)
        cost += walk_on(d, s, w, q, d.node[n].place, begin + d.node[n].duration, shift, rests, size > 1)
        if cost >= best:
            return NEVER
        trying = trying or begin > start or s.turn[TRYING] == 1 or day_bounded(d, w)
    return trial(d, s, v, d.visit[v].end - first, best) if trying else cost
