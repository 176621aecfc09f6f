"""What an attempt to place a visit comes back with."""

from collections.abc import Sequence

from msgspec import Struct

from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit


class WorkerRefusal(Struct, frozen=True):
    """The first rule that keeps one worker from a visit."""

    worker: str
    rule: str
    detail: str = ""


class Insertion(Struct, frozen=True):
    """A visit placed: the new plan, the visit's own stops, and what it cost."""

    plan: Plan
    stops: tuple[Stop, ...]
    cost: int


class Refusal(Struct, frozen=True):
    """Nobody can: per worker the first rule that refuses, and the commonest of them."""

    visit: str
    reasons: tuple[WorkerRefusal, ...]
    summary: str


class Slot(Struct, frozen=True):
    """A start that can be promised, with its crew in seat order and its cost."""

    start_s: int
    cost: int
    crew: tuple[str, ...]
    late_s: int


def refused(visit: Visit, refusals: Sequence[WorkerRefusal], problem: Problem) -> Refusal:
    """Why nobody can: a route too full weighs more than a person who never could."""
    rules = [reason.rule for reason in refusals]
    if not problem.workers:
        return Refusal(visit.id, (), "no_shift")
    serious = [rule for rule in rules if rule in {"no_gap", "window"}]
    # of several as common the first: a set's order would change from process to process
    summary = max(serious or rules, key=(serious or rules).count) if rules else "crew_together"
    return Refusal(visit.id, tuple(refusals), summary)
