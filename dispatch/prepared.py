"""A plan made ready to be asked about: its arrays, its times as they stand, and the table of its gaps.

Made once for a plan; then a question costs only the kernels. What may move is the same for every question: no visit
changes its worker or its place in the order, nothing begins earlier than planned, what follows may be pushed later
within its limits. A limit that the plan breaks already is held against it only as far as it is broken.
"""

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import msgspec
import numpy as np
from msgspec import Struct
from numpy import ndarray

from dispatch.arrays import KINDS, MOST_KINDS, Reader, begun_of, behind, check_equipment, node_row, visit_row, ways_of
from dispatch.cost import even_shares, lateness_s
from dispatch.engine.anneal import follow
from dispatch.engine.day import DROP, FAR, GROUP, HEAVY, LINK, LOOKS, PATIENCE, PICKUP, VISIT, WORST, Day, fresh_state
from dispatch.engine.limits import span_of
from dispatch.engine.openings import CANDIDATE, GAP, MEMBER, SEATS, Asked, tabulate
from dispatch.engine.timing import undo
from dispatch.plan import Plan, Stop
from dispatch.problem import Link, Problem, Seat, Visit
from dispatch.rules import refusal
from dispatch.sharing import busy_s
from dispatch.suiting import Node, wishes_of
from dispatch.timing import walk

_NEW = "\0new"  # the visit asked about, in the arrays
_MOST_LINKS = 64  # of one visit
WINDOWS = 128  # of one question
_LIMITS = ("work", "heavy", "span")  # of a worker's day as a whole
_PATIENCE = 2 * LOOKS  # no stop is ever taken out here, so that pick-ups may follow their hand-overs


class Prepared:
    """A plan and everything about it that questions need. `problem` may name the visits that will be asked about."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self.problem = problem
        self.plan = plan
        self.eases = any(worker.max_span_s is not None for worker in problem.workers) or any(
            visit.start_told for visit in problem.visits
        )
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
        self._kinds_fit = MOST_KINDS if problem.equipment else 0
        kinds = frozenset(f"{_NEW} {n}" for n in range(self._kinds_fit))
        blank = Visit(_NEW, 0, (Seat(frozenset(), 0),) * SEATS, 0, 0, equipment=kinds)
        inside = msgspec.structs.replace(
            problem,
            visits=(*(visit for visit in problem.visits if visit.id in served), blank),
            links=tuple(link for link in problem.links if link.before in served and link.after in served),
        )
        self._known = {visit.id: visit for visit in inside.visits}
        reader = Reader(inside, plan, self.begun, asked_about=True)
        self.workers, self.visits, self.nodes = reader.people, reader.visits, reader.nodes
        self._units, self._units_used = reader.units, reader.shared() or []
        self._everybody, self._away = reader.workers, reader.away
        self._unit_starts = [use.start_s for use in reader.uses]
        self.position = {visit.id: v for v, visit in enumerate(self.visits)}
        self.number = {worker.id: w for w, worker in enumerate(self.workers)}
        self.new = len(self.visits) - 1
        self.first = len(self.nodes) - SEATS - self._kinds_fit
        day = reader.day(frozenset(), searched=False)
        self.day = _with_room(day._replace(limits=int(day.limits or problem.weights.uneven > 0)))
        self._share(problem)
        self.possible = self._stand()
        self.asked = self._blank_question()
        self._able: dict[tuple[object, ...], ndarray] = {}
        self._wishes: dict[tuple[object, ...], ndarray] = {}
        self._kinds: dict[tuple[object, ...], list[int]] = {}
        for w, worker in enumerate(self.workers):
            kind = (
                worker.provider,
                worker.skills,
                worker.gender,
                worker.box_capacity,
                worker.capacity,
                worker.max_heavy == 0,
            )
            self._kinds.setdefault(kind, []).append(w)
        tabulate(self.day, self.state, self.asked)

    def _stand(self) -> bool:
        """Times as they stand, and limits no tighter than they are; False when no times can be told at all."""
        node, shift, worker = self.day.node, self.day.shift, self.day.worker
        sequence, drivers, starts = self._sequence()
        opens, closes, ends = node["opens"].copy(), node["closes"].copy(), shift["end"].copy()
        limits = worker[list(_LIMITS)].copy()
        node["opens"][sequence] = np.maximum(opens[sequence], starts)
        node["closes"][: len(self.nodes)] = FAR
        lasts = worker["shift_end"] - 1
        shift["end"][lasts] = FAR
        for name in _LIMITS:
            worker[name] = FAR
        late_s = self._late_s(drivers, sequence, closes)
        breaks = worker["break_end"].copy()
        moved = set(drivers[self.state.node["start"][sequence] != starts].tolist()) if late_s < math.inf else None
        if late_s > 0 and self._leave_out_breaks(moved):
            less = self._late_s(drivers, sequence, closes)
            if less >= late_s:
                worker["break_end"] = breaks
                less = self._late_s(drivers, sequence, closes)
            late_s = less
        shift["end"], node["closes"] = ends, closes
        for name in _LIMITS:
            worker[name] = limits[name]
        if late_s == math.inf:
            return False
        now = self.state.node["start"][sequence]
        node["closes"][sequence] = np.maximum(closes[sequence], now)
        held = [i for i, n in enumerate(sequence) if self._stays(self.nodes[n].visit)]
        node["closes"][sequence[held]] = now[held]
        self.state.turn[PATIENCE] = _PATIENCE
        self._stretch(lasts, ends)
        begun = [stop for stops in self.locked.values() for stop in stops if stop.kind != "pickup"]
        late = [lateness_s(self._known[stop.visit], stop.start_s) for stop in begun if stop.visit in self._known]
        self.state.sums[WORST] = max(float(self.state.sums[WORST]), *late, 0.0)
        moved = sequence[now != starts]
        self._moved = {int(w) for w in self.state.node["route"][moved]}
        return True

    def _stays(self, v: int) -> bool:
        """Whether a visit is where it is: by somebody nobody can move here, or with nothing left of it but equipment."""
        return self.visits[v].id in self._held or bool(self.day.visit[v]["units"] == self.day.visit[v]["first"])

    def _stretch(self, lasts: ndarray, ends: ndarray) -> None:
        """Let every limit of a worker's day be no tighter than the day is."""
        day, state, worker = self.day, self.state, self.day.worker
        heads = len(self.nodes) + np.arange(day.workers)
        tails = state.node["before"][heads + day.workers]
        busy = tails < len(self.nodes)
        back = state.node["done"][tails] + state.node["leg"][tails]
        day.shift["end"][lasts[busy]] = np.maximum(ends[lasts[busy]], back[busy])
        worker["work"] = np.maximum(worker["work"], state.worker["worked"])
        worker["heavy"] = np.maximum(worker["heavy"], state.worker["lifted"])
        for w in np.flatnonzero(worker["span"] < FAR):
            worker["span"][w] = max(int(worker["span"][w]), int(span_of(day, state, int(w))))

    def _share(self, problem: Problem) -> None:
        """What everybody may do until more of it costs, where work is to be even among all visits of a problem."""
        shares = even_shares(problem) if problem.weights.uneven else {}
        for w, worker in enumerate(self.workers if shares else ()):
            own = shares[worker.id]
            handled = sum(stop.end_s - stop.start_s for stop in self.begun[worker.id])
            self.day.worker["share"][w] = own - handled if own else FAR
            self.day.worker["uneven"][w] = problem.weights.uneven / own if own else 0.0
        self._evenly = problem.visits

    def _sequence(self) -> tuple[ndarray, ndarray, ndarray]:
        """The plan's open stops as nodes, with their workers and planned starts."""
        number = {(n.visit, n.seat, n.kind): i for i, n in enumerate(self.nodes) if n.equipment is None}
        kinds = {kind: i for i, kind in enumerate(KINDS)}
        rows: list[tuple[int, int, int]] = []
        for w, worker in enumerate(self.workers):
            for stop in self.plan.routes.get(worker.id, ())[len(self.begun[worker.id]) :]:
                if stop.visit in self.position:
                    key = (self.position[stop.visit], stop.seat, kinds[stop.kind])
                    rows.append((number[key], w, stop.start_s))
                    self.day.fits[number[key], w] = self._weight(number[key])
        rows += [(*pair, start) for pair, start in zip(self._units_used, self._unit_starts, strict=True)]
        table = np.asarray(rows, np.int64).reshape(len(rows), 3)
        return table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy()

    def _weight(self, n: int) -> int:
        """How a node counts for whoever takes it: a heavy meal once, where it is fetched."""
        node = self.nodes[n]
        heavy = self.visits[node.visit].seats[node.seat].heavy
        return HEAVY if heavy and (node.kind == VISIT or self.day.visit[node.visit]["first"] == n) else 1

    def _late_s(self, drivers: ndarray, sequence: ndarray, closes: ndarray) -> float:
        """Time the plan from the beginning; by how many seconds starts are too late in all, infinity where none can be told."""
        self.state = fresh_state(self.day, 1)
        if not follow(self.day, self.state, drivers, sequence, len(sequence)):
            return math.inf
        return float(np.maximum(self.state.node["start"][sequence] - closes[sequence], 0).sum())

    def _leave_out_breaks(self, moved: set[int] | None) -> bool:
        """Leave out breaks that find no room any more; they must not keep everybody else's day from being told.

        Of `moved`, workers who begin something later than planned, those whom nothing but a break delays: a visit between
        two others was taken out, and the way that is left leaves no room. Whether there were any.
        """
        visits = {visit.id: msgspec.structs.replace(visit, latest_s=FAR) for visit in self.visits}
        found = False
        for w, worker in enumerate(self.workers):
            if not worker.breaks or (moved is not None and w not in moved):
                continue
            late = msgspec.structs.replace(
                worker, shifts=(*worker.shifts[:-1], msgspec.structs.replace(worker.shifts[-1], end_s=FAR))
            )
            route = self.plan.routes.get(worker.id, ())
            planned = {(stop.visit, stop.kind): stop.start_s for stop in route}
            starts = walk(self.problem, late, route, visits, planned)
            if moved is not None:
                free = walk(self.problem, msgspec.structs.replace(late, breaks=()), route, visits, planned)
                lost = starts != free and free == [stop.start_s for stop in route]
            else:
                lost = starts is None
            if lost:
                self.day.worker[w]["break_end"] = self.day.worker[w]["break_first"]
                found = True
        return found

    def _blank_question(self) -> Asked:
        workers, gaps = len(self.workers), len(self.nodes) + len(self.workers)
        providers = len({worker.provider for worker in self.workers})
        top = (WINDOWS, SEATS, max(1, providers), SEATS)
        most = (SEATS, gaps + SEATS * max(1, providers))
        return Asked(
            gap=np.zeros(gaps, GAP), segment=np.zeros(workers + 1, np.int64),
            lo=np.zeros(WINDOWS, np.int64), hi=np.zeros(WINDOWS, np.int64), alike=np.zeros(SEATS, np.int64),
            able=np.zeros((SEATS, workers), np.uint8), listed=np.zeros((SEATS, gaps), np.int64),
            listed_worker=np.zeros((SEATS, gaps), np.int64), listed_count=np.zeros(SEATS, np.int64),
            top_cost=np.zeros(top), top_worker=np.zeros(top, np.int64), top_after=np.zeros(top, np.int64),
            top_start=np.zeros(top, np.int64), candidate=np.zeros(most, CANDIDATE), order=np.zeros(most, np.int64),
            enlisted=np.zeros(SEATS, np.int64), least=np.zeros(SEATS), crew=np.zeros(SEATS + 1, MEMBER),
            cost=np.zeros(WINDOWS), found=np.zeros((WINDOWS, 2 * SEATS), np.int64),
            start=np.zeros(WINDOWS, np.int64), freed=np.zeros(max(1, providers), np.int64),
            unit_last=np.zeros(self.day.workers, np.int64), unit_free=np.zeros(self.day.workers, np.int64),
            unit_next=np.zeros(self.day.workers, np.int64),
        )  # fmt: skip

    def ask_about(self, problem: Problem) -> None:
        """Take from a problem what may be new in it: places, those known here numbered as before, and visits to be shared."""
        if problem.travel is not self.problem.travel:
            away = bool(self._units) or self._kinds_fit > 0
            self.day = self.day._replace(**ways_of(problem, self._everybody, away=away))
            self.problem = msgspec.structs.replace(self.problem, travel=problem.travel)
            if away:
                self._move_away(self.day.travel.shape[1] - 1)
        if problem.visits is not self._evenly:
            self._share(problem)

    def _move_away(self, place: int) -> None:
        """Equipment is at the place behind all others."""
        people, units = len(self.nodes) + len(self.workers), len(self._units)
        self._away = place
        self.day.node["place"][[n for n, node in enumerate(self.nodes) if node.equipment is not None]] = place
        self.day.node["place"][people : people + units] = place
        self.day.worker["start_place"][len(self.workers) :] = place

    @contextmanager
    def entered(self, visit: Visit, links: Sequence[Link]) -> Generator["Entry"]:
        """A visit in the arrays; afterwards they are as they were, whatever was raised meanwhile.

        Raises ValueError for equipment that no plan could have.
        """
        check_equipment(visit)
        sums = self.state.sums.copy()
        self.state.top[0] = 0
        entry = self._enter(visit, links)
        try:
            yield entry
        except BaseException:  # a question that was broken off may have left the visit in somebody's route
            undo(self.day, self.state, 0)
            self.state.sums[:] = sums
            raise
        finally:
            self._leave(entry)

    def _enter(self, visit: Visit, links: Sequence[Link]) -> "Entry":
        """Write a visit into the spare rows."""
        day, new, first = self.day, self.new, self.first
        seats, units = self._spare_nodes(visit)
        mine = [*seats, *units]
        self.nodes[first : first + len(mine)] = mine
        self.visits[new] = visit
        lo, hi = self._bounds(visit, links)
        ties = [link for link in links if link.other(visit.id) in self.position]
        group = len(day.group) - 1 if ties else -1
        rows = (first, first + len(seats), first + len(mine))
        day.visit[new] = visit_row(self.problem.weights, visit, rows, group, fixed=False, wanted=False)
        wish = self._wish(visit, seats)
        for i, node in enumerate(mine):
            tied = node.kind != PICKUP and (len(visit.seats) > 1 or bool(ties) or bool(units))
            day.node[first + i] = node_row(node, (lo, hi), tied=tied, leads=i == 0)
            day.wish[first + i] = 0.0 if node.equipment is not None else wish[i]
            if node.equipment is not None:
                day.fits[first + i, len(self.workers) :] = [unit.kind == node.equipment for unit in self._units]
                continue
            alike = (j for j, other in enumerate(seats) if visit.seats[other.seat] == visit.seats[node.seat])
            self.asked.alike[i] = next(j for j in alike if np.array_equal(wish[j], wish[i]))
            day.fits[first + i] = self._who(visit, visit.seats[node.seat], links) * self._weight(first + i)
        return Entry(len(seats), lo, hi, len(units) == len(visit.equipment), *self._tie(visit, ties))

    def _spare_nodes(self, visit: Visit) -> tuple[list[Node], list[Node]]:
        """Stops of the visit asked about, and what it needs beside; nothing of that where there is no equipment at all."""
        new, meal = self.new, visit.delivery
        if meal is not None:
            fetch = Node(new, 0, PICKUP, meal.pickup_place, meal.pickup_duration_s)
            return [fetch, Node(new, 0, DROP, visit.place, visit.seats[0].duration_s)], []
        seats = [Node(new, seat, VISIT, visit.place, s.duration_s) for seat, s in enumerate(visit.seats)]
        kinds = sorted(visit.equipment) if self._kinds_fit else ()
        busy = {kind: busy_s(self.problem, visit, kind) for kind in kinds}
        return seats, [Node(new, 0, VISIT, self._away, busy[kind], None, kind) for kind in kinds]

    def _wish(self, visit: Visit, seats: Sequence[Node]) -> ndarray:
        """What each worker costs at each stop beside travel."""
        told = visit.promised.workers if visit.promised else frozenset[str]()
        key = (
            told,
            visit.preferred_worker,
            visit.known_workers,
            visit.languages,
            len(visit.seats),
            visit.delivery is None,
        )
        if key not in self._wishes:
            alone = [msgspec.structs.replace(node, visit=0) for node in seats]
            wish = wishes_of(self.problem.weights, alone, [visit], self._everybody)
            self._wishes[key] = wish if len(wish) else np.zeros((len(seats), 1), np.float32)
        return self._wishes[key]

    def _leave(self, entry: "Entry") -> None:
        """Untie the visit again."""
        day, state = self.day, self.state
        for v, group in entry.groups:
            day.visit[v]["group"] = group
        for n in entry.coupled:
            day.node[n]["coupled"] = 0
            if state.node[n]["route"] >= 0:
                state.worker[int(state.node[n]["route"])]["stale"] = 1

    def _bounds(self, visit: Visit, links: Sequence[Link]) -> tuple[int, int]:
        """The starts that the window and linked visits that have begun leave open."""
        lo, hi = visit.earliest_s, visit.latest_s
        own = max(seat.duration_s for seat in visit.seats)
        for link in links:
            begun = [stop for stop in self.locked.get(link.other(visit.id), []) if stop.kind != "pickup"]
            if not begun:
                continue
            if link.after == visit.id:
                lo, hi = behind(link, begun, lo, hi)
                continue
            start = max(stop.start_s for stop in begun)
            start -= own if link.from_end else 0
            lo = lo if link.max_gap_s is None else max(lo, start - link.max_gap_s)
            # what has begun too soon has begun; who only stays where nobody can move them must not be too soon
            hi = hi if any(stop.locked for stop in begun) else min(hi, start - link.min_gap_s)
        return lo, hi

    def _who(self, visit: Visit, seat: Seat, links: Sequence[Link]) -> ndarray:
        """Which workers no hard rule keeps from a seat."""
        box = visit.delivery.load if visit.delivery else -1
        key = (visit.providers, seat.skills, seat.gender, seat.heavy, visit.load, box)
        row = self._able.get(key)
        if row is None:
            row = np.zeros(self.day.workers, np.uint8)
            anybody = msgspec.structs.replace(visit, refused_workers=frozenset())
            for members in self._kinds.values():
                row[members] = refusal(self.workers[members[0]], anybody, seat) is None
            self._able[key] = row
        out = [self.number[name] for name in visit.refused_workers if name in self.number]
        for link in links:
            if link.apart:
                others = self.locked.get(link.other(visit.id), [])
                out += [self.number[stop.worker] for stop in others if stop.worker in self.number]
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
        for v in dict.fromkeys(self.position[link.other(visit.id)] for link in ties):
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
        return {self.workers[w].id: self.route(w) for w in sorted(touched) if w < len(self.workers)}


class Entry(Struct, frozen=True):
    """A visit in the arrays: its stops, the starts open to it, whether its equipment exists, and what was there before."""

    size: int
    lo: int
    hi: int
    equipped: bool
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
