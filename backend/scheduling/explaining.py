"""Why an order is planned as it is: who serves it, who else could and what that would change, who could not, what would help.

Every answer was tried in the plan, which takes from a tenth of a second to some seconds: whoever asks says how long, on a
thread of its own, and is told what was found until then.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal
from uuid import UUID

from msgspec import Struct, structs

import dispatch
from backend.scheduling.pinning import unpinned
from backend.scheduling.settling import settled
from backend.scheduling.snapshots import Day
from dispatch import Alternative, Obstacle, Plan, Problem, Remedy, Stop, Visit, Worker

_TOLD_S = 60  # what moves by less is not worth a line

Kind = Literal["later", "earlier", "longer_shift", "more_workers", "any_gender", "more_skills"]


class Seated(Struct, frozen=True):
    """Somebody at a seat: how far it is to the door from where they come, and how much longer their ways become by it.

    `worker_id` is None for somebody who would have to be found first.
    """

    seat: int
    worker_id: UUID | None
    travel_s: int
    detour_s: int


class Moved(Struct, frozen=True):
    """A stop of another order that would begin at another time, or be somebody else's."""

    order_id: UUID
    worker_id: UUID
    was_at: datetime | None
    at: datetime


class Way(Struct, frozen=True):
    """One way to serve the order, and what the plan would cost more by it; `late_s` is after the end of its window."""

    crew: list[Seated]
    start_at: datetime
    late_s: int
    cost: int
    moved: list[Moved]


class Cannot(Struct, frozen=True):
    """The first rule that keeps a worker from the order; `missing_s` more would lift one about time, `lacks` are skills."""

    worker_id: UUID
    rule: str
    missing_s: int = 0
    lacks: list[str] = []


class Helps(Struct, frozen=True):
    """Something that would have to give, and the way there would be then."""

    kind: Kind
    by_s: int
    worker_id: UUID | None
    provider_id: UUID | None
    count: int
    skills: list[str]
    then: Way


class Explained(Struct, frozen=True):
    """All about one order of a day; `begun` says that somebody has set out, so that nobody else is looked for."""

    begun: bool
    crew: list[Seated]
    start_at: datetime | None
    others: list[Way]
    cannot: list[Cannot]
    summary: str
    helps: list[Helps]
    complete: bool


def is_planned(day: Day, order_id: UUID) -> bool:
    """Whether the day plans for an order: it is neither over nor set aside."""
    return any(visit.id == str(order_id) for visit in day.problem.visits)


def explain_order(
    day: Day, order_id: UUID, go_on: Callable[[], bool], provider_id: UUID | None = None, most: int = 5
) -> Explained:
    """Explain an order of a day; with a provider, by its own workers alone. Raises KeyError where it is not planned."""
    plan, name = settled(day), str(order_id)

    def asked_about(visit: Visit) -> Visit:
        free = unpinned(visit)
        return free if provider_id is None else structs.replace(free, providers=frozenset({str(provider_id)}))

    visits = tuple(asked_about(visit) if visit.id == name else visit for visit in day.problem.visits)
    problem = structs.replace(day.problem, visits=visits)
    found = dispatch.explain(problem, plan, name, alternatives=most, go_on=go_on)
    view = _View(day, problem, plan, name)
    mine = {w.id for w in problem.workers if provider_id is None or w.provider == str(provider_id)}
    return Explained(
        begun=found.begun,
        crew=[seated for seated in view.seated(plan.routes) if str(seated.worker_id) in mine],
        start_at=None if found.start_s is None else day.instant(found.start_s),
        others=[view.way(other, mine) for other in found.alternatives if mine.issuperset(other.crew)],
        cannot=[view.cannot(obstacle) for obstacle in found.obstacles if obstacle.worker in mine],
        summary=found.summary,
        helps=[view.helps(remedy, mine) for remedy in found.remedies if _of(remedy) in {None, *mine}],
        complete=found.complete,
    )


def _of(remedy: Remedy) -> str | None:
    """The worker something would have to give of."""
    return getattr(remedy.relaxation, "worker", None)


class _View:
    """The planner's answers about one visit as facts of the city: ids, instants and ways."""

    def __init__(self, day: Day, problem: Problem, plan: Plan, visit_id: str) -> None:
        self._day, self._problem, self._plan, self._id = day, problem, plan, visit_id
        self._visit: Visit = next(visit for visit in problem.visits if visit.id == visit_id)
        self._workers = {worker.id: worker for worker in problem.workers}

    def seated(self, routes: dict[str, tuple[Stop, ...]]) -> list[Seated]:
        """Who of these routes serves the visit, by seat."""
        found: list[Seated] = []
        for name, route in routes.items():
            at_door = next((n for n, s in enumerate(route) if s.visit == self._id and s.kind != "pickup"), None)
            if at_door is None:
                continue
            worker = self._workers.get(name) or self._workers[name.partition("+")[0]]  # or somebody like them
            before = route[at_door - 1].place if at_door else worker.start_place
            travel = int(self._problem.travel[worker.mode][before, route[at_door].place])
            rest = [stop for stop in route if stop.visit != self._id]
            detour = self._ways(worker, route) - self._ways(worker, rest)
            worker_id = UUID(name) if name in self._workers else None
            found.append(Seated(route[at_door].seat + 1, worker_id, travel, detour))
        return sorted(found, key=lambda one: one.seat)

    def _ways(self, worker: Worker, route: Sequence[Stop]) -> int:
        if not route:
            return 0
        ends = [worker.end_place] if worker.end_place is not None else []
        places = [worker.start_place, *(stop.place for stop in route), *ends]
        ways = self._problem.travel[worker.mode]
        return sum(int(ways[a, b]) for a, b in pairwise(places))

    def way(self, other: Alternative, mine: set[str]) -> Way:
        """Another way; of what it moves, the stops of these workers."""
        crew = self.seated({name: route for name, route in other.changed.items() if name in other.crew})
        due = self._visit.latest_s if self._visit.due_s is None else self._visit.due_s
        return Way(
            crew, self._day.instant(other.start_s), max(0, other.start_s - due), other.cost,
            [moved for name, route in other.changed.items() if name in mine for moved in self._moved(name, route)],
        )  # fmt: skip

    def _moved(self, name: str, route: Sequence[Stop]) -> list[Moved]:
        was = {(s.visit, s.seat): s.start_s for s in self._plan.routes.get(name, ()) if s.kind != "pickup"}
        found: list[Moved] = []
        for stop in route:
            if stop.visit == self._id or stop.kind in {"pickup", "break"} or stop.visit.startswith("at:"):
                continue
            before = was.get((stop.visit, stop.seat))
            if before is None or abs(before - stop.start_s) >= _TOLD_S:
                was_at = None if before is None else self._day.instant(before)
                found.append(Moved(UUID(stop.visit), UUID(name), was_at, self._day.instant(stop.start_s)))
        return found

    def cannot(self, obstacle: Obstacle) -> Cannot:
        """Why somebody could not; of skills those of the seat that comes nearest."""
        lacks: list[str] = []
        if obstacle.rule == "no_skill":
            has = self._workers[obstacle.worker].skills
            lacks = min((sorted(seat.skills - has) for seat in self._visit.seats), key=len)
        return Cannot(UUID(obstacle.worker), obstacle.rule, obstacle.missing_s, lacks)

    def helps(self, remedy: Remedy, mine: set[str]) -> Helps:
        """What would have to give."""
        what = remedy.relaxation
        worker, provider = _of(remedy), getattr(what, "provider", None)
        stretch = getattr(what, "by_s", 0) or getattr(what, "after_s", 0) or getattr(what, "before_s", 0)
        kind: Kind = what.__struct_config__.tag  # type: ignore[assignment]
        return Helps(
            kind, stretch, UUID(worker) if worker else None, UUID(provider) if provider else None,
            getattr(what, "count", 0), sorted(getattr(what, "skills", ())), self.way(remedy.then, mine),
        )  # fmt: skip
