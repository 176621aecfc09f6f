"""Everything that can happen on a day, to the line: what of the day and the plan is another one right after it, and nothing else."""

from typing import Any, Final

import pytest

from dispatch import (
    Cancelled,
    Link,
    NewOrder,
    NoAccess,
    Overrun,
    Plan,
    PointClosed,
    Problem,
    Shift,
    SlowTravel,
    WorkerBack,
    WorkerEarly,
    WorkerIll,
    WorkerLate,
)
from dispatch.happenings import begun_at, happened
from tests.support.edges import WAYS, Day, _day, _meal, _visit, _worker

_NOW: Final = 1300
_PLAN: Final = "w: old@1100! new@1790; x: +cold@1200! -cold@1400 old.1@1500; y: +warm@1300 -warm@1500; z: late@3000"


def _midday() -> Day:
    """One is with old and waits for x, x has a meal in the box, y fetches one now, z has done nothing yet."""
    people = [_worker(name) for name in "wxy"] + [_worker("z", mode="bike", first=2000)]
    visits = _visit("old", 1, 1100, crew=2), _visit("new", 2, 1790), _visit("late", 1, 3000)
    return _day(
        _PLAN, *people, *visits, _meal("cold", 1, 1400), _meal("warm", 3, 1500), Link("new", "late", 0), now=_NOW
    )


def _lines(problem: Problem, plan: Plan) -> set[str]:
    """The day and its plan, a line a fact."""
    stops = (stop for route in plan.routes.values() for stop in route)
    said = [f"{s.worker} {s.kind} {s.visit}.{s.seat} at {s.place} {s.start_s}-{s.end_s}{'!' * s.locked}" for s in stops]
    said += [f"{w.id} works {s.start_s}-{s.end_s}" for w in problem.workers for s in w.shifts]
    said += [f"{v.id} lasts {'+'.join(str(seat.duration_s) for seat in v.seats)}" for v in problem.visits]
    said += [f"{v.id} from {v.delivery.pickup_place} at {v.delivery.ready_s}" for v in problem.visits if v.delivery]
    said += [f"{mode} takes {problem.travel[mode].tolist()}" for mode in problem.travel]
    return {
        *said,
        *(f"{link.before} before {link.after}" for link in problem.links),
        *(f"without {v}" for v in plan.unserved),
    }


_OLD, _NEW, _LATE = "w visit old.0 at 1 1100-1700!", "w visit new.0 at 2 1790-2390", "z visit late.0 at 1 3000-3600"
_OLD_X, _COLD = "x visit old.1 at 1 1500-2100", "x drop cold.0 at 1 1400-1410"
_WARM: Final = {"y pickup warm.0 at 2 1300-1310", "y drop warm.0 at 3 1500-1510"}
_HAPPENINGS: Final[dict[str, tuple[Any, set[str], set[str]]]] = {
    "cancelled": (Cancelled("new"), {_NEW, "new lasts 600", "new before late"}, set()),
    "cancelled behind a gap": (Cancelled("late"), {_LATE, "late lasts 600", "new before late"}, set()),
    "cancelled while somebody is there": (Cancelled("old"), {_OLD}, {"w visit old.0 at 1 1100-1300!"}),
    "cancelled with the meal in the box": (
        Cancelled("cold"), {"x pickup cold.0 at 2 1200-1210!", _COLD, "cold lasts 10", "cold from 2 at 1200"},
        {"x break .0 at 2 1200-1210!"},
    ),
    "nobody opens": (NoAccess("old", 1450), {_OLD}, {"w visit old.0 at 1 1100-1450!"}),
    "overrun": (
        Overrun("old", 1900), {_OLD, "old lasts 600+600"}, {"w visit old.0 at 1 1100-1900!", "old lasts 800+600"},
    ),
    "late behind a stop": (WorkerLate("w", 1900), set(), {"w break .0 at 1 1700-1900!"}),
    "late behind a stop that is long over": (WorkerLate("x", 1400), set(), {"x break .0 at 2 1300-1400!"}),
    "late before the first": (WorkerLate("z", 2500), {"z works 2000-9000"}, {"z works 2500-9000"}),
    "late for the whole day": (WorkerLate("z", 9000), {"z works 2000-9000"}, set()),
    "early": (WorkerEarly("w", 1400), {_OLD}, {"w visit old.0 at 1 1100-1400!"}),
    "early before the first": (WorkerEarly("z", 1500), {"z works 2000-9000"}, {"z works 1500-9000"}),
    "ill with a meal in the box": (
        WorkerIll("x"), {"x pickup cold.0 at 2 1200-1210!", _COLD, "x works 1000-9000", _OLD_X},
        {"x break .0 at 2 1200-1210!", "without cold", "without old"},
    ),
    "ill on the way": (WorkerIll("z"), {_LATE, "z works 2000-9000"}, {"without late"}),
    "back": (WorkerBack("z", Shift(4000, 8000)), {"z works 2000-9000"}, {"z works 4000-8000"}),
    "closed for today": (PointClosed(2), {*_WARM, "warm from 2 at 1200"}, {"without warm", "warm from 2 at 1501"}),
    "closed for a while": (PointClosed(2, 1400), {*_WARM, "warm from 2 at 1200"}, {"without warm", "warm from 2 at 1400"}),
    "open again by then": (PointClosed(2, 1100), _WARM, {"without warm"}),
    "another kitchen": (PointClosed(2, instead=0), {*_WARM, "warm from 2 at 1200"}, {"without warm", "warm from 0 at 1200"}),
    "slow roads": (
        SlowTravel(1.004, frozenset({"bike"})), {f"bike takes {[[2 * way for way in row] for row in WAYS]}"},
        {"bike takes [[0, 201, 402, 523], [262, 0, 181, 302], [342, 221, 0, 141], [563, 322, 121, 0]]"},
    ),
    "a new order": (NewOrder(_visit("more", 3, 2000), (Link("old", "more", 5),)), set(), {"more lasts 600", "old before more", "without more"}),
}  # fmt: skip
"""By what happens: the lines that are gone, and the new ones."""


@pytest.mark.parametrize("name", _HAPPENINGS)
def test_what_happens_changes_what_it_is_about_and_nothing_else(name: str) -> None:
    event, gone, new = _HAPPENINGS[name]
    day = _midday()
    before, after = _lines(day.problem, day.plan), _lines(*happened(day.problem, day.plan, event))
    assert (before - after, after - before) == (gone, new)


def test_what_has_begun_is_locked_with_the_colleagues_of_whoever_is_there() -> None:
    day = _midday()
    locked = {
        (s.visit, s.seat, s.kind) for route in begun_at(day.plan, _NOW).routes.values() for s in route if s.locked
    }
    assert locked == {("old", 0, "visit"), ("old", 1, "visit"), ("cold", 0, "pickup"), ("warm", 0, "pickup")}
