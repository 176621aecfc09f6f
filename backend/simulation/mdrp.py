"""Days of meal orders in the MDRP form: tab-separated orders, couriers, restaurants and parameters in one folder."""

import math
from pathlib import Path
from typing import Final

from backend.simulation.instances import (
    CareWorker,
    Demand,
    Instance,
    InstanceError,
    MealPickup,
    Point,
    Reading,
    SeatNeed,
    read_text,
)  # fmt: skip

SKILL: Final = "courier"
ITEM: Final = "meal"
_PARAMETERS: Final = (
    "meters_per_minute", "pickup service minutes", "dropoff service minutes", "target click-to-door",
    "maximum click-to-door",
)  # fmt: skip


def files(path: Path) -> list[Path]:
    """The folders a path stands for: itself, or every folder in it that holds an orders file."""
    if not path.is_dir():
        raise InstanceError(path, "path", path.name, "is not a folder")
    if _table(path, "orders").exists():
        return [path]
    found = sorted(p for p in path.iterdir() if p.is_dir() and _table(p, "orders").exists())
    if not found:
        raise InstanceError(path, "folder", path.name, "holds no orders.txt, and neither does any folder in it")
    return found


def parse(path: Path) -> Instance:
    """Read and check one folder. Raises InstanceError.

    Service minutes are read as the problem's authors do (Reyes et al. 2018, The Meal Delivery Routing Problem): half of
    them is the way from the kerb, half the way back. A meal is picked up, or handed over, in the middle of its stop.
    """
    rule = _parameters(path)
    places: list[Point] = []
    restaurants = {
        row.text("restaurant"): _put(places, row.point()) for row in _rows(path, "restaurants", "restaurant")
    }
    workers: list[CareWorker] = []
    for row in _rows(path, "couriers", "courier"):
        on, off = row.number("on_time"), row.number("off_time")
        if off < on:
            raise row.refuse("off_time", "is before on_time")
        if off == on:
            continue  # on the roster, but never at work
        workers.append(
            CareWorker(
                id=row.text("courier"), skills=(SKILL,), start=_put(places, row.point()), end=None,
                on_s=round(on * 60), off_s=round(off * 60),
            )
        )  # fmt: skip
    drop_s = math.ceil(rule["dropoff service minutes"] * 60)
    pickup_s = max(1, math.ceil(rule["pickup service minutes"] * 60))
    demands: list[Demand] = []
    for row in _rows(path, "orders", "order"):
        placed, ready = row.number("placement_time"), row.number("ready_time")
        if row.text("restaurant") not in restaurants:
            raise row.refuse("restaurant", "is not in the restaurants file")
        if ready < placed:
            raise row.refuse("ready_time", "is before placement_time")
        placed_s = round(placed * 60)
        demands.append(
            Demand(
                id=row.text("order"), resident=row.text("order"), place=_put(places, row.point()), item=ITEM, kind="meal",
                seats=(SeatNeed(SKILL, drop_s),), from_s=placed_s,
                to_s=max(placed_s, placed_s + round(rule["target click-to-door"] * 60) - drop_s // 2),
                latest_s=max(placed_s, placed_s + round(rule["maximum click-to-door"] * 60) - drop_s // 2), booked_s=placed_s,
                pickup=MealPickup(
                    restaurants[row.text("restaurant")], max(placed_s, round(ready * 60) - pickup_s // 2), pickup_s
                ),
            )
        )  # fmt: skip
    return Instance(
        name=path.name, form="mdrp", places=tuple(places), workers=tuple(workers),
        demands=tuple(sorted(demands, key=lambda demand: demand.from_s)), metres_per_minute=rule["meters_per_minute"],
    )  # fmt: skip


class _Row:
    """One line of a table, whose values are checked as they are taken."""

    def __init__(self, reading: Reading, line: int, cells: dict[str, str]) -> None:
        self._reading = reading
        self._line = line
        self._cells = cells

    def text(self, column: str) -> str:
        return self._reading.text(self._cells[column], f"line {self._line} {column}")

    def number(self, column: str) -> float:
        return self._reading.figure(self._cells[column], f"line {self._line} {column}", at_least=0)

    def point(self) -> Point:
        return Point(*(self._reading.figure(self._cells[axis], f"line {self._line} {axis}") for axis in ("x", "y")))

    def refuse(self, column: str, why: str) -> InstanceError:
        return self._reading.refuse(f"line {self._line} {column}", self._cells[column], why)


_COLUMNS: Final = {
    "orders": ("order", "x", "y", "placement_time", "restaurant", "ready_time"),
    "couriers": ("courier", "x", "y", "on_time", "off_time"),
    "restaurants": ("restaurant", "x", "y"),
    "instance_parameters": _PARAMETERS,
}


# what a courier earns is part of the form, and nothing a day is lived by
_UNUSED: Final = {"instance_parameters": ("pay per order", "guaranteed pay per hour")}


def _table(folder: Path, name: str) -> Path:
    plain = folder / f"{name}.txt"
    packed = folder / f"{name}.txt.gz"
    if packed.exists() and plain.exists():
        raise InstanceError(folder, "file", packed.name, f"lies beside {plain.name}: one of the two is needed")
    return packed if packed.exists() and not plain.exists() else plain


def _rows(folder: Path, name: str, key: str | None = None) -> list[_Row]:
    reading = Reading(_table(folder, name))
    text = read_text(reading.file).replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in enumerate(text.split("\n"), start=1) if line[1].strip()]
    header = [column.strip() for column in lines[0][1].split("\t")]
    for column in _COLUMNS[name]:
        if column not in header:
            raise reading.refuse("header", column, "this column is missing")
    for column in header:
        if column not in (*_COLUMNS[name], *_UNUSED.get(name, ())):
            raise reading.refuse("header", column, f"is not one of {', '.join(_COLUMNS[name])}")
    reading.once(header, "header")
    rows: list[_Row] = []
    seen: set[str] = set()
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(header):
            raise reading.refuse(f"line {number}", line, f"has {len(cells)} columns instead of {len(header)}")
        row = _Row(reading, number, dict(zip(header, cells, strict=True)))
        if key is not None:
            if row.text(key) in seen:
                raise row.refuse(key, "appears twice")
            seen.add(row.text(key))
        rows.append(row)
    if not rows:
        raise reading.refuse("rows", 0, "the file has a header but no rows")
    return rows


def _parameters(folder: Path) -> dict[str, float]:
    row, *more = _rows(folder, "instance_parameters")
    if more:
        raise more[0].refuse(_PARAMETERS[0], "stands in a second row of parameters")
    rule = {name: row.number(name) for name in _PARAMETERS}
    for name in ("meters_per_minute", "dropoff service minutes"):
        if rule[name] <= 0:
            raise row.refuse(name, "must be more than 0")
    if rule["maximum click-to-door"] < rule["target click-to-door"]:
        raise row.refuse("maximum click-to-door", "is below the target")
    return rule


def _put(places: list[Point], point: Point) -> int:
    places.append(point)
    return len(places) - 1
