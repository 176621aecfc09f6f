"""A plan made ready to be asked about: its arrays, its times as they stand, and the table of its gaps.

Made once for a plan; then a question costs only the kernels. What may move is the same for every question: no visit
changes its worker or its place in the order, nothing begins earlier than planned, what follows may be pushed later
within its limits. A limit that the plan breaks already is held against it only as far as it is broken.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec import Struct
from numpy import ndarray

from dispatch.arrays import KINDS, Node, Reader, begun_of, node_row, visit_row, ways_of
from dispatch.cost import lateness_s
from dispatch.engine.anneal import follow
from dispatch.engine.day import DROP, FAR, GROUP, LINK, PATIENCE, PICKUP, VISIT, WORST, Day, fresh_state
from dispatch.engine.openings import CANDIDATE, GAP, MEMBER, SEATS, Asked, tabulate
from dispatch.plan import Plan, Stop
from dispatch.problem import Link, Problem, Seat, Visit, Worker
from dispatch.rules import refusal
from dispatch.timing import walk

_NEW = "\0new"  # the visit asked about, in the arrays
_MOST_LINKS = 64  # of one visit
WINDOWS = 128  # of one question
_PATIENCE = 60  # how often two stops may push each other, as in `retime`


class Prepared:
    """A plan and everything about it that questions need. `problem` may name the visits that will be asked about."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self.problem = problem
        self.plan = plan
        served = {stop.visit for route in plan.routes.values() for stop in route}
        movable = {worker.id for worker in problem.workers if worker.shifts}
        self.begun = {name: begun_of(route) if name in movable else route for name, route in plan.routes.items()}
        self.begun |= dict.fromkeys(movable - set(plan.routes), ())
        # nobody here can move the stops of somebody who is not at work or not among the workers
        self._held = {stop.visit for name, route in plan.routes.items() if name not in movable for stop in route}
        self.locked: dict[str, list[Stop]] = {}
        for route in self.begun.values():
            for stop in route:
                self.locked.setdefault(stop.visit, []).append(stop)
        blank = Visit(_NEW, 0, (Seat(frozenset(), 0),) * SEATS, 0, 0)
        inside = msgspec.structs.replace(
            problem,
            visits=(*(visit for visit in problem.visits if visit.id in served), blank),
            links=tuple(link for link in problem.links if link.before in served and link.after in served),
        )
        self._known = {visit.id: visit for visit in inside.visits}
        reader = Reader(inside, self.begun)
        self.workers, self.visits, self.nodes = reader.workers, reader.visits, reader.nodes
        self.position = {visit.id: v for v, visit in enumerate(self.visits)}
        self.number = {worker.id: w for w, worker in enumerate(self.workers)}
        self.new = len(self.visits) - 1
        self.first = len(self.nodes) - SEATS
        self.day = _with_room(reader.day(frozenset(), searched=False))
        self.possible = self._stand()
        self.asked = self._blank_question()
        self._able: dict[tuple[object, ...], ndarray] = {}
        self._kinds: dict[tuple[object, ...], list[int]] = {}
        for w, worker in enumerate(self.workers):
            kind = (worker.provider, worker.skills, worker.gender, worker.box_capacity, worker.capacity)
            self._kinds.setdefault(kind, []).append(w)
        tabulate(self.day, self.state, self.asked)

    def _stand(self) -> bool:
        """Times as they stand, and limits no tighter than they are; False when no times can be told at all."""
        node, shift = self.day.node, self.day.shift
        sequence, drivers, starts = self._sequence()
        opens, closes, ends = node["opens"].copy(), node["closes"].copy(), shift["end"].copy()
        node["opens"][sequence] = np.maximum(opens[sequence], starts)
        node["closes"][: len(self.nodes)] = FAR
        lasts = self.day.worker["shift_end"] - 1
        shift["end"][lasts] = FAR
        self.state = fresh_state(self.day, 1)
        possible = bool(follow(self.day, self.state, drivers, sequence, len(sequence)))
        if not possible:
            self._leave_out_breaks()
            self.state = fresh_state(self.day, 1)
            possible = bool(follow(self.day, self.state, drivers, sequence, len(sequence)))
        shift["end"] = ends
        node["closes"] = closes
        if not possible:
            return False
        now = self.state.node["start"][sequence]
        node["closes"][sequence] = np.maximum(closes[sequence], now)
        held = [i for i, n in enumerate(sequence) if self.visits[self.nodes[n].visit].id in self._held]
        node["closes"][sequence[held]] = now[held]
        heads = len(self.nodes) + np.arange(len(self.workers))
        tails = self.state.node["before"][heads + len(self.workers)]
        busy = tails < len(self.nodes)
        back = self.state.node["done"][tails] + self.state.node["leg"][tails]
        shift["end"][lasts[busy]] = np.maximum(ends[lasts[busy]], back[busy])
        self.state.turn[PATIENCE] = _PATIENCE
        self._weigh()
        begun = [stop for stops in self.locked.values() for stop in stops if stop.kind != "pickup"]
        late = [lateness_s(self._known[stop.visit], stop.start_s) for stop in begun if stop.visit in self._known]
        self.state.sums[WORST] = max(float(self.state.sums[WORST]), *late, 0.0)
        moved = sequence[now != starts]
        self._moved = {int(w) for w in self.state.node["route"][moved]}
        return True

    def _sequence(self) -> tuple[ndarray, ndarray, ndarray]:
        """The plan's open stops as nodes, with their workers and planned starts."""
        number = {(n.visit, n.seat, n.kind): i for i, n in enumerate(self.nodes)}
        kinds = {kind: i for i, kind in enumerate(KINDS)}
        rows: list[tuple[int, int, int]] = []
        for w, worker in enumerate(self.workers):
            for stop in self.plan.routes.get(worker.id, ())[len(self.begun[worker.id]) :]:
                if stop.visit in self.position:
                    key = (self.position[stop.visit], stop.seat, kinds[stop.kind])
                    rows.append((number[key], w, stop.start_s))
        table = np.asarray(rows, np.int64).reshape(len(rows), 3)
        return table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy()

    def _leave_out_breaks(self) -> None:
        """A break that finds no room any more is lost; it must not keep everybody else's day from being told."""
        visits = {visit.id: msgspec.structs.replace(visit, latest_s=FAR) for visit in self.visits}
        for w, worker in enumerate(self.workers):
            late = msgspec.structs.replace(
                worker, shifts=(*worker.shifts[:-1], msgspec.structs.replace(worker.shifts[-1], end_s=FAR))
            )
            route = self.plan.routes.get(worker.id, ())
            planned = {(stop.visit, stop.kind): stop.start_s for stop in route}
            if worker.breaks and walk(self.problem, late, route, visits, planned) is None:
                self.day.worker[w]["break_end"] = self.day.worker[w]["break_first"]

    def _weigh(self) -> None:
        """What everybody carries over the whole day, begun stops and every seat of a crew included."""
        carried = np.zeros(len(self.workers), np.int64)
        loads = {visit.id: visit.load for visit in self.problem.visits if visit.load}
        for worker_id, route in self.plan.routes.items() if loads else ():
            if worker_id in self.number:
                kept = (stop for stop in route if stop.kind != "pickup")
                carried[self.number[worker_id]] = sum(loads.get(stop.visit, 0) for stop in kept)
        self.state.worker["carried"] = carried

    def _blank_question(self) -> Asked:
        workers, gaps = len(self.workers), len(self.nodes) + len(self.workers)
        providers = len({worker.provider for worker in self.workers})
        span, out = np.full(workers, FAR, np.int64), np.full(workers, -1, np.int64)
        for w, worker in enumerate(self.workers):
            if worker.max_span_s is not None:
                span[w], out[w] = self._span(worker)
        top = (WINDOWS, SEATS, max(1, providers), SEATS)
        most = (SEATS, gaps + SEATS * max(1, providers))
        return Asked(
            gap=np.zeros(gaps, GAP), segment=np.zeros(workers + 1, np.int64), span=span, set_out=out,
            lo=np.zeros(WINDOWS, np.int64), hi=np.zeros(WINDOWS, np.int64), alike=np.zeros(SEATS, np.int64),
            able=np.zeros((SEATS, workers), np.uint8), listed=np.zeros((SEATS, gaps), np.int64),
            listed_worker=np.zeros((SEATS, gaps), np.int64), listed_count=np.zeros(SEATS, np.int64),
            top_cost=np.zeros(top), top_worker=np.zeros(top, np.int64), top_after=np.zeros(top, np.int64),
            top_start=np.zeros(top, np.int64), candidate=np.zeros(most, CANDIDATE), order=np.zeros(most, np.int64),
            enlisted=np.zeros(SEATS, np.int64), least=np.zeros(SEATS), crew=np.zeros(SEATS + 1, MEMBER),
            cost=np.zeros(WINDOWS), found=np.zeros((WINDOWS, 2 * SEATS), np.int64),
        )  # fmt: skip

    def _span(self, worker: Worker) -> tuple[int, int]:
        """The longest day of a worker, as long as it is already where that is longer; and when a begun day began."""
        limit = FAR if worker.max_span_s is None else worker.max_span_s
        ways = self.problem.travel[worker.mode]
        route = self.plan.routes.get(worker.id, ())
        out = route[0].start_s - int(ways[worker.start_place, route[0].place]) if route else -1
        if not route or all(stop.locked for stop in route) or not self.possible:
            return limit, out
        last = int(self.state.node["before"][len(self.nodes) + len(self.workers) + self.number[worker.id]])
        back = int(self.state.node["done"][last] + self.state.node["leg"][last])
        if not self.begun[worker.id]:
            head = int(self.state.node["after"][len(self.nodes) + self.number[worker.id]])
            out = int(self.state.node["start"][head]) - int(ways[worker.start_place, route[0].place])
        return max(limit, back - out), out if self.begun[worker.id] else -1

    def travelled(self, problem: Problem) -> None:
        """Take ways from a problem that knows more places, those known here numbered as before."""
        if problem.travel is not self.problem.travel:
            self.problem = msgspec.structs.replace(self.problem, travel=problem.travel)
            self.day = self.day._replace(**ways_of(problem, self.workers))

    def enter(self, visit: Visit, links: Sequence[Link]) -> "Entry":
        """Write a visit into the spare rows."""
        day, new, first = self.day, self.new, self.first
        meal = visit.delivery
        if meal is None:
            mine = [Node(new, seat, VISIT, visit.place, s.duration_s) for seat, s in enumerate(visit.seats)]
        else:
            mine = [
                Node(new, 0, PICKUP, meal.pickup_place, meal.pickup_duration_s),
                Node(new, 0, DROP, visit.place, visit.seats[0].duration_s),
            ]
        self.nodes[first : first + len(mine)] = mine
        self.visits[new] = visit
        lo, hi = self._bounds(visit, links)
        ties = [link for link in links if self._other(link, visit) in self.position]
        group = len(day.group) - 1 if ties else -1
        day.visit[new] = visit_row(
            self.problem.weights, visit, first, first + len(mine), group, fixed=False, wanted=False
        )
        for i, node in enumerate(mine):
            tied = node.kind != PICKUP and (len(visit.seats) > 1 or bool(ties))
            day.node[first + i] = node_row(node, (lo, hi), tied=tied, leads=i == 0)
            seat = 0 if meal is not None else i
            self.asked.alike[i] = visit.seats.index(visit.seats[seat])
            day.fits[first + i] = self._who(visit, visit.seats[seat], links)
        return Entry(len(mine), lo, hi, *self._tie(visit, ties))

    def leave(self, entry: "Entry") -> None:
        """Untie the visit again."""
        day, state = self.day, self.state
        for v, group in entry.groups:
            day.visit[v]["group"] = group
        for n in entry.coupled:
            day.node[n]["coupled"] = 0
            if state.node[n]["route"] >= 0:
                state.worker[int(state.node[n]["route"])]["stale"] = 1

    @staticmethod
    def _other(link: Link, visit: Visit) -> str:
        return link.before if link.after == visit.id else link.after

    def _bounds(self, visit: Visit, links: Sequence[Link]) -> tuple[int, int]:
        """The starts that the window and linked visits that have begun leave open."""
        lo, hi = visit.earliest_s, visit.latest_s
        own = max(seat.duration_s for seat in visit.seats)
        for link in links:
            begun = [stop for stop in self.locked.get(self._other(link, visit), []) if stop.kind != "pickup"]
            if not begun:
                continue
            start = max(stop.start_s for stop in begun)
            if link.after == visit.id:
                base = start + (max(stop.end_s - stop.start_s for stop in begun) if link.from_end else 0)
                lo = max(lo, base + link.min_gap_s)
                hi = hi if link.max_gap_s is None else min(hi, base + link.max_gap_s)
            elif link.max_gap_s is not None:
                lo = max(lo, start - link.max_gap_s - (own if link.from_end else 0))
        return lo, hi

    def _who(self, visit: Visit, seat: Seat, links: Sequence[Link]) -> ndarray:
        """Which workers no hard rule keeps from a seat."""
        box = visit.delivery.load if visit.delivery else -1
        key = (visit.providers, seat.skills, seat.gender, visit.load, box)
        row = self._able.get(key)
        if row is None:
            row = np.zeros(len(self.workers), np.uint8)
            anybody = msgspec.structs.replace(visit, refused_workers=frozenset())
            for members in self._kinds.values():
                row[members] = refusal(self.workers[members[0]], anybody, seat) is None
            self._able[key] = row
        out = [self.number[name] for name in visit.refused_workers if name in self.number]
        for link in links:
            if link.apart and link.after == visit.id:
                out += [self.number[s.worker] for s in self.locked.get(link.before, []) if s.worker in self.number]
        if out:
            row = row.copy()
            row[out] = 0
        return row

    def _tie(self, visit: Visit, ties: Sequence[Link]) -> tuple[list[tuple[int, int]], list[int]]:
        """Put the visit and all that is tied to it into the spare group; returns what to put back afterwards."""
        day, state = self.day, self.state
        if not ties:
            return [], []
        members, links = [self.new], list[object]()
        for v in dict.fromkeys(self.position[self._other(link, visit)] for link in ties):
            group = int(day.visit[v]["group"])
            if v in members:
                continue
            if group < 0:
                members.append(v)
                continue
            row = day.group[group]
            members += [int(u) for u in day.group_visits[int(row["first"]) : int(row["end"])]]
            links += [tuple(day.link[at]) for at in range(int(row["link_first"]), int(row["link_end"]))]
        for link in ties:
            before = visit if link.before == visit.id else self.visits[self.position[link.before]]
            pair = [self.new if name == visit.id else self.position[name] for name in (link.before, link.after)]
            length = max(seat.duration_s for seat in before.seats) if link.from_end else 0
            most = FAR if link.max_gap_s is None else link.max_gap_s + length
            links.append((*pair, link.min_gap_s + length, most, link.apart))
        at, link_at = len(day.group_visits) - len(self.visits), len(day.link) - _link_room(day)
        day.group_visits[at : at + len(members)] = members
        for i, row in enumerate(links):
            day.link[link_at + i] = row
        day.group[-1] = (at, at + len(members), link_at, link_at + len(links))
        groups = [(v, int(day.visit[v]["group"])) for v in members[1:]]
        coupled: list[int] = []
        for v in members:
            day.visit[v]["group"] = len(day.group) - 1
            for n in range(int(day.visit[v]["first"]), int(day.visit[v]["end"])):
                if v != self.new and self.nodes[n].kind != PICKUP and not day.node[n]["coupled"]:
                    day.node[n]["coupled"] = 1
                    coupled.append(n)
                    if state.node[n]["route"] >= 0:
                        state.worker[int(state.node[n]["route"])]["stale"] = 1
        return groups, coupled

    def route(self, w: int) -> tuple[Stop, ...]:
        """A worker's stops as they are now."""
        state, worker, count = self.state, self.workers[w], len(self.nodes)
        stops = list(self.begun[worker.id])
        n = int(state.node[count + w]["after"])
        while n < count:
            node, start = self.nodes[n], int(state.node[n]["start"])
            stops.append(
                Stop(
                    worker.id, KINDS[node.kind], self.visits[node.visit].id, node.seat, node.place, start,
                    start + node.duration_s,
                )
            )  # fmt: skip
            n = int(state.node[n]["after"])
        return tuple(stops)

    def changed(self) -> dict[str, tuple[Stop, ...]]:
        """The routes that what is now in the arrays has changed."""
        logged = self.state.log[: int(self.state.top[0]), 1]
        touched = {int(w) for w in self.state.node["route"][logged] if w >= 0} | self._moved
        return {self.workers[w].id: self.route(w) for w in sorted(touched)}


class Entry(Struct, frozen=True):
    """A visit in the arrays: its nodes, the starts open to it, and what was there before."""

    size: int
    lo: int
    hi: int
    groups: list[tuple[int, int]]
    coupled: list[int]


def _with_room(day: Day) -> Day:
    """Room behind groups and links for those of one more visit."""
    return day._replace(
        group=np.concatenate([day.group, np.zeros(1, GROUP)]),
        group_visits=np.concatenate([day.group_visits, np.zeros(day.visits, np.int32)]),
        link=np.concatenate([day.link, np.zeros(len(day.link) + _MOST_LINKS, LINK)]),
    )


def _link_room(day: Day) -> int:
    return (len(day.link) - _MOST_LINKS) // 2 + _MOST_LINKS
