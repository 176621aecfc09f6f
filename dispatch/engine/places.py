"""Kernels that find the cheapest place for one visit: a seat, a crew, or a meal with its pick-up.

What must move later is followed without writing anything. Only where that reaches somebody else's route, through a crew
or a gap, the place is tried for real and taken back.
"""

from dispatch.engine.chance import chance
from dispatch.engine.compiling import compiled, inlined
from dispatch.engine.day import (
    CROWD,
    FAR,
    PICKUP,
    SCAN,
    SOFT,
    TRAVEL,
    TRYING,
    WALK,
    WISHES,
    WORST,
    Day,
    State,
)  # fmt: skip
from dispatch.engine.limits import limits_kept, span_with
from dispatch.engine.timing import (
    home_of,
    leg_between,
    price,
    propagate,
    put,
    queue_node,
    refresh,
    rests_left_fit,
    step,
    undo,
    visit_cost,
)  # fmt: skip

NEVER = 1e17
_CREWS_TRIED = 10  # combinations looked at exactly, the most promising first


@compiled
def walk_on(d: Day, s: State, w: int, n: int, place: int, free: int, shift: int, rests: int) -> float:
    """What it costs when the worker, free then and there, goes on to a node and all behind it, or NEVER.

    Where that reaches a crew or a tied visit the cost so far is less than the whole, and `TRYING` says so.
    """
    s.turn[TRYING] = 0
    simple = d.worker[w].simple == 1
    if simple and n < d.nodes and s.worker[w].plain:
        ride = int(d.travel[d.worker[w].mode, place, d.node[n].place])
        return NEVER if free + ride > s.node[n].latest else 0.0
    cost = 0.0
    turn = s.turn[WALK]
    worst = s.sums[WORST]
    first = True
    while n < d.nodes:
        if simple:
            ride = int(d.travel[d.worker[w].mode, place, d.node[n].place]) if first else s.node[s.node[n].before].leg
            start = max(free + ride, d.node[n].opens)
            if start > s.node[n].latest:
                return NEVER
        else:
            start, shift, rests = step(d, w, free, shift, rests, place, n, d.node[n].opens)
            if start < 0:
                return NEVER
        first = False
        if d.node[n].coupled:
            if (
                not simple
                or start > s.node[n].start
                or (start < s.node[n].arrive and s.node[n].arrive == s.node[n].start)
            ):
                s.turn[TRYING] = 1
            return cost + d.worst_rate * (worst - s.sums[WORST])
        if start == s.node[n].start and shift == s.node[n].shift and rests == s.node[n].rests:
            return cost + d.worst_rate * (worst - s.sums[WORST])
        v = d.node[n].visit
        if d.node[n].priced:
            cost += visit_cost(d, v, start) - s.visit[v].cost
            worst = max(worst, float(start - d.visit[v].due))
        if d.visit[v].ride < FAR:
            if d.node[n].kind == PICKUP:
                s.node[n].moment, s.node[n].stamp = start + d.node[n].duration, turn
            elif d.visit[v].first != n:
                fetched = s.node[n - 1].moment if s.node[n - 1].stamp == turn else s.node[n - 1].done
                if start - fetched > d.visit[v].ride:
                    return NEVER
        free, place = start + d.node[n].duration, d.node[n].place
        n = s.node[n].after
    if not simple and not rests_left_fit(d, w, free, rests):
        return NEVER
    return cost + d.worst_rate * (worst - s.sums[WORST])


@inlined
def keep_sums(s: State) -> tuple[float, float, float, float]:
    """The sums a trial changes."""
    return s.sums[TRAVEL], s.sums[SOFT], s.sums[WORST], s.sums[WISHES]


@inlined
def restore_sums(s: State, kept: tuple[float, float, float, float]) -> None:
    """Put back sums kept before a trial."""
    s.sums[TRAVEL], s.sums[SOFT], s.sums[WORST], s.sums[WISHES] = kept


@compiled
def trial(d: Day, s: State, v: int, size: int, best: float) -> float:
    """Put the visit where `found` says, see what it really costs, and take it back; NEVER when not under `best`."""
    mark = s.top[0]
    kept = keep_sums(s)
    before = price(d, s)
    cost = NEVER
    if apply(d, s, v, size, before + best):
        cost = price(d, s) - before
    undo(d, s, mark)
    restore_sums(s, kept)
    return cost


@compiled
def apply(d: Day, s: State, v: int, size: int, ceiling: float) -> bool:
    """Put a visit's nodes where `found` says (worker, node before) and time everything.

    False when a rule breaks or the price passes the ceiling.
    """
    first = d.visit[v].first
    for i in range(size):
        if not put(d, s, first + i, s.found[2 * i], s.found[2 * i + 1]):
            return False
    for i in range(size):
        queue_node(d, s, first + i)
        queue_node(d, s, s.node[first + i].after)
    return propagate(d, s, ceiling) and (d.limits == 0 or limits_kept(d, s))


@inlined
def tied_window(d: Day, s: State, v: int) -> tuple[int, int]:
    """The starts that leave the visits tied to this one where they are."""
    g = d.visit[v].group
    lo, hi = 0, FAR
    if g >= 0:
        for at in range(d.group[g].link_first, d.group[g].link_end):
            one, other = d.link[at].before, d.link[at].after
            if other == v and s.node[d.visit[one].end - 1].route >= 0:
                start = s.node[d.visit[one].end - 1].start
                lo, hi = max(lo, start + d.link[at].least), min(hi, start + d.link[at].most)
            elif one == v and s.node[d.visit[other].end - 1].route >= 0:
                start = s.node[d.visit[other].end - 1].start
                lo, hi = max(lo, start - d.link[at].most), min(hi, start - d.link[at].least)
    return lo, hi


@inlined
def _kept_apart(d: Day, s: State, v: int, w: int) -> bool:
    """Whether the worker serves a visit that must not have the same hands as this one."""
    g = d.visit[v].group
    if g < 0:
        return False
    for at in range(d.group[g].link_first, d.group[g].link_end):
        if not d.link[at].apart:
            continue
        one, other = d.link[at].before, d.link[at].after
        if one != v and other != v:
            continue
        u = one if other == v else other
        for n in range(d.visit[u].first, d.visit[u].end):
            if s.node[n].route == w:
                return True
    return False


@inlined
def worker_can(d: Day, s: State, v: int, n: int, w: int, crew: bool) -> bool:
    """Rules about the whole route; of idle workers who are alike one is enough, unless a crew is looked for."""
    if not d.fits[n, w]:
        return False
    if s.node[d.nodes + w].after >= d.nodes and not crew:
        if s.worker[d.worker[w].alike].class_seen == s.turn[SCAN]:
            return False
        s.worker[d.worker[w].alike].class_seen = s.turn[SCAN]
    if s.worker[w].stale:
        refresh(d, s, w)
    if d.visit[v].load > 0 and s.worker[w].carried + d.visit[v].load > d.worker[w].room:
        return False
    return not _kept_apart(d, s, v, w)


@compiled
def best_gap(d: Day, s: State, v: int, n: int, seat: int, blink: float, limit: float) -> float:
    """Every gap for one node. Alone: the best place goes to `found`. In a crew: the best go to the seat's list."""
    best = limit
    crew = seat >= 0
    lo, hi = tied_window(d, s, v)
    floor = max(d.node[n].opens, lo)
    place = d.node[n].place
    duration = d.node[n].duration
    closes = d.node[n].closes
    listed = 0
    s.turn[SCAN] += 1
    for w in range(d.workers):
        if not worker_can(d, s, v, n, w, crew):
            continue
        m = d.worker[w].mode
        home = home_of(d, w, place)
        simple = d.worker[w].simple == 1
        last_start = min(closes, d.shift[d.worker[w].shift_end - 1].end - duration - home)
        bounded = d.worker[w].span < FAR
        wish = d.wish[n, w] if d.wish.shape[0] > 0 else 0.0
        q = d.nodes + w
        while True:
            p = q
            q = s.node[p].after
            if s.node[p].done > closes:
                break
            there = int(d.reverse[m, place, d.node[p].place])
            onward = home if q >= d.nodes else int(d.travel[m, place, d.node[q].place])
            cost = d.travel_rate * (there + onward - s.node[p].leg) + wish
            if cost < best and (blink <= 0.0 or chance(s.random) >= blink):
                shift, rests = s.node[p].shift, s.node[p].rests
                if simple:
                    start = max(s.node[p].done + there, floor)
                    if start > last_start:
                        start = -1
                else:
                    start, shift, rests = step(d, w, s.node[p].done, shift, rests, d.node[p].place, n, floor)
                if start >= 0:
                    if d.node[n].priced:
                        cost += visit_cost(d, v, start)
                        cost += d.worst_rate * max(0.0, start - d.visit[v].due - s.sums[WORST])
                    if cost < best:
                        s.turn[WALK] += 1
                        cost += walk_on(d, s, w, q, place, start + duration, shift, rests)
                        if cost < best and (crew or bounded or s.turn[TRYING] or start > hi):
                            if crew or not bounded or not simple or span_with(d, s, w, p, n) <= d.worker[w].span:
                                listed = _remember(s, max(seat, 0), listed, w, p, cost, start)
                            if listed == CROWD and crew:
                                best = min(best, s.seat_cost[seat, CROWD - 1])
                        elif cost < best:
                            best = cost
                            s.found[8], s.found[9] = w, p
            if q >= d.nodes:
                break
    if crew:
        return float(listed)
    for i in range(listed):
        if s.seat_cost[0, i] >= best:
            break
        s.found[0], s.found[1] = s.seat_worker[0, i], s.seat_after[0, i]
        cost = trial(d, s, v, 1, best)
        if cost < best:
            best = cost
            s.found[8], s.found[9] = s.found[0], s.found[1]
    s.found[0], s.found[1] = s.found[8], s.found[9]
    return best


@inlined
def _remember(s: State, seat: int, listed: int, w: int, p: int, cost: float, start: int) -> int:
    """Keep the cheapest candidates of a seat in order; returns how many there are."""
    at = listed
    if listed == CROWD:
        if cost >= s.seat_cost[seat, CROWD - 1]:
            return listed
        at = CROWD - 1
    else:
        listed += 1
    while at > 0 and s.seat_cost[seat, at - 1] > cost:
        s.seat_cost[seat, at] = s.seat_cost[seat, at - 1]
        s.seat_worker[seat, at] = s.seat_worker[seat, at - 1]
        s.seat_after[seat, at] = s.seat_after[seat, at - 1]
        s.seat_time[seat, at] = s.seat_time[seat, at - 1]
        at -= 1
    s.seat_cost[seat, at], s.seat_time[seat, at] = cost, start
    s.seat_worker[seat, at], s.seat_after[seat, at] = w, p
    return listed


@compiled
def best_crew(d: Day, s: State, v: int, blink: float, limit: float) -> float:
    """The cheapest crew found: the best gaps of each seat combined, the promising ones tried for real."""
    first = d.visit[v].first
    size = d.visit[v].end - first
    c0 = c1 = c2 = c3 = 1
    for seat in range(size):
        count = int(best_gap(d, s, v, first + seat, seat, blink, NEVER))
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
        cost = _crew_cost(d, s, v, size, _choose(s, size, s.crew_seats[at]), best)
        if cost < best:
            best = cost
            chosen = s.crew_seats[at]
    if chosen >= 0:
        _choose(s, size, chosen)
    return best


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
def _crew_cost(d: Day, s: State, v: int, size: int, start: int, best: float) -> float:
    """What the crew in `found` really costs: followed along each route, or tried where routes meet."""
    first = d.visit[v].first
    lo, hi = tied_window(d, s, v)
    start = max(start, lo)
    cost = visit_cost(d, v, start) + d.worst_rate * max(0.0, start - d.visit[v].due - s.sums[WORST])
    trying = start > hi
    if d.wish.shape[0] > 0:  # the wishes of all first: one seat may give back what another costs
        for i in range(size):
            cost += float(d.wish[first + i, s.found[2 * i]])
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
        cost += walk_on(d, s, w, q, d.node[n].place, begin + d.node[n].duration, shift, rests)
        if cost >= best:
            return NEVER
        trying = trying or begin > start or s.turn[TRYING] == 1 or d.worker[w].span < FAR
    return trial(d, s, v, size, best) if trying else cost
