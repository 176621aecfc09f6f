"""The best plan of a small day, proven: every way through the day as one constraint model, solved by CP-SAT.

For days of about a dozen visits, to know how far a search is from the best there is. Made from the problem itself, not
from the arrays of the search. What has begun stays. A worker's next stop in the plan in force may begin as planned although
the way to it had to begin before the present: they may be on it. Every other way begins now at the earliest. Workers have one
shift. The solver holds the interpreter's lock, so
callers that must answer meanwhile run it in a process of its own. `Weights.uneven` is left out of the model: bounds hold, proofs
of days that weigh it seldom end.
"""

from itertools import pairwise
from typing import Any

from msgspec import Struct

from dispatch.check import check_plan
from dispatch.cost import drop_cost, late_prices, plan_cost, unrounded_cost, wish_cost
from dispatch.plan import Kind, Plan, Stop
from dispatch.problem import Link, Problem, Visit, Worker
from dispatch.rules import refusal
from dispatch.sharing import busy_s
from dispatch.standing import standing_of

_SCALE = 1000  # costs of a part of a second are counted in thousandths
_DEPOT = 0
_ROUNDING = 1e-6  # what sums of floating point may be off by


class Proof(Struct, frozen=True):
    """The best plan found and what no plan can cost less than; `optimal` when these are the same."""

    plan: Plan
    cost: int
    bound: int
    optimal: bool


class _Node(Struct, frozen=True):
    """A stop that has not begun; `only` may take it where its meal is in the box already."""

    visit: Visit
    seat: int
    kind: Kind
    place: int
    duration_s: int
    only: str | None = None


def prove(problem: Problem, plan: Plan, *, seconds: float, seed: int = 1) -> Proof:
    """The best plan that serves any of the visits, from a plan in force whose begun stops stay and which is never beaten.

    Raises ValueError for workers with several shifts, which the model does not know, and when no plan keeps what has begun.
    """
    if any(len(worker.shifts) > 1 for worker in problem.workers):
        raise ValueError("a worker has several shifts")
    model = _Model(problem, plan)
    found, bound = model.solved(seconds, seed)
    cost = plan_cost(problem, plan)
    if found is not None and (check_plan(problem, found) or plan_cost(problem, found) > cost):
        found = None
    best = plan if found is None else found
    cost = plan_cost(problem, best)
    return Proof(best, cost, min(cost, bound), bound >= cost)


def _cp_sat() -> Any:
    """OR-Tools takes half a second to import: who proves nothing, as all processes that only answer, does without."""
    from ortools.sat.python import cp_model

    return cp_model


class _Model:
    """One way through the day for each worker; visits begin once for all of their crew."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self.problem = problem
        self.model: Any = _cp_sat().CpModel()
        self.visits = {visit.id: visit for visit in problem.visits}
        self.begun = {w.id: _begun(plan.routes.get(w.id, ())) for w in problem.workers}
        self.next = {w.id: plan.routes.get(w.id, ())[len(self.begun[w.id]) :][:1] for w in problem.workers}
        self.history = {s.visit: s for route in self.begun.values() for s in route if s.visit}
        self.workers = [worker for worker in problem.workers if worker.shifts]
        self.nodes = [node for visit in problem.visits for node in self._open(visit)]
        self.far = 1 + max([w.shifts[0].end_s for w in self.workers] + [v.latest_s for v in problem.visits], default=0)
        self.costs: list[Any] = []
        self.start: dict[tuple[str, bool], Any] = {}
        self.served: dict[str, Any] = {}
        self.taken: dict[tuple[int, str], Any] = {}
        self.arcs: dict[tuple[str, int, int], Any] = {}
        self.provider: dict[tuple[str, str], Any] = {}
        self._times()
        for worker in self.workers:
            self._day(worker)
        for visit in problem.visits:
            self._crew(visit)
        self._linked()
        self._shared()
        self._late()
        self.model.minimize(sum(self.costs))
        self._hint(plan)

    def _past(self, name: str) -> list[Stop]:
        """What has begun of a visit."""
        return [stop for route in self.begun.values() for stop in route if stop.visit == name]

    def _open(self, visit: Visit) -> list[_Node]:
        stops = self._past(visit.id)
        meal = visit.delivery
        if meal is None:
            done = {stop.seat for stop in stops}
            seats = [n for n in range(len(visit.seats)) if n not in done]
            return [_Node(visit, n, "visit", visit.place, visit.seats[n].duration_s) for n in seats]
        if any(stop.kind == "drop" for stop in stops):
            return []
        holder = stops[0].worker if stops else None
        bring = _Node(visit, 0, "drop", visit.place, visit.seats[0].duration_s, holder)
        return [bring] if stops else [_Node(visit, 0, "pickup", meal.pickup_place, meal.pickup_duration_s), bring]

    def _times(self) -> None:
        for node in self.nodes:
            visit, meal = node.visit, node.visit.delivery
            lo, hi = visit.earliest_s, visit.latest_s
            if meal is not None and node.kind == "pickup":
                lo, hi = meal.ready_s, self.far
            begun = self.history.get(visit.id)
            if begun is not None and node.kind == "visit":
                lo = hi = begun.start_s
            key = (visit.id, node.kind == "pickup")
            if key not in self.start:
                self.start[key] = self.model.new_int_var(min(lo, hi), max(lo, hi), f"start {visit.id} {node.kind}")
                self.served[visit.id] = self.model.new_bool_var(f"served {visit.id}")
                if lo > hi:
                    self.model.add(self.served[visit.id] == 0)

    def _at(self, n: int) -> Any:
        node = self.nodes[n]
        return self.start[node.visit.id, node.kind == "pickup"]

    def _day(self, worker: Worker) -> None:
        """A round from where the worker is through some nodes and home; the round of an idle worker is empty."""
        model, ways, begun = self.model, self.problem.travel[worker.mode], self.begun[worker.id]
        stand = standing_of(self.problem, worker, begun)
        place, free = stand.place, stand.free_s
        mine = [n for n, node in enumerate(self.nodes) if self._may(worker, node)]
        idle = model.new_bool_var(f"idle {worker.id}")
        arcs: list[tuple[int, int, Any]] = [(_DEPOT, _DEPOT, idle)]
        rate = self.problem.weights.travel_s * _SCALE
        used_home = 0 if worker.end_place is None or not begun else int(ways[place, worker.end_place])
        out, back = (model.new_int_var(-self.far, 2 * self.far, f"{what} {worker.id}") for what in ("out", "back"))
        rests = [
            (rest.duration_s, model.new_int_var(max(stand.idle_s, rest.earliest_s), rest.latest_s, ""))
            for rest in stand.left
        ]  # one after the other they fit an idle day: those that do not are lost
        for n in mine:
            taken = self.taken[n, worker.id] = model.new_bool_var(f"{worker.id} takes {n}")
            arcs.append((n + 1, n + 1, taken.negated()))
            node = self.nodes[n]
            home = 0 if worker.end_place is None else int(ways[node.place, worker.end_place])
            first, last = model.new_bool_var(""), model.new_bool_var("")
            arcs += [(_DEPOT, n + 1, first), (n + 1, _DEPOT, last)]
            way = int(ways[place, node.place])
            self.arcs[worker.id, -1, n], self.arcs[worker.id, n, -1] = first, last
            planned = self._planned(worker, node)
            soonest = free + way if planned is None else min(free + way, planned.start_s)
            model.add(self._at(n) >= soonest).only_enforce_if(first)
            model.add(self._at(n) + node.duration_s + home <= worker.shifts[0].end_s).only_enforce_if(taken)
            model.add(out <= self._at(n) - int(ways[worker.start_place, node.place])).only_enforce_if(first)
            model.add(back >= self._at(n) + node.duration_s + home).only_enforce_if(last)
            self.costs += [rate * way * first, rate * (home - used_home) * last]
            for m in (m for m in mine if m != n):
                arc = model.new_bool_var("")
                step = int(ways[node.place, self.nodes[m].place])
                arcs.append((n + 1, m + 1, arc))
                self.arcs[worker.id, n, m] = arc
                model.add(self._at(m) >= self._at(n) + node.duration_s + step).only_enforce_if(arc)
                self.costs.append(rate * step * arc)
        model.add_circuit(arcs)
        self._take_rests(worker, mine, rests, idle)
        self._holds(worker, mine, idle, (out, back))

    def _planned(self, worker: Worker, node: _Node) -> Stop | None:
        """The next stop of the worker in the plan in force, where this node is it."""
        key = (node.visit.id, node.seat, node.kind)
        return next((stop for stop in self.next[worker.id] if (stop.visit, stop.seat, stop.kind) == key), None)

    def _may(self, worker: Worker, node: _Node) -> bool:
        if node.only is not None:
            return worker.id == node.only
        seat = node.visit.seats[node.seat]
        return refusal(worker, node.visit, seat) is None

    def _take_rests(self, worker: Worker, mine: list[int], rests: list[tuple[int, Any]], idle: Any) -> None:
        """Every break of somebody who works lies in one hole: behind a stop, or the start, and before the next way."""
        model, ways = self.model, self.problem.travel[worker.mode]
        begun = self.begun[worker.id]
        place = begun[-1].place if begun else worker.start_place
        before: Any = None
        for length, begin in rests:
            if before is not None:
                model.add(begin >= before)
            before = begin + length
            holes: list[Any] = []
            for n in [-1, *mine]:
                for m in [-1, *mine]:
                    if (worker.id, n, m) not in self.arcs:
                        continue
                    here = model.new_bool_var("")
                    model.add_implication(here, self.arcs[worker.id, n, m])
                    holes.append(here)
                    if n >= 0:
                        model.add(begin >= self._at(n) + self.nodes[n].duration_s).only_enforce_if(here)
                    if m >= 0:
                        way = int(ways[self.nodes[n].place if n >= 0 else place, self.nodes[m].place])
                        model.add(begin + length + way <= self._at(m)).only_enforce_if(here)
            model.add(sum(holes) == 1).only_enforce_if(idle.negated())

    def _holds(self, worker: Worker, mine: list[int], idle: Any, ends: tuple[Any, Any]) -> None:
        """Bag, box and the longest day."""
        model, begun = self.model, self.begun[worker.id]
        if worker.capacity is not None:
            full = sum(self.visits[s.visit].load for s in begun if s.visit in self.visits and s.kind != "pickup")
            loads = [
                self.nodes[n].visit.load * self.taken[n, worker.id] for n in mine if self.nodes[n].kind != "pickup"
            ]
            model.add(full + sum(loads) <= worker.capacity).only_enforce_if(idle.negated())
        if worker.max_heavy is not None:
            lifted = sum(self.visits[s.visit].seats[s.seat].heavy for s in begun if s.visit and s.kind != "pickup")
            heavy = [
                n
                for n in mine
                if self.nodes[n].kind != "pickup" and self.nodes[n].visit.seats[self.nodes[n].seat].heavy
            ]
            model.add(lifted + sum(self.taken[n, worker.id] for n in heavy) <= worker.max_heavy).only_enforce_if(
                idle.negated()
            )
        if worker.max_work_s is not None:
            self._works(worker, mine, idle)
        if worker.max_span_s is not None:
            out, back = ends
            if begun:
                way = int(self.problem.travel[worker.mode][worker.start_place, begun[0].place])
                model.add(out == begun[0].start_s - way)
            model.add(back - out <= worker.max_span_s).only_enforce_if(idle.negated())
        carried = [(s, meal) for s in begun if s.visit in self.visits and (meal := self.visits[s.visit].delivery)]
        aboard = sum(meal.load if stop.kind == "pickup" else -meal.load for stop, meal in carried)
        box = {n: model.new_int_var(-self.far, worker.box_capacity, "") for n in mine if self.nodes[n].visit.delivery}
        held = {n: box.get(n, model.new_int_var(-self.far, self.far, "")) for n in mine} if box else {}
        for n, after in held.items():
            meal = self.nodes[n].visit.delivery
            change = 0 if meal is None else meal.load if self.nodes[n].kind == "pickup" else -meal.load
            model.add(after >= aboard + change).only_enforce_if(self.arcs[worker.id, -1, n])
            for m, ahead in held.items():
                if m != n:
                    model.add(after >= ahead + change).only_enforce_if(self.arcs[worker.id, m, n])

    def _works(self, worker: Worker, mine: list[int], idle: Any) -> None:
        """Handling and ways of the whole day, what has begun included."""
        ways, begun = self.problem.travel[worker.mode], [s for s in self.begun[worker.id] if s.kind != "break"]
        places = [worker.start_place, *(stop.place for stop in begun)]
        done = sum(int(ways[a, b]) for a, b in pairwise(places)) + sum(stop.end_s - stop.start_s for stop in begun)
        work = [self.nodes[n].duration_s * self.taken[n, worker.id] for n in mine]
        for (name, n, m), arc in self.arcs.items():
            if name == worker.id:
                here = self.nodes[n].place if n >= 0 else places[-1]
                there = worker.end_place if m < 0 else self.nodes[m].place
                work += [int(ways[here, there]) * arc] if there is not None else []
        self.model.add(done + sum(work) <= (worker.max_work_s or 0)).only_enforce_if(idle.negated())

    def _shared(self) -> None:
        """At no moment more units of a kind of equipment are kept than there are, by everybody or by each provider."""
        for kind in sorted({kind for visit in self.problem.visits for kind in visit.equipment}):
            pools = [pool for pool in self.problem.equipment if pool.kind == kind]
            everybody = any(pool.provider is None for pool in pools)
            for provider in [None] if everybody else sorted({worker.provider for worker in self.workers}):
                units = sum(pool.count for pool in pools if pool.provider in {None, provider})
                kept = [self._kept(v, kind, provider) for v in self.problem.visits if kind in v.equipment]
                kept = [one for one in kept if one is not None]
                self.model.add_cumulative(kept, [1] * len(kept), units)

    def _kept(self, visit: Visit, kind: str, provider: str | None) -> Any:
        """When a visit keeps a unit of a kind, if it is served by that provider."""
        size = busy_s(self.problem, visit, kind)
        begun = self._past(visit.id)
        if begun:
            providers = {worker.id: worker.provider for worker in self.problem.workers}
            ours = provider is None or providers[begun[0].worker] == provider
            return self.model.new_fixed_size_interval_var(begun[0].start_s, size, "") if ours else None
        there = self.served[visit.id] if provider is None else self.provider[visit.id, provider]
        return self.model.new_optional_fixed_size_interval_var(self.start[visit.id, False], size, there, "")

    def _crew(self, visit: Visit) -> None:
        """All seats or none, by different people of one provider; a meal is fetched and brought by one."""
        model, mine = self.model, [n for n, node in enumerate(self.nodes) if node.visit.id == visit.id]
        if not mine:
            return
        served = self.served[visit.id]
        begun = self._past(visit.id)
        if any(stop.kind == "visit" for stop in begun):
            model.add(served == 1)
        else:
            self.costs.append(_SCALE * drop_cost(visit) * (1 - served))
        for n in mine:
            model.add(sum(self.taken[n, w.id] for w in self.workers if (n, w.id) in self.taken) == served)
        if visit.delivery is not None:
            self._meal(visit, mine)
        else:
            self._different(visit, mine, begun)
        self._wishes(visit, mine, begun)

    def _meal(self, visit: Visit, mine: list[int]) -> None:
        model, meal, drop = self.model, visit.delivery, self.start[visit.id, False]
        if meal is None:
            return
        left: Any = self.history[visit.id].end_s if visit.id in self.history else None
        if len(mine) > 1:
            left = self.start[visit.id, True] + meal.pickup_duration_s
            for worker in self.workers:
                pair = [self.taken.get((n, worker.id), 0) for n in mine]
                model.add(pair[0] == pair[1])
            model.add(drop >= left).only_enforce_if(self.served[visit.id])
        if meal.max_ride_s is not None:
            model.add(drop - left <= meal.max_ride_s).only_enforce_if(self.served[visit.id])
        wait = model.new_int_var(0, self.far, "")
        paid = model.new_int_var(0, self.far * _SCALE, "")
        model.add(wait >= drop - meal.ready_s)
        model.add(_SCALE * paid >= round(_SCALE * self.problem.weights.wait_s) * wait - (_SCALE - 1)).only_enforce_if(
            self.served[visit.id]
        )
        self.costs.append(_SCALE * paid)

    def _different(self, visit: Visit, mine: list[int], begun: list[Stop]) -> None:
        there = {stop.worker for stop in begun}
        providers = {w.provider for w in self.problem.workers if w.id in there}
        of = {p: self.model.new_bool_var("") for p in sorted({w.provider for w in self.workers})}
        self.provider |= {(visit.id, name): served for name, served in of.items()}
        self.model.add_at_most_one(of.values())
        for worker in self.workers:
            seats = [self.taken[n, worker.id] for n in mine if (n, worker.id) in self.taken]
            self.model.add_at_most_one(seats)
            banned = worker.id in there or (providers and worker.provider not in providers)
            for seat in seats:
                self.model.add_implication(seat, of[worker.provider])
                if banned:
                    self.model.add(seat == 0)

    def _wishes(self, visit: Visit, mine: list[int], begun: list[Stop]) -> None:
        """Who is told, known, understood or preferred."""
        weights = self.problem.weights
        for worker in self.workers:
            price = wish_cost(weights, visit, worker)
            seats = [n for n in mine if self.nodes[n].kind != "pickup" and (n, worker.id) in self.taken]
            self.costs += [_SCALE * price * self.taken[n, worker.id] for n in seats] if price else []
        wished = visit.preferred_worker
        if wished is None or any(stop.worker == wished and stop.kind != "pickup" for stop in begun):
            return
        there = sum(self.taken.get((n, wished), 0) for n in mine if self.nodes[n].kind != "pickup")
        counted = any(stop.kind != "pickup" for stop in begun)  # the part that has begun has paid for it
        self.costs.append(_SCALE * weights.preferred * ((0 if counted else self.served[visit.id]) - there))

    def _linked(self) -> None:
        model = self.model
        for link in self.problem.links:
            if link.apart:
                self._apart(link)
            before, after = self._span_of(link.before), self._span_of(link.after)
            if before is None or after is None or any(s.kind != "pickup" for s in self._past(link.after)):
                continue
            (first, length, one), (then, _, other) = before, after
            both = [here for here in (one, other) if here is not None]
            base = first + (length if link.from_end else 0)
            model.add(then >= base + link.min_gap_s).only_enforce_if(both)
            if link.max_gap_s is not None:
                model.add(then <= base + link.max_gap_s).only_enforce_if(both)

    def _apart(self, link: Link) -> None:
        """Nobody is at both doors, whichever of the two visits has begun. A courier who fetches a meal is at neither yet."""
        names = {link.before, link.after}
        begun = [stop for name in names for stop in self._past(name) if stop.kind != "pickup"]
        for worker in self.workers:
            hands = [
                taken
                for (n, name), taken in self.taken.items()
                if name == worker.id and self.nodes[n].visit.id in names and self.nodes[n].kind != "pickup"
            ]
            self.model.add(sum(hands) <= (0 if any(stop.worker == worker.id for stop in begun) else 1))

    def _span_of(self, name: str) -> tuple[Any, int, Any] | None:
        """When a visit begins, how long its crew stays at most, and whether it is served; of a begun one, as it was."""
        if name in self.served and (name, False) in self.start:
            return self.start[name, False], max(s.duration_s for s in self.visits[name].seats), self.served[name]
        stops = [stop for stop in self._past(name) if stop.kind != "pickup"]
        if not stops:
            return None
        return min(s.start_s for s in stops), max(s.end_s for s in stops) - min(s.start_s for s in stops), None

    def _late(self) -> None:
        """Lateness of each visit and of the worst one, and starts away from what was told."""
        model, weights = self.model, self.problem.weights
        worst = model.new_int_var(0, self.far, "worst")
        begun = [s for route in self.begun.values() for s in route if s.kind in {"visit", "drop"} and s.visit]
        done = [
            max(0, s.start_s - (due if (due := self.visits[s.visit].due_s) is not None else s.start_s)) for s in begun
        ]
        model.add(worst >= max(done, default=0))
        self.costs.append(round(_SCALE * weights.late_max_s) * worst)
        for name, served in self.served.items():
            visit, start = self.visits[name], self.start[name, False]
            told = visit.promised
            if told is not None and told.start_s is not None and all(s.kind == "pickup" for s in self._past(name)):
                off = model.new_int_var(0, self.far, "")
                for away in (start - told.start_s, told.start_s - start):
                    model.add(off >= away - told.free_s).only_enforce_if(served)
                self.costs.append(round(_SCALE * weights.moved_s) * off)
            if visit.due_s is None:
                continue
            flat, rate = late_prices(weights, visit)
            seats = sum(node.visit.id == name and node.kind != "pickup" for node in self.nodes)
            times = (
                seats if weights.late_each_seat else int(any(n.visit.id == name and n.seat == 0 for n in self.nodes))
            )
            late, by = model.new_bool_var(""), model.new_int_var(0, self.far, "")
            model.add(start - visit.due_s <= by).only_enforce_if(served)
            model.add(by <= 0).only_enforce_if(late.negated())
            model.add(worst >= by)
            self.costs += [_SCALE * times * flat * late, _SCALE * times * rate * by]

    def _hint(self, plan: Plan) -> None:
        """Begin from the plan in force."""
        number = {(node.visit.id, node.seat, node.kind): n for n, node in enumerate(self.nodes)}
        used = dict.fromkeys(self.served, False)
        starts: dict[tuple[str, bool], int] = {}
        rides: set[tuple[str, int, int]] = set()
        for worker in self.workers:
            last = -1
            for stop in plan.routes.get(worker.id, ())[len(self.begun[worker.id]) :]:
                n = number[stop.visit, stop.seat, stop.kind]
                rides.add((worker.id, last, n))
                starts[stop.visit, stop.kind == "pickup"] = stop.start_s
                used[stop.visit] = True
                last = n
            rides |= {(worker.id, last, -1)} if last >= 0 else set()
        for start, at in starts.items():
            self.model.add_hint(self.start[start], at)
        for key, arc in self.arcs.items():
            self.model.add_hint(arc, key in rides)
        for name, served in self.served.items():
            self.model.add_hint(served, used[name])

    def solved(self, seconds: float, seed: int) -> tuple[Plan | None, int]:
        """The plan found, if any, and what no plan can cost less than."""
        cp_model = _cp_sat()
        solver: Any = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = seed
        solver.parameters.max_time_in_seconds = seconds
        status = solver.solve(self.model)
        if status == cp_model.MODEL_INVALID:
            raise RuntimeError(self.model.validate())
        if status == cp_model.INFEASIBLE:
            raise ValueError("no plan keeps what has begun")
        past = unrounded_cost(self.problem, Plan(dict(self.begun)))
        past -= self.problem.weights.late_max_s * self._worst_so_far()
        bound = round(solver.best_objective_bound / _SCALE + past - _ROUNDING)
        if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            return None, bound
        return self._read(solver), bound

    def _worst_so_far(self) -> int:
        begun = [s for route in self.begun.values() for s in route if s.kind in {"visit", "drop"} and s.visit]
        late = [s.start_s - due for s in begun if (due := self.visits[s.visit].due_s) is not None]
        return max([0, *late])

    def _read(self, solver: Any) -> Plan:
        follows = {(w, n): m for (w, n, m), arc in self.arcs.items() if solver.value(arc)}
        routes: dict[str, tuple[Stop, ...]] = dict(self.begun)
        for worker in self.workers:
            route, n = list(self.begun[worker.id]), follows.get((worker.id, -1), -1)
            while n >= 0:
                node, start = self.nodes[n], solver.value(self._at(n))
                end = start + node.duration_s
                route.append(Stop(worker.id, node.kind, node.visit.id, node.seat, node.place, start, end))
                n = follows[worker.id, n]
            routes[worker.id] = tuple(route)
        return Plan(routes, tuple(name for name, served in self.served.items() if not solver.value(served)))


def _begun(route: tuple[Stop, ...]) -> tuple[Stop, ...]:
    return tuple(route[: max((n + 1 for n, stop in enumerate(route) if stop.locked), default=0)])
