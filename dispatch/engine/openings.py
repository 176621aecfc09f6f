"""Kernels that look for room: a table of every gap of a plan, and which of them could take a seat in which window.

Nothing of the plan begins earlier than it is planned. A route is plain when a later start in it touches nobody else and
costs nothing: there a gap is an interval of starts. All other gaps are listed and looked at one by one.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy import ndarray

from dispatch.engine.compiling import compiled, entry, inlined, record
from dispatch.engine.day import FAR, Day, Records, State
from dispatch.engine.places import NEVER, worker_can
from dispatch.engine.pricing import uneven_more, visit_cost
from dispatch.engine.routes import refresh
from dispatch.engine.timing import home_of

SEATS: Final = 4  # the largest crew
NODES: Final = 8  # of one visit: its seats, and as many kinds of equipment

GAP = record(
    [
        ("after", np.int64),  # the node before the gap
        ("free", np.int64),  # when the worker leaves it
        ("here", np.int64),  # its place
        ("there", np.int64),  # place of the node behind the gap, -1 where the day ends
        ("leg", np.int64),  # seconds between the two as it is
        ("latest", np.int64),  # last start of the node behind that one route can tell
    ],
)
CANDIDATE = record(
    [
        ("cost", np.float64),  # of the seat alone; of a visit with one seat all it costs
        ("worker", np.int64),
        ("after", np.int64),
        ("start", np.int64),
        ("limit", np.int64),  # last start, as far as it is known
        ("plain", np.int64),  # until then later starts cost this seat the same
        ("trying", np.int64),  # it reaches a crew, a link or a limit of the whole day: the cost may be more
        ("rough", np.int64),  # only the detour is known
    ],
)
MEMBER = record(
    [
        ("at", np.int64),  # position in the order of the seat's candidates
        ("candidate", np.int64),  # the one chosen
        ("start", np.int64),  # when all chosen before can begin
        ("limit", np.int64),  # and until when
        ("cost", np.float64),  # of all chosen before
        ("behind", np.float64),  # the least the seats behind cost
    ],
)


class Asked(NamedTuple):
    """The gaps of a plan, one question about them and its answer. Windows are those of the start, in rising order."""

    gap: Records  # GAP (nodes + persons)
    segment: ndarray  # int64 (persons + 1): where a worker's gaps begin
    lo: ndarray  # int64 (windows)
    hi: ndarray  # int64 (windows)
    alike: ndarray  # int64 (SEATS): the first seat that asks for the same
    able: ndarray  # uint8 (SEATS, persons): 1 no rule forbids it, 2 some gap is large enough
    listed: ndarray  # int64 (SEATS, nodes + persons): gaps to look at one by one
    listed_worker: ndarray  # int64, the same shape
    listed_count: ndarray  # int64 (SEATS): how many
    top_cost: ndarray  # float64 (windows, SEATS, providers, SEATS): cheapest places in plain routes
    top_worker: ndarray  # int64, the same shape, and so the next two
    top_after: ndarray
    top_start: ndarray
    candidate: Records  # CANDIDATE (SEATS, nodes + persons + SEATS * providers)
    order: ndarray  # int64, the same shape: by cost
    enlisted: ndarray  # int64 (SEATS): candidates of each seat
    least: ndarray  # float64 (SEATS): the cheapest of them
    crew: Records  # MEMBER (SEATS + 1): the crew looked at, each row what is so before its seat
    cost: ndarray  # float64 (windows): the answer
    found: ndarray  # int64 (windows, 2 * SEATS): worker and node before, for each node of the visit but its equipment
    start: ndarray  # int64 (windows): when equipment is taken
    freed: ndarray  # int64 (providers): when all equipment is free in the window looked at
    unit_last: ndarray  # int64 (workers): scratch, the last use of a unit so far, and so the next two
    unit_free: ndarray
    unit_next: ndarray


@entry
def tabulate(d: Day, s: State, a: Asked) -> None:
    """Write the table of gaps anew."""
    at = 0
    for w in range(d.persons):
        a.segment[w] = at
        if s.worker[w].stale:
            refresh(d, s, w)
        q = d.nodes + w
        while True:
            p = q
            q = s.node[p].after
            a.gap[at].after, a.gap[at].here = p, d.node[p].place
            a.gap[at].free = max(s.node[p].done, d.worker[w].free)
            a.gap[at].there = -1 if q >= d.nodes else d.node[q].place
            a.gap[at].leg = s.node[p].leg
            a.gap[at].latest = FAR if q >= d.nodes else s.node[q].latest
            at += 1
            if q >= d.nodes:
                break
    a.segment[d.persons] = at


@inlined
def is_plain(d: Day, s: State, w: int) -> bool:
    """Whether a start in this route touches nothing but the route's own latest starts."""
    return d.worker[w].simple == 1 and s.worker[w].plain == 1 and d.worker[w].span >= FAR and d.worst_rate <= 0.0


@inlined
def together(d: Day, v: int) -> bool:
    """Whether a visit begins when several are there: a crew, or one and a unit of equipment."""
    return d.visit[v].end - d.visit[v].first > 1


@inlined
def beside(d: Day, s: State, n: int, w: int) -> float:
    """What a worker costs at a node beside travel and time: wishes not met, uneven work."""
    wish = float(d.wish[n, w])
    return wish + uneven_more(d, s, w, d.node[n].duration) if d.limits else wish


@inlined
def work_left(d: Day, s: State, n: int, w: int) -> int:
    """Seconds of detour a worker may still take on for a node."""
    return FAR if d.limits == 0 else d.worker[w].work - s.worker[w].worked - d.node[n].duration


@inlined
def _first_window(a: Asked, windows: int, start: int) -> int:
    """The first window that is not over by then."""
    lo, hi = 0, windows
    while lo < hi:
        half = (lo + hi) >> 1
        if a.hi[half] < start:
            lo = half + 1
        else:
            hi = half
    return lo


@inlined
def _among_the_best(
    a: Asked, k: int, seat: int, group: int, size: int, cost: float, w: int, after: int, start: int
) -> None:
    """Keep the cheapest places of as many workers as there are seats: one of them is always left for this seat."""
    if cost >= a.top_cost[k, seat, group, size - 1]:
        return
    at = size - 1
    for i in range(size):
        if a.top_worker[k, seat, group, i] == w and a.top_cost[k, seat, group, i] < NEVER:
            if a.top_cost[k, seat, group, i] <= cost:
                return
            at = i
            break
    while at > 0 and a.top_cost[k, seat, group, at - 1] > cost:
        a.top_cost[k, seat, group, at] = a.top_cost[k, seat, group, at - 1]
        a.top_worker[k, seat, group, at] = a.top_worker[k, seat, group, at - 1]
        a.top_after[k, seat, group, at] = a.top_after[k, seat, group, at - 1]
        a.top_start[k, seat, group, at] = a.top_start[k, seat, group, at - 1]
        at -= 1
    a.top_cost[k, seat, group, at], a.top_worker[k, seat, group, at] = cost, w
    a.top_after[k, seat, group, at], a.top_start[k, seat, group, at] = after, start


@compiled
def scan(d: Day, s: State, a: Asked, v: int, seat: int, windows: int, ranked: bool, earliest: int) -> None:
    """Go once through the table for one seat.

    With `ranked` the gaps of plain routes go to the cheapest of their window at once, all others to the list; without,
    all go to the list. `earliest` is what the links leave open.
    """
    first = d.visit[v].first
    size = d.visit[v].units - first
    crew = together(d, v)
    n = first + seat
    place, duration = d.node[n].place, d.node[n].duration
    groups = a.top_cost.shape[2] if crew else 1
    if ranked:
        for k in range(windows):
            for group in range(groups):
                for i in range(size):
                    a.top_cost[k, seat, group, i] = NEVER
    opens, closes = max(a.lo[0], earliest), a.hi[windows - 1]
    listed = 0
    for w in range(d.persons):
        a.able[seat, w] = 0
        if not worker_can(d, s, v, n, w, True):
            continue
        a.able[seat, w] = 1
        m = d.worker[w].mode
        home = home_of(d, w, place)
        simple = d.worker[w].simple == 1
        one_shift = d.worker[w].shift_end - d.worker[w].shift_first == 1
        at_once = ranked and is_plain(d, s, w)
        last_start = min(closes, d.shift[d.worker[w].shift_end - 1].end - duration - home)
        wish = beside(d, s, n, w)
        most = work_left(d, s, n, w)
        group = d.worker[w].provider if crew else 0
        for g in range(a.segment[w], a.segment[w + 1]):
            if a.gap[g].free > last_start:
                break
            there = int(d.reverse[m, place, a.gap[g].here])
            arrive = max(a.gap[g].free + there, opens) if one_shift else opens
            latest = last_start
            onward = home
            if a.gap[g].there >= 0:
                onward = int(d.travel[m, place, a.gap[g].there])
                if simple:
                    latest = min(latest, a.gap[g].latest - onward - duration)
            if arrive > latest or there + onward - a.gap[g].leg > most:
                continue
            k = _first_window(a, windows, arrive)
            if k >= windows or a.lo[k] > latest:
                continue
            if not at_once:
                a.listed[seat, listed], a.listed_worker[seat, listed] = g, w
                listed += 1
                continue
            a.able[seat, w] = 2
            cost = d.travel_rate * (there + onward - a.gap[g].leg) + wish
            while k < windows and a.lo[k] <= latest:
                start = max(arrive, a.lo[k])
                own = 0.0 if crew else visit_cost(d, v, start)
                _among_the_best(a, k, seat, group, size, cost + own, w, a.gap[g].after, start)
                k += 1
    a.listed_count[seat] = listed
