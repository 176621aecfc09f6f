"""The search itself: take strings of neighbouring visits out of several routes, put them back where they cost least.

Slack induction by string removals after Christiaens and Vanden Berghe (2020), with crews and tied visits leaving and
returning whole, and simulated annealing (Kirkpatrick et al. 1983) to decide what is carried on from.
"""

import numpy as np

from dispatch.engine.chance import chance
from dispatch.engine.compiling import compiled, entry
from dispatch.engine.crews import best_crew
from dispatch.engine.day import DROPPED, FAR, NONE, PICKUP, Day, State
from dispatch.engine.fetching import best_meal
from dispatch.engine.limits import limits_kept
from dispatch.engine.places import NEVER, apply, best_gap, keep_sums, restore_sums
from dispatch.engine.pricing import total, worst_again
from dispatch.engine.timing import propagate, put, queue_node, take_out, undo

_MEAN_REMOVED = 10.0
_LONGEST = 10.0
_BLINK = 0.01
_MOST_WAITING = 12  # visits nobody could serve so far that are tried again in one step


@compiled
def _leave(d: Day, s: State, v: int, step: int, listed: int) -> int:
    """Take a visit, and whatever is tied to it, out of the plan; returns how many wait now, or -1."""
    g = d.visit[v].group
    count = 1 if g < 0 else d.group[g].end - d.group[g].first
    base = 0 if g < 0 else d.group[g].first
    for i in range(count):
        u = v if g < 0 else d.group_visits[base + i]
        if d.visit[u].fixed or s.visit[u].taken == step or s.node[d.visit[u].first].route < 0:
            continue
        s.visit[u].taken = step
        for n in range(d.visit[u].first, d.visit[u].end):
            if not take_out(d, s, n):
                return -1
        s.sums[DROPPED] += d.visit[u].penalty
        s.waiting[listed] = u
        listed += 1
    return listed


@compiled
def _settle_routes(d: Day, s: State, step: int) -> bool:
    """Bring every route of this step up to date after stops have left it."""
    for w in range(d.workers):
        if s.worker[w].ruined == step and s.node[d.nodes + w].after < d.nodes:
            n = s.node[d.nodes + w].after
            while n < d.nodes:
                queue_node(d, s, n)
                n = s.node[n].after
    return propagate(d, s, NEVER)


@compiled
def _length(d: Day, s: State, w: int) -> int:
    count = 0
    n = s.node[d.nodes + w].after
    while n < d.nodes:
        count += 1
        n = s.node[n].after
    return count


@compiled
def _mark_routes(d: Day, s: State, v: int, step: int) -> None:
    """Routes that will have lost something when the visit, and what is tied to it, leaves."""
    g = d.visit[v].group
    count = 1 if g < 0 else d.group[g].end - d.group[g].first
    base = 0 if g < 0 else d.group[g].first
    for i in range(count):
        u = v if g < 0 else d.group_visits[base + i]
        for n in range(d.visit[u].first, d.visit[u].end):
            if s.node[n].route >= 0:
                s.worker[s.node[n].route].ruined = step


@compiled
def _ruin(d: Day, s: State, step: int, strength: float, centres: np.ndarray) -> int:
    """Strings of visits around one of them leave their routes; returns how many wait, or -1."""
    served = 0
    for n in range(d.nodes):
        if s.node[n].route >= 0:
            served += 1
    if served == 0:
        return 0
    busy = 0
    for w in range(d.workers):
        if s.node[d.nodes + w].after < d.nodes:
            busy += 1
    mean_length = served / busy
    longest = min(_LONGEST, mean_length)
    strings = 4.0 * strength / (1.0 + longest) - 1.0
    count = int(1.0 + chance(s.random) * max(strings, 1.0))
    centre = int(centres[int(chance(s.random) * len(centres))])
    listed = 0
    done = 0
    for at in range(-1, d.near.shape[1]):
        if done >= count:
            break
        v = centre if at < 0 else int(d.near[centre, at])
        if v < 0:
            break
        n = d.visit[v].first
        if s.node[n].route < 0 or d.visit[v].fixed or s.visit[v].taken == step:
            continue
        size = d.visit[v].end - n
        if size > 1 and chance(s.random) < 0.5:
            n += int(chance(s.random) * size)
        w = s.node[n].route
        if s.worker[w].ruined == step and done > 0:
            continue
        listed = _string(d, s, n, w, step, longest, listed)
        if listed < 0:
            return -1
        s.worker[w].ruined = step
        done += 1
    return listed


@compiled
def _string(d: Day, s: State, n: int, w: int, step: int, longest: float, listed: int) -> int:
    """Take out a run of stops around a node; half the time some in its middle stay."""
    length = _length(d, s, w)
    most = min(float(length), longest)
    size = int(1.0 + chance(s.random) * most)
    kept = 0
    if size > 1 and size < length and chance(s.random) < 0.5:
        kept = 1
        while size + kept < length and chance(s.random) > 0.5:
            kept += 1
    run = size + kept
    # begin so that the node is inside the run
    behind = 0
    m = s.node[n].after
    while m < d.nodes and behind < run:
        behind += 1
        m = s.node[m].after
    ahead = 0
    m = s.node[n].before
    while m < d.nodes and ahead < run:
        ahead += 1
        m = s.node[m].before
    least = max(0, run - 1 - behind)
    most_back = min(run - 1, ahead)
    back = least + int(chance(s.random) * (most_back - least + 1)) if most_back >= least else most_back
    m = n
    for _ in range(back):
        m = s.node[m].before
    skip_from = 1 + int(chance(s.random) * (size - 1)) if kept > 0 and size > 1 else run
    at = 0
    while at < run and m < d.nodes:
        following = s.node[m].after
        leaves = at < skip_from or at >= skip_from + kept
        v = d.node[m].visit
        if leaves and not d.visit[v].fixed and s.node[d.visit[v].first].route >= 0:
            # the following stop may leave with this one: find the next that stays
            _mark_routes(d, s, v, step)
            while following < d.nodes and d.node[following].visit == v:
                following = s.node[following].after
            tied = d.visit[v].group
            while following < d.nodes and tied >= 0 and d.visit[d.node[following].visit].group == tied:
                following = s.node[following].after
            listed = _leave(d, s, v, step, listed)
            if listed < 0:
                return -1
        m = following
        at += 1
    return listed


@compiled
def _sort_waiting(d: Day, s: State, listed: int) -> None:
    """In which order visits are put back: by chance, by how far, how tight, how early, how hard to crew."""
    way = chance(s.random)
    for i in range(listed):
        v = s.waiting[i]
        n = d.visit[v].units - 1
        if way < 0.3:
            key = chance(s.random)
        elif way < 0.45:
            key = -float(d.travel[0, d.node[d.nodes].place, d.node[n].place])
        elif way < 0.5:
            key = float(d.travel[0, d.node[d.nodes].place, d.node[n].place])
        elif way < 0.65:
            key = float(min(d.visit[v].due, d.node[n].closes) - d.node[n].opens)
        elif way < 0.8:
            key = float(d.node[n].opens)
        elif way < 0.9:
            key = float(min(d.visit[v].due, d.node[n].closes))
        else:
            key = -float(d.node[n].duration + d.visit[v].load)
        s.visit[v].order_key = key - (1e9 if d.visit[v].end - d.visit[v].first > 1 and way > 0.2 else 0.0)
    for i in range(1, listed):
        v = s.waiting[i]
        at = i
        while at > 0 and s.visit[s.waiting[at - 1]].order_key > s.visit[v].order_key:
            s.waiting[at] = s.waiting[at - 1]
            at -= 1
        s.waiting[at] = v


@compiled
def _best_place(d: Day, s: State, v: int, blink: float, limit: float) -> float:
    """What serving the visit costs at its cheapest place, which is left in `found`; at least `limit` when there is none."""
    first = d.visit[v].first
    size = d.visit[v].end - first
    if d.node[first].kind == PICKUP:
        return best_meal(d, s, v, blink, limit)
    if size == 1:
        return best_gap(d, s, v, first, NONE, blink, limit, -FAR)
    return best_crew(d, s, v, blink, limit)


@entry
def put_back(d: Day, s: State, listed: int, blink: float) -> bool:
    """Serve the waiting visits one by one at their cheapest place; False when one of them cannot be left out."""
    for i in range(listed):
        v = s.waiting[i]
        first = d.visit[v].first
        if s.node[first].route >= 0:
            continue
        limit = d.visit[v].penalty if not d.visit[v].wanted else NEVER
        cost = _best_place(d, s, v, blink, limit)
        if cost >= limit and blink > 0.0:
            cost = _best_place(d, s, v, 0.0, limit)
        size = d.visit[v].end - first
        if cost < limit:
            mark = s.top[0]
            kept = keep_sums(s)
            if apply(d, s, v, size, NEVER):
                s.sums[DROPPED] -= d.visit[v].penalty
                continue
            undo(d, s, mark)
            restore_sums(s, kept)
        if d.visit[v].wanted:
            return False
    return True


@entry
def keep_best(s: State) -> None:
    """Remember the plan as it is now."""
    for n in range(s.node.shape[0]):
        s.best_after[n] = s.node[n].after


@entry
def anneal(
    d: Day,
    s: State,
    steps: int,
    hot: float,
    cold: float,
    best: float,
    strength: float,
    from_step: int,
    centres: np.ndarray,
) -> float:
    """So many ruins and recreations, cooling from `hot` to `cold` (cost units); returns the cost of the best plan.

    Ruins begin at one of `centres`, visits by number.
    """
    current = total(d, s)
    ratio = (cold / hot) ** (1.0 / max(1, steps - 1)) if hot > 0.0 and cold > 0.0 else 1.0
    heat = hot
    for number in range(steps):
        step = from_step + number
        heat *= ratio
        s.top[0] = 0
        for i in range(5):
            s.kept[i] = s.sums[i]
        listed = _ruin(d, s, step, strength, centres)
        good = listed >= 0
        if good:
            good = _settle_routes(d, s, step) and (d.limits == 0 or limits_kept(d, s))
        if good:
            extra = 0
            offset = int(chance(s.random) * d.visits)
            if s.sums[DROPPED] > 0.0:
                for i in range(d.visits):
                    v = (offset + i) % d.visits
                    if s.node[d.visit[v].first].route < 0 and s.visit[v].taken != step:
                        s.waiting[listed] = v
                        listed += 1
                        extra += 1
                        if extra == _MOST_WAITING:
                            break
            if listed == 0:
                continue
            if d.worst_rate > 0.0:
                worst_again(d, s)
            _sort_waiting(d, s, listed)
            good = put_back(d, s, listed, _BLINK)
        if good:
            if d.worst_rate > 0.0:
                worst_again(d, s)
            cost = total(d, s)
            if cost < current - heat * np.log(max(chance(s.random), 1e-300)):
                current = cost
                if cost < best - 1e-7:
                    best = cost
                    keep_best(s)
                continue
        undo(d, s, 0)
        for i in range(5):
            s.sums[i] = s.kept[i]
    return best


@entry
def follow(d: Day, s: State, worker_of: np.ndarray, sequence: np.ndarray, count: int) -> bool:
    """Build the plan whose nodes are named in order, with their workers; False when its times break a rule."""
    for i in range(count):
        n, w = sequence[i], worker_of[i]
        v = d.node[n].visit
        if d.visit[v].first == n:
            s.sums[DROPPED] -= d.visit[v].penalty
        s.top[0] = 0
        put(d, s, n, w, s.node[d.nodes + d.workers + w].before)
    # each route from its beginning: later nodes are queued by the one before them, with a time to be looked at
    for w in range(d.workers):
        queue_node(d, s, s.node[d.nodes + w].after)
    good = propagate(d, s, NEVER) and (d.limits == 0 or limits_kept(d, s))
    if d.worst_rate > 0.0:
        worst_again(d, s)
    s.top[0] = 0
    return good
