"""Starting later where it costs nothing: to keep what was told, and to shorten days that would be too long."""

from collections.abc import Collection, Sequence

from numpy import ndarray

from dispatch.plan import Plan, Stop
from dispatch.problem import Break, Link, Problem, Visit, Worker
from dispatch.sharing import units_of, uses_of
from dispatch.standing import standing_of, way_to

_FAR = 10**12


def way_home(matrix: ndarray, worker: Worker, place: int) -> int:
    """Seconds from a place to where the worker's day ends; nothing when it ends at the last stop."""
    return 0 if worker.end_place is None else int(matrix[place, worker.end_place])


def short_enough(problem: Problem, worker: Worker, route: Sequence[Stop]) -> bool:
    """Whether the day, from setting out to being back, is as short as the worker's limit asks."""
    if worker.max_span_s is None or all(stop.locked for stop in route):
        return True
    matrix = problem.travel[worker.mode]
    out = route[0].start_s - int(matrix[worker.start_place, route[0].place])
    return route[-1].end_s + way_home(matrix, worker, route[-1].place) - out <= worker.max_span_s


def ease(problem: Problem, plan: Plan, routes: Collection[str] | None = None) -> Plan:
    """The plan with stops moved later where that costs nothing.

    Two reasons: a start told to somebody is kept exactly where there is room, and who may not be out for long sets out
    later. Orders, crews and the end of each limited day stay. With `routes` only visits in the routes of these workers.
    """
    bounded = {worker.id for worker in problem.workers if _bounded(problem, worker, plan.routes.get(worker.id, ()))}
    told = any(visit.start_told for visit in problem.visits)
    if not told and not any(plan.routes.get(name) for name in bounded):
        return plan
    return _Easing(problem, plan, bounded).eased(plan.routes if routes is None else routes)


def _bounded(problem: Problem, worker: Worker, route: Sequence[Stop]) -> bool:
    """Whether the shifts leave room for a longer day than the worker may have."""
    if worker.max_span_s is None or not worker.shifts:
        return worker.max_span_s is not None
    begun = any(stop.locked for stop in route)
    return begun or worker.max_span_s < worker.shifts[-1].end_s - max(worker.shifts[0].start_s, problem.now_s)


class _Easing:
    """Moves visits later one by one, the last of the day first; every move leaves a plan that holds."""

    def __init__(self, problem: Problem, plan: Plan, bounded: set[str]) -> None:
        self.problem = problem
        self.plan = plan
        self.bounded = bounded
        self.workers = {worker.id: worker for worker in problem.workers}
        self.visits = {visit.id: visit for visit in problem.visits}
        self.routes = {worker: list(route) for worker, route in plan.routes.items()}
        known = [name for name in self.routes if name in self.workers]
        self.rests = {name: self._rested(self.workers[name], self.routes[name]) for name in known}
        self.where: dict[str, list[tuple[str, int]]] = {}
        for worker, route in self.routes.items():
            for i, stop in enumerate(route):
                self.where.setdefault(stop.visit, []).append((worker, i))
        self.links: dict[str, list[Link]] = {}
        for link in problem.links:
            for name in (link.before, link.after) if {link.before, link.after} <= self.where.keys() else ():
                self.links.setdefault(name, []).append(link)

    def eased(self, routes: Collection[str]) -> Plan:
        """Every visit of these routes looked at once."""
        names = dict.fromkeys(stop.visit for worker in routes for stop in self.routes[worker])
        order = sorted(names, key=lambda name: max(self._at(seat).start_s for seat in self.where[name]))
        for name in reversed(order):
            visit = self.visits.get(name)
            stops = [self._at(seat) for seat in self.where[name]]
            if visit is None or any(stop.locked or stop.kind != "visit" for stop in stops):
                continue
            start = stops[0].start_s
            later = min(self._wished(visit, start), *(self._room(worker, i) for worker, i in self.where[name]))
            later = min(later, self._between(name, start))
            if visit.equipment and later > start:
                later = min(later, self._units(visit))
            if later > start:
                for worker, i in self.where[name]:
                    self.routes[worker][i] = self.routes[worker][i].at(later)
        return Plan({worker: tuple(route) for worker, route in self.routes.items()}, self.plan.unserved)

    def _at(self, seat: tuple[str, int]) -> Stop:
        return self.routes[seat[0]][seat[1]]

    def _wished(self, visit: Visit, start: int) -> int:
        """Where the visit would best start: as told, or as late as costs nothing on a day that may not be long."""
        until = visit.latest_s if visit.due_s is None else min(visit.latest_s, max(start, visit.due_s))
        alone = len(self.where[visit.id]) == 1 and visit.id not in self.links and not visit.equipment
        worker = self.where[visit.id][0][0]
        told = visit.promised
        if told is not None and told.start_s is not None:
            until = min(until, max(start, told.start_s + told.free_s))
        if alone and worker in self.bounded:
            return until
        return min(until, told.start_s) if told is not None and told.start_s is not None else start

    def _room(self, worker_id: str, i: int) -> int:
        """How late a stop may start, so that nothing behind it in its route moves."""
        route, worker = self.routes[worker_id], self.workers.get(worker_id)
        stop = route[i]
        if worker is None:  # of the day of some workers alone the others stay where they are
            return stop.start_s
        busy = stop.end_s - stop.start_s
        matrix = self.problem.travel[worker.mode]
        shift = next((s for s in worker.shifts if s.start_s <= stop.start_s and stop.end_s <= s.end_s), None)
        behind = route[i + 1] if i + 1 < len(route) else None
        if shift is None or (behind is None and worker_id in self.bounded):
            return stop.start_s
        until = shift.end_s - way_home(matrix, worker, stop.place)
        if behind is not None and behind.end_s > shift.end_s:
            return stop.start_s
        ahead = _FAR if behind is None else behind.start_s - int(matrix[stop.place, behind.place])
        for rest in reversed(self.rests[worker_id][i + 1]):
            ahead = min(ahead - rest.duration_s, rest.latest_s)
        return min(until, ahead) - busy

    def _rested(self, worker: Worker, route: Sequence[Stop]) -> list[list[Break]]:
        """For every hole of the route, from before its first stop to behind its last, the breaks taken in it.

        A break nobody could take any more is taken nowhere: it must not keep a stop from starting later.
        """
        matrix = self.problem.travel[worker.mode]
        pending = list(worker.breaks)
        if worker.breaks and worker.shifts:
            begun = route[: max((n + 1 for n, stop in enumerate(route) if stop.locked), default=0)]
            for lost in standing_of(self.problem, worker, begun).lost:
                pending.remove(lost)
        taken: list[list[Break]] = [[] for _ in range(len(route) + 1)]
        free = -_FAR
        hole = 0
        for rest in pending:
            while hole < len(route):
                way = way_to(matrix, worker, route[hole - 1] if hole else None, route[hole])
                if max(free, rest.earliest_s) + rest.duration_s + way <= route[hole].start_s:
                    break
                free = max(free, route[hole].end_s)
                hole += 1
            taken[hole].append(rest)
            free = max(free, rest.earliest_s) + rest.duration_s
        return taken

    def _units(self, visit: Visit) -> int:
        """The latest start that leaves all equipment to those who have it then."""
        plan = Plan({worker: tuple(route) for worker, route in self.routes.items()})
        uses = uses_of(self.problem, plan)
        until = _FAR
        for own in (use for use in uses if use.visit == visit.id):
            owned = any(pool.kind == own.kind and pool.provider is not None for pool in self.problem.equipment)
            others = [
                use
                for use in uses
                if use.kind == own.kind and use is not own and (not owned or use.provider == own.provider)
            ]
            units = sum(u.kind == own.kind and u.provider in {None, own.provider} for u in units_of(self.problem))
            full = [
                use.start_s
                for use in others
                if use.start_s >= own.end_s and sum(o.start_s <= use.start_s < o.end_s for o in others) >= units
            ]
            until = min(until, min(full, default=_FAR) - (own.end_s - own.start_s))
        return until

    def _between(self, name: str, start: int) -> int:
        """The latest start that keeps the gaps to linked visits where they are."""
        until = _FAR
        for link in self.links.get(name, ()):
            other = self.where.get(link.other(name))
            if not other:
                continue
            stops = [self._at(seat) for seat in other]
            own = [self._at(seat) for seat in self.where[name]]
            if link.before == name:
                length = max(stop.end_s for stop in own) - start if link.from_end else 0
                until = min(until, min(stop.start_s for stop in stops) - link.min_gap_s - length)
            elif link.max_gap_s is not None:
                base = max(s.end_s for s in stops) if link.from_end else min(s.start_s for s in stops)
                until = min(until, base + link.max_gap_s)
        return until
