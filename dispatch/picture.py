"""A plan as one SVG picture: the routes on a map, when places have points, and below it everybody's day as bars."""

from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker

Point = tuple[float, float]

_WIDTH = 1200
_MARGIN = 24
_NAMES = 90  # pixels for the workers' names
_ROW = 20
_MAP = 640
_STEPS = (1, 2, 5)


def draw(
    problem: Problem,
    plan: Plan,
    title: str,
    *,
    points: Sequence[Point] | None = None,
    told: Callable[[int], str] = str,
) -> str:
    """The picture. `points` are the places' coordinates in any unit; `told` writes an instant under the bars."""
    visits = {visit.id: visit for visit in problem.visits}
    busy = [worker for worker in problem.workers if plan.routes.get(worker.id)]
    colours = {worker.id: f"hsl({n * 137.508 % 360:.0f} 65% {32 + n % 3 * 8}%)" for n, worker in enumerate(busy)}
    parts = [_text(_MARGIN, 30, title, "title"), _text(_MARGIN, 50, _summary(problem, plan, len(busy)), "note")]
    top = 70.0
    if points is not None:
        parts += _map(problem, plan, points, colours, top)
        top += _MAP + 2 * _MARGIN
    parts += _bars(problem, plan, visits, busy, colours, top, told)
    height = top + _ROW * (len(busy) + 3)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}"'
        f' viewBox="0 0 {_WIDTH} {height:.0f}">\n'
        "<style>text{font:11px sans-serif;fill:#222}.title{font-size:17px;font-weight:600}.note,.axis{fill:#666}"
        ".on{fill:#fff;font-size:10px}.way{fill:none;stroke-width:1.4;stroke-opacity:.75}</style>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _summary(problem: Problem, plan: Plan, busy: int) -> str:
    served = len(problem.visits) - len(plan.unserved)
    left = f" · not served: {', '.join(plan.unserved[:12])}" + ("…" if len(plan.unserved) > 12 else "")
    return (
        f"{served} of {len(problem.visits)} visits by {busy} of {len(problem.workers)} workers · line: on the way, bar: at"
        f" work, black edge: a crew, red edge: late{left if plan.unserved else ''}"
    )


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def _map(problem: Problem, plan: Plan, points: Sequence[Point], colours: dict[str, str], top: float) -> list[str]:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    scale = min((_WIDTH - 2 * _MARGIN) / ((max(xs) - min(xs)) or 1), _MAP / ((max(ys) - min(ys)) or 1))
    left = (_WIDTH - scale * (max(xs) - min(xs))) / 2

    def at(place: int) -> Point:
        return left + (xs[place] - min(xs)) * scale, top + (max(ys) - ys[place]) * scale

    parts: list[str] = []
    dots: list[str] = []
    for worker in problem.workers:
        route = plan.routes.get(worker.id, ())
        if not route:
            continue
        places = [worker.start_place, *(stop.place for stop in route)]
        places += [] if worker.end_place is None else [worker.end_place]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, places))
        parts.append(f'<polyline class="way" stroke="{colours[worker.id]}" points="{line}"/>')
        for stop in route:
            x, y = at(stop.place)
            name = escape(f"{stop.visit}, {worker.id}")
            dots.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[worker.id]}"><title>{name}</title></circle>'
            )
    for place in sorted({worker.start_place for worker in problem.workers}):
        x, y = at(place)
        dots.append(f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="#111" stroke="#fff"/>')
    unserved = set(plan.unserved)
    for visit in problem.visits:
        if visit.id in unserved:
            x, y = at(visit.place)
            dots.append(f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="#d00" stroke-width="2"/>')
    return parts + dots


def _bars(
    problem: Problem,
    plan: Plan,
    visits: dict[str, Visit],
    busy: Sequence[Worker],
    colours: dict[str, str],
    top: float,
    told: Callable[[int], str],
) -> list[str]:
    stops = [stop for route in plan.routes.values() for stop in route]
    if not stops:
        return [_text(_MARGIN, top + _ROW, "nobody has anything to do", "note")]
    lead = max(_first_way(problem, worker, plan.routes[worker.id]) for worker in busy)
    first, last = min(stop.start_s for stop in stops) - lead, max(stop.end_s for stop in stops)
    last += max(_way_home(problem, worker, plan.routes[worker.id]) for worker in busy)
    scale = (_WIDTH - 2 * _MARGIN - _NAMES) / max(1, last - first)

    def x(instant: float) -> float:
        return _MARGIN + _NAMES + (min(max(instant, first), last) - first) * scale

    bottom = top + _ROW * (len(busy) + 1)
    parts: list[str] = []
    step = _step((last - first) / 12)
    for instant in range(-(-first // step) * step, last + 1, step):
        parts += [
            f'<path d="M{x(instant):.1f} {top:.1f}V{bottom:.1f}" stroke="#ddd"/>',
            _text(x(instant), bottom + 14, told(instant), "axis", "middle"),
        ]
    for n, worker in enumerate(busy):
        y = top + _ROW * (n + 0.5)
        parts.append(_text(_MARGIN + _NAMES - 8, y + 13, worker.id, anchor="end"))
        for shift in worker.shifts:
            parts.append(_rect(x(shift.start_s), x(shift.end_s), y + 1, _ROW - 2, "#f3f3f3"))
        for rest in worker.breaks:
            parts.append(_rect(x(rest.earliest_s), x(rest.latest_s + rest.duration_s), y + 1, _ROW - 2, "#e4ecf5"))
        parts += _day(problem, worker, plan.routes[worker.id], visits, colours[worker.id], x, y)
    return parts


def _day(
    problem: Problem,
    worker: Worker,
    route: Sequence[Stop],
    visits: dict[str, Visit],
    colour: str,
    x: Callable[[float], float],
    y: float,
) -> list[str]:
    """One worker's bars; the way to a stop begins when the stop before it ends, what is left is waiting."""
    ways = problem.travel[worker.mode]
    parts: list[str] = []
    left = route[0].start_s - _first_way(problem, worker, route)
    here = worker.start_place
    for stop in route:
        parts.append(_rect(x(left), x(left + int(ways[here, stop.place])), y + _ROW / 2 - 2, 4, colour))
        left, here = stop.end_s, stop.place
    parts.append(_rect(x(left), x(left + _way_home(problem, worker, route)), y + _ROW / 2 - 2, 4, colour))
    for stop in route:
        visit = visits.get(stop.visit)
        late = visit is not None and visit.due_s is not None and stop.kind != "pickup" and stop.start_s > visit.due_s
        edge = "#d00" if late else "#000" if visit is not None and len(visit.seats) > 1 else "none"
        width = x(stop.end_s) - x(stop.start_s)
        parts.append(_rect(x(stop.start_s), x(stop.end_s), y + 2, _ROW - 4, colour, edge, f"{stop.visit}, {worker.id}"))
        if width > 7 * len(stop.visit):
            parts.append(_text(x(stop.start_s) + width / 2, y + 14, stop.visit, "on", "middle"))
    return parts


def _rect(left: float, right: float, y: float, height: float, colour: str, edge: str = "none", name: str = "") -> str:
    shape = (
        f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(0.8, right - left):.1f}" height="{height:.1f}"'
        f' fill="{colour}" stroke="{edge}" stroke-width="1.5"'
    )
    return f"{shape}><title>{escape(name)}</title></rect>" if name else f"{shape}/>"


def _first_way(problem: Problem, worker: Worker, route: Sequence[Stop]) -> int:
    return int(problem.travel[worker.mode][worker.start_place, route[0].place])


def _way_home(problem: Problem, worker: Worker, route: Sequence[Stop]) -> int:
    return 0 if worker.end_place is None else int(problem.travel[worker.mode][route[-1].place, worker.end_place])


def _step(least: float) -> int:
    """A round number of seconds, or of whatever the problem counts in: 1, 2 or 5 of a power of ten, or whole hours."""
    if 600 <= least <= 7200:
        return next(step for step in (900, 1800, 3600, 7200) if step >= least)
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= least:
                return step * power
        power *= 10
