"""Files spoilt at random: read all the same, or refused in one line; never anything else."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatch import construct
from dispatch.formats import FORMATS, InstanceError, read_instance, read_plan, write_plan
from tests.benchmarks.generate import city, read
from tests.unit.test_formats import CARE, EXAMPLES, SITES, SOLOMON

ODD = (None, True, -1, 0, 1.5, "", "x", "\n", [], {}, [1, 2], 1e308, 10**30, -(10**30), {"id": 1}, "9" * 400)
WORDS = ("", "x", "-5", "1e308", "9" * 30, "1.5", "nan", "inf", "²", "٣", "EOF", ":")
TIMES = 80


def _spots(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if way:
        yield way
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _spots(value[key], (*way, key))


def _spoilt_json(text: str, chance: random.Random) -> str:
    day = copy.deepcopy(json.loads(text))
    *way, last = chance.choice(list(_spots(day)))
    at = day
    for step in way:
        at = at[step]
    how = chance.random()
    if how < 0.2 and isinstance(at, dict):
        del at[last]
    elif how < 0.3 and isinstance(at, list):
        at.append(copy.deepcopy(at[last]))
    else:
        at[last] = chance.choice(ODD)
    return json.dumps(day)


def _spoilt_lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines()
    n = chance.randrange(len(lines))
    words = lines[n].split()
    how = chance.random()
    if how < 0.2:
        del lines[n]
    elif how < 0.3:
        lines.insert(n, lines[n])
    elif words:
        words[chance.randrange(len(words))] = chance.choice(WORDS)
        lines[n] = " ".join(words)
    return "\n".join(lines)


def _one_line_or_nothing(reads: Callable[[], object]) -> bool:
    said = ""
    try:
        reads()
    except InstanceError as error:
        said = str(error)
    assert "\n" not in said
    return not said


DAYS = {
    "hhcrsp": read(CARE),
    "city": json.dumps(city(6, 1, 0.5)),
    "yinling": read(EXAMPLES / "morning.json"),
    "yinling meals": read(EXAMPLES / "meals.json"),
    "solomon": read(SOLOMON),
    "vrplib": read(SITES),
}


@pytest.mark.parametrize("name", DAYS)
def test_a_day_spoilt_at_random_is_read_or_refused(tmp_path: Path, name: str):
    chance, text = random.Random(11), DAYS[name]
    spoil = _spoilt_json if text.startswith("{") else _spoilt_lines
    path = tmp_path / "day"
    outcomes = set[bool]()
    for _ in range(TIMES):
        path.write_text(spoil(text, chance))
        outcomes.add(_one_line_or_nothing(lambda: FORMATS[name.removesuffix(" meals")](path)))
    assert False in outcomes


@pytest.mark.parametrize("day", [CARE, EXAMPLES / "meals.json"], ids=lambda path: path.name)
def test_a_plan_spoilt_at_random_is_read_or_refused(tmp_path: Path, day: Path):
    instance = read_instance(day)
    text = write_plan(instance, construct(instance.problem))[0].decode()
    chance, path = random.Random(12), tmp_path / "plan.json"
    outcomes = set[bool]()
    for _ in range(TIMES):
        path.write_text(_spoilt_json(text, chance))
        outcomes.add(_one_line_or_nothing(lambda: read_plan(instance, path)))
    assert outcomes == {True, False}
