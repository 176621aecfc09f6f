"""Recorded days of care and of meals, compared with what their files say when they are read a second time."""

import math
from typing import Any

from backend.simulation.instances import Instance as RecordedDay
from tests.support.second_reading import figure


def care_day(file_said: Any, day: RecordedDay) -> bool:
    """Whether a recorded day of care, in seconds rounded up, is what a file of minutes says."""
    matrix, carers, patients, points = file_said
    found = iter(day.demands)
    for n, (name, (first, last), services, kind, gap, refused) in enumerate(patients, 1):
        crews = [services] if kind in (None, "simultaneous") else [[one] for one in services]
        for i, crew in enumerate(crews):
            demand = next(found)
            seats = [(seat.skill, seat.duration_s) for seat in demand.seats]
            after = f"{name}.{i}" if kind == "sequential" and i else None
            fits = [
                demand.id == (name if len(crews) == 1 else f"{name}.{i + 1}"), demand.resident == name, demand.place == n,
                seats == [(skill, _up(minutes)) for skill, minutes in crew], set(demand.refused) == refused,
                (demand.from_s, demand.to_s) == (round(first * 60), round(last * 60)),
                (demand.gap and (demand.gap.after, demand.gap.min_s, demand.gap.max_s))
                == (after and (after, *(round(g * 60) for g in gap))),
            ]  # fmt: skip
            if not all(fits):
                return False
    shifts = [(0, 23 * 3600) if end == 100_000 else (round(on * 60), round(end * 60)) for _, _, (on, end) in carers]
    fits = [
        next(found, None) is None, day.matrix == tuple(tuple(_up(cell) for cell in row) for row in matrix),
        [(w.id, set(w.skills)) for w in day.workers] == [carer[:2] for carer in carers],
        [(w.on_s, w.off_s) for w in day.workers] == shifts,
        points is None or [(p.x, p.y) for p in day.places] == points,
    ]  # fmt: skip
    return all(fits)


def _up(minutes: float) -> int:
    return math.ceil(round(minutes * 60, 6))


def _rows(raw: bytes, *columns: str) -> list[tuple[Any, ...]]:
    """The rows of a table by its titles; the first column is a name, others are figures unless they name something."""
    lines = [
        row
        for row in raw.decode("utf-8-sig").removesuffix("\x1a").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if row.strip()
    ]
    titles, *rows = [[cell.strip() for cell in line.split("\t")] for line in lines]
    assert set(columns) <= set(titles) <= {*columns, "pay per order", "guaranteed pay per hour"}
    assert len(set(titles)) == len(titles)
    assert all(len(row) == len(titles) for row in rows)
    names = {"order", "courier", "restaurant"}
    return [
        tuple(row[titles.index(c)] if c in names else float(figure(row[titles.index(c)])) for c in columns)
        for row in rows
    ]


def meal_day(tables: dict[str, bytes], day: RecordedDay) -> bool:
    """Whether a recorded day of meals is what its four tables say."""
    (rule,) = _rows(
        tables["instance_parameters"], "meters_per_minute", "pickup service minutes", "dropoff service minutes",
        "target click-to-door", "maximum click-to-door",
    )  # fmt: skip
    kitchens = {name: (x, y) for name, x, y in _rows(tables["restaurants"], "restaurant", "x", "y")}
    couriers = [
        row for row in _rows(tables["couriers"], "courier", "x", "y", "on_time", "off_time") if row[3] != row[4]
    ]
    orders = _rows(tables["orders"], "order", "x", "y", "placement_time", "restaurant", "ready_time")
    places = [(p.x, p.y) for p in day.places]
    fetch, bring = max(1, math.ceil(rule[1] * 60)), math.ceil(rule[2] * 60)
    made = {
        (
            d.id, *places[d.place], d.from_s, places[d.pickup.restaurant], d.pickup.ready_s, d.pickup.pickup_s, d.to_s,
            d.latest_s, d.seats[0].duration_s,
        )
        for d in day.demands
        if d.pickup is not None
    }  # fmt: skip
    meant = {
        (
            name, x, y, at := round(placed * 60), kitchens[kitchen], max(at, round(ready * 60) - fetch // 2), fetch,
            max(at, at + round(rule[3] * 60) - bring // 2), max(at, at + round(rule[4] * 60) - bring // 2), bring,
        )
        for name, x, y, placed, kitchen, ready in orders
    }  # fmt: skip
    team = [(w.id, *places[w.start], w.on_s, w.off_s) for w in day.workers]
    fits = [
        made == meant, len(day.demands) == len(orders), day.metres_per_minute == rule[0],
        team == [(name, x, y, round(on * 60), round(off * 60)) for name, x, y, on, off in couriers],
        len(places) == len(kitchens) + len(couriers) + len(orders),
    ]  # fmt: skip
    return all(fits)
