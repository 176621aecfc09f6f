"""Finding a crew for one more visit: by the platform's own rule, or by the honest baseline it is measured against."""

from collections.abc import Sequence

import msgspec

from backend.scheduling.nearest import insert_nearest
from backend.scheduling.settling import settled
from backend.scheduling.snapshots import Day, Planner
from dispatch import Insertion, Link, Problem, Refusal, Visit, insert


def place(planner: Planner, day: Day, visit: Visit, links: Sequence[Link] = ()) -> Insertion | Refusal:
    """The day with the visit in it, tied to others of the day when asked, or why nobody can."""
    if not day.problem.workers:
        return Refusal(visit.id, (), "no_shift")  # nobody, and so no way to travel either
    problem = with_visit(day, visit, links)
    if planner.policy == "nearest":
        return insert_nearest(problem, settled(day), visit)
    return insert(problem, day.plan, visit, planner.prepared(day))


def with_visit(day: Day, visit: Visit, links: Sequence[Link]) -> Problem:
    """The day's problem with one more visit and its links."""
    visits = (*(other for other in day.problem.visits if other.id != visit.id), visit)
    return msgspec.structs.replace(day.problem, visits=visits, links=(*day.problem.links, *links))
