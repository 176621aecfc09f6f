"""Kernels for what limits a worker's day as a whole: how long it lasts, how much is done, how much of it is heavy."""

from dispatch.engine.compiling import compiled, entry, inlined
from dispatch.engine.day import FAR, LOOKS, PATIENCE, VISIT, Day, State
from dispatch.engine.timing import home_of, leg_between


@inlined
def _free_until(d: Day, s: State, n: int) -> int:
    """How late a node may start and cost no more than now; meals and whoever depends on others stay."""
    start = s.node[n].start
    if d.node[n].coupled and d.node[n].kind == VISIT:
        return _told_until(d, s, n)
    if d.node[n].kind != VISIT:
        return start
    v = d.node[n].visit
    until = min(d.node[n].closes, max(start, d.visit[v].due))
    if d.visit[v].moved_rate > 0.0:
        until = min(until, max(start, d.visit[v].promised + d.visit[v].moved_free))
    return until


@inlined
def _told_until(d: Day, s: State, n: int) -> int:
    """How late a node that depends on others may start, to begin as told, before whatever comes next for any of them.

    Nobody who comes next is thought to start later too, so it may be later still. In a search whoever comes next may
    change while a route does not, and its days would have to be measured again: there such a node stays.
    """
    start, v = s.node[n].start, d.node[n].visit
    until = min(d.visit[v].promised, d.node[n].closes, max(start, d.visit[v].due))
    if s.turn[PATIENCE] <= LOOKS or d.visit[v].moved_rate <= 0.0 or until <= start or d.visit[v].fixed:
        return start
    for m in range(d.visit[v].first, d.visit[v].end):
        w, q = s.node[m].route, s.node[m].after
        # a later end makes a limited day longer
        if w < 0 or (q >= d.nodes and (d.worker[w].span < FAR or d.worker[w].out)):
            return start
        home = home_of(d, w, d.node[m].place)
        ahead = s.node[q].start - s.node[m].leg if q < d.nodes else d.shift[s.node[m].shift].end - home
        if q < d.nodes and s.node[q].shift != s.node[m].shift:
            return start
        for rest in range(s.node[q].rests - 1, s.node[m].rests - 1, -1) if q < d.nodes else range(0):
            ahead = min(ahead - d.rest[rest].length, d.rest[rest].latest)
        until = min(until, ahead - d.node[m].duration)
    g = d.visit[v].group
    for at in range(d.group[g].link_first, d.group[g].link_end) if g >= 0 else range(0):
        one, other = d.link[at].before, d.link[at].after
        if one == v and s.node[d.visit[other].end - 1].route >= 0:
            until = min(until, s.node[d.visit[other].end - 1].start - d.link[at].least)
        elif other == v and s.node[d.visit[one].end - 1].route >= 0:
            until = min(until, s.node[d.visit[one].end - 1].start + d.link[at].most)
    return max(start, until)


@entry
def span_of(d: Day, s: State, w: int) -> int:
    """Seconds from setting out, as late as costs nothing, to being back."""
    n = s.node[d.nodes + d.workers + w].before
    if n >= d.nodes:
        return 0
    back = s.node[n].done + home_of(d, w, d.node[n].place)
    latest = s.node[n].start
    p = s.node[n].before
    while p < d.nodes:
        if s.node[p].shift != s.node[n].shift:
            latest = s.node[p].start
        else:
            until = latest - s.node[p].leg
            for rest in range(s.node[n].rests - 1, s.node[p].rests - 1, -1):
                until = min(until - d.rest[rest].length, d.rest[rest].latest)
            latest = max(s.node[p].start, min(until - d.node[p].duration, _free_until(d, s, p)))
        n = p
        p = s.node[n].before
    m = d.worker[w].mode
    return back - latest + int(d.travel[m, d.worker[w].start_place, d.node[n].place])


@compiled
def span_with(d: Day, s: State, w: int, p: int, n: int) -> int:
    """How long a simple worker's day would be with a node put behind another; exact while nobody depends on others.

    Step by step the shortest time from setting out, and between which moments of setting out it is that short: the
    segments of Vidal et al. (2013).
    """
    took, first, last = 0, d.worker[w].free, FAR
    before = d.nodes + w
    at = n if p == before else s.node[before].after
    while True:
        v = d.node[at].visit
        took += leg_between(d, w, before, at)
        reached = max(first + took, d.node[at].opens)
        if d.node[at].coupled or d.node[at].kind != VISIT:
            opens = reached if at == n else max(reached, s.node[at].start)
            until = opens
        else:
            opens = d.node[at].opens
            until = min(d.node[at].closes, max(reached, d.visit[v].due))
            if d.visit[v].moved_rate > 0.0:
                until = min(until, max(reached, d.visit[v].promised + d.visit[v].moved_free))
        wait = max(0, opens - took - last)
        first = max(first, opens - took) - wait
        last = min(last, until - took)
        took += wait + d.node[at].duration
        before = at
        if at == n:
            at = s.node[p].after
        elif at == p:
            at = n
        else:
            at = s.node[at].after
        if at >= d.nodes:
            return took + home_of(d, w, d.node[before].place)


@compiled
def limits_kept(d: Day, s: State) -> bool:
    """Whether every route changed since it was last looked at keeps the limits of its worker's day."""
    for w in range(d.workers):
        if not s.worker[w].stale:
            continue
        if s.worker[w].worked > d.worker[w].work or s.worker[w].lifted > d.worker[w].heavy:
            return False
        if d.worker[w].span < FAR and span_of(d, s, w) > d.worker[w].span:
            return False
    return True


@inlined
def day_bounded(d: Day, w: int) -> bool:
    """Whether the length of the worker's day or work is limited."""
    return d.limits == 1 and (d.worker[w].span < FAR or d.worker[w].work < FAR)


@compiled
def day_allows(d: Day, s: State, w: int, p: int, n: int, detour: int, crew: bool) -> bool:
    """Whether a worker's day keeps its limits with a node put behind another. Where crews or breaks meet, it may not yet."""
    if s.worker[w].worked + d.node[n].duration + detour > d.worker[w].work:
        return False
    if crew or d.worker[w].span >= FAR or not d.worker[w].simple:
        return True
    return span_with(d, s, w, p, n) <= d.worker[w].span
