"""Tiny days that are just possible, and the same days one second, one unit or one name further: a table of the planner's rules.

Every row is a day made for `by` 0 and 1. At 0 the plan written beside it keeps every rule and costs what is counted here
by hand from the text of the rules; at 1 it breaks the rule named, or costs what the second figure says.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from msgspec import Struct

from dispatch import (
    Break,
    Delivery,
    Equipment,
    Link,
    Plan,
    Problem,
    Promise,
    Seat,
    Shift,
    Stop,
    Visit,
    Weights,
    Worker,
)

# from row to column, no way as long as the way back: 1 and 2 lie near each other, 3 behind them
WAYS: Final = ((0, 100, 200, 260), (130, 0, 90, 150), (170, 110, 0, 70), (280, 160, 60, 0))
NOT_CHECKED: Final = ""  # nobody is sent before now: a plan does not tell when somebody set out


class Day(Struct, frozen=True):
    """A day and a plan that serves all of it, the visit `new` too."""

    problem: Problem
    plan: Plan

    @property
    def new(self) -> Visit:
        return next(visit for visit in self.problem.visits if visit.id == "new")


class Row(Struct, frozen=True):
    """One rule: its day at 0 and at 1, what it costs at 0, and at 1 the rule broken or the cost."""

    name: str
    made: Callable[[int], Day]
    cost: int
    then: str | int


def _worker(name: str = "w", first: int = 1000, last: int = 9000, **more: Any) -> Worker:
    usual: dict[str, Any] = {"provider": "p", "skills": frozenset(name), "start_place": 0, "end_place": 0}
    told: dict[str, Any] = {**usual, "shifts": (Shift(first, last),), **more}
    return Worker(id=name, **told)


def _visit(
    name: str, place: int, lo: int, hi: int | None = None, lasts: int = 600, crew: int = 1, **more: Any
) -> Visit:
    """A visit that may begin from `lo` to `hi`, else at `lo` alone; `by` names the one worker who knows how."""
    skills = frozenset(more.pop("by", ()))
    seat = Seat(skills, lasts, more.pop("gender", None), more.pop("heavy", False))
    seats = more.pop("seats", (seat,) * crew)
    return Visit(name, place, seats, lo, lo if hi is None else hi, **more)


def _meal(name: str, place: int, lo: int, *, ready: int = 1200, busy: int = 10, ride: int | None = None, load: int = 1,
          **more: Any) -> Visit:  # fmt: skip
    return _visit(name, place, lo, lasts=10, delivery=Delivery(2, ready, busy, ride, load), **more)


def _day(text: str, *parts: Worker | Visit | Link | Equipment, ways: dict[tuple[int, int], int] | None = None,
         now: int = 0, bike: int = 0, **weights: Any) -> Day:  # fmt: skip
    """A day of these parts and the plan that the text says; worker w is there unless others are named."""
    matrix = np.array(WAYS, np.int32)
    for (a, b), way in (ways or {}).items():
        matrix[a, b] = way
    slow = 2 * np.array(WAYS, np.int32)
    slow[0, 1] += bike
    workers = tuple(part for part in parts if isinstance(part, Worker)) or (_worker(),)
    problem = Problem(
        workers=workers, visits=tuple(part for part in parts if isinstance(part, Visit)),
        links=tuple(part for part in parts if isinstance(part, Link)),
        equipment=tuple(part for part in parts if isinstance(part, Equipment)),
        travel={"car": matrix, "bike": slow}, now_s=now, weights=Weights(**weights),
    )  # fmt: skip
    return Day(problem, read(problem, text))


def read(problem: Problem, text: str) -> Plan:
    """A plan from a text: `w: old@1100! new.1@1790; x: +meal@1200 -meal@1320`; `!` has begun, `-1750` lasted until then."""
    visits = {visit.id: visit for visit in problem.visits}
    routes: dict[str, tuple[Stop, ...]] = {worker.id: () for worker in problem.workers}
    for part in text.split(";"):
        worker, _, said = part.strip().partition(": ")
        stops: list[Stop] = []
        for kind, name, seat, start, end, locked in re.findall(r"([+-]?)(\w+)(?:\.(\d))?@(\d+)(?:-(\d+))?(!?)", said):
            visit, meal = visits[name], visits[name].delivery
            number, begin = int(seat or 0), int(start)
            place, lasts = visit.place, visit.seats[number].duration_s
            if kind == "+" and meal is not None:
                place, lasts = meal.pickup_place, meal.pickup_duration_s
            over = int(end) if end else begin + lasts
            what: Any = {"+": "pickup", "-": "drop", "": "visit"}[kind]
            stops.append(Stop(worker, what, name, number, place, begin, over, bool(locked)))
        routes[worker] = tuple(stops)
    return Plan(routes)


def _two(text: str, **more: Any) -> Day:
    """One worker goes to 1 at 1100 and to 2 later: 100 + 90 + 170 on the road."""
    return _day(text, _visit("old", 1, 1100), _visit("new", 2, more.pop("at", 1790)), **more)


def _chain(*, last: int = 9000, lasts: int = 600, latest: int = 2460, way: int = 70) -> Day:
    """One more visit before two others, which are held up: 100 + 90 + 70 + 280 on the road."""
    others = _visit("a", 2, 1200, 1800, lasts), _visit("c", 3, 1300, latest)
    text = "w: new@1100 a@1790 c@2460"
    return _day(text, _worker(last=last), _visit("new", 1, 1100), *others, ways={(2, 3): way})


def _shared(text: str, first: str, *things: Equipment, at: tuple[int, int] = (1100, 1800), q: str = "p",
            now: int = 0) -> Day:  # fmt: skip
    """Two visits at 1 that need a tub, each of one worker: twice 100 + 130 on the road."""
    other = {"old": "new", "new": "old"}[first]
    tub = frozenset({"tub"})
    return _day(
        text, _worker(), _worker("x", provider=q), *things, _visit(first, 1, at[0], by="w", equipment=tub),
        _visit(other, 1, at[1], by="x", equipment=tub), now=now,
    )  # fmt: skip


def _linked(link: Link, *, new: str = "new", now: int = 0, begun: str = "") -> Day:
    """From 1 at 1100 to 2 at 2100, with a gap between the two: 100 + 90 + 170 on the road."""
    first = "old" if new == "new" else "new"
    return _day(f"w: {first}@1100{begun} {new}@2100", _visit(first, 1, 1100), _visit(new, 2, 2100), link, now=now)


def _wished(cost: dict[str, Any] | None = None, *, worker: dict[str, Any] | None = None, **more: Any) -> Day:
    """One visit at 1 with a wish: 100 + 130 on the road."""
    return _day("w: new@1100", _worker(**(worker or {})), _visit("new", 1, 1100, **more), **(cost or {}))


def _next(**more: Any) -> Day:
    """A new visit holds up the next until 1790, which has its price: 100 + 90 + 170 on the road."""
    return _day("w: new@1100 old@1790", _visit("new", 1, 1100), _visit("old", 2, 1200, 3000, **more), moved_s=2)


def _pair(cost: dict[str, Any] | None = None, **more: Any) -> Day:
    """Two go to 1 together: twice 100 + 130 on the road."""
    workers = _worker(), _worker("x")
    return _day("w: new@1100; x: new.1@1100", *workers, _visit("new", 1, 1100, crew=2, **more), **(cost or {}))


_TUB = frozenset({"tub"})
_SPLIT = Shift(1000, 2000), Shift(3000, 9000)
_LATER = (Shift(1000, 9000),)
_HELD = "w: +new@1280 -new@1400"  # fetched so late that the ride is short enough
_OVER = "w: +new@1200 old@1280 -new@1540"
_TRAY = "w: +old@1200 +new@1210 -old@1330 -new@1490"


def _tray(b: int, text: str = _TRAY, now: int = 0) -> Day:
    return _day(text, _worker(box_capacity=2 - b), _meal("old", 1, 1330), _meal("new", 3, 1490), now=now)


def _lunch(*, box: int = 2, **more: Any) -> Day:
    """Fetched at 2 and brought to 1: 200 + 110 + 130 on the road, and a fifth of the 120 seconds it cools."""
    ways = more.pop("ways", None)
    cost = more.pop("cost", {})
    at = more.pop("at", 1320)
    meal = _meal("new", 1, at, **more)
    return _day(f"w: +new@1200 -new@{at}", _worker(box_capacity=box), meal, ways=ways, **cost)


def _crew_waits(b: int) -> Day:
    """One of two comes from another visit, the other waits for her: 230, and 200 + 110 + 130 on the road."""
    return _day(
        "w: new@1910; x: old@1200 new.1@1910", _worker(), _worker("x"), _visit("old", 2, 1200, by="x"),
        _visit("new", 1, 1000, 1910 - b, crew=2),
    )  # fmt: skip


def _crew_parts(*, short: int = 600, old: tuple[int, int | None] = (1200, 1790)) -> Day:
    """One of two goes on to another visit: 230, and 100 + 90 + 170 on the road."""
    seats = Seat(frozenset(), 600), Seat(frozenset(), short)
    begin = 1700 - 600 + (300 if short < 600 else 600) + 90
    text = f"w: new@1100; x: new.1@1100 old@{begin}"
    return _day(text, _worker(), _worker("x"), _visit("new", 1, 1100, seats=seats), _visit("old", 2, *old, by="x"))


def _pushed(b: int) -> Day:
    """A new visit holds up a linked one in another route: 230, and 200 + 170 on the road."""
    return _day(
        "w: new@1100; x: old@2100", _worker(), _worker("x"), _visit("new", 1, 1100, by="w"),
        _visit("old", 2, 1200, 2100 - b, by="x"), Link("new", "old", 1000),
    )  # fmt: skip


def _rested(breaks: tuple[Break, ...], at: int = 2090, now: int = 0) -> Day:
    text = f"w: old@1100{'!' * (now > 0)} new@{at}"
    return _day(text, _worker(breaks=breaks), _visit("old", 1, 1100), _visit("new", 2, at), now=now)


ROWS: Final = (
    # ways, handling, shifts
    Row("the shift begins", lambda b: _day("w: new@1100", _worker(first=1000 + b), _visit("new", 1, 1100)), 230, "travel"),
    Row("the way there", lambda b: _day("w: new@1100", _visit("new", 1, 1100), ways={(0, 1): 100 + b}), 230, "travel"),
    Row("the way between two", lambda b: _two("w: old@1100 new@1790", ways={(1, 2): 90 + b}), 360, "travel"),
    Row("the handling before", lambda b: _day("w: old@1100 new@1790", _visit("old", 1, 1100, lasts=600 + b),
        _visit("new", 2, 1790)), 360, "travel"),
    Row("its own handling", lambda b: _day("w: new@1100 old@1790", _visit("new", 1, 1100, lasts=600 + b),
        _visit("old", 2, 1790)), 360, "travel"),
    Row("the way to the next", lambda b: _day("w: new@1100 old@1790", _visit("new", 1, 1100), _visit("old", 2, 1790),
        ways={(1, 2): 90 + b}), 360, "travel"),
    Row("the latest start of the next", lambda b: _day("w: new@1100 old@1790", _visit("new", 1, 1100),
        _visit("old", 2, 1200, 1790 - b)), 360, "window"),
    Row("the latest start of the one after", lambda b: _chain(latest=2460 - b), 540, "window"),
    Row("the handling of the next", lambda b: _chain(lasts=600 + b), 540, "travel"),
    Row("the way from the next", lambda b: _chain(way=70 + b), 540, "travel"),
    Row("the end of the shift behind two others", lambda b: _chain(last=3340 - b), 540, "return"),
    Row("the end of the shift", lambda b: _day("w: new@4000", _worker(last=4730 - b), _visit("new", 1, 4000)), 230, "return"),
    Row("the way home", lambda b: _day("w: new@4000", _worker(last=4730), _visit("new", 1, 4000), ways={(1, 0): 130 + b}),
        230, "return"),
    Row("the end of the last stop", lambda b: _day("w: new@4000", _worker(last=4600 - b, end_place=None),
        _visit("new", 1, 4000)), 100, "shift"),
    Row("the earliest start", lambda b: _day("w: new@1100", _worker(last=1830), _visit("new", 1, 1100 + b, 1200)), 230, "window"),
    Row("the latest start", lambda b: _day("w: new@1100", _visit("new", 1, 1050, 1100 - b)), 230, "window"),
    Row("the second shift begins", lambda b: _day("w: new@3100", _worker(shifts=(_SPLIT[0], Shift(3000 + b, 9000))),
        _visit("new", 1, 3100)), 230, "travel"),
    Row("the way into the second shift", lambda b: _day("w: old@1200 new@3100", _worker(shifts=_SPLIT), _visit("old", 2, 1200),
        _visit("new", 1, 3100), ways={(0, 1): 100 + b}), 440, "travel"),
    Row("the end of the first shift", lambda b: _day("w: new@1200 old@3100", _worker(shifts=(Shift(1000, 1970 - b), _SPLIT[1])),
        _visit("new", 2, 1200), _visit("old", 1, 3100)), 440, "return"),
    Row("a stop that makes the way shorter", lambda b: _day("w: new@1100 old@1790", _worker(shifts=(Shift(100, 200), *_LATER), breaks=(Break(0, 50, 10),)),
        _visit("new", 1, 1100), _visit("old", 2, 1200, 1790 - b), ways={(0, 2): 250}), 360, "window"),
    Row("the ways of a mode", lambda b: _day("w: new@1200", _worker(mode="bike"), _visit("new", 1, 1200), bike=b), 460, "travel"),
    # what has begun
    Row("nobody sets out before now", lambda b: _day("w: new@1600", _visit("new", 1, 1000, 1600), now=1500 + b), 230, NOT_CHECKED),
    Row("nobody goes on before now", lambda b: _day("w: old@1100! new@1890", _visit("old", 1, 1100), _visit("new", 2, 1000, 1890),
        now=1800 + b), 360, NOT_CHECKED),
    Row("the way from what has begun", lambda b: _two("w: old@1100! new@1790", ways={(1, 2): 90 + b}, now=1200), 360, "travel"),
    Row("the end of what has begun", lambda b: _two(f"w: old@1100-{1750 + b}! new@1840", at=1840, now=1200), 360, "travel"),
    Row("the shift that begins after what has begun", lambda b: _day("w: old@300! new@1790", _worker(first=1700 + b),
        _visit("old", 1, 300), _visit("new", 2, 1790), ways={(0, 2): 90}, now=1000), 360, "travel"),
    Row("the gap to what has begun", lambda b: _linked(Link("old", "new", 1000 + b), now=1200, begun="!"), 360, "gap"),
    Row("the gap to the end of what has begun", lambda b: _linked(Link("old", "new", 0, 400 - b, from_end=True), now=1200,
        begun="!"), 360, "gap"),
    Row("the box under way", lambda b: _tray(b, _TRAY.replace("@1200", "@1200!"), now=1205), 824, "capacity"),
    Row("the tub of what has begun", lambda b: _shared("w: old@1100!; x: new@1800", "old", Equipment("tub", 1, 100 + b),
        now=1200), 460, "equipment"),
    Row("the load of what has begun", lambda b: _day("w: old@1100! new@1790", _worker(capacity=5 - b), _visit("old", 1, 1100, load=3),
        _visit("new", 2, 1790, load=2), now=1200), 360, "capacity"),
    Row("the work of what has begun", lambda b: _day("w: old@1100! new@1790", _worker(max_work_s=1560 - b), _visit("old", 1, 1100),
        _visit("new", 2, 1790), now=1200), 360, "work"),
    Row("the day of what has begun", lambda b: _day("w: old@1100! new@3000", _worker(max_span_s=2770 - b), _visit("old", 1, 1100),
        _visit("new", 2, 3000), now=1200), 360, "span"),
    Row("the heavy seat of what has begun", lambda b: _day("w: old@1100! new@1790", _worker(max_heavy=2 - b),
        _visit("old", 1, 1100, heavy=True), _visit("new", 2, 1790, heavy=True), now=1200), 360, "heavy"),
    Row("nobody serves both where the later has begun", lambda b: _linked(Link("new", "old", 0, apart=bool(b)), now=1200, begun="!"),
        360, "apart"),
    Row("who has fetched a meal has not been at its door", lambda b: _day(
        ("w: +old@1200! -old@1330; x: new@2100", "w: +old@1200! -old@1330 new@2100")[b], _worker(), _worker("x"), _meal("old", 1, 1330),
        _visit("new", 2, 2100, by="xw"[b]), Link("old", "new", 0, apart=True), now=1205), 836, "apart"),
    Row("nobody takes all breaks at once", lambda b: _day(("w: new@1600", "x: new@1600")[b], _worker(),
        _worker("x", breaks=(Break(1000, 1400, 300), Break(1000, 1450, 300))), _visit("new", 1, 1600, by="wx"[b]), now=1200), 230, "break"),
    # rests
    Row("a break between two", lambda b: _rested((Break(1700, 1700, 300 + b),)), 360, "break"),
    Row("a break under way", lambda b: _rested((Break(1700, 1800, 300 + b),), now=1750), 360, "break"),
    Row("a second break", lambda b: _rested((Break(1700, 1700, 100), Break(1750, 1800, 200 + b))), 360, "break"),
    Row("the latest begin of a break", lambda b: _day("w: new@1100", _worker(breaks=(Break(1050, 1700 - b, 300),)),
        _visit("new", 1, 1100)), 230, "break"),
    Row("the earliest begin of a break", lambda b: _day("w: new@1400", _worker(breaks=(Break(1200 + b, 1200 + b, 100),)),
        _visit("new", 1, 1400)), 230, "break"),
    Row("a break in time off", lambda b: _day("w: old@1100 new@3100", _worker(shifts=_SPLIT, breaks=(Break(1700, 1700, 1300 + b),)),
        _visit("old", 1, 1100), _visit("new", 1, 3100)), 230, "break"),
    # whole days
    Row("the work of a day", lambda b: _wished(worker={"max_work_s": 830 - b}), 230, "work"),
    Row("the work of two visits", lambda b: _day("w: old@1100 new@1790", _worker(max_work_s=1560 - b), _visit("old", 1, 1100),
        _visit("new", 2, 1790)), 360, "work"),
    Row("the longest day", lambda b: _day("w: old@1100 new@3000", _worker(max_span_s=2770 - b), _visit("old", 1, 1100),
        _visit("new", 2, 3000)), 360, "span"),
    Row("the longest day of who sets out late", lambda b: _day("w: old@1300 new@3000", _worker(max_span_s=2570 - b),
        _visit("old", 1, 1100, 1300), _visit("new", 2, 3000)), 360, "span"),
    Row("two heavy seats", lambda b: _day("w: old@1100 new@1790", _worker(max_heavy=2 - b), _visit("old", 1, 1100, heavy=True),
        _visit("new", 2, 1790, heavy=True)), 360, "heavy"),
    Row("a heavy seat", lambda b: _wished(worker={"max_heavy": 1 - b}, heavy=True), 230, "heavy"),
    Row("the vehicle over the route", lambda b: _day("w: old@1100 new@1790", _worker(capacity=5 - b), _visit("old", 1, 1100, load=3),
        _visit("new", 2, 1790, load=2)), 360, "capacity"),
    Row("the vehicle", lambda b: _wished(worker={"capacity": 2 - b}, load=2), 230, "capacity"),
    # meals
    Row("a meal is ready", lambda b: _lunch(ready=1200 + b), 464, "ready"),
    Row("fetching takes its time", lambda b: _lunch(busy=10 + b), 464, "travel"),
    Row("the way from the kitchen", lambda b: _lunch(ways={(2, 1): 110 + b}), 464, "travel"),
    Row("the way to the kitchen", lambda b: _lunch(ways={(0, 2): 200 + b}), 464, "travel"),
    Row("the longest ride", lambda b: _lunch(ride=110 - b), 464, "max_ride"),
    Row("the longest ride of a meal fetched late", lambda b: _day(_HELD, _meal("new", 1, 1400, ride=110 - b)), 480, "max_ride"),
    Row("the longest ride past another stop", lambda b: _day(_OVER, _visit("old", 3, 1280, lasts=100), _meal("new", 1, 1540, ride=330 - b)),
        628, "max_ride"),
    Row("a large meal in the box", lambda b: _lunch(box=2 - b, load=2), 464, "capacity"),
    Row("two meals in the box", _tray, 824, "capacity"),
    Row("a late meal", lambda b: _lunch(due_s=1320 - b), 464, 464 + 2501),
    Row("a meal that waits", lambda b: _lunch(at=1320 + b, cost={"wait_s": 3}), 440 + 360, 440 + 363),
    Row("the longest ride of a meal under way", lambda b: _day("w: +old@1200! new@1280 -old@1540", _visit("new", 3, 1280, lasts=100),
        _visit("old", 1, 1400, 1540, lasts=10, delivery=Delivery(2, 1200, 10, 330 - b)), now=1205), 628, "max_ride"),
    Row("the box is empty again", lambda b: _day("w: +old@1200 -old@1320 +new@1420 -new@1500", _worker(box_capacity=1),
        _meal("old", 1, 1320), _meal("new", 3, 1500), ways={(2, 3): 70 + b}), 834, "travel"),
    Row("the longest ride past a new stop", lambda b: _day("w: +old@1200 new@1280 -old@1540", _visit("new", 3, 1280, lasts=100),
        _meal("old", 1, 1540, ride=330 - b)), 628, "max_ride"),
    # people
    Row("the skills", lambda b: _wished(seats=(Seat(frozenset(("w", "wx")[b]), 600),)), 230, "skills"),
    Row("the gender", lambda b: _wished(worker={"gender": ("female", "male")[b]}, gender="female"), 230, "gender"),
    Row("no gender known", lambda b: _wished(worker={"gender": ("female", None)[b]}, gender="female"), 230, "gender"),
    Row("the gender of one of two", lambda b: _day("w: new@1100", _worker("x", gender="male", skills=frozenset("w")), _worker(gender=("female", "male")[b]),
        _visit("new", 1, 1100, gender="female")), 230, "gender"),
    Row("somebody refused", lambda b: _wished(refused_workers=frozenset({"xw"[b]})), 230, "refused"),
    Row("the provider", lambda b: _wished(providers=frozenset({"pq"[b]})), 230, "provider"),
    # crews
    Row("a crew of two providers", lambda b: _day("w: new@1100; x: new.1@1100", _worker(), _worker("x", provider="pq"[b]),
        _visit("new", 1, 1100, crew=2)), 460, "crew_provider"),
    Row("a crew waits for its last", _crew_waits, 670, "window"),
    Row("one of a crew goes on", lambda b: _crew_parts(old=(1200, 1790 - b)), 590, "window"),
    Row("each of a crew stays as long as the seat", lambda b: _crew_parts(short=300 + b, old=(1490, None)), 590, "travel"),
    # links
    Row("the least gap", lambda b: _linked(Link("old", "new", 1000 + b)), 360, "gap"),
    Row("the greatest gap", lambda b: _linked(Link("old", "new", 0, 1000 - b)), 360, "gap"),
    Row("the least gap from the end", lambda b: _linked(Link("old", "new", 400 + b, from_end=True)), 360, "gap"),
    Row("the greatest gap from the end", lambda b: _linked(Link("old", "new", 0, 400 - b, from_end=True)), 360, "gap"),
    Row("the least gap to a later one", lambda b: _linked(Link("new", "old", 1000 + b), new="old"), 360, "gap"),
    Row("the greatest gap to a later one", lambda b: _linked(Link("new", "old", 0, 1000 - b), new="old"), 360, "gap"),
    Row("the least gap from its own end", lambda b: _linked(Link("new", "old", 400 + b, from_end=True), new="old"), 360, "gap"),
    Row("the greatest gap from its own end", lambda b: _linked(Link("new", "old", 0, 400 - b, from_end=True), new="old"), 360, "gap"),
    Row("a linked visit in another route", _pushed, 600, "window"),
    Row("nobody serves both", lambda b: _linked(Link("old", "new", 0, apart=bool(b))), 360, "apart"),
    Row("nobody serves both where one has begun", lambda b: _linked(Link("old", "new", 0, apart=bool(b)), now=1200, begun="!"), 360,
        "apart"),
    # equipment
    Row("a tub comes back", lambda b: _shared("w: old@1100; x: new@1800", "old", Equipment("tub", 1, 100 + b)), 460, "equipment"),
    Row("a tub is needed next", lambda b: _shared("w: new@1100; x: old@1800", "new", Equipment("tub", 1, 100 + b)), 460, "equipment"),
    Row("two tubs", lambda b: _shared("w: old@1100; x: new@1100", "old", Equipment("tub", 2 - b), at=(1100, 1100)), 460, "equipment"),
    Row("each provider's own tub", lambda b: _shared("w: old@1100; x: new@1100", "old", Equipment("tub", 1, 0, "p"),
        Equipment("tub", 1 - b, 0, "q"), at=(1100, 1100), q="q"), 460, "equipment"),
    Row("the tub stays as long as the last of a crew", lambda b: _day("w: old@1100; x: old.1@1100; y: new@1800", _worker(), _worker("x"),
        _worker("y"), Equipment("tub", 1, 100), _visit("new", 1, 1800, by="y", equipment=_TUB), _visit("old", 1, 1100,
        seats=(Seat(frozenset("w"), 300), Seat(frozenset("x"), 600 + b)), equipment=_TUB)), 690, "equipment"),
    # what may be broken at a price
    Row("a visit is late", lambda b: _wished(due_s=1100 - b), 230, 230 + 1204),
    Row("the latest of all", lambda b: _wished({"late_max_s": 3}, due_s=1100 - b), 230, 230 + 1207),
    Row("each seat is late", lambda b: _pair({"late_each_seat": True}, due_s=1100 - b), 460, 460 + 2408),
    Row("a crew is late once", lambda b: _pair(due_s=1100 - b), 460, 460 + 1204),
    Row("later than told", lambda b: _wished({"moved_s": 2}, promised=Promise(1000, frozenset(), 100 - b)), 230, 232),
    Row("earlier than told", lambda b: _wished({"moved_s": 2}, promised=Promise(1200, frozenset(), 100 - b)), 230, 232),
    Row("as told where there is room", lambda b: _day("w: new@1500", _visit("new", 1, 1100, 2000, promised=Promise(1500, frozenset(), 60)),
        ways={(0, 1): 100 + b}), 230, 231),
    Row("another than told", lambda b: _wished(promised=Promise(None, frozenset("wx"[b]))), 230, 430),
    Row("the preferred worker", lambda b: _wished(preferred_worker="wx"[b]), 230, 830),
    Row("the preferred of a crew", lambda b: _pair(preferred_worker="xz"[b]), 460, 1060),
    Row("known workers of a crew", lambda b: _pair(known_workers=frozenset("xz"[b])), 760, 1060),
    Row("the next is late", lambda b: _next(due_s=1790 - b), 360, 360 + 1204),
    Row("the next is later than told", lambda b: _next(promised=Promise(1200, frozenset(), 590 - b)), 360, 362),
    Row("the next meal waits", lambda b: _day("w: new@1100 +old@1790 -old@1910", _visit("new", 1, 1100), _visit("old", 1, 1210, 1910,
        lasts=10, delivery=Delivery(2, 1200, 10)), wait_s=1 + b), 430 + 710, 430 + 1420),
    Row("the language", lambda b: _wished(worker={"languages": frozenset({"Wu"})}, languages=frozenset({("Wu", "Min")[b]})), 230, 530),
    Row("a second of travel", lambda b: _day("w: new@1200", _visit("new", 1, 1200), ways={(0, 1): 100 + b}, travel_s=2), 460, 462),
    Row("work beyond an even share", lambda b: _day("w: new@1200", _worker(), _worker("x"), _visit("new", 1, 1200, lasts=600 + 2 * b,
        by="w"), uneven=1), 530, 531),
)  # fmt: skip


def _couple(text: str, **more: Any) -> Day:
    return _day(text, _worker(), _worker("x"), _visit("new", 1, 1000, 1300, crew=2), **more)


def _held(text: str, now: int = 0) -> Day:
    """One person after two others, who must not be one of them."""
    workers = _worker(), _worker("x"), _worker("y")
    return _day(
        text,
        *workers,
        _visit("old", 1, 1100, crew=2),
        _visit("new", 1, 1700, 2000),
        Link("old", "new", 0, apart=True),
        now=now,
    )


# plans at fault on days that could be planned well: nobody but the check is asked
CHECKED: Final = (
    Row("a crew starts at one time", lambda b: _couple(f"w: new@1100; x: new.1@{1100 + b}"), 460, "crew_start"),
    Row("nobody is done before a colleague who has begun", lambda b: _couple(f"w: new@1200!; x: new.1@{1200 - b}", now=1100), 460,
        "crew_start"),
    Row("each seat has its own person", lambda b: _couple(("w: new@1100; x: new.1@1100", "w: new@1100 new.1@1100")[b]), 460,
        "crew_distinct travel"),
    Row("every seat is taken", lambda b: _couple(("w: new@1100; x: new.1@1100", "w: new@1100")[b]), 460, "crew_size"),
    Row("nothing begins before now", lambda b: _day("w: new@1200", _visit("new", 1, 1200), now=1200 + b), 230, "now"),
    Row("who has fetched a meal brings it", lambda b: _day(("w: +new@1200 -new@1320", "w: +new@1200; x: -new@1320")[b], _worker(),
        _worker("x"), _meal("new", 1, 1320)), 464, "pickup_first pickup_once"),
    Row("a meal is fetched before it is brought", lambda b: _day(("w: +new@1200 -new@1320", "w: -new@1320 +new@1500")[b],
        _meal("new", 1, 1320)), 464, "pickup_first"),
    Row("none of a crew serves both", lambda b: _held(("w: old@1100; x: old.1@1100; y: new@1700",
        "w: old@1100; x: old.1@1100 new@1700")[b]), 690, "apart"),
    Row("no break lies in another", lambda b: _day("w: old@1100 new@2090", _worker(breaks=(Break(1700, 1700, 200), Break(1750, 1900,
        100 + b))), _visit("old", 1, 1100), _visit("new", 2, 2090)), 360, "break"),
    Row("the way of a break's next stop", lambda b: _day(f"w: old@1100 new@{2090 - b}", _worker(breaks=(Break(1700, 1700, 300),)),
        _visit("old", 1, 1100), _visit("new", 2, 2000, 2200)), 360, "break"),
    Row("the other end of the window", lambda b: _day(f"w: new@{1200 - b}", _visit("new", 1, 1200, 1300)), 230, "window"),
    Row("the first way", lambda b: _day(f"w: new@{1100 - b}", _visit("new", 1, 1000, 1300)), 230, "travel"),
    Row("a shift's own begin", lambda b: _day(f"w: old@1100 new@{3100 - b}", _worker(shifts=_SPLIT), _visit("old", 1, 1100),
        _visit("new", 1, 3000, 3300)), 230, "travel"),
)  # fmt: skip
