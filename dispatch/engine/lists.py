"""One order of the whole day's visits with a worker for every seat, as the annealing over lists wants it."""

from typing import Final, NamedTuple

import numpy as np
from numpy import ndarray

from dispatch.engine.day import Day, Records

TAIL = np.dtype(
    [("place", np.int64), ("free", np.int64), ("shift", np.int64), ("rests", np.int64), ("last", np.int64)], align=True
)
READ = np.dtype([("cost", np.float64), ("late", np.float64), ("mark", np.int64)], align=True)
STIRRED: Final = 0  # positions in Lists.counts
TOUCHED: Final = 1
BUSY: Final = 2
MARK: Final = 3


class Lists(NamedTuple):
    """One order of the day's visits, what reading it found, and the change being tried.

    What is kept lies beside what is tried: a change reads again only what it reaches, and is taken over or forgotten.
    """

    order: Records  # int64 (units)
    unit_first: Records  # int64 (units + 1): a unit is one visit, or several tied by gaps
    unit_visits: Records  # int64 (visits)
    worker: Records  # int64 (nodes)
    start: Records  # int64 (visits): scratch of the unit being read
    floor: Records  # int64 (visits): scratch
    read: Records  # READ (units)
    before: Records  # TAIL (nodes): the worker before taking the node
    behind: Records  # TAIL (nodes): and after it
    evening: Records  # TAIL (workers): after the whole list
    tail: Records  # TAIL (workers): while a change is read
    stirred: Records  # int64 (workers): whether the tail differs from what is kept
    busy: Records  # int64 (workers): those stirred in this change
    tried: Records  # READ (units)
    tried_before: Records  # TAIL (nodes)
    tried_behind: Records  # TAIL (nodes)
    touched: Records  # int64 (units): those read again in this change
    counts: Records  # int64 (4): positions below
    sums: Records  # float64 (2): of all units, their cost and the greatest lateness
    choices: Records  # int64: workers who may take a node, node by node
    choice_first: Records  # int64 (nodes + 1)
    best_order: Records
    best_worker: Records
    random: Records  # uint64 (1)


def lists_of(day: Day, starts: ndarray, worker: ndarray, seed: int) -> Lists:
    """Lists that begin in the order of the visits' starts, with a worker for every node."""
    n = day.nodes
    choices = [
        np.asarray([worker[i]]) if day.visit[day.node[i]["visit"]]["fixed"] else np.flatnonzero(day.fits[i])
        for i in range(n)
    ]
    single = [[v] for v in range(day.visits) if day.visit[v]["group"] < 0]
    tied = [sorted(day.group_visits[g["first"] : g["end"]].tolist(), key=lambda v: starts[v]) for g in day.group]
    units = sorted(single + tied, key=lambda unit: starts[unit[0]])
    count = len(units)
    return Lists(
        order=np.arange(count), unit_first=np.cumsum([0, *(len(unit) for unit in units)]).astype(np.int64),
        unit_visits=np.asarray([v for unit in units for v in unit], np.int64), worker=worker.astype(np.int64),
        start=np.zeros(day.visits, np.int64), floor=np.zeros(day.visits, np.int64), read=np.zeros(count, READ),
        before=np.zeros(n, TAIL), behind=np.zeros(n, TAIL), evening=np.zeros(day.workers, TAIL),
        tail=np.zeros(day.workers, TAIL), stirred=np.zeros(day.workers, np.int64),
        busy=np.zeros(2 * n + day.workers, np.int64), tried=np.zeros(count, READ), tried_before=np.zeros(n, TAIL),
        tried_behind=np.zeros(n, TAIL), touched=np.zeros(count, np.int64), counts=np.zeros(4, np.int64),
        sums=np.zeros(2), choices=np.concatenate(choices).astype(np.int64),
        choice_first=np.cumsum([0, *(len(c) for c in choices)]).astype(np.int64), best_order=np.arange(count),
        best_worker=worker.astype(np.int64),
        random=np.asarray([(2 * seed + 1) * 0x9E3779B97F4A7C15 % (1 << 64)], np.uint64),
    )  # fmt: skip


def sequence_of(day: Day, lists: Lists) -> ndarray:
    """The nodes of the best list in the order they are read."""
    visits = [lists.unit_visits[lists.unit_first[u] : lists.unit_first[u + 1]] for u in lists.best_order]
    rows = [np.arange(day.visit[v]["first"], day.visit[v]["end"]) for unit in visits for v in unit]
    return np.concatenate(rows).astype(np.int64)
