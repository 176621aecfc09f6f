"""A second judge of a day, written from the text of the rules alone: plain, slow, and without a look at what it judges.

It knows `Problem` and `Plan` and nothing else of the planner: neither how times are made nor how the planner checks itself.
What is locked has happened. It counts for what comes after it, and is held against nobody.
"""

from collections import Counter
from collections.abc import Sequence

from dispatch import Break, Plan, Problem, Seat, Shift, Stop, Visit, Worker

_EVER = 10**15
Hole = tuple[int, int]


def judge(problem: Problem, plan: Plan) -> list[str]:
    """Every rule of the day that the plan breaks, each as `rule: about whom`."""
    people = {worker.id: worker for worker in problem.workers}
    asked = {visit.id: visit for visit in problem.visits}
    wrong = [f"unserved but unknown: {name}" for name in plan.unserved if name not in asked]
    days = [_Route(problem, people[name], route, asked) for name, route in plan.routes.items() if name in people]
    strange = [f"nobody: {name}" for name in plan.routes if name not in people]
    for day in days:
        wrong += (unread := day.strange()) or [*day.times(), *day.amounts(), *day.breaks()]
        strange += unread
    if strange:
        return wrong + [one for one in strange if one not in wrong]
    for visit in problem.visits:
        wrong += _visit(visit, plan, people)
    return [*wrong, *_links(problem, plan), *_equipment(problem, plan, people)]


class _Route:
    """One worker's day."""

    def __init__(self, problem: Problem, worker: Worker, route: tuple[Stop, ...], asked: dict[str, Visit]) -> None:
        self.problem, self.worker, self.route, self.asked = problem, worker, route, asked
        self.ways = problem.travel[worker.mode]
        self.open = [stop for stop in route if not stop.locked]

    def strange(self) -> list[str]:
        """Stops that cannot be read at all."""
        wrong: list[str] = []
        for stop in self.route:
            about = f"{self.worker.id} {stop.visit}"
            if stop.worker != self.worker.id:
                wrong.append(f"another's stop: {about}")
            if stop.kind == "break":
                wrong += [] if stop.locked else [f"a hold that has not begun: {about}"]
                continue
            visit = self.asked.get(stop.visit)
            if visit is None:
                wrong += [f"unknown visit: {about}"]
            elif not 0 <= stop.seat < len(visit.seats):
                wrong += [f"no such seat: {about}"]
            elif (stop.kind == "visit") != (visit.delivery is None):
                wrong += [f"kind: {about}"]
        return wrong

    def shift(self, stop: Stop) -> int:
        """The shift a stop belongs to, by number: of those that have begun before the stop is over the last."""
        number = 0
        for n, shift in enumerate(self.worker.shifts):
            if shift.start_s <= stop.start_s or shift.start_s < stop.end_s:
                number = n
        return number

    def way(self, before: Stop | None, stop: Stop) -> int:
        """Seconds to a stop: every shift begins at the start place."""
        if before is None or self.shift(before) != self.shift(stop):
            return int(self.ways[self.worker.start_place, stop.place])
        return int(self.ways[before.place, stop.place])

    def home(self, stop: Stop) -> int:
        return 0 if self.worker.end_place is None else int(self.ways[stop.place, self.worker.end_place])

    def times(self) -> list[str]:
        """Ways, shifts, windows, the kitchen, the ride and the clock; where a stop is and how long it lasts."""
        wrong: list[str] = []
        for n, stop in enumerate(self.route):
            if stop.locked:
                continue
            before = self.route[n - 1] if n else None
            behind = self.route[n + 1] if n + 1 < len(self.route) else None
            visit = self.asked[stop.visit]
            broken = {
                "now": stop.start_s < self.problem.now_s,
                "place": stop.place != _place(visit, stop),
                "duration": stop.end_s - stop.start_s != _duration(visit, stop),
                "way": not self._arrives(before, stop),
                "shift": self._inside(stop) is None,
                "home": not self._home_in_time(stop, behind),
                **self._window(visit, stop, n),
            }
            wrong += [f"{rule}: {self.worker.id} {stop.visit}" for rule, found in broken.items() if found]
        return wrong

    def _inside(self, stop: Stop) -> Shift | None:
        return next((s for s in self.worker.shifts if s.start_s <= stop.start_s and stop.end_s <= s.end_s), None)

    def _arrives(self, before: Stop | None, stop: Stop) -> bool:
        leaves = before.end_s if before else -_EVER
        if self.worker.shifts:
            leaves = max(leaves, self.worker.shifts[self.shift(stop)].start_s)
        return leaves + self.way(before, stop) <= stop.start_s

    def _home_in_time(self, stop: Stop, behind: Stop | None) -> bool:
        """The last stop of a shift leaves time for the way to where the day ends."""
        shift = self._inside(stop)
        if shift is None or (behind is not None and self.shift(behind) == self.shift(stop)):
            return True
        return stop.end_s + self.home(stop) <= shift.end_s

    def _window(self, visit: Visit, stop: Stop, n: int) -> dict[str, bool]:
        meal = visit.delivery
        if stop.kind == "pickup" and meal is not None:
            return {"ready": stop.start_s < meal.ready_s, "box": self._aboard(n) > self.worker.box_capacity}
        found = {"window": not visit.earliest_s <= stop.start_s <= visit.latest_s}
        if meal is not None:
            fetched = [s for s in self.route[:n] if s.visit == stop.visit and s.kind == "pickup"]
            found["never fetched"] = not fetched
            if fetched and meal.max_ride_s is not None:
                found["ride"] = stop.start_s - fetched[-1].end_s > meal.max_ride_s
        return found

    def _aboard(self, n: int) -> int:
        """What is in the box right behind a stop."""
        loads = [(s, self.asked[s.visit].delivery) for s in self.route[: n + 1] if s.kind in {"pickup", "drop"}]
        return sum(meal.load if stop.kind == "pickup" else -meal.load for stop, meal in loads if meal is not None)

    def amounts(self) -> list[str]:
        """What a whole day may hold; a day that has happened may hold what it held."""
        worker = self.worker
        if not self.open:
            return []
        served = [stop for stop in self.route if stop.kind in {"visit", "drop"}]
        wrong: list[str] = []
        load = sum(self.asked[stop.visit].load for stop in served)
        if worker.capacity is not None and load > worker.capacity:
            wrong.append(f"capacity: {worker.id} {load}")
        heavy = sum(self.asked[stop.visit].seats[stop.seat].heavy for stop in served)
        if worker.max_heavy is not None and heavy > worker.max_heavy:
            wrong.append(f"heavy: {worker.id} {heavy}")
        work = self._work()
        if worker.max_work_s is not None and work > worker.max_work_s:
            wrong.append(f"work: {worker.id} {work}")
        first, last = self.route[0], self.route[-1]
        out = first.start_s - int(self.ways[worker.start_place, first.place])
        span = last.end_s + self.home(last) - out
        if worker.max_span_s is not None and span > worker.max_span_s:
            wrong.append(f"span: {worker.id} {span}")
        return wrong

    def _work(self) -> int:
        """Handling, and the ways from stop to stop, there and home; holds are no work."""
        here, done = self.worker.start_place, 0
        handled = [stop for stop in self.route if stop.kind != "break"]
        for stop in handled:
            done += int(self.ways[here, stop.place]) + stop.end_s - stop.start_s
            here = stop.place
        return done + (self.home(handled[-1]) if handled else 0)

    def breaks(self) -> list[str]:
        """Each begins in its window, in order, where neither work nor the way to the next stop needs the time."""
        if not self.open:
            return []
        begun = list(self.route)
        while begun and not begun[-1].locked:
            begun.pop()
        anyway = _lost(self.worker.breaks, self._holes(begun))
        return [f"break: {self.worker.id} {n}" for n in _lost(self.worker.breaks, self._holes(self.route)) - anyway]

    def _holes(self, route: Sequence[Stop]) -> list[Hole]:
        """Time off before the first stop and behind the last, and waits between."""
        holes: list[Hole] = []
        over, before = -_EVER, None
        for stop in route:
            holes.append((over, stop.start_s - self.way(before, stop)))
            over, before = stop.end_s, stop
        return [*holes, (over, _EVER)]


def _lost(breaks: Sequence[Break], holes: Sequence[Hole]) -> set[int]:
    """By number the breaks that find no room, each taken as soon as it can be."""
    lost: set[int] = set()
    free = -_EVER
    for n, rest in enumerate(breaks):
        begins = [
            max(lo, free, rest.earliest_s) for lo, hi in holes if max(lo, free, rest.earliest_s) + rest.duration_s <= hi
        ]
        if not begins or min(begins) > rest.latest_s:
            lost.add(n)
        else:
            free = min(begins) + rest.duration_s
    return lost


def _place(visit: Visit, stop: Stop) -> int:
    return visit.delivery.pickup_place if visit.delivery is not None and stop.kind == "pickup" else visit.place


def _duration(visit: Visit, stop: Stop) -> int:
    meal = visit.delivery
    return meal.pickup_duration_s if meal is not None and stop.kind == "pickup" else visit.seats[stop.seat].duration_s


def _visit(visit: Visit, plan: Plan, people: dict[str, Worker]) -> list[str]:
    """Served by a whole crew of one provider that begins together, or by nobody and named so."""
    stops = plan.stops_of(visit.id)
    crew = [stop for stop in stops if stop.kind in {"visit", "drop"}]
    coming = [stop for stop in crew if not stop.locked]
    named = plan.unserved.count(visit.id)
    if not crew:
        fetched = any(not stop.locked for stop in stops)
        return [f"lost: {visit.id}"] * (named != 1) + [f"fetched for nothing: {visit.id}"] * fetched
    wrong = [f"served and unserved: {visit.id}"] * (named > 0)
    fetching = Counter(stop.worker for stop in stops if stop.kind == "pickup")
    if coming and visit.delivery is not None and fetching != Counter({crew[0].worker: 1}):
        wrong.append(f"fetched by another: {visit.id}")
    if not coming:
        return wrong
    if sorted(stop.seat for stop in crew) != list(range(len(visit.seats))):
        return [*wrong, f"seats: {visit.id}"]
    starts = {stop.start_s for stop in coming}
    waiting = [stop.start_s for stop in crew if stop.locked]
    if len(starts) > 1 or min(starts) < max(waiting, default=min(starts)):
        wrong.append(f"together: {visit.id}")
    if len({stop.worker for stop in crew}) < len(crew):
        wrong.append(f"twice the same: {visit.id}")
    if len({people[stop.worker].provider for stop in crew}) > 1:
        wrong.append(f"two providers: {visit.id}")
    for stop in coming:
        wrong += _may(people[stop.worker], visit, visit.seats[stop.seat])
    return wrong


def _may(worker: Worker, visit: Visit, seat: Seat) -> list[str]:
    broken = {
        "skills": not all(skill in worker.skills for skill in seat.skills),
        "gender": seat.gender is not None and worker.gender != seat.gender,
        "refused": worker.id in visit.refused_workers,
        "provider": visit.providers is not None and worker.provider not in visit.providers,
    }
    return [f"{rule}: {visit.id} {worker.id}" for rule, found in broken.items() if found]


def _links(problem: Problem, plan: Plan) -> list[str]:
    """Gaps. Whoever has begun the later one waits at the door: too soon is no fault any more, too late is."""
    wrong: list[str] = []
    for link in problem.links:
        one, two = ([s for s in plan.stops_of(name) if s.kind != "pickup"] for name in (link.before, link.after))
        if not one or not two or all(stop.locked for stop in one + two):
            continue
        if all(stop.locked for stop in one) and any(stop.locked for stop in two):
            continue
        counted = max(stop.end_s for stop in one) if link.from_end else min(stop.start_s for stop in one)
        gap = min(stop.start_s for stop in two) - counted
        soon = gap < link.min_gap_s and not any(stop.locked for stop in two)
        late = link.max_gap_s is not None and gap > link.max_gap_s
        wrong += [f"gap: {link.before} {link.after} {gap}"] * (soon or late)
        same = {stop.worker for stop in one} & {stop.worker for stop in two}
        wrong += [f"apart: {link.before} {link.after}"] * bool(link.apart and same)
    return wrong


def _equipment(problem: Problem, plan: Plan, people: dict[str, Worker]) -> list[str]:
    """Second by second where it matters: no more units of a kind are kept than there are for those who keep them."""
    wrong: list[str] = []
    for kind in sorted({kind for visit in problem.visits for kind in visit.equipment}):
        pools = [pool for pool in problem.equipment if pool.kind == kind]
        shared = any(pool.provider is None for pool in pools)
        turnaround = max((pool.turnaround_s for pool in pools), default=0)
        for provider in sorted({worker.provider for worker in problem.workers}):
            units = sum(pool.count for pool in pools if shared or pool.provider == provider)
            kept: list[tuple[int, int, bool, str]] = []
            for visit in problem.visits:
                stops = plan.stops_of(visit.id) if kind in visit.equipment else []
                if stops and (shared or people[stops[0].worker].provider == provider):
                    begin = min(stop.start_s for stop in stops)
                    end = begin + max(seat.duration_s for seat in visit.seats) + turnaround
                    kept.append((begin, end, all(stop.locked for stop in stops), visit.id))
            for instant in sorted({begin for begin, *_ in kept}):
                there = [one for one in kept if one[0] <= instant < one[1]]
                if len(there) > units and not all(happened for _, _, happened, _ in there):
                    wrong.append(f"equipment: {kind} {provider} at {instant}")
            if shared:
                break
    return wrong
