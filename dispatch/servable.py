"""Which unserved visits would fit into a plan with everybody else left exactly where they are, for the oracle.

A place is a worker, a seat, a position in the route, and how many breaks are taken before it. In each place the earliest times
are tried, and taken only where `check_route` finds nothing it did not find before. What it costs is `plan_cost`.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from msgspec import Struct

from dispatch.check_route import check_route
from dispatch.cost import drop_cost, plan_cost, route_travel_s, wish_cost
from dispatch.measures import home_s, kept_units, shift_number, unfit, units_there, way_there
from dispatch.plan import Kind, Plan, Stop
from dispatch.problem import Break, Problem, Visit, Worker

_EVER = 10**12
_ROUNDS = 20  # a pick-up that waits for its hand-over moves the breaks between the two


class _Taken(Struct, frozen=True):
    """One worker's day with one seat taken in it."""

    worker: Worker
    start_s: int
    route: tuple[Stop, ...]
    price: int  # of the ways and wishes


def place_left(problem: Problem, plan: Plan, visit: Visit) -> tuple[str, int] | None:
    """Name a provider and a start for the visit, if nobody else is moved and it costs no more than leaving it out."""
    begun = plan.stops_of(visit.id)
    if any(stop.kind != "pickup" or not stop.locked for stop in begun):
        return None
    first, last = _between_links(problem, plan, visit)
    team = sorted({worker.provider for worker in problem.workers})
    floors = {
        first,
        *(end for p in team for kind in visit.equipment for _, end, _, _ in kept_units(problem, plan, kind, p)),
    }
    if visit.promised is not None and visit.promised.start_s is not None:
        floors.add(visit.promised.start_s - visit.promised.free_s)
    days = [_Day(problem, plan, worker, visit) for worker in problem.workers]
    soonest = {max(floor, first): [_seats(days, visit, max(floor, first))] for floor in floors}
    starts = sorted({one.start_s for (seats,) in soonest.values() for seat in seats for one in seat})
    before = plan_cost(problem, plan)
    for start in (start for start in starts if start <= last):
        seats = [[one for one in seat if one.start_s == start] for seat in _seats(days, visit, start)]
        for provider in team:
            ready = [[one for one in seat if one.worker.provider == provider] for seat in seats]
            if not all(ready) or not _unit_free(problem, plan, visit, provider, start):
                continue
            if any(_pays(problem, plan, visit, crew, before) for crew in _crews(problem, visit, ready)):
                return provider, start
    return None


def _seats(days: Sequence["_Day"], visit: Visit, floor: int) -> list[list[_Taken]]:
    """For every seat who could take it when, not before an instant."""
    return [[one for day in days for one in day.taken(n, floor)] for n in range(len(visit.seats))]


def _crews(problem: Problem, visit: Visit, ready: list[list[_Taken]]) -> Iterator[tuple[_Taken, ...]]:
    """Crews of different people, the cheapest among them: of each seat only as many of the cheapest as there are seats."""
    short: list[list[_Taken]] = []
    for seat in ready:
        best: dict[str, _Taken] = {}
        for one in sorted(seat, key=lambda one: one.price):
            best.setdefault(one.worker.id, one)
        few = list(best.values())
        if not problem.weights.uneven:
            few = few[: len(ready)] + [one for one in few[len(ready) :] if one.worker.id == visit.preferred_worker]
        short.append(few)
    for crew in product(*short):
        if len({one.worker.id for one in crew}) == len(crew):
            yield crew


def _pays(problem: Problem, plan: Plan, visit: Visit, crew: Sequence[_Taken], before: int) -> bool:
    """Whether the visit costs no more than leaving it out does."""
    if not problem.weights.uneven and sum(one.price for one in crew) > drop_cost(visit):
        return False
    routes = {**plan.routes, **{one.worker.id: one.route for one in crew}}
    return plan_cost(problem, Plan(routes, tuple(name for name in plan.unserved if name != visit.id))) <= before


class _Day:
    """One worker's day, asked about one more visit."""

    def __init__(self, problem: Problem, plan: Plan, worker: Worker, visit: Visit) -> None:
        self.problem, self.worker, self.visit = problem, worker, visit
        self.route = plan.routes.get(worker.id, ())
        self.visits = {other.id: other for other in problem.visits}
        self.ways = problem.travel[worker.mode]
        self.known = set(map(str, check_route(problem, worker, self.route, self.visits)))
        self.fetched = max((i + 1 for i, stop in enumerate(self.route) if stop.visit == visit.id), default=0)
        elsewhere = not self.fetched and bool(plan.stops_of(visit.id))
        self.closed = elsewhere or self._apart(problem, visit)

    def _apart(self, problem: Problem, visit: Visit) -> bool:
        others = {
            link.other(visit.id) for link in problem.links if link.apart and visit.id in (link.before, link.after)
        }
        return any(stop.visit in others and stop.kind != "pickup" for stop in self.route)

    def taken(self, seat: int, floor: int) -> Iterator[_Taken]:
        """The day with the seat taken, in every place at its earliest time not before an instant."""
        if self.closed or unfit(self.worker, self.visit, seat) is not None or not self.worker.shifts:
            return
        wish = wish_cost(self.problem.weights, self.visit, self.worker)
        for added in self._placed(seat, floor):
            route = self._with(added)
            start = added[-1][1].start_s
            if start > self.visit.latest_s or not self._reaches(added):
                continue
            if all(str(one) in self.known for one in check_route(self.problem, self.worker, route, self.visits)):
                detour = sum(
                    route_travel_s(self.problem, self.worker, r) * k for r, k in ((route, 1), (self.route, -1))
                )
                yield _Taken(self.worker, start, route, self.problem.weights.travel_s * detour + wish)

    def _with(self, added: Sequence[tuple[int, Stop]]) -> tuple[Stop, ...]:
        route = list(self.route)
        for at, stop in reversed(added):
            route.insert(at, stop)
        return tuple(route)

    def _reaches(self, added: Sequence[tuple[int, Stop]]) -> bool:
        """Whether what comes behind is reached as it stands, also where it is locked and judged no more."""
        last: dict[int, Stop] = dict(added)
        return all(
            stop.end_s + way_there(self.problem, self.worker, stop, self.route[at]) <= self.route[at].start_s
            for at, stop in last.items()
            if at < len(self.route)
        )

    def _placed(self, seat: int, floor: int) -> Iterator[tuple[tuple[int, Stop], ...]]:
        """New stops with their positions in the route: one, or the two of a meal."""
        visit, meal, count = self.visit, self.visit.delivery, len(self.route)
        kind: Kind = "visit" if meal is None else "drop"
        rests = self.worker.breaks
        for at, shift, k in self._spots(self.fetched):
            bring = self._stop(kind, seat, visit.place, visit.seats[seat].duration_s)
            if meal is None or self.fetched:
                least = self._span_floor(at, at == count, bring.place)
                one = self._soonest(bring, at, shift, self._rested(rests[:k], self._holes(at)), max(floor, least))
                if one is not None:
                    yield ((at, one),)
                continue
            fetch = self._stop("pickup", seat, meal.pickup_place, meal.pickup_duration_s)
            for to, then, rested in self._spots(at):
                if then >= shift and rested >= k:
                    pair = self._meal((at, shift, k, fetch), (to, then, rested, bring), floor)
                    if pair is not None:
                        yield pair

    def _spots(self, first: int) -> Iterator[tuple[int, int, int]]:
        """Positions in the route from one on, with the shift and the number of breaks taken before."""
        for at in range(first, len(self.route) + 1):
            least = shift_number(self.worker, self.route[at - 1]) if at else 0
            most = shift_number(self.worker, self.route[at]) if at < len(self.route) else len(self.worker.shifts) - 1
            yield from product((at,), range(least, most + 1), range(len(self.worker.breaks) + 1))

    def _stop(self, kind: Kind, seat: int, place: int, lasts: int) -> Stop:
        return Stop(self.worker.id, kind, self.visit.id, seat, place, 0, lasts)

    def _meal(
        self, first: tuple[int, int, int, Stop], then: tuple[int, int, int, Stop], floor: int
    ) -> tuple[tuple[int, Stop], ...] | None:
        """The earliest pick-up and hand-over; fetched later where the hand-over must wait and the ride or day is short."""
        (at, shift, k, fetch), (to, other, rested, bring) = first, then
        meal, rests = self.visit.delivery, self.worker.breaks
        if meal is None:
            return None
        wanted = max(meal.ready_s, self._span_floor(at, to == len(self.route) and at == 0, fetch.place))
        before = self._rested(rests[:k], self._holes(at))
        for _ in range(_ROUNDS):
            one = self._soonest(fetch, at, shift, before, wanted)
            if one is None or before is None:
                return None
            used = self._rested(rests[k:rested], self._holes_behind(one, at, to), before)
            two = self._soonest(bring, to, other, used, floor, one if at == to else None)
            if two is None:
                return None
            late = wanted
            if meal.max_ride_s is not None:
                late = max(late, two.start_s - meal.max_ride_s - meal.pickup_duration_s)
            if self.worker.max_span_s is not None and at == 0 and to == len(self.route):
                out = int(self.ways[self.worker.start_place, fetch.place])
                late = max(late, two.end_s + home_s(self.problem, self.worker, two) + out - self.worker.max_span_s)
            if late <= one.start_s:
                return ((at, one), (to, two))
            wanted = late
        return None

    def _span_floor(self, at: int, last: bool, place: int) -> int:
        """The earliest first stop that keeps the day short enough, where the end of the day is given."""
        if self.worker.max_span_s is None or at > 0 or last or not self.route:
            return 0
        back = self.route[-1].end_s + home_s(self.problem, self.worker, self.route[-1])
        return back + int(self.ways[self.worker.start_place, place]) - self.worker.max_span_s

    def _soonest(
        self, stop: Stop, at: int, shift: int, rested: int | None, floor: int, before: Stop | None = None
    ) -> Stop | None:
        """The stop at its earliest in a shift, behind another and the breaks; nobody is sent before now."""
        if rested is None:
            return None
        before = before or (self.route[at - 1] if at else None)
        hours = self.worker.shifts[shift]
        fresh = before is None or shift_number(self.worker, before) < shift
        way = int(self.ways[self.worker.start_place if before is None or fresh else before.place, stop.place])
        leaves = max(hours.start_s, -_EVER if before is None else before.end_s)
        start = max(leaves + way, self.problem.now_s + way, rested + way, floor)
        if stop.kind != "pickup":
            start = max(start, self.visit.earliest_s)
        later = stop.at(start)
        return later if later.end_s <= hours.end_s else None

    def _holes(self, at: int) -> list[tuple[int, int]]:
        """Time for breaks before a position, the last hole open."""
        return self._between(None, self.route[:at])

    def _holes_behind(self, stop: Stop, at: int, to: int) -> list[tuple[int, int]]:
        """Time for breaks between a new stop at one position and another position."""
        return self._between(stop, self.route[at:to])

    def _between(self, before: Stop | None, stops: Sequence[Stop]) -> list[tuple[int, int]]:
        holes: list[tuple[int, int]] = []
        for stop in stops:
            way = way_there(self.problem, self.worker, before, stop)
            holes.append((-_EVER if before is None else before.end_s, stop.start_s - way))
            before = stop
        return [*holes, (-_EVER if before is None else before.end_s, _EVER)]

    def _rested(self, rests: Sequence[Break], holes: Sequence[tuple[int, int]], used: int = -_EVER) -> int | None:
        """When breaks taken in order as soon as possible are over; None where one of them would begin too late.

        A break that is lost already is taken nowhere; `check_route` says whether it was.
        """
        for rest in rests:
            soonest = max(rest.earliest_s, used)
            begin = min(
                (max(lo, soonest) for lo, hi in holes if max(lo, soonest) + rest.duration_s <= hi), default=_EVER
            )
            if begin <= rest.latest_s:
                used = begin + rest.duration_s
        return used


def _unit_free(problem: Problem, plan: Plan, visit: Visit, provider: str, start: int) -> bool:
    """Whether one more visit would find everything it needs there, and leave enough to those planned."""
    for kind in visit.equipment:
        kept = kept_units(problem, plan, kind, provider)
        wait = max((pool.turnaround_s for pool in problem.equipment if pool.kind == kind), default=0)
        end = start + max(seat.duration_s for seat in visit.seats) + wait
        moments = {start} | {begin for begin, *_ in kept if start < begin < end}
        most = max(sum(begin <= moment < over for begin, over, *_ in kept) for moment in moments)
        if end > start and most >= units_there(problem, kind, provider):
            return False
    return True


def _between_links(problem: Problem, plan: Plan, visit: Visit) -> tuple[int, int]:
    """The starts that keep the gaps to linked visits left where they are; whoever has begun the later one may wait."""
    lo, hi = 0, 10**10
    own = max(seat.duration_s for seat in visit.seats)
    for link in problem.links:
        other = {link.before: link.after, link.after: link.before}.get(visit.id)
        stops = [s for s in plan.stops_of(other) if s.kind != "pickup"] if other else []
        if not stops:
            continue
        most = 10**10 if link.max_gap_s is None else link.max_gap_s
        if link.after == visit.id:
            base = max(s.end_s for s in stops) if link.from_end else min(s.start_s for s in stops)
            lo, hi = max(lo, base + link.min_gap_s), min(hi, base + most)
        else:
            base = min(s.start_s for s in stops) - (own if link.from_end else 0)
            waiting = any(stop.locked for stop in stops)
            lo, hi = max(lo, base - most), hi if waiting else min(hi, base - link.min_gap_s)
    return lo, hi
