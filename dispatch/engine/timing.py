"""Kernels that keep a plan's times true while stops come and go: crews together, gaps kept, breaks taken.

Every change is logged, so that a trial costs only what it touched and is taken back exactly.
"""

from dispatch.engine.compiling import compiled, inlined, inlined_entry
from dispatch.engine.day import (
    DROP,
    FAR,
    HEAVY,
    LOOKS,
    NONE,
    PATIENCE,
    PICKUP,
    QUEUED,
    SOFT,
    STEADY,
    STUCK,
    TRAVEL,
    VISIT,
    WAVE,
    WISHES,
    WORST,
    Day,
    State,
)  # fmt: skip
from dispatch.engine.pricing import price, uneven_more, visit_cost

_TIMED, _PUT, _TAKEN = 0, 1, 2
_ROUNDS = 40


@inlined
def home_of(d: Day, w: int, place: int) -> int:
    """Seconds from a place to where the worker's day ends."""
    end = d.node[d.nodes + d.workers + w].place
    return 0 if end < 0 else int(d.travel[d.worker[w].mode, place, end])


@inlined_entry
def leg_between(d: Day, w: int, one: int, other: int) -> int:
    """Seconds between two nodes of a worker's route; nothing to a day's open end."""
    a, b = d.node[one].place, d.node[other].place
    return 0 if b < 0 else int(d.travel[d.worker[w].mode, a, b])


@inlined
def _rested(d: Day, free: int, ride: int, floor: int, duration: int, rest: int, last: int) -> tuple[int, int]:
    """Start of the next stop and the breaks taken by then: when they fit the wait, or cannot be put off."""
    start = max(free + ride, floor)
    while rest < last:
        begin = max(free, d.rest[rest].begin)
        fits = begin + d.rest[rest].length + ride <= start and begin <= d.rest[rest].latest
        if not fits and start + duration <= d.rest[rest].latest:
            break
        if begin > d.rest[rest].latest:
            break
        free = begin + d.rest[rest].length
        start = max(free + ride, floor)
        rest += 1
    return start, rest


@inlined_entry
def step(d: Day, w: int, free: int, shift: int, rests: int, place: int, n: int, floor: int) -> tuple[int, int, int]:
    """When a worker who is free then and there can begin a node: start, shift, breaks taken. Start -1: never.

    A worker with breaks or several shifts may be free before a shift begins: then nothing but a break begins.
    """
    ride = int(d.travel[d.worker[w].mode, place, d.node[n].place])
    duration = d.node[n].duration
    home = home_of(d, w, d.node[n].place)
    if d.worker[w].simple:
        start = max(free + ride, floor)
        if start > d.node[n].closes or start + duration + home > d.shift[shift].end:
            return -1, shift, rests
        return start, shift, rests
    last = d.worker[w].break_end
    leaves = max(d.shift[shift].begin, d.worker[w].free) + ride
    start, taken = _rested(d, free, ride, max(floor, leaves), duration, rests, last)
    while start + duration + home > d.shift[shift].end:
        shift += 1
        if shift >= d.worker[w].shift_end:
            return -1, shift, rests
        # time off until then is a wait like any other: breaks are taken in it
        ride = int(d.travel[d.worker[w].mode, d.worker[w].start_place, d.node[n].place])
        leaves = max(d.shift[shift].begin, d.worker[w].free) + ride
        start, taken = _rested(d, free, ride, max(floor, leaves), duration, rests, last)
    if start > d.node[n].closes:
        return -1, shift, rests
    return start, shift, taken


@inlined
def rests_left_fit(d: Day, w: int, free: int, rest: int) -> bool:
    """Whether the breaks not yet taken can still begin after the last stop."""
    for number in range(rest, d.worker[w].break_end):
        begin = max(free, d.rest[number].begin)
        if begin > d.rest[number].latest:
            return False
        free = begin + d.rest[number].length
    return True


@inlined
def _note(s: State, what: int, n: int, a: int, b: int, c: int, e: int) -> bool:
    at = s.top[0]
    if at >= s.log.shape[0]:
        return False
    s.log[at, 0], s.log[at, 1], s.log[at, 2] = what, n, a
    s.log[at, 3], s.log[at, 4], s.log[at, 5] = b, c, e
    s.top[0] = at + 1
    return True


@inlined
def _tally(d: Day, s: State, n: int, w: int, sign: int, ways: int) -> None:
    """Count what limits a day as a whole, and what uneven work costs."""
    busy = sign * d.node[n].duration
    if d.worker[w].uneven > 0.0:
        s.sums[WISHES] += uneven_more(d, s, w, busy)
    s.worker[w].handled += busy
    s.worker[w].worked += busy + ways
    if d.fits[n, w] == HEAVY:
        s.worker[w].lifted += sign


@inlined
def _load(d: Day, n: int) -> int:
    """What a stop takes of its worker's vehicle: every one of a crew carries it, and who fetches a meal carries it once."""
    v = d.node[n].visit
    return int(d.visit[v].load) if d.node[n].kind == VISIT or d.visit[v].first == n else 0


@inlined
def _link_in(d: Day, s: State, n: int, w: int, p: int) -> None:
    q = s.node[p].after
    old = s.node[p].leg
    s.node[p].after, s.node[n].before, s.node[n].after, s.node[q].before = n, p, q, n
    s.node[p].leg = leg_between(d, w, p, n)
    s.node[n].leg = leg_between(d, w, n, q)
    s.sums[TRAVEL] += s.node[p].leg + s.node[n].leg - old
    s.node[n].route = w
    s.worker[w].carried += _load(d, n)
    if d.wish.shape[0] > 0:
        s.sums[WISHES] += d.wish[n, w]
    if d.limits:
        _tally(d, s, n, w, 1, s.node[p].leg + s.node[n].leg - old)
    s.worker[w].stale = 1


@inlined
def _link_out(d: Day, s: State, n: int) -> None:
    w, p, q = s.node[n].route, s.node[n].before, s.node[n].after
    old = s.node[p].leg + s.node[n].leg
    s.sums[TRAVEL] -= old
    s.node[p].after, s.node[q].before = q, p
    idle = p >= d.nodes and q >= d.nodes and not d.worker[w].out
    s.node[p].leg = 0 if idle else leg_between(d, w, p, q)
    s.sums[TRAVEL] += s.node[p].leg
    s.worker[w].carried -= _load(d, n)
    if d.wish.shape[0] > 0:
        s.sums[WISHES] -= d.wish[n, w]
    if d.limits:
        _tally(d, s, n, w, -1, s.node[p].leg - old)
    s.node[n].route = NONE
    s.worker[w].stale = 1


@inlined
def put(d: Day, s: State, n: int, w: int, p: int) -> bool:
    """Put a node into a route behind another; its times come with `propagate`."""
    if not _note(s, _PUT, n, 0, 0, 0, 0):
        return False
    _link_in(d, s, n, w, p)
    s.node[n].arrive = NONE
    s.node[n].start = NONE
    # until it is looked at, whoever comes after it sees a time it cannot be before, and the right shift
    s.node[n].shift, s.node[n].rests = s.node[p].shift, s.node[p].rests
    s.node[n].done = max(s.node[p].done + s.node[p].leg, d.node[n].opens) + d.node[n].duration
    return True


@inlined
def take_out(d: Day, s: State, n: int) -> bool:
    """Take a node out of its route; what follows may become earlier, which `propagate` finds."""
    if not _note(s, _TIMED, n, s.node[n].arrive, s.node[n].start, s.node[n].shift, s.node[n].rests):
        return False
    if not _note(s, _TAKEN, n, s.node[n].route, s.node[n].before, 0, 0):
        return False
    v = d.node[n].visit
    if d.node[n].priced:
        s.sums[SOFT] -= s.visit[v].cost
        s.visit[v].cost = 0.0
    _link_out(d, s, n)
    return True


@inlined_entry
def undo(d: Day, s: State, mark: int) -> None:
    """Take back everything since a mark in the log; the caller puts back the sums it kept."""
    while s.top[0] > mark:
        s.top[0] -= 1
        at = s.top[0]
        what, n = s.log[at, 0], s.log[at, 1]
        if what == _PUT:
            _link_out(d, s, n)
        elif what == _TAKEN:
            _link_in(d, s, n, s.log[at, 2], s.log[at, 3])
        else:
            s.node[n].arrive, s.node[n].start = s.log[at, 2], s.log[at, 3]
            s.node[n].shift, s.node[n].rests = s.log[at, 4], s.log[at, 5]
            s.node[n].done = s.node[n].start + d.node[n].duration
            v = d.node[n].visit
            if d.node[n].priced:
                s.visit[v].cost = visit_cost(d, v, s.node[n].start) if s.node[n].start >= 0 else 0.0
            if s.node[n].route >= 0:
                s.worker[s.node[n].route].stale = 1


@inlined
def queue_node(d: Day, s: State, n: int) -> None:
    """Ask `propagate` to look at a node. Nodes are looked at by time, so that each is mostly looked at once."""
    if n >= d.nodes or s.queued[n]:
        return
    s.queued[n] = 1
    p = s.node[n].before
    s.node[n].rank = max(s.node[n].start, s.node[p].done)
    if p < d.nodes and s.queued[p]:  # whose end is not up to date
        s.node[n].rank = max(s.node[n].rank, s.node[p].rank + 1)
    at = s.turn[QUEUED]
    s.turn[QUEUED] = at + 1
    while at > 0:
        parent = (at - 1) >> 1
        if s.node[s.queue[parent]].rank <= s.node[n].rank:
            break
        s.queue[at] = s.queue[parent]
        at = parent
    s.queue[at] = n


@inlined
def _next_node(s: State) -> int:
    """The earliest queued node, taken off the heap."""
    first = s.queue[0]
    count = s.turn[QUEUED] - 1
    s.turn[QUEUED] = count
    s.queued[first] = 0
    if count == 0:
        return first
    n = s.queue[count]
    rank = s.node[n].rank
    at = 0
    while True:
        child = 2 * at + 1
        if child >= count:
            break
        if child + 1 < count and s.node[s.queue[child + 1]].rank < s.node[s.queue[child]].rank:
            child += 1
        if rank <= s.node[s.queue[child]].rank:
            break
        s.queue[at] = s.queue[child]
        at = child
    s.queue[at] = n
    return first


@inlined
def _set(d: Day, s: State, n: int, start: int, shift: int, rests: int) -> bool:
    """Give a node its start; False when that breaks a rule of its own."""
    w = s.node[n].route
    if not _note(s, _TIMED, n, s.node[n].arrive, s.node[n].start, s.node[n].shift, s.node[n].rests):
        return False
    s.node[n].start, s.node[n].shift, s.node[n].rests = start, shift, rests
    s.node[n].done = start + d.node[n].duration
    s.worker[w].stale = 1
    if d.node[n].priced:
        v = d.node[n].visit
        cost = visit_cost(d, v, start)
        s.sums[SOFT] += cost - s.visit[v].cost
        s.visit[v].cost = cost
        if d.worst_rate > 0.0 and start - d.visit[v].due > s.sums[WORST]:
            s.sums[WORST] = start - d.visit[v].due
    return True


@inlined
def _reached(d: Day, s: State, n: int, floor: int) -> tuple[int, int, int]:
    """`step` from the node before in the route: start, shift, breaks taken."""
    p = s.node[n].before
    return step(d, s.node[n].route, s.node[p].done, s.node[p].shift, s.node[p].rests, d.node[p].place, n, floor)


@inlined
def _known(d: Day, s: State, n: int) -> bool:
    """Tell whether a start can be given to a stop: it has been looked at, and so has the one before it.

    Which shift a stop falls into that was put in and not looked at is not known, nor by which way the next is reached
    from it; whatever comes behind it is looked at once more when it has been.
    """
    if s.node[n].route < 0 or d.node[n].kind == PICKUP or s.node[n].arrive < 0:
        return False
    p = s.node[n].before
    return p >= d.nodes or s.node[p].arrive >= 0


@inlined
def _settle(d: Day, s: State, v: int) -> bool:
    """Start a visit's crew, and the visits tied to it, together and apart as they must be; False when they cannot."""
    g = d.visit[v].group
    count = 1 if g < 0 else d.group[g].end - d.group[g].first
    base = 0 if g < 0 else d.group[g].first
    for i in range(count):
        u = v if g < 0 else d.group_visits[base + i]
        begin = NONE
        for n in range(d.visit[u].first, d.visit[u].end):
            if s.node[n].route >= 0 and d.node[n].kind != PICKUP and s.node[n].arrive > begin:
                begin = s.node[n].arrive
        if s.turn[STEADY] and begin >= 0:
            begin = max(begin, s.visit[u].floor)
        s.visit[u].together = begin
    for _ in range(_ROUNDS):
        if g >= 0 and not _apart(d, s, g):
            return False
        moved = False
        for i in range(count):
            u = v if g < 0 else d.group_visits[base + i]
            if s.visit[u].together < 0:
                continue
            for n in range(d.visit[u].first, d.visit[u].end):
                if not _known(d, s, n):
                    continue
                start, _, _ = _reached(d, s, n, s.visit[u].together)
                if start < 0:
                    return False
                if start > s.visit[u].together:
                    s.visit[u].together = start
                    moved = True
        if not moved:
            break
    else:
        return False
    for i in range(count):
        u = v if g < 0 else d.group_visits[base + i]
        if s.turn[STEADY] and d.node[d.visit[u].first].kind == VISIT and d.visit[u].end - d.visit[u].first > 1:
            s.visit[u].floor = max(s.visit[u].floor, s.visit[u].together)
        for n in range(d.visit[u].first, d.visit[u].end):
            if not _known(d, s, n):
                continue
            start, shift, rests = _reached(d, s, n, s.visit[u].together)
            if start != s.node[n].start or shift != s.node[n].shift or rests != s.node[n].rests:
                if not _set(d, s, n, start, shift, rests):
                    return False
                if not _ride_kept(d, s, n):
                    if _fetched_after(d, s, n - 1) <= s.node[n - 1].start:
                        return False
                    queue_node(d, s, n - 1)
                # the last of a route is looked at itself: do the breaks that are left still fit?
                queue_node(d, s, s.node[n].after if s.node[n].after < d.nodes else n)
    return True


@inlined
def _apart(d: Day, s: State, g: int) -> bool:
    """Raise the starts of tied visits until every gap holds; False when they chase each other."""
    for _ in range(_ROUNDS):
        moved = False
        for at in range(d.group[g].link_first, d.group[g].link_end):
            one, other = s.visit[d.link[at].before].together, s.visit[d.link[at].after].together
            if one < 0 or other < 0:
                continue
            if other < one + d.link[at].least:
                s.visit[d.link[at].after].together = one + d.link[at].least
                s.visit[d.link[at].after].floor = max(s.visit[d.link[at].after].floor, one + d.link[at].least)
                moved = True
            elif other > one + d.link[at].most:
                s.visit[d.link[at].before].together = other - d.link[at].most
                s.visit[d.link[at].before].floor = max(s.visit[d.link[at].before].floor, other - d.link[at].most)
                moved = True
        if not moved:
            return True
    return False


@inlined
def _fetched_after(d: Day, s: State, n: int) -> int:
    """When a meal may be fetched: later than else where the hand-over waits for what it is tied to."""
    v = d.node[n].visit
    opens = d.node[n].opens
    if d.node[n].kind != PICKUP or d.visit[v].group < 0 or d.visit[v].ride >= FAR:
        return opens
    # a search also takes stops out: there a hand-over that was late for its route's sake must not keep the pick-up late
    if s.node[n + 1].start > s.node[n + 1].arrive or s.turn[PATIENCE] > LOOKS:
        opens = max(opens, s.node[n + 1].start - d.visit[v].ride - d.node[n].duration)
    return opens


@inlined
def _ride_kept(d: Day, s: State, n: int) -> bool:
    """Whether a meal is handed over in time after it was fetched."""
    v = d.node[n].visit
    if d.node[n].kind != DROP or d.visit[v].ride >= FAR or d.visit[v].first == n:
        return True
    if s.queued[n - 1] or s.node[n - 1].start < 0:
        return True  # the pick-up is looked at again, and then this one
    return s.node[n].start - s.node[n - 1].done <= d.visit[v].ride


@compiled
def propagate(d: Day, s: State, ceiling: float) -> bool:
    """Bring every node behind the queued ones up to date. The queue is empty afterwards.

    False when a rule breaks, when the price passes the ceiling, or when crews wait for each other: then the same nodes
    come back again and again, more often than `PATIENCE` allows. Mostly they are later each time; where a break can be
    taken before or behind, a later start may also make others earlier, and `STUCK` says that a steady look may do.
    """
    s.turn[STUCK] = 0
    s.turn[WAVE] += 1
    wave = s.turn[WAVE]
    while s.turn[QUEUED] > 0:
        n = _next_node(s)
        if s.node[n].route < 0:
            continue
        if s.node[n].wave != wave:
            s.node[n].wave, s.node[n].looks = wave, 0
        s.node[n].looks += 1
        s.turn[STUCK] = 1 if s.node[n].looks > s.turn[PATIENCE] else 0
        if s.turn[STUCK] or not _update(d, s, n) or price(d, s) > ceiling:
            while s.turn[QUEUED] > 0:
                s.turn[QUEUED] -= 1
                s.queued[s.queue[s.turn[QUEUED]]] = 0
            return False
    return True


@inlined
def _update(d: Day, s: State, n: int) -> bool:
    """One node's start from what lies before it in its route; what depends on it is queued."""
    w = s.node[n].route
    start, shift, rests = _reached(d, s, n, _fetched_after(d, s, n))
    if start < 0:
        return False
    if d.node[n].coupled:
        if start != s.node[n].arrive:
            if not _note(s, _TIMED, n, s.node[n].arrive, s.node[n].start, s.node[n].shift, s.node[n].rests):
                return False
            s.node[n].arrive = start
        if s.node[n].start < 0:  # for whoever of its own group comes behind it
            s.node[n].shift, s.node[n].rests, s.node[n].done = shift, rests, start + d.node[n].duration
        if not _settle(d, s, d.node[n].visit):
            return False
    elif start != s.node[n].start or shift != s.node[n].shift or rests != s.node[n].rests:
        if not _set(d, s, n, start, shift, rests):
            return False
        s.node[n].arrive = start
        queue_node(d, s, s.node[n].after)
        if d.node[n].kind == PICKUP:
            queue_node(d, s, n + 1)
    if not _ride_kept(d, s, n):
        return False
    if not d.worker[w].simple and s.node[n].after >= d.nodes:
        return rests_left_fit(d, w, s.node[n].done, s.node[n].rests)
    return True
