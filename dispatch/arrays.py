"""A problem and a plan as the compiled search wants them, and its answer as a plan again."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from dispatch.cost import drop_cost, even_shares, late_prices
from dispatch.engine.anneal import follow
from dispatch.engine.day import (
    DROP,
    FAR,
    GROUP,
    LINK,
    NODE,
    NONE,
    PICKUP,
    REST,
    SHIFT,
    VISIT,
    VISITED,
    WORKER,
    Day,
    State,
    fresh_state,
)  # fmt: skip
from dispatch.plan import Kind, Plan, Stop
from dispatch.problem import Link, Problem, Shift, Visit, Weights, Worker
from dispatch.sharing import Unit, busy_s, keep_begun, shared_out, stretched, units_of, uses_of
from dispatch.standing import Standing, standing_of
from dispatch.suiting import Node, fits_of, wishes_of
from dispatch.timing import ease, not_before

_NEIGHBOURS = 200
MOST_KINDS: Final = 4  # of equipment for one visit; the search remembers so many places beside four seats
_EVERYBODY = "\0"  # the provider of equipment that everybody shares
KINDS: tuple[Kind, ...] = ("visit", "pickup", "drop")
_TIME_APART = 0.1  # how much a second between two windows counts beside a second of travel, for nearness


class Arrays(Struct, frozen=True):
    """A day in arrays with what is needed to read its answer: begun stops stay out of it, before each route."""

    problem: Problem
    day: Day
    state: State
    nodes: list[Node]
    visits: list[Visit]
    workers: list[Worker]
    begun: dict[str, tuple[Stop, ...]]
    possible: bool


def from_plan(problem: Problem, plan: Plan, seed: int, keep: frozenset[str] = frozenset()) -> Arrays:
    """The open part of a day, in arrays.

    `keep` names visits that must stay served; `possible` tells whether the plan's orders of stops can be timed at all.
    """
    begun = {w.id: begun_of(plan.routes.get(w.id, ())) for w in problem.workers}
    reader = Reader(problem, plan, begun)
    day = reader.day(keep)
    state = fresh_state(day, seed)
    number = {(n.visit, n.seat, n.kind): i for i, n in enumerate(reader.nodes) if n.equipment is None}
    position = {visit.id: v for v, visit in enumerate(reader.visits)}
    sequence: list[int] = []
    workers: list[int] = []
    for w, worker in enumerate(reader.people):
        for stop in plan.routes.get(worker.id, ())[len(begun[worker.id]) :]:
            if stop.visit in position:
                sequence.append(number[position[stop.visit], stop.seat, KINDS.index(stop.kind)])
                workers.append(w)
    units = reader.shared()
    sequence += [node for node, _ in units or ()]
    workers += [unit for _, unit in units or ()]
    timed = follow(day, state, np.asarray(workers, np.int64), np.asarray(sequence, np.int64), len(sequence))
    possible = bool(timed) and units is not None
    return Arrays(problem, day, state, reader.nodes, reader.visits, reader.people, begun, possible)


def begun_of(route: Sequence[Stop]) -> tuple[Stop, ...]:
    """The stops before which nothing can be put any more."""
    return tuple(route[: max((i + 1 for i, stop in enumerate(route) if stop.locked), default=0)])


def to_plan(arrays: Arrays, state: State) -> Plan:
    """One state of the day as a plan."""
    after, route, start = state.node["after"], state.node["route"], state.node["start"]
    routes: dict[str, tuple[Stop, ...]] = dict(arrays.begun)
    count = arrays.day.nodes
    for w, worker in enumerate(arrays.workers):
        stops: list[Stop] = []
        n = int(after[count + w])
        while n < count:
            node = arrays.nodes[n]
            begin = int(start[n])
            stops.append(
                Stop(
                    worker.id, KINDS[node.kind], arrays.visits[node.visit].id, node.seat, node.place, begin,
                    begin + node.duration_s,
                )
            )  # fmt: skip
            n = int(after[n])
        routes[worker.id] = arrays.begun[worker.id] + tuple(stops)
    first = arrays.day.visit["first"]
    unserved = [visit.id for v, visit in enumerate(arrays.visits) if route[first[v]] < 0]
    return ease(arrays.problem, Plan(routes, tuple(unserved)))


def check_equipment(visit: Visit) -> None:
    """Raises ValueError for what a plan cannot have: a delivery with equipment, or too many kinds of it."""
    if visit.equipment and (visit.delivery is not None or len(visit.equipment) > MOST_KINDS):
        raise ValueError(f"{visit.id}: a delivery needs no equipment, and no visit more than {MOST_KINDS} kinds")


def ways_of(problem: Problem, workers: Sequence[Worker], *, away: bool) -> dict[str, np.ndarray]:
    """Travel by mode of these workers, and the same transposed; with `away` one place more, without ways, for equipment."""
    modes = sorted({worker.mode for worker in workers} or problem.travel)
    travel = np.ascontiguousarray(np.stack([problem.travel[mode] for mode in modes]).astype(np.int32))
    if away:
        travel = np.pad(travel, ((0, 0), (0, 1), (0, 1)))
    return {"travel": travel, "reverse": np.ascontiguousarray(travel.transpose(0, 2, 1))}


def node_row(stop: Node, window: tuple[int, int], *, tied: bool, leads: bool) -> tuple[int, ...]:
    """A NODE record; `leads`: the first node of its visit."""
    priced = stop.kind == DROP or (leads and stop.kind == VISIT)
    return (stop.place, stop.visit, stop.duration_s, *window, stop.kind, tied, priced)


def visit_row(
    weights: Weights, visit: Visit, nodes: tuple[int, int, int], group: int, *, fixed: bool, wanted: bool
) -> tuple[float, ...]:
    """A VISITED record; `nodes`: the first, the first of its equipment, the end."""
    first, units, end = nodes
    meal, seats = visit.delivery, len(visit.seats) if weights.late_each_seat else 1
    late_flat, late_s = late_prices(weights, visit)
    return (
        first, end, FAR if visit.due_s is None else visit.due_s, late_s * seats, late_flat * seats,
        FAR if meal is None else meal.ready_s, 0 if meal is None else weights.wait_s, *_promise(weights, visit),
        FAR if meal is None or meal.max_ride_s is None else meal.max_ride_s, visit.load, drop_cost(visit),
        0 if meal is None else meal.load, units, group, fixed, wanted,
    )  # fmt: skip


def _promise(weights: Weights, visit: Visit) -> tuple[int, int, float]:
    """The start told, how far from it costs nothing, and what each second farther costs."""
    told = visit.promised
    if told is None or told.start_s is None:
        return 0, 0, 0.0
    return told.start_s, told.free_s, weights.moved_s


class Reader:
    """Numbers everything and fills the arrays; used once.

    Units of equipment stand behind the people, as workers without ways: they are all at one place far from everybody.
    """

    def __init__(
        self, problem: Problem, plan: Plan, begun: dict[str, tuple[Stop, ...]], *, asked_about: bool = False
    ) -> None:
        """`asked_about`: the plan is taken as it is, and no unit is thought busy before it is used."""
        self.problem = problem
        self._later = problem.now_s if asked_about else FAR
        self.people = [worker for worker in problem.workers if worker.shifts]
        self.begun = begun
        self.by_id = {visit.id: visit for visit in problem.visits}
        self.away = max((len(matrix) for matrix in problem.travel.values()), default=0)
        self.shares = even_shares(problem) if problem.weights.uneven else {}
        self._stands: dict[str, Standing] = {}
        self._locked: dict[str, list[Stop]] = {}
        for route in begun.values():
            for stop in route:
                self._locked.setdefault(stop.visit, []).append(stop)
        self._awaited: dict[str, int] = {}
        for route in plan.routes.values():
            for stop in route:
                if not stop.locked and stop.visit in self._locked:
                    self._awaited[stop.visit] = max(stop.start_s, self._awaited.get(stop.visit, 0))
        self.visits: list[Visit] = []
        self.nodes: list[Node] = []
        for visit in problem.visits:
            open_nodes = self._open(visit, len(self.visits))
            if open_nodes:
                barred = self._there_before(visit)
                self.visits.append(replace(visit, refused_workers=visit.refused_workers | barred) if barred else visit)
                self.nodes += open_nodes
        self.units = units_of(problem)
        free = [-FAR] * len(self.units)
        still = {visit.id for visit in self.visits}
        uses = uses_of(problem, plan)
        keep_begun(self.units, [use for use in uses if use.visit not in still], free)
        spans = [(instant, FAR) for instant in free]
        self.uses = [use for use in uses if use.visit in still]
        if asked_about:
            self.taken, made_up = stretched(self.units, self.uses, free)
            spans += [(use.start_s, use.end_s) for use in made_up]
            self.units += [Unit(use.kind, use.provider) for use in made_up]
        else:
            self.taken = shared_out(self.units, self.uses, free)
        self.workers = self.people + [self._unit(u, *span) for u, span in enumerate(spans)]

    def _unit(self, u: int, free: int, until: int) -> Worker:
        """A unit of equipment as a worker, used until some instant by what has begun."""
        return Worker(
            id=f"{self.units[u].kind} {u}", provider=self.units[u].provider or _EVERYBODY, skills=frozenset(),
            mode=next(iter(self.problem.travel)), start_place=self.away, shifts=(Shift(free, until),),
        )  # fmt: skip

    def shared(self) -> list[tuple[int, int]] | None:
        """(node, unit as a worker) for all equipment the plan's open visits use; None when there is too little."""
        if self.taken is None:
            return None
        number = {(self.visits[n.visit].id, n.equipment): i for i, n in enumerate(self.nodes)}
        pairs = zip(self.uses, self.taken, strict=True)
        return [(number[use.visit, use.kind], len(self.people) + unit) for use, unit in pairs]

    def _open(self, visit: Visit, v: int) -> list[Node]:
        """The stops of a visit that have not begun, and the equipment it needs then."""
        check_equipment(visit)
        meal = visit.delivery
        if meal is not None:
            held = self._locked.get(visit.id, [])
            if any(stop.kind == "drop" for stop in held):
                return []
            bring = Node(v, 0, DROP, visit.place, visit.seats[0].duration_s, held[0].worker if held else None)
            return [bring] if held else [Node(v, 0, PICKUP, meal.pickup_place, meal.pickup_duration_s), bring]
        begun = {stop.seat for stop in self._locked.get(visit.id, [])}
        seats = [
            Node(v, seat, VISIT, visit.place, s.duration_s) for seat, s in enumerate(visit.seats) if seat not in begun
        ]
        held = not seats and any(stop.start_s >= self._later for stop in self._locked[visit.id])
        kinds = sorted(visit.equipment) if seats or held else ()
        return seats + [Node(v, 0, VISIT, self.away, busy_s(self.problem, visit, kind), None, kind) for kind in kinds]

    def day(self, keep: frozenset[str], *, searched: bool = True) -> Day:
        """All arrays; a plan that is only asked about needs neither neighbours nor who fits where."""
        problem, weights = self.problem, self.problem.weights
        nodes, visits, workers = self.nodes, self.visits, self.workers
        n, w = len(nodes), len(workers)
        modes = sorted({worker.mode for worker in workers} or problem.travel)
        ways = ways_of(problem, workers, away=bool(self.units) or any(node.equipment for node in nodes))
        first = np.zeros(len(visits) + 1, np.int32)
        for node in nodes:
            first[node.visit + 1] += 1
        first = np.cumsum(first, dtype=np.int32)
        groups = _Groups(problem, visits)
        units = np.bincount([node.visit for node in nodes if node.equipment], minlength=len(visits))
        windows = self._windows()
        shifts = [self._shifts(worker) for worker in workers]
        rests = [self._rests(worker) for worker in workers]
        node = np.zeros(n + 2 * w, NODE)
        node["place"] = (
            [node.place for node in nodes]
            + [self._at(worker) for worker in workers]
            + [NONE if worker.end_place is None else worker.end_place for worker in workers]
        )
        crew = first[1:] - first[:-1]
        for i, stop in enumerate(nodes):
            alone = crew[stop.visit] == (1 if stop.kind == VISIT else 2) or stop.only is not None
            tied = stop.kind != PICKUP and (not alone or groups.of[stop.visit] >= 0)
            node[i] = node_row(stop, windows[i], tied=tied, leads=i == first[stop.visit])
        visited = np.zeros(len(visits), VISITED)
        for v, visit in enumerate(visits):
            visited[v] = visit_row(
                weights, visit, (first[v], first[v + 1] - units[v], first[v + 1]), groups.of[v],
                fixed=self._fixed(visit), wanted=visit.id in keep,
            )  # fmt: skip
        driver = np.zeros(w, WORKER)
        shift_first, break_first = _firsts(shifts), _firsts(rests)
        providers = _numbered([worker.provider for worker in workers])
        fits, wish = np.zeros((n, w), np.uint8), np.zeros((n, w), np.float32)
        alike = np.arange(w)
        if searched:
            fits = fits_of(nodes, visits, self.people, self.units)
            wish = wishes_of(problem.weights, nodes, visits, workers)
            alike = _numbered([self._class(worker, fits[:, i].tobytes(), wish[:, i : i + 1].tobytes())
                               for i, worker in enumerate(workers)])  # fmt: skip
        for i, worker in enumerate(workers):
            stand, simple = self._stand(worker), len(shifts[i]) == 1 and not rests[i]
            driver[i] = (
                stand.free_s, stand.free_s if simple else stand.idle_s,
                self._room(worker), modes.index(worker.mode),
                NONE if worker.provider == _EVERYBODY else providers[i], alike[i], simple, bool(self.begun.get(worker.id)), worker.start_place, shift_first[i], shift_first[i + 1],
                break_first[i], break_first[i + 1], worker.box_capacity, self._in_the_box(worker),
                *self._limits(worker),
            )  # fmt: skip
        return Day(
            nodes=n, visits=len(visits), workers=w, travel_rate=float(weights.travel_s),
            worst_rate=float(weights.late_max_s), limits=int(any((driver[name] < FAR).any() for name in ("work", "heavy", "share", "span"))),
            persons=len(self.people), **ways, node=node, visit=visited, worker=driver,
            shift=np.asarray([s for mine in shifts for s in mine], SHIFT),
            rest=np.asarray([r for mine in rests for r in mine], REST), group=groups.rows,
            group_visits=groups.visits, link=groups.links,
            near=_near(ways["travel"][0], visits) if searched else np.zeros((0, 0), np.int32), fits=fits, wish=wish,
        )  # fmt: skip

    def _at(self, worker: Worker) -> int:
        return self._stand(worker).place

    def _stand(self, worker: Worker) -> Standing:
        """How a worker, or a unit of equipment, goes on from what has begun."""
        stand = self._stands.get(worker.id)
        if stand is None:
            stand = self._stands[worker.id] = standing_of(self.problem, worker, self.begun.get(worker.id, ()))
        return stand

    def _shifts(self, worker: Worker) -> list[tuple[int, int]]:
        """Begin and end of each shift that still counts; who has set out must be back before the day becomes too long."""
        begun, stand = self.begun.get(worker.id, ()), self._stand(worker)
        back = FAR
        if begun and worker.max_span_s is not None:
            way = int(self.problem.travel[worker.mode][worker.start_place, begun[0].place])
            back = begun[0].start_s - way + worker.max_span_s
        return [(s.start_s, min(s.end_s, back)) for s in worker.shifts[stand.shift :]]

    def _room(self, worker: Worker) -> int:
        """What the vehicle can still take beside what has begun."""
        if worker.capacity is None:
            return FAR
        done = [stop.visit for stop in self.begun.get(worker.id, ()) if stop.kind in {"visit", "drop"}]
        return worker.capacity - sum(self.by_id[name].load for name in done if name in self.by_id)

    def _limits(self, worker: Worker) -> tuple[int, int, int, float, int]:
        """What is left of work, of heavy seats and of an even share; what each second beyond that costs; the longest day."""
        begun = self.begun.get(worker.id, ())
        handled = sum(stop.end_s - stop.start_s for stop in begun)
        places = [worker.start_place, *(stop.place for stop in begun)]
        if begun and worker.end_place is not None:
            places.append(worker.end_place)  # the way home changes with what is added
        work = heavy = share = FAR
        uneven = 0.0
        if worker.max_work_s is not None:
            ways = self.problem.travel[worker.mode]
            work = worker.max_work_s - handled - sum(int(ways[a, b]) for a, b in pairwise(places))
        if worker.max_heavy is not None:
            heavy = worker.max_heavy - sum(map(self._heavy, begun))
        if self.shares.get(worker.id):
            share = self.shares[worker.id] - handled
            uneven = self.problem.weights.uneven / self.shares[worker.id]
        return work, heavy, share, uneven, self._span(worker)

    def _heavy(self, stop: Stop) -> bool:
        visit = self.by_id.get(stop.visit)
        return visit is not None and stop.kind != "pickup" and visit.seats[stop.seat].heavy

    def _span(self, worker: Worker) -> int:
        """The longest day of somebody who has not set out, where the shifts leave room for a longer one."""
        longest = worker.shifts[-1].end_s - self._stand(worker).free_s
        if self.begun.get(worker.id) or worker.max_span_s is None or worker.max_span_s >= longest:
            return FAR
        return worker.max_span_s

    def _rests(self, worker: Worker) -> list[tuple[int, int, int]]:
        return [(b.earliest_s, b.latest_s, b.duration_s) for b in self._stand(worker).left]

    def _in_the_box(self, worker: Worker) -> int:
        aboard = {stop.visit for stop in self.begun.get(worker.id, ()) if stop.kind == "pickup"}
        if not aboard:
            return 0
        return sum(visit.delivery.load for visit in self.visits if visit.delivery is not None and visit.id in aboard)

    def _class(self, worker: Worker, fits: bytes, wishes: bytes) -> tuple[object, ...]:
        """Workers with the same are interchangeable while nothing is planned for them."""
        return (
            worker.provider, worker.mode, self._at(worker), worker.end_place, worker.shifts, worker.breaks,
            worker.box_capacity, worker.capacity, worker.max_span_s, worker.max_work_s, worker.max_heavy,
            self._stand(worker), fits, wishes, worker.id if self.begun.get(worker.id) else None,
        )  # fmt: skip

    def _fixed(self, visit: Visit) -> bool:
        held = self._locked.get(visit.id, [])
        return bool(held) and visit.delivery is None

    def _windows(self) -> list[tuple[int, int]]:
        """Between which starts each node may be handled."""
        windows: list[tuple[int, int]] = []
        bounds = [self._bounds(visit) for visit in self.visits]
        for node in self.nodes:
            visit = self.visits[node.visit]
            lo, hi = bounds[node.visit]
            meal = visit.delivery
            if meal is not None and node.kind == PICKUP:
                ride = 0 if meal.max_ride_s is None else lo - meal.max_ride_s - meal.pickup_duration_s
                lo, hi = max(meal.ready_s, ride), hi - meal.pickup_duration_s
            elif meal is not None and meal.max_ride_s is not None and node.only is not None:
                hi = min(hi, max(s.end_s for s in self._locked[visit.id]) + meal.max_ride_s)
            windows.append((lo, hi))
        return windows

    def _bounds(self, visit: Visit) -> tuple[int, int]:
        """The visit's window, narrowed by colleagues who have begun and by tied visits that have; maybe to nothing."""
        lo, hi = not_before(visit), visit.latest_s
        for stop in self._locked.get(visit.id, []):
            if visit.delivery is None:
                # somebody is at the door: the others may come earlier than the plan says, but not let them wait longer
                lo = max(lo, stop.start_s)
                hi = self._awaited.get(visit.id, lo)
        hi = max(lo, hi)
        for link in self.problem.links:
            if visit.id not in (link.before, link.after):
                continue
            begun = [stop for stop in self._locked.get(link.other(visit.id), []) if stop.kind != "pickup"]
            if not begun:
                continue
            if link.after == visit.id:
                lo, hi = behind(link, begun, lo, hi)
                continue
            start = max(stop.start_s for stop in begun)
            start -= max(seat.duration_s for seat in visit.seats) if link.from_end else 0
            # whoever has begun the later one may have to wait at the door, but must not come long after this one
            lo = lo if link.max_gap_s is None else max(lo, min(hi, start - link.max_gap_s))
            if not any(stop.locked for stop in begun):  # it only stays where nobody here can move it
                hi = max(lo, min(hi, start - link.min_gap_s))
        return lo, hi

    def _there_before(self, visit: Visit) -> frozenset[str]:
        """Who has begun a visit that somebody else than this one's crew must serve."""
        pairs = [{link.before, link.after} for link in self.problem.links if link.apart]
        others = [other for pair in pairs if visit.id in pair for other in pair - {visit.id}]
        return frozenset(stop.worker for other in others for stop in self._locked.get(other, []))


def behind(link: Link, begun: Sequence[Stop], lo: int, hi: int) -> tuple[int, int]:
    """Of the starts from `lo` to `hi`, those that keep the gap to an earlier visit that has begun."""
    base = max(stop.start_s for stop in begun)
    base += max(stop.end_s - stop.start_s for stop in begun) if link.from_end else 0
    return max(lo, base + link.min_gap_s), hi if link.max_gap_s is None else min(hi, base + link.max_gap_s)


class _Groups:
    """Visits tied by links, as connected parts."""

    def __init__(self, problem: Problem, visits: Sequence[Visit]) -> None:
        number = {visit.id: v for v, visit in enumerate(visits)}
        links = [link for link in problem.links if link.before in number and link.after in number]
        root = list(range(len(visits)))

        def find(v: int) -> int:
            while root[v] != v:
                root[v] = root[root[v]]
                v = root[v]
            return v

        for link in links:
            root[find(number[link.before])] = find(number[link.after])
        members: dict[int, list[int]] = {}
        for v in {number[name] for link in links for name in (link.before, link.after)}:
            members.setdefault(find(v), []).append(v)
        parts = [sorted(part) for part in members.values()]
        self.of = np.full(len(visits), NONE, np.int32)
        for g, part in enumerate(parts):
            self.of[part] = g
        self.visits = np.asarray([v for part in parts for v in part], np.int32)
        first = _firsts(parts)
        mine = [[link for link in links if self.of[number[link.before]] == g] for g in range(len(parts))]
        link_first = _firsts(mine)
        self.rows = np.zeros(len(parts), GROUP)
        for g in range(len(parts)):
            self.rows[g] = (first[g], first[g + 1], link_first[g], link_first[g + 1])
        self.links = np.zeros(len(links), LINK)
        for i, link in enumerate(link for group in mine for link in group):
            length = max(s.duration_s for s in visits[number[link.before]].seats) if link.from_end else 0
            most = FAR if link.max_gap_s is None else link.max_gap_s + length
            self.links[i] = (number[link.before], number[link.after], link.min_gap_s + length, most, link.apart)


def _firsts(parts: Sequence[Sequence[object]]) -> np.ndarray:
    return np.cumsum([0, *(len(part) for part in parts)], dtype=np.int32)


def _numbered(values: Sequence[object]) -> np.ndarray:
    seen: dict[object, int] = {}
    return np.asarray([seen.setdefault(value, len(seen)) for value in values], np.int32)


def _near(travel: np.ndarray, visits: Sequence[Visit]) -> np.ndarray:
    """For each visit the others, by travel and by how far apart their windows lie."""
    count = len(visits)
    most = min(_NEIGHBOURS, max(1, count - 1))
    near = np.full((count, most), NONE, np.int32)
    if count < 2:
        return near
    places = np.asarray([visit.place for visit in visits], np.intp)
    opens = np.asarray([visit.earliest_s for visit in visits], float)
    closes = np.asarray([visit.latest_s if visit.due_s is None else visit.due_s for visit in visits], float)
    for v in range(count):
        gap = np.maximum(0.0, np.maximum(opens - closes[v], opens[v] - closes))
        apart = travel[places[v], places] + _TIME_APART * gap
        apart[v] = np.inf
        chosen = np.argpartition(apart, most - 1)[:most] if most < count - 1 else np.arange(count)
        ranked = chosen[np.argsort(apart[chosen], kind="stable")]
        near[v] = ranked[ranked != v][:most]
    return near
