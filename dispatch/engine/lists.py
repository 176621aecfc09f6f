"""One order of the whole day's visits with a worker for every seat, as the annealing over lists wants it."""

from typing import Final, NamedTuple

import numpy as np
from numpy import ndarray

from dispatch.engine.day import Day, Records

TAIL = np.dtype(
    [("place", np.int64), ("free", np.int64), ("shift", np.int64), ("rests", np.int64), ("last", np.int64)], align=True
)
READ = np.dtype(
    [
        ("cost", np.float64),  # ways, wishes and the visit's own
        ("late", np.float64),
        ("start", np.int64),
        ("floor", np.int64),  # not before, so that a gap to a later visit does not grow too long
        ("mark", np.int64),  # the reading it comes from
    ],
    align=True,
)
STIRRED: Final = 0  # positions in Lists.counts: workers who stand elsewhere than before,
TOUCHED: Final = 1  # visits read again in this change,
BUSY: Final = 2  # workers stirred in it,
MARK: Final = 3  # its number,
CALLED: Final = 4  # visits still to be read again for the sake of those they are tied to,
LIFTED: Final = 5  # visits whose floor it changes,
WANTED: Final = 6  # which visit must begin later for this reading to hold,
SINCE: Final = 7  # and when


class Lists(NamedTuple):
    """One order of the day's visits, what reading it found, and the change being tried.

    What is kept lies beside what is tried: a change reads again only what it reaches, and is taken over or forgotten.
    """

    order: Records  # int64 (visits)
    at: Records  # int64 (visits): the place of each in the order
    worker: Records  # int64 (nodes)
    read: Records  # READ (visits)
    before: Records  # TAIL (nodes): the worker before taking the node
    behind: Records  # TAIL (nodes): and after it
    evening: Records  # TAIL (workers): after the whole list
    tail: Records  # TAIL (workers): while a change is read
    stirred: Records  # int64 (workers): whether the tail differs from what is kept
    busy: Records  # int64: workers stirred in this change, maybe more than once
    tried: Records  # READ (visits)
    tried_before: Records  # TAIL (nodes)
    tried_behind: Records  # TAIL (nodes)
    touched: Records  # int64 (visits): those read again in this change
    called: Records  # int64 (visits): the reading in which it must be read again
    lifted: Records  # int64 (visits): those with another floor in this change
    counts: Records  # int64 (8): positions above
    sums: Records  # float64 (2): of all visits, their cost and the greatest lateness
    choices: Records  # int64: workers who may take a node, node by node
    choice_first: Records  # int64 (nodes + 1)
    best_order: Records
    best_worker: Records
    random: Records  # uint64 (1)


def lists_of(day: Day, starts: ndarray, worker: ndarray, seed: int) -> Lists:
    """Lists in the order of the visits' starts, tied ones one after the other, with a worker for every node."""
    n, count = day.nodes, day.visits
    choices = [
        np.asarray([worker[i]]) if day.visit[day.node[i]["visit"]]["fixed"] else np.flatnonzero(day.fits[i])
        for i in range(n)
    ]
    begin, depth = starts.astype(np.int64), np.zeros(count, np.int64)
    for _ in range(len(day.link)):
        np.maximum.at(begin, day.link["after"], begin[day.link["before"]])
        np.maximum.at(depth, day.link["after"], depth[day.link["before"]] + 1)
    order = np.lexsort((depth, begin))
    at = np.empty(count, np.int64)
    at[order] = np.arange(count)
    return Lists(
        order=order, at=at, worker=worker.astype(np.int64), read=np.zeros(count, READ), before=np.zeros(n, TAIL),
        behind=np.zeros(n, TAIL), evening=np.zeros(day.workers, TAIL), tail=np.zeros(day.workers, TAIL),
        stirred=np.zeros(day.workers, np.int64), busy=np.zeros(2 * n + day.workers, np.int64),
        tried=np.zeros(count, READ), tried_before=np.zeros(n, TAIL), tried_behind=np.zeros(n, TAIL),
        touched=np.zeros(count, np.int64), called=np.zeros(count, np.int64), lifted=np.zeros(count + 32, np.int64),
        counts=np.zeros(8, np.int64), sums=np.zeros(2), choices=np.concatenate(choices).astype(np.int64),
        choice_first=np.cumsum([0, *(len(c) for c in choices)]).astype(np.int64), best_order=order.copy(),
        best_worker=worker.astype(np.int64),
        random=np.asarray([(2 * seed + 1) * 0x9E3779B97F4A7C15 % (1 << 64)], np.uint64),
    )  # fmt: skip


def sequence_of(day: Day, lists: Lists) -> ndarray:
    """The nodes of the best list in the order they are read."""
    return np.concatenate([np.arange(day.visit[v]["first"], day.visit[v]["end"]) for v in lists.best_order])
