"""Kernels that find the cheapest place for one visit: a seat, a crew, or a meal with its pick-up.

What must move later is followed without writing anything. Only where that reaches somebody else's route, through a crew
or a gap, the place is tried for real and taken back.
"""

from dispatch.engine.chance import chance
from dispatch.engine.compiling import compiled, entry, inlined, inlined_entry
from dispatch.engine.day import (
    CROWD,
    FAR,
    HEAVY,
    PICKUP,
    SCAN,
    SOFT,
    TRAVEL,
    TRYING,
    VISIT,
    WALK,
    WISHES,
    WORST,
    Day,
    State,
)  # fmt: skip
from dispatch.engine.limits import day_allows, day_bounded, limits_kept
from dispatch.engine.pricing import price, uneven_more, visit_cost
from dispatch.engine.routes import refresh
from dispatch.engine.timing import home_of, propagate, put, queue_node, rests_left_fit, step, undo

NEVER = 1e17


@inlined
def _cost_from(d: Day, v: int, start: int) -> float:
    """The least a visit costs that begins then or later."""
    cost = visit_cost(d, v, start)
    off = d.visit[v].promised - d.visit[v].moved_free - start
    return cost - d.visit[v].moved_rate * off if d.visit[v].moved_rate > 0.0 and off > 0 else cost


@inlined
def _more_at_least(d: Day, s: State, n: int, start: int, crew: bool) -> float:
    """What it costs at least that a node begins then or later.

    Several of a new crew may hold up the same crew later: of what that costs each is told a share.
    """
    v = d.node[n].visit
    together = d.node[n].coupled and d.node[n].kind == VISIT
    if not (together or d.node[n].priced):
        return 0.0
    more = max(0.0, _cost_from(d, v, start) - s.visit[v].cost)
    return more / (d.visit[v].units - d.visit[v].first) if crew and together else more


@inlined_entry
def walk_on(d: Day, s: State, w: int, n: int, place: int, free: int, shift: int, rests: int, crew: bool) -> float:
    """What it costs when the worker, free then and there, goes on to a node and all behind it, or NEVER.

    Where that reaches a crew or a tied visit the cost may be less than the whole, and `TRYING` says so: it is what this
    route alone tells. With `crew` others of the same crew go on too, and what they all tell may be added up.
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
    bound = False  # behind somebody held up by this route, who may begin still later
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
        if d.node[n].coupled and not bound:
            held = start > s.node[n].start
            if not simple or held or (start < s.node[n].arrive and s.node[n].arrive == s.node[n].start):
                s.turn[TRYING] = 1
            if not (simple and held):
                return cost + d.worst_rate * (worst - s.sums[WORST])
            bound = True
        if bound:
            if start <= s.node[n].start:
                break
            cost += _more_at_least(d, s, n, start, crew)
            if not crew and (d.node[n].coupled or d.node[n].priced):
                worst = max(worst, float(start - d.visit[d.node[n].visit].due))
            free, place = start + d.node[n].duration, d.node[n].place
            n = s.node[n].after
            continue
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


@inlined_entry
def keep_sums(s: State) -> tuple[float, float, float, float]:
    """The sums a trial changes."""
    return s.sums[TRAVEL], s.sums[SOFT], s.sums[WORST], s.sums[WISHES]


@inlined_entry
def restore_sums(s: State, kept: tuple[float, float, float, float]) -> None:
    """Put back sums kept before a trial."""
    s.sums[TRAVEL], s.sums[SOFT], s.sums[WORST], s.sums[WISHES] = kept


@entry
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
    if d.limits and d.fits[n, w] == HEAVY and s.worker[w].lifted >= d.worker[w].heavy:
        return False
    if d.visit[v].load > 0 and s.worker[w].carried + d.visit[v].load > d.worker[w].room:
        return False
    return not _kept_apart(d, s, v, w)


@compiled
def best_gap(d: Day, s: State, v: int, n: int, seat: int, blink: float, limit: float, least: int) -> float:
    """Every gap for one node, to start at `least` or later.

    Alone: the best place goes to `found`. In a crew: the best go to the seat's list.
    """
    best = limit
    crew = seat >= 0
    lo, hi = tied_window(d, s, v)
    floor = max(d.node[n].opens, lo, least)
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
        bounded = day_bounded(d, w)
        wish = d.wish[n, w] if d.wish.shape[0] > 0 else 0.0
        if d.limits:
            wish += uneven_more(d, s, w, duration)
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
                        cost += walk_on(d, s, w, q, place, start + duration, shift, rests, crew)
                        if cost < best and (crew or bounded or s.turn[TRYING] or start > hi):
                            allowed = not bounded or day_allows(d, s, w, p, n, there + onward - s.node[p].leg, crew)
                            # where nothing depends on others the limits have been told exactly, and nothing need be tried
                            if allowed and s.worker[w].plain and not d.node[n].coupled:
                                best = cost
                                s.found[8], s.found[9] = w, p
                            elif allowed:
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
