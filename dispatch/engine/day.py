"""A day as arrays. `Day` never changes; `State` is one plan of it, changed in place.

Nodes are open stops (one per seat; a delivery has a pickup node, then a drop node), numbered so that the nodes of a
visit follow each other: its seats, then the equipment it needs. A unit of equipment is a worker without ways. Node
`nodes + w` is where worker w starts, `nodes + workers + w` where the day ends. Times are seconds. Rows are records:
what is read together lies together.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy import ndarray

from dispatch.engine.compiling import record

FAR: Final = 1 << 40  # later than any day, seconds
NONE: Final = -1
VISIT: Final = 0
PICKUP: Final = 1
DROP: Final = 2
HEAVY: Final = 2  # in Day.fits
TRAVEL, SOFT, DROPPED, WORST, WISHES = 0, 1, 2, 3, 4  # positions in State.sums
WALK, SCAN, TRYING, QUEUED, WAVE, PATIENCE, STUCK, STEADY = 0, 1, 2, 3, 4, 5, 6, 7  # positions in State.turn
LOOKS: Final = 60  # in one change a stop comes back more often only where crews wait for each other
CROWD: Final = 12  # places remembered for each seat of a crew

NODE = record(
    [
        ("place", np.int64),  # -1 where a day ends at the last stop
        ("visit", np.int64),
        ("duration", np.int64),
        ("opens", np.int64),  # not before
        ("closes", np.int64),  # never after
        ("kind", np.int64),
        ("coupled", np.int64),  # starts together with, or a gap apart from, another node
        ("priced", np.int64),  # its start says what the visit costs
    ],
)
VISITED = record(
    [
        ("first", np.int64),  # the visit's nodes are first .. end - 1
        ("end", np.int64),
        ("due", np.int64),
        ("late_rate", np.float64),
        ("late_flat", np.float64),
        ("ready", np.int64),  # a meal cools from here
        ("wait_rate", np.float64),
        ("promised", np.int64),  # the start that was told
        ("moved_free", np.int64),  # how far from it costs nothing
        ("moved_rate", np.float64),  # each second farther
        ("ride", np.int64),  # longest time in the box
        ("load", np.int64),  # of the vehicle, all day
        ("penalty", np.float64),  # of not being served
        ("box", np.int64),  # places in the box
        ("units", np.int64),  # from this node to the end: the equipment it needs
        ("group", np.int64),  # visits tied by links, or -1
        ("fixed", np.int64),  # stays in its route
        ("wanted", np.int64),  # served by the plan in force, so it stays served
    ],
)
WORKER = record(
    [
        ("free", np.int64),  # when the worker can leave the start
        ("idle", np.int64),  # since when a break can be taken; the same as `free` where none is to be
        ("room", np.int64),  # of the vehicle
        ("mode", np.int64),
        ("provider", np.int64),
        ("alike", np.int64),  # workers of one class are interchangeable while idle
        ("simple", np.int64),  # one shift and no break
        ("out", np.int64),  # has set out, and must come home even when nothing more is planned
        ("start_place", np.int64),  # where later shifts begin
        ("shift_first", np.int64),
        ("shift_end", np.int64),
        ("break_first", np.int64),
        ("break_end", np.int64),
        ("box_room", np.int64),
        ("box_taken", np.int64),  # on the way already
        ("work", np.int64),  # most handling and travelling left to do
        ("heavy", np.int64),  # most heavy seats left to take
        ("share", np.int64),  # handling left until more of it costs
        ("uneven", np.float64),  # the square of each second beyond
        ("span", np.int64),  # longest time from setting out to being back; FAR when no day can be longer
    ],
)
SHIFT = record([("begin", np.int64), ("end", np.int64)])
REST = record([("begin", np.int64), ("latest", np.int64), ("length", np.int64)])
GROUP = record([("first", np.int64), ("end", np.int64), ("link_first", np.int64), ("link_end", np.int64)])
LINK = record(
    [("before", np.int64), ("after", np.int64), ("least", np.int64), ("most", np.int64), ("apart", np.int64)],
)

PLANNED = record(
    [
        ("after", np.int64),
        ("before", np.int64),
        ("route", np.int64),  # worker, or -1
        ("shift", np.int64),
        ("rests", np.int64),  # breaks taken until then
        ("boxes", np.int64),
        ("arrive", np.int64),  # could begin, for all its own route knows
        ("start", np.int64),
        ("done", np.int64),  # end of handling
        ("leg", np.int64),  # seconds to the next node of the route
        ("latest", np.int64),  # a later start breaks something behind, as far as one route can tell
        ("moment", np.int64),  # scratch of a trial: when a meal was fetched
        ("stamp", np.int64),  # which trial wrote it
        ("rank", np.int64),  # place in the queue of changes: by time
        ("wave", np.int64),  # the last propagation that looked at it, and how often it did
        ("looks", np.int64),
    ],
)
SERVED = record(
    [
        ("cost", np.float64),  # by its start
        ("order_key", np.float64),
        ("together", np.int64),  # scratch of a group's starts
        ("floor", np.int64),  # where starts are steady: not before, because somebody has waited until then
        ("taken", np.int64),  # removed in which step
    ],
)
DRIVEN = record(
    [
        ("carried", np.int64),
        ("ruined", np.int64),  # in which step
        ("class_seen", np.int64),
        ("stale", np.int64),  # latest, boxes and plain are to be computed anew
        ("plain", np.int64),  # nothing in the route costs or couples by its time
        ("worked", np.int64),  # handling and ways of the route; this and the next two only where days are limited
        ("handled", np.int64),
        ("lifted", np.int64),  # heavy seats
    ],
)


Records = Any  # an array of records; the type checker does not know their fields


class Day(NamedTuple):
    """What is asked."""

    nodes: int
    visits: int
    workers: int
    travel_rate: float
    worst_rate: float  # each second of the greatest lateness of the plan
    limits: int  # whether some worker's day as a whole is limited, beside the load, or costs when it is uneven
    persons: int  # workers from this number on are units of equipment
    travel: ndarray  # int32 (modes, places, places): seconds from row to column
    reverse: ndarray  # the same, transposed: both ways of a detour are read along a row
    node: Records  # NODE (nodes + 2 workers)
    visit: Records  # VISITED
    worker: Records  # WORKER
    shift: Records  # SHIFT
    rest: Records  # REST
    group: Records  # GROUP
    group_visits: ndarray  # int32: of all groups, one after another
    link: Records  # LINK
    near: ndarray  # int32 (visits, neighbours): other visits, nearest first
    fits: ndarray  # uint8 (nodes, workers): 0 when a hard rule forbids it, 2 when it is heavy work
    wish: ndarray  # float32 (nodes, workers) or (0, 0): what this worker costs beside travel


class State(NamedTuple):
    """One plan: routes as linked nodes, with times; a log of changes to take them back; scratch space."""

    node: Records  # PLANNED (nodes + 2 workers)
    visit: Records  # SERVED
    worker: Records  # DRIVEN
    sums: ndarray  # float64 (8)
    kept: ndarray  # float64 (8): the sums before the present step
    log: ndarray  # int64 (entries, 6)
    top: ndarray  # int64 (1)
    random: ndarray  # uint64 (1)
    turn: ndarray  # int64 (8): counters
    queue: ndarray  # int64: a heap of nodes to look at
    queued: ndarray  # uint8 (nodes)
    seat_worker: ndarray  # int32 (4, CROWD): places for a crew
    seat_after: ndarray  # int32 (4, CROWD)
    seat_cost: ndarray  # float64 (4, CROWD)
    seat_time: ndarray  # int64 (4, CROWD)
    crew_bound: ndarray  # float64: what crews cost at least
    crew_seats: ndarray  # int64: which candidates they are
    crew_best: ndarray  # int64 (16): the best of several searches for a crew
    found: ndarray  # int64 (16): the best place of the last search
    waiting: ndarray  # int32: visits to be put back
    best_after: ndarray  # int32 (nodes + 2 workers)


def fresh_state(day: Day, seed: int) -> State:
    """Every route empty, every visit unserved; who is out comes home."""
    n, w = day.nodes, day.workers
    node = np.zeros(n + 2 * w, PLANNED)
    for field in ("after", "before", "route", "arrive", "start"):
        node[field] = NONE
    heads = np.arange(n, n + w, dtype=np.int64)
    node["after"][n : n + w] = heads + w
    node["before"][n + w :] = heads
    node["done"][n : n + w] = day.worker["idle"]
    node["shift"][n : n + w] = day.worker["shift_first"]
    node["rests"][n : n + w] = day.worker["break_first"]
    visit = np.zeros(day.visits, SERVED)
    visit["taken"] = NONE
    worker = np.zeros(w, DRIVEN)
    worker["stale"] = 1
    worker["ruined"] = NONE
    turn = np.zeros(8, np.int64)
    turn[PATIENCE] = LOOKS
    sums = np.zeros(8)
    homes = node["leg"][n : n + w]
    for i in np.flatnonzero(day.worker["out"]):
        here, end = day.node["place"][n + i], day.node["place"][n + w + i]
        homes[i] = 0 if end < 0 else day.travel[day.worker["mode"][i], here, end]
    sums[TRAVEL] = float(homes.sum())
    sums[DROPPED] = float(day.visit["penalty"].sum())
    return State(
        node=node, visit=visit, worker=worker, sums=sums, kept=np.zeros(8), log=np.zeros((60 * n + 20_000, 6), np.int64),
        top=np.zeros(1, np.int64), random=np.asarray([(2 * seed + 1) * 0x9E3779B97F4A7C15 % (1 << 64)], np.uint64),
        turn=turn, queue=np.zeros(n + 2, np.int64), queued=np.zeros(n, np.uint8),
        seat_worker=np.zeros((4, CROWD), np.int64), seat_after=np.zeros((4, CROWD), np.int64),
        seat_cost=np.zeros((4, CROWD)), seat_time=np.zeros((4, CROWD), np.int64), crew_bound=np.zeros(CROWD * CROWD * 6), crew_seats=np.zeros(CROWD * CROWD * 6, np.int64),
        crew_best=np.zeros(16, np.int64),
        found=np.zeros(16, np.int64),
        waiting=np.zeros(day.visits + 1, np.int64), best_after=node["after"].copy(),
    )  # fmt: skip
