"""Other workers of a provider in place of those an order has: within its window, at the minute that was told where that can be."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

from msgspec import Struct, structs

from backend.scheduling.pinning import unpinned
from backend.scheduling.quotes import ByHand
from backend.scheduling.settling import settled
from backend.scheduling.snapshots import Day
from dispatch import Insertion, Plan, Prepared, Problem, Refusal, Visit, Worker, insert, refusal, remove


class Candidate(Struct, frozen=True):
    """Somebody who might take a seat over; `rule` is the first that refuses them, None where they can."""

    seat: int
    worker_id: UUID
    rule: str | None


def swap(day: Day, order_id: UUID, worker_ids: Sequence[UUID]) -> ByHand | str:
    """Give an order the crew named, from its own provider; whoever stays keeps their seat. Returns the rule that refuses them."""
    question = Question.of(day, order_id)
    if question is None:
        return "unreadable"
    named = {str(worker_id) for worker_id in worker_ids}
    stay = {seat: worker for seat, worker in question.crew.items() if worker in named}
    come = named - set(stay.values())
    workers = {worker.id: worker for worker in day.problem.workers}
    for name in sorted(come):
        if (worker := workers.get(name)) is None or worker.provider not in (question.visit.providers or ()):
            return "no_shift"  # of another provider's people nobody learns more than that they do not come
    outcome = question.asked(stay, come)
    if isinstance(outcome, Refusal):
        free = [seat for seat in range(len(question.visit.seats)) if seat not in stay]
        return next((rule for name in sorted(come) if (rule := question.why(workers[name], free))), outcome.summary)
    seats = {stop.seat + 1: UUID(stop.worker) for stop in outcome.stops if stop.kind != "pickup"}
    return ByHand(UUID(workers[str(seats[1])].provider), seats, outcome.plan)


def candidates(day: Day, order_id: UUID, provider_id: UUID, go_on: Callable[[], bool]) -> Iterator[Candidate]:
    """Tell for each seat who of a provider could take it over while the others of the crew stay, until `go_on` says no."""
    question = Question.of(day, order_id)
    if question is None:
        return
    own = [worker for worker in day.problem.workers if worker.provider == str(provider_id)]
    for seat in range(len(question.visit.seats)):
        stay = {number: worker for number, worker in question.crew.items() if number != seat}
        for worker in own:
            if worker.id in question.crew.values():
                continue
            if not go_on():
                return
            rule = question.why(worker, [seat])
            if rule is None and isinstance(outcome := question.asked(stay, {worker.id}), Refusal):
                alone = next((reason.rule for reason in outcome.reasons if reason.worker == worker.id), "crew_together")
                rule = "crew_together" if stay and alone == "no_skill" else alone
            yield Candidate(seat + 1, UUID(worker.id), rule)


class Question:
    """One order taken out of a day, to be put back with others."""

    def __init__(self, problem: Problem, plan: Plan, visit: Visit, crew: Mapping[int, str], start: int | None) -> None:
        self._problem, self._base, self.visit, self.crew, self._start = (
            problem,
            remove(plan, visit.id),
            visit,
            crew,
            start,
        )
        self._ready: dict[tuple[tuple[int, str], ...], tuple[Problem, Visit, Prepared]] = {}

    @classmethod
    def of(cls, day: Day, order_id: UUID) -> "Question | None":
        """The question about an order of a day; None where nothing can be planned for it."""
        visit = next((visit for visit in day.problem.visits if visit.id == str(order_id)), None)
        if visit is None:
            return None
        rows = [row for row in day.rows.stops if row.order_id == order_id and row.kind != "pickup" and not row.left_at]
        plan = settled(day)
        start = next((stop.start_s for stop in plan.stops_of(visit.id) if stop.kind != "pickup"), None)
        return cls(day.problem, plan, unpinned(visit), {row.seat - 1: str(row.worker_id) for row in rows}, start)

    def why(self, worker: Worker, seats: Sequence[int]) -> str | None:
        """The rule about the person that keeps them from all of these seats."""
        rules = [refusal(worker, self.visit, self.visit.seats[seat]) for seat in seats]
        return rules[0] if None not in rules else None if worker.shifts else "no_shift"

    def asked(self, stay: Mapping[int, str], come: set[str] | None = None) -> Insertion | Refusal:
        """The day with these people, or whoever suits, at the minute that was told, else at another one of the window."""
        problem, pinned, ready = self._pinned(stay)
        others = set() if come is None else {worker.id for worker in problem.workers} - come - set(stay.values())
        visit = structs.replace(pinned, refused_workers=pinned.refused_workers | others)
        outcome: Insertion | Refusal | None = None
        if self._start is not None and visit.earliest_s <= self._start <= visit.latest_s:
            outcome = self._put(problem, structs.replace(visit, earliest_s=self._start, latest_s=self._start), ready)
        return outcome if isinstance(outcome, Insertion) else self._put(problem, visit, ready)

    def _put(self, problem: Problem, visit: Visit, ready: Prepared) -> Insertion | Refusal:
        visits = (*(other for other in problem.visits if other.id != visit.id), visit)
        return insert(structs.replace(problem, visits=visits), self._base, visit, ready)

    def _pinned(self, stay: Mapping[int, str]) -> tuple[Problem, Visit, Prepared]:
        """The day in which a seat that is kept asks for what only its worker can."""
        key = tuple(sorted(stay.items()))
        if key not in self._ready:
            marks = {worker: f"seat {seat}" for seat, worker in stay.items()}
            workers = tuple(
                structs.replace(w, skills=w.skills | {marks[w.id]}) if w.id in marks else w
                for w in self._problem.workers
            )
            seats = tuple(
                structs.replace(seat, skills=seat.skills | {marks[stay[n]]}) if n in stay else seat
                for n, seat in enumerate(self.visit.seats)
            )
            visit = structs.replace(self.visit, seats=seats)
            visits = (*(other for other in self._problem.visits if other.id != visit.id), visit)
            problem = structs.replace(self._problem, workers=workers, visits=visits)
            self._ready[key] = problem, visit, Prepared(problem, self._base)
        return self._ready[key]
