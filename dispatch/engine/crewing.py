"""The kernel that answers a question about a visit of one to four seats: for every window the cheapest crew, exactly.

A crew is of one provider and of different workers, and begins together, when all its equipment is free. Candidates of each seat are ordered by what the
seat costs at least; combinations are followed in that order until nothing cheaper can come. What a place costs is known
from its own route, unless it reaches a crew, a link or a limit of the whole day: then it is tried for real.
"""

from dispatch.engine.compiling import entry, inlined
from dispatch.engine.day import FAR, TRYING, WALK, WORST, Day, State
from dispatch.engine.openings import Asked, beside, is_plain, scan, together, work_left
from dispatch.engine.places import NEVER, tied_window, walk_on
from dispatch.engine.pricing import visit_cost
from dispatch.engine.timing import home_of, leg_between, step
from dispatch.engine.trying import tried
from dispatch.engine.units import free_from

_MOST_FAILED = 20_000  # crews that seemed possible and were not; then nobody is taken to be free


@entry
def answer(d: Day, s: State, a: Asked, v: int, windows: int) -> None:
    """For every window what serving the visit costs at least, with start and places; NEVER where nobody can."""
    size = d.visit[v].units - d.visit[v].first
    earliest, _ = tied_window(d, s, v)
    ranked = not together(d, v)
    if not ranked:
        ranked = True
        for k in range(windows):
            ranked = ranked and a.lo[k] == a.hi[k]
    for seat in range(size):
        if a.alike[seat] == seat:
            scan(d, s, a, v, seat, windows, ranked, earliest)
    for k in range(windows):
        a.cost[k] = NEVER
        if max(a.lo[k], earliest) > a.hi[k]:
            continue
        for n in range(d.visit[v].first, d.visit[v].end):
            d.node[n].opens, d.node[n].closes = a.lo[k], a.hi[k]
        complete = _equipped(d, s, a, v, k)
        for seat in range(size):
            if complete and a.alike[seat] == seat:
                complete = _gather(d, s, a, v, seat, k, ranked) > 0
        if complete:
            a.cost[k] = _combine(d, s, a, v, k)


@inlined
def _equipped(d: Day, s: State, a: Asked, v: int, k: int) -> bool:
    """When each provider's crew finds all equipment free in a window; False when none ever does."""
    some = False
    for provider in range(a.freed.shape[0]):
        a.freed[provider] = a.lo[k]
        if d.visit[v].units < d.visit[v].end:
            a.freed[provider] = free_from(d, s, v, provider, a.lo[k])
        some = some or a.freed[provider] <= a.hi[k]
    return some


@inlined
def _gather(d: Day, s: State, a: Asked, v: int, seat: int, k: int, ranked: bool) -> int:
    """All places for one seat in one window, cheapest first; returns how many."""
    size = d.visit[v].units - d.visit[v].first
    _, tied_hi = tied_window(d, s, v)
    count = 0
    best = NEVER
    if ranked:
        for group in range(a.top_cost.shape[2] if together(d, v) else 1):
            for i in range(size):
                cost = a.top_cost[k, seat, group, i]
                if cost < NEVER:
                    w, after = a.top_worker[k, seat, group, i], a.top_after[k, seat, group, i]
                    start = a.top_start[k, seat, group, i]
                    trying = start > tied_hi
                    count = _enlist(a, seat, count, cost, w, after, start, start, True, False, trying)
                    best = best if trying else min(best, cost)
    for i in range(a.listed_count[seat]):
        count, best = _look(d, s, a, v, seat, k, i, count, best)
    _sort(a, seat, count)
    return count


@inlined
def _behind(d: Day, s: State, w: int, n: int, place: int, free: int, shift: int, rests: int, crew: bool) -> float:
    """`walk_on` without the greatest lateness of the plan: that of a crew's routes is one, and no sum."""
    worst = s.sums[WORST]
    s.sums[WORST] = FAR
    s.turn[WALK] += 1
    cost = walk_on(d, s, w, n, place, free, shift, rests, crew)
    s.sums[WORST] = worst
    return cost


@inlined
def _enlist(
    a: Asked, seat: int, count: int, cost: float, w: int, after: int, start: int, limit: int, plain: bool, rough: bool,
    trying: bool,
) -> int:  # fmt: skip
    a.candidate[seat, count].cost, a.candidate[seat, count].worker, a.candidate[seat, count].after = cost, w, after
    a.candidate[seat, count].start, a.candidate[seat, count].limit = start, limit
    a.candidate[seat, count].plain, a.candidate[seat, count].trying = 1 if plain else 0, 1 if trying else 0
    a.candidate[seat, count].rough = 1 if rough else 0
    return count + 1


@inlined
def _look(d: Day, s: State, a: Asked, v: int, seat: int, k: int, i: int, count: int, best: float) -> tuple[int, float]:
    """One listed gap, enlisted where its own route allows the start. `best` is the least sure cost of a lone seat."""
    g, w = a.listed[seat, i], a.listed_worker[seat, i]
    crew = together(d, v)
    n = d.visit[v].first + seat
    m, p = d.worker[w].mode, a.gap[g].after
    place, duration = d.node[n].place, d.node[n].duration
    there = int(d.reverse[m, place, a.gap[g].here])
    floor, tied_hi = tied_window(d, s, v)
    floor = max(floor, a.lo[k])
    one_shift = d.worker[w].shift_end - d.worker[w].shift_first == 1
    least = max(a.gap[g].free + there, floor) if one_shift else floor
    if least > a.hi[k]:
        return count, best
    home = home_of(d, w, place)
    onward = home if a.gap[g].there < 0 else int(d.travel[m, place, a.gap[g].there])
    cost = d.travel_rate * (there + onward - a.gap[g].leg) + beside(d, s, n, w)
    if there + onward - a.gap[g].leg > work_left(d, s, n, w):
        return count, best
    if not crew and cost + visit_cost(d, v, least) >= best:
        return count, best
    start, shift, rests = step(d, w, s.node[p].done, s.node[p].shift, s.node[p].rests, a.gap[g].here, n, floor)
    if start < 0:
        return count, best
    plain = is_plain(d, s, w)
    # a crew may have to begin later, when a break lies otherwise: then the start alone tells nothing yet
    rough = crew and a.lo[k] < a.hi[k] and d.worker[w].simple == 0
    limit = a.hi[k]
    trying = False
    if plain:
        limit = min(limit, d.shift[d.worker[w].shift_end - 1].end - duration - home)
        if a.gap[g].there >= 0:
            limit = min(limit, a.gap[g].latest - onward - duration)
        if start > limit:
            return count, best
    elif not rough:
        cost += _behind(d, s, w, s.node[p].after, place, start + duration, shift, rests, crew)
        if cost >= NEVER:
            return count, best
        trying = bool(s.turn[TRYING] == 1 or d.worker[w].span < FAR)
    trying = trying or start > tied_hi or d.worst_rate > 0.0
    if not crew:
        cost += visit_cost(d, v, start)
        if not trying:
            best = min(best, cost)
    if not trying and not rough:
        a.able[seat, w] = 2
    return _enlist(a, seat, count, cost, w, p, start, limit, plain, rough, trying), best


@inlined
def _sort(a: Asked, seat: int, count: int) -> None:
    """The candidates of a seat by cost (Shell 1959, gaps after Ciura 2001)."""
    for i in range(count):
        a.order[seat, i] = i
    for gap in (1750, 701, 301, 132, 57, 23, 10, 4, 1):
        for i in range(gap, count):
            moved = a.order[seat, i]
            cost = a.candidate[seat, moved].cost
            at = i
            while at >= gap and a.candidate[seat, a.order[seat, at - gap]].cost > cost:
                a.order[seat, at] = a.order[seat, at - gap]
                at -= gap
            a.order[seat, at] = moved
    a.enlisted[seat] = count
    a.least[seat] = a.candidate[seat, a.order[seat, 0]].cost if count > 0 else NEVER


@inlined
def _combine(d: Day, s: State, a: Asked, v: int, k: int) -> float:
    """The cheapest crew from the gathered candidates; its places become the answer."""
    size = d.visit[v].units - d.visit[v].first
    behind = 0.0
    for level in range(size - 1, -1, -1):
        a.crew[level].behind = behind
        behind += a.least[a.alike[level]]
    a.crew[0].at, a.crew[0].start, a.crew[0].limit, a.crew[0].cost = 0, a.lo[k], a.hi[k], 0.0
    best = NEVER
    level = failed = 0
    while level >= 0 and failed < _MOST_FAILED:
        seat = a.alike[level]
        at = a.crew[level].at
        a.crew[level].at = at + 1
        # the candidates are in order of cost: behind one that cannot be part of a cheaper crew, none can
        if at >= a.enlisted[seat]:
            level -= 1
            continue
        c = int(a.order[seat, at])
        cost = a.crew[level].cost + a.candidate[seat, c].cost
        if cost + a.crew[level].behind >= best:
            level -= 1
            continue
        if not _joins(d, a, level, c):
            continue
        a.crew[level].candidate = c
        a.crew[level + 1].cost = cost
        level += 1
        if level < size:
            a.crew[level].at = 0
            continue
        level -= 1
        total = _real(d, s, a, v, k, size, best)
        failed += 1 if total >= NEVER else 0
        best = min(best, total)
    return best


@inlined
def _joins(d: Day, a: Asked, level: int, c: int) -> bool:
    """Whether a candidate can be of one crew with those chosen before."""
    seat = a.alike[level]
    w = a.candidate[seat, c].worker
    for other in range(level):
        u = a.candidate[a.alike[other], a.crew[other].candidate].worker
        if u == w or d.worker[u].provider != d.worker[w].provider:
            return False
    if level == 0:
        a.crew[0].start = a.freed[d.worker[w].provider]
    start = max(a.crew[level].start, a.candidate[seat, c].start)
    limit = min(a.crew[level].limit, a.candidate[seat, c].limit)
    a.crew[level + 1].start, a.crew[level + 1].limit = start, limit
    return start <= limit


@inlined
def _real(d: Day, s: State, a: Asked, v: int, k: int, size: int, best: float) -> float:
    """What the crew chosen really costs, which is then the answer so far; NEVER when not under `best`."""
    start = a.crew[size].start
    equipped = d.visit[v].units < d.visit[v].end
    if equipped:
        start = free_from(d, s, v, d.worker[a.candidate[a.alike[0], a.crew[0].candidate].worker].provider, start)
        if start > a.crew[size].limit:
            return NEVER
    _, tied_hi = tied_window(d, s, v)
    total = a.crew[size].cost + (visit_cost(d, v, start) if together(d, v) else 0.0)
    trying = equipped or start > tied_hi or d.worst_rate > 0.0
    for i in range(size):
        seat, c = a.alike[i], a.crew[i].candidate
        known = a.candidate[seat, c].plain or start == a.candidate[seat, c].start
        if a.candidate[seat, c].rough or not known:
            later = _later(d, s, v, i, a.candidate[seat, c].worker, a.candidate[seat, c].after, start)
            if later >= NEVER:
                return NEVER
            total += later - a.candidate[seat, c].cost
            trying = trying or s.turn[TRYING] == 1 or d.worker[a.candidate[seat, c].worker].span < FAR
        elif a.candidate[seat, c].trying:
            trying = True
        if total >= best:
            return NEVER
    for i in range(size):
        seat, c = a.alike[i], a.crew[i].candidate
        s.found[2 * i], s.found[2 * i + 1] = a.candidate[seat, c].worker, a.candidate[seat, c].after
    if trying:
        total = tried(d, s, a, v, k, start, best)
        if total >= NEVER:
            return NEVER
    for i in range(2 * size):
        a.found[k, i] = s.found[i]
    for i in range(size):
        a.able[a.alike[i], s.found[2 * i]] = 2
    return total


@inlined
def _later(d: Day, s: State, v: int, seat: int, w: int, p: int, start: int) -> float:
    """What a seat costs that begins later than it could, as far as its own route tells."""
    n = d.visit[v].first + seat
    q = s.node[p].after
    begin, shift, rests = step(d, w, s.node[p].done, s.node[p].shift, s.node[p].rests, d.node[p].place, n, start)
    if begin < 0:
        return NEVER
    there = int(d.reverse[d.worker[w].mode, d.node[n].place, d.node[p].place])
    cost = d.travel_rate * (there + leg_between(d, w, n, q) - s.node[p].leg) + beside(d, s, n, w)
    cost += _behind(d, s, w, q, d.node[n].place, begin + d.node[n].duration, shift, rests, together(d, v))
    if begin > start:
        s.turn[TRYING] = 1  # a break comes first: the others wait for this one
    return cost
