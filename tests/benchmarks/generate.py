"""Days nobody has planned before: made-up cities, and copies of known days under other names, numbers and axes.

    python tests/benchmarks/generate.py city OUT --visits 1000 --seed 3 [--crews 0.4]
    python tests/benchmarks/generate.py copy FILE OUT --seed 3

A copy has the same best value as its original: only what a planner must not depend on is changed.
"""

import argparse
import gzip
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

QUARTER_S = 900
SERVICES = ("meal", "bath", "rehab")
SHARES = (0.60, 0.25, 0.15)
DURATION_S = {"meal": 300, "bath": 2700, "rehab": 3000}
BASES = 8
SIDE_M = 14_000  # of a city with a thousand visits; the density stays the same
WORKERS_A_BASE = 12  # of a city with a thousand visits: about ten visits each
CREW_OF_TWO = 2


def city(visits: int, seed: int, crews: float = 0.0, team: int | None = None) -> dict[str, Any]:
    """A city day: visits crowd around a dozen quarters; `crews` is the share of baths that need two people.

    `team` is how many work from each base; else about one for ten visits.
    """
    chance = random.Random(seed)
    side = SIDE_M * math.sqrt(visits / 1000)
    bases = [[chance.uniform(0, side), chance.uniform(0, side)] for _ in range(BASES)]
    quarters = [(chance.uniform(0, side), chance.uniform(0, side)) for _ in range(12)]
    team = team or max(3, round(WORKERS_A_BASE * visits / 1000))
    skills = [["meal"]] * max(1, round(0.25 * team)) + [["meal", "bath"]] * max(1, round(0.4 * team))
    skills += [["bath", "rehab"]] * max(1, team - len(skills))
    workers = [{"base": base, "skills": held} for base in range(BASES) for held in skills]
    return {
        "name": f"city-{visits}-{seed}" + ("-crews" if crews else ""),
        "travel": "round((|dx| + |dy|) / 5 m/s) seconds, coordinates in metres; crew members start together",
        "shift_s": [27_000, 72_000],
        "drop_penalty_s": 20_000,
        "bases": bases,
        "workers": [{"id": f"w{n}", **worker} for n, worker in enumerate(workers, 1)],
        "visits": [_visit(chance, n, side, quarters, crews) for n in range(1, visits + 1)],
    }


def _visit(
    chance: random.Random, number: int, side: float, quarters: list[tuple[float, float]], crews: float
) -> dict[str, Any]:
    service = chance.choices(SERVICES, SHARES)[0]
    quarter = chance.choice(quarters)
    x, y = (min(max(chance.gauss(middle, 0.12 * side), 0.0), side) for middle in quarter)
    if service == "meal":
        first = (39_600 if chance.random() < 0.65 else 61_200) + QUARTER_S * chance.randrange(5)
        window = [first, first + 5400]
    else:
        first = 28_800 + QUARTER_S * chance.randrange(32)
        window = [first, first + chance.choice((3600, 7200))]
    crew = CREW_OF_TWO if service == "bath" and chance.random() < crews else 1
    return {
        "id": f"v{number}", "x": x, "y": y, "service": service, "crew": crew, "duration_s": DURATION_S[service],
        "window_s": window,
    }  # fmt: skip


def copy(text: str, seed: int) -> tuple[str, dict[str, str]]:
    """The day under other names, in another order, with its axes exchanged and mirrored; and the new names of its ids.

    Workers keep their names where the file gives them none.
    """
    chance = random.Random(seed)
    if text.lstrip().startswith("{"):
        day = json.loads(text)
        renamed = _hhcrsp(day, chance) if "patients" in day else _city(day, chance)
        return json.dumps(day), renamed
    return _vrplib(text, chance) if "DIMENSION" in text else _solomon(text, chance)


def _names(chance: random.Random, old: list[str], letter: str) -> dict[str, str]:
    numbers = chance.sample(range(10_000, 99_999), len(old))
    return {name: f"{letter}{number}" for name, number in zip(old, numbers, strict=True)}


def _hhcrsp(day: dict[str, Any], chance: random.Random) -> dict[str, str]:
    renamed = _names(chance, [p["id"] for p in day["patients"]], "patient-")
    renamed |= _names(chance, [c["id"] for c in day["caregivers"]], "carer-")
    order = chance.sample(range(len(day["patients"])), len(day["patients"]))
    rows = [0, *(n + 1 for n in order)]
    day["distances"] = [[day["distances"][a][b] for b in rows] for a in rows]
    day["patients"] = [day["patients"][n] for n in order]
    chance.shuffle(day["caregivers"])
    for thing in (*day["patients"], *day["caregivers"]):
        thing["id"] = renamed[thing["id"]]
    for thing in (*day["patients"], *day.get("central_offices", [])):
        if "location" in thing:
            x, y = thing["location"]
            thing["location"] = [-y, x]
    return renamed


def _city(day: dict[str, Any], chance: random.Random) -> dict[str, str]:
    renamed = _names(chance, [v["id"] for v in day["visits"]], "visit-")
    renamed |= _names(chance, [w["id"] for w in day["workers"]], "worker-")
    side = max(max(v["x"], v["y"]) for v in day["visits"])
    order = chance.sample(range(len(day["bases"])), len(day["bases"]))
    day["bases"] = [[side - day["bases"][n][1], day["bases"][n][0]] for n in order]
    for visit in day["visits"]:
        visit["id"], visit["x"], visit["y"] = renamed[visit["id"]], side - visit["y"], visit["x"]
    for worker in day["workers"]:
        worker["id"], worker["base"] = renamed[worker["id"]], order.index(worker["base"])
    chance.shuffle(day["visits"])
    chance.shuffle(day["workers"])
    return renamed


def _solomon(text: str, chance: random.Random) -> tuple[str, dict[str, str]]:
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if len(line.split()) == 7 and line.split()[0].isdigit())
    depot, *rows = [line.split() for line in lines[first:] if line.strip()]
    chance.shuffle(rows)
    renamed = {row[0]: str(n) for n, row in enumerate(rows, 1)}
    turned = [[renamed.get(row[0], row[0]), row[2], f"{-float(row[1]):g}", *row[3:]] for row in (depot, *rows)]
    return "\n".join([*lines[:first], *("  ".join(row) for row in turned), ""]), renamed


def _vrplib(text: str, chance: random.Random) -> tuple[str, dict[str, str]]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    size = int(next(line.split(":")[1] for line in lines if line.startswith("DIMENSION")))
    numbers = ["1", *(str(n) for n in chance.sample(range(2, size + 1), size - 1))]
    renamed = {str(old): new for old, new in enumerate(numbers, 1)}
    out: list[str] = []
    section: list[list[str]] = []
    kind = ""

    def close() -> None:
        if kind in {"NODE_COORD_SECTION", "DEMAND_SECTION", "SERVICE_TIME_SECTION", "TIME_WINDOW_SECTION"}:
            section.sort(key=lambda row: int(renamed[row[0]]))
            for row in section:
                row[0] = renamed[row[0]]
                if kind == "NODE_COORD_SECTION":
                    row[1:] = [row[2], f"{-float(row[1])!r}"]
        elif kind == "VEHICLES_ALLOWED_CLIENTS_SECTION":
            for row in section:
                row[1:] = sorted((renamed[client] for client in row[1:]), key=int)
        out.extend("\t".join(row) for row in section)
        section.clear()

    for line in lines:
        if line.endswith("_SECTION") or ":" in line or line == "EOF":
            close()
            kind = line
            out.append(line)
        else:
            section.append(line.split())
    return "\n".join([*out, ""]), renamed


def write(path: Path, text: str) -> None:
    """Packed when the name ends in .gz, and the same bytes every time."""
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


def read(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make days to plan.")
    commands = parser.add_subparsers(required=True)
    make: Callable[..., argparse.ArgumentParser] = commands.add_parser
    new = make("city")
    new.add_argument("out", type=Path)
    new.add_argument("--visits", type=int, default=1000)
    new.add_argument("--crews", type=float, default=0.0)
    new.set_defaults(text=lambda asked: json.dumps(city(asked.visits, asked.seed, asked.crews)))
    again = make("copy")
    again.add_argument("file", type=Path)
    again.add_argument("out", type=Path)
    again.set_defaults(text=lambda asked: copy(read(asked.file), asked.seed)[0])
    for one in (new, again):
        one.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    write(asked.out, asked.text(asked))


if __name__ == "__main__":
    main()
