"""The kernel that finds the cheapest pair of gaps in one route to fetch a meal and bring it."""

from dispatch.engine.chance import chance
from dispatch.engine.compiling import compiled
from dispatch.engine.day import FAR, PICKUP, SCAN, TRYING, WALK, WORST, Day, State
from dispatch.engine.limits import day_bounded
from dispatch.engine.places import tied_window, trial, walk_on, worker_can
from dispatch.engine.pricing import uneven_more, visit_cost
from dispatch.engine.routes import refresh
from dispatch.engine.timing import home_of, step

_REACH = 8  # stops a meal may be carried past


@compiled
def best_meal(d: Day, s: State, v: int, blink: float, limit: float) -> float:
    """The cheapest pair of gaps in one route to fetch and bring a meal."""
    up = d.visit[v].first
    down = up + 1
    best = limit
    s.turn[SCAN] += 1
    lo, hi = tied_window(d, s, v)
    floor = max(d.node[down].opens, lo)
    for w in range(d.workers):
        if not worker_can(d, s, v, up, w, False):
            continue
        head = d.nodes + w
        m = d.worker[w].mode
        simple = d.worker[w].simple == 1
        bounded = day_bounded(d, w)
        wish = d.wish[up, w] if d.wish.shape[0] > 0 else 0.0
        if d.limits:
            wish += uneven_more(d, s, w, d.node[up].duration + d.node[down].duration)
        at_up, at_down = d.node[up].place, d.node[down].place
        home = home_of(d, w, at_down)
        p = head
        while True:
            q = s.node[p].after
            if s.node[p].done > d.node[up].closes:
                break
            there = int(d.reverse[m, at_up, d.node[p].place])
            old = s.node[p].leg
            behind = home_of(d, w, at_up) if q >= d.nodes else d.travel[m, at_up, d.node[q].place]
            fits_box = s.node[p].boxes + d.visit[v].box <= d.worker[w].box_room
            detour = d.travel_rate * (there + behind - old) + wish
            if fits_box and (detour < best or q >= d.nodes) and (blink <= 0.0 or chance(s.random) >= blink):
                fetch, shift, rests = step(
                    d, w, s.node[p].done, s.node[p].shift, s.node[p].rests, d.node[p].place, up, d.node[up].opens
                )
                if fetch >= 0:
                    s.turn[WALK] += 1
                    full = fetch + d.node[up].duration
                    place, free, sh, re = at_up, full, shift, rests
                    changed = 0.0
                    travelled = there - old
                    n = q
                    prior = p
                    for _ in range(_REACH):
                        bring, sh2, re2 = step(d, w, free, sh, re, place, down, floor)
                        if bring < 0:
                            break
                        if bring - full > d.visit[v].ride:
                            break
                        ride = int(d.travel[m, place, at_down])
                        onward = home if n >= d.nodes else d.travel[m, at_down, d.node[n].place]
                        lost = s.node[prior].leg if prior != p else 0
                        cost = d.travel_rate * (travelled + ride + onward - lost) + wish + changed
                        cost += visit_cost(d, v, bring)
                        late = bring - d.visit[v].due
                        if late > s.sums[WORST]:
                            cost += d.worst_rate * (late - s.sums[WORST])
                        if cost < best:
                            cost += walk_on(d, s, w, n, at_down, bring + d.node[down].duration, sh2, re2, False)
                            if cost < best and (s.turn[TRYING] or bring > hi or bounded):
                                s.found[0], s.found[1] = w, p
                                s.found[2], s.found[3] = w, (up if prior == p else prior)
                                cost = trial(d, s, v, 2, best)
                                if s.worker[w].stale:
                                    refresh(d, s, w)
                            if cost < best:
                                best = cost
                                s.found[8], s.found[9], s.found[10] = w, p, (up if prior == p else prior)
                        # carry the meal past the next stop, where the box and everybody's times allow it
                        if n >= d.nodes or d.node[n].coupled or s.node[n].boxes + d.visit[v].box > d.worker[w].box_room:
                            break
                        start, sh, re = step(d, w, free, sh, re, place, n, d.node[n].opens)
                        if start < 0 or (simple and start > s.node[n].latest):
                            break
                        u = d.node[n].visit
                        if d.node[n].priced:
                            changed += visit_cost(d, u, start) - s.visit[u].cost
                        if d.visit[u].ride < FAR:
                            if d.node[n].kind == PICKUP:
                                s.node[n].moment, s.node[n].stamp = start + d.node[n].duration, s.turn[WALK]
                            elif d.visit[u].first != n:
                                fetched = (
                                    s.node[n - 1].moment if s.node[n - 1].stamp == s.turn[WALK] else s.node[n - 1].done
                                )
                                if start - fetched > d.visit[u].ride:
                                    break
                        travelled += d.travel[m, place, d.node[n].place] - (s.node[prior].leg if prior != p else 0)
                        place, free = d.node[n].place, start + d.node[n].duration
                        prior = n
                        n = s.node[n].after
            if q >= d.nodes:
                break
            p = q
    s.found[0], s.found[1] = s.found[8], s.found[9]
    s.found[2], s.found[3] = s.found[8], s.found[10]
    return best
