"""The kernel that answers a question about a hot meal: for every window the cheapest pair of gaps of one route, exactly.

The meal may be carried past any stops that its own ride, the box and everybody's times allow.
"""

from dispatch.engine.compiling import entry, inlined
from dispatch.engine.day import FAR, PICKUP, TRYING, WALK, Day, State
from dispatch.engine.openings import Asked
from dispatch.engine.places import NEVER, tied_window, walk_on, worker_can
from dispatch.engine.pricing import uneven_more, visit_cost
from dispatch.engine.timing import home_of, step
from dispatch.engine.trying import tried


@entry
def answer_meal(d: Day, s: State, a: Asked, v: int, windows: int, ready: int) -> None:
    """For every window of the hand-over what bringing the meal costs at least, with its places; NEVER where nobody can."""
    up = d.visit[v].first
    down = up + 1
    earliest, _ = tied_window(d, s, v)
    for w in range(d.persons):
        a.able[0, w] = 1 if worker_can(d, s, v, up, w, True) else 0
    for k in range(windows):
        a.cost[k] = NEVER
        lo = max(a.lo[k], earliest)
        if lo > a.hi[k]:
            continue
        d.node[down].opens, d.node[down].closes = lo, a.hi[k]
        # who fetches it earlier than this cannot bring it in time
        fetched = lo - d.visit[v].ride - d.node[up].duration if d.visit[v].ride < FAR else ready
        d.node[up].opens, d.node[up].closes = max(ready, fetched), a.hi[k] - d.node[up].duration
        for w in range(d.persons):
            if a.able[0, w]:
                a.cost[k] = _in_route(d, s, a, v, k, w, a.cost[k])


@inlined
def _in_route(d: Day, s: State, a: Asked, v: int, k: int, w: int, best: float) -> float:
    """The cheapest pair of gaps of one route, if cheaper than the best so far."""
    up = d.visit[v].first
    at_up = d.node[up].place
    q = d.nodes + w
    while True:
        p = q
        q = s.node[p].after
        if s.node[p].done > d.node[up].closes:
            break
        if s.node[p].boxes + d.visit[v].box <= d.worker[w].box_room and not _hopeless(d, s, v, w, p, q):
            fetch, shift, rests = step(
                d, w, s.node[p].done, s.node[p].shift, s.node[p].rests, d.node[p].place, up, d.node[up].opens
            )
            if fetch >= 0:
                there = int(d.reverse[d.worker[w].mode, at_up, d.node[p].place])
                best = _carried(d, s, a, v, k, w, p, fetch, shift, rests, there - s.node[p].leg, best)
        if q >= d.nodes:
            break
    return best


@inlined
def _hopeless(d: Day, s: State, v: int, w: int, p: int, q: int) -> bool:
    """Whether the next stop comes too late both when the meal is handed over before it and when it is carried past."""
    if d.worker[w].simple == 0 or q >= d.nodes:
        return False
    up = d.visit[v].first
    m = d.worker[w].mode
    fetch = max(s.node[p].done + d.reverse[m, d.node[up].place, d.node[p].place], d.node[up].opens)
    past = fetch + d.node[up].duration + d.travel[m, d.node[up].place, d.node[q].place]
    before = d.node[up + 1].opens + d.node[up + 1].duration + d.travel[m, d.node[up + 1].place, d.node[q].place]
    return bool(past > s.node[q].latest and before > s.node[q].latest)


@inlined
def _carried(
    d: Day, s: State, a: Asked, v: int, k: int, w: int, p: int, fetch: int, shift: int, rests: int, travelled: int,
    best: float,
) -> float:  # fmt: skip
    """The best gap to hand over a meal fetched behind a node, going on stop by stop with it in the box."""
    up = d.visit[v].first
    down = up + 1
    m = d.worker[w].mode
    at_down = d.node[down].place
    home = home_of(d, w, at_down)
    busy = d.node[up].duration + d.node[down].duration
    wish = float(d.wish[up, w]) + (uneven_more(d, s, w, busy) if d.limits else 0.0)
    most = FAR if d.limits == 0 else d.worker[w].work - s.worker[w].worked - busy
    _, tied_hi = tied_window(d, s, v)
    s.turn[WALK] += 1
    place, prior, n = d.node[up].place, up, s.node[p].after
    free = full = fetch + d.node[up].duration
    changed, lost = 0.0, 0
    pushing = d.worker[w].span < FAR or d.worst_rate > 0.0
    while True:
        bring, shift_then, rests_then = step(d, w, free, shift, rests, place, down, d.node[down].opens)
        kept = bring >= 0 and bring - full <= d.visit[v].ride
        # a hand-over that waits for what it is tied to is fetched later: that shows when it is tried
        waits = bring >= 0 and not kept and d.visit[v].group >= 0
        if not kept and not waits and d.worker[w].simple == 1:
            return best  # with breaks it may still come in time behind a later stop
        ride = int(d.travel[m, place, at_down])
        onward = home if n >= d.nodes else int(d.travel[m, at_down, d.node[n].place])
        detour = travelled + ride + onward - lost
        cost = d.travel_rate * detour + wish + changed + visit_cost(d, v, bring)
        if (kept or waits) and cost < best and detour <= most:
            cost += walk_on(d, s, w, n, at_down, bring + d.node[down].duration, shift_then, rests_then, False)
            if cost < best and (waits or s.turn[TRYING] or pushing or bring > tied_hi):
                s.found[0], s.found[1], s.found[2], s.found[3] = w, p, w, prior
                cost = tried(d, s, a, v, k, bring, best)
            if cost < best:
                best = cost
                a.found[k, 0], a.found[k, 1], a.found[k, 2], a.found[k, 3] = w, p, w, prior
                a.able[0, w] = 2
        if n >= d.nodes or s.node[n].boxes + d.visit[v].box > d.worker[w].box_room:
            return best
        floor = max(d.node[n].opens, s.node[n].start) if d.node[n].coupled else d.node[n].opens
        start, shift, rests = step(d, w, free, shift, rests, place, n, floor)
        if start < 0 or (d.worker[w].simple == 1 and start > s.node[n].latest):
            return best
        if start != s.node[n].start or shift != s.node[n].shift or rests != s.node[n].rests:
            pushing = pushing or d.node[n].coupled == 1
        if d.node[n].priced:
            changed += visit_cost(d, d.node[n].visit, start) - s.visit[d.node[n].visit].cost
        if not _ride_kept(d, s, n, start) and not pushing:
            return best
        travelled += int(d.travel[m, place, d.node[n].place]) - lost
        place, free, lost = d.node[n].place, start + d.node[n].duration, s.node[n].leg
        prior = n
        n = s.node[n].after


@inlined
def _ride_kept(d: Day, s: State, n: int, start: int) -> bool:
    """Whether a meal already in the route still comes in time when its stop begins then."""
    u = d.node[n].visit
    if d.visit[u].ride >= FAR:
        return True
    if d.node[n].kind == PICKUP:
        s.node[n].moment, s.node[n].stamp = start + d.node[n].duration, s.turn[WALK]
        return True
    if d.visit[u].first == n:
        return True
    fetched = s.node[n - 1].moment if s.node[n - 1].stamp == s.turn[WALK] else s.node[n - 1].done
    return start - fetched <= d.visit[u].ride
