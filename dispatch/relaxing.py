"""What could give so that a visit finds its place: by how much, whose, and the day as it would be then.

A refused worker and a provider who is not asked never give: these are people's own decisions.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from dispatch.problem import Problem, Seat, Shift, Visit, Worker


class Later(Struct, frozen=True, tag_field="kind", tag="later"):
    """The visit may begin so many seconds after its window."""

    by_s: int


class Earlier(Struct, frozen=True, tag_field="kind", tag="earlier"):
    """The visit may begin so many seconds before its window; of a meal, its kitchen is ready as much earlier."""

    by_s: int


class LongerShift(Struct, frozen=True, tag_field="kind", tag="longer_shift"):
    """One worker begins earlier or stays longer, seconds; a longest day grows as much."""

    worker: str
    before_s: int = 0
    after_s: int = 0


class MoreWorkers(Struct, frozen=True, tag_field="kind", tag="more_workers"):
    """More workers with these skills, of a provider, from a place, with the shifts and vehicle of a worker there is."""

    like: str
    provider: str
    place: int
    count: int
    skills: tuple[str, ...]
    gender: str | None = None


class AnyGender(Struct, frozen=True, tag_field="kind", tag="any_gender"):
    """The wish for a gender is given up for some seats, counted from 0."""

    seats: tuple[int, ...]


class MoreSkills(Struct, frozen=True, tag_field="kind", tag="more_skills"):
    """One worker holds these skills as well."""

    worker: str
    skills: tuple[str, ...]


Relaxation = Later | Earlier | LongerShift | MoreWorkers | AnyGender | MoreSkills


def relaxed(problem: Problem, visit_id: str, what: Relaxation) -> Problem:
    """The day as it would be. Raises KeyError for a worker nobody knows."""
    workers, visits = problem.workers, problem.visits
    match what:
        case Later() | Earlier() | AnyGender():
            return replace(problem, visits=tuple(_eased(v, what) if v.id == visit_id else v for v in visits))
        case LongerShift():
            changed = {what.worker: _longer(_known(problem, what.worker), what.before_s, what.after_s)}
        case MoreSkills():
            worker = _known(problem, what.worker)
            changed = {what.worker: replace(worker, skills=worker.skills | frozenset(what.skills))}
        case MoreWorkers():
            model = replace(_known(problem, what.like), skills=frozenset(what.skills), gender=what.gender)
            more = (replace(model, id=f"{model.id}+{n}") for n in range(1, what.count + 1))
            return replace(problem, workers=(*workers, *more))
    return replace(problem, workers=tuple(changed.get(worker.id, worker) for worker in workers))


def _known(problem: Problem, worker_id: str) -> Worker:
    return {worker.id: worker for worker in problem.workers}[worker_id]


def _eased(visit: Visit, what: Later | Earlier | AnyGender) -> Visit:
    match what:
        case Later():
            return replace(visit, latest_s=visit.latest_s + what.by_s)
        case Earlier():
            meal = visit.delivery
            sooner = None if meal is None else replace(meal, ready_s=meal.ready_s - what.by_s)
            return replace(visit, earliest_s=visit.earliest_s - what.by_s, delivery=sooner)
        case AnyGender():
            seats = tuple(replace(s, gender=None) if n in what.seats else s for n, s in enumerate(visit.seats))
            return replace(visit, seats=seats)


def _longer(worker: Worker, before_s: int, after_s: int) -> Worker:
    """The first shift begins earlier, the last one ends later."""
    shifts = list(worker.shifts)
    shifts[0] = Shift(shifts[0].start_s - before_s, shifts[0].end_s)
    shifts[-1] = Shift(shifts[-1].start_s, shifts[-1].end_s + after_s)
    span = None if worker.max_span_s is None else worker.max_span_s + before_s + after_s
    return replace(worker, shifts=tuple(shifts), max_span_s=span)


def sentence(what: Relaxation, seats: tuple[Seat, ...], told: Callable[[int], str], place: Callable[[int], str]) -> str:
    """A relaxation in plain words; `told` says a length of time and `place` where a place is."""
    match what:
        case Later():
            said = f"{told(what.by_s)} later"
        case Earlier():
            said = f"{told(what.by_s)} earlier"
        case LongerShift(before_s=0):
            said = f"{what.worker} stays {told(what.after_s)} longer"
        case LongerShift():
            said = f"{what.worker} begins {told(what.before_s)} earlier"
        case MoreSkills():
            said = f"{what.worker} can do {' and '.join(what.skills)} too"
        case AnyGender():
            wished = " and ".join(dict.fromkeys(seats[n].gender or "" for n in what.seats))
            said = f"somebody who is not {wished} may come"
        case MoreWorkers():
            people = "one more worker" if what.count == 1 else f"{what.count} more workers"
            skills = f" for {' and '.join(what.skills)}" if what.skills else ""
            gender = f" ({what.gender})" if what.gender else ""
            said = f"{people}{skills}{gender} of {what.provider} from {place(what.place)}"
    return said
