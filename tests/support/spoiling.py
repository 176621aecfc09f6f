"""Files spoilt in the ways files get spoilt: cut, typed over, exported anew, joined, merged, sorted, renamed."""

import json
import random
from collections.abc import Iterator
from typing import Any, Final

FIGURES: Final = (
    "", "x", "-5", "0", "1", "1.5", "2.0", "0.1234567", "1e2", "1e308", "1e999", "9" * 30, "nan", "inf", "-inf", "1_0", "1,5",
    "0x10", "²", "٣", "１", "+7", "--7", "1e", ".5", "5.", "null", "EOF", ":", "#", "-1", "1\u00a0000", "\ufeff1",
)  # fmt: skip
ODD: Final[tuple[Any, ...]] = (
    None, True, False, -1, 0, 1, 2, 1.5, 0.25, "", " ", "x", "x ", "\ufeffx", "\n", "1", "1.5", [], {}, [1, 2], 1e308, 10**9 + 1,
    10**30, -(10**30), {"id": 1}, "9" * 400, "p1", "c1", "d", "1\u200b",
)  # fmt: skip
KEYS: Final = (
    "more",
    "Id",
    "id ",
    "ids",
    "due_s",
    "distance",
    "priority",
    "release_time",
    "distance_matrix_index",
    "weight",
)


def spots(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    if way:
        yield way
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from spots(value[key], (*way, key))


def spoilt(text: str, chance: random.Random) -> bytes:
    """One change, rarely two; most keep the file looking like what it was."""
    for _ in range(1 if chance.random() < 0.8 else 2):
        if text.lstrip("\ufeff").startswith("{") and chance.random() < 0.6:
            text = _spoilt_json(text, chance)
        else:
            text = _spoilt_lines(text, chance)
    return _saved(text, chance)


def _saved(text: str, chance: random.Random) -> bytes:
    """As another program writes it."""
    how = chance.random()
    if how < 0.04:
        return text.encode("utf-8-sig", "surrogatepass")
    if how < 0.06:
        return text.encode("utf-16", "surrogatepass")
    if how < 0.08:
        return text.encode("latin-1", "replace")
    if how < 0.12:
        return text.replace("\n", "\r\n").encode("utf-8", "surrogatepass")
    if how < 0.14:
        return text.replace("\n", "\r").encode("utf-8", "surrogatepass")
    return text.encode("utf-8", "surrogatepass")


def _spoilt_lines(text: str, chance: random.Random) -> str:
    how = chance.randrange(14)
    if how < 4:
        return _letter(text, chance)
    lines = text.split("\n")
    n, m = (chance.randrange(len(lines)) for _ in "ab")
    words = lines[n].split("\t") if "\t" in lines[n] else lines[n].split()
    gap = "\t" if "\t" in lines[n] else " "
    if how == 4:
        del lines[n]
    elif how == 5:
        lines.insert(m, lines[n])
    elif how == 6:
        lines[n], lines[m] = lines[m], lines[n]
    elif how == 7:  # a section moves
        first, last = sorted((n, m))
        block = lines[first:last]
        del lines[first:last]
        at = chance.randrange(len(lines) + 1)
        lines[at:at] = block
    elif how == 8:
        return text[: chance.randrange(1, len(text))]
    elif how == 9:
        return text + chance.choice(
            ("\n", "\nEOF\n", "\nmore\n", "\n1 2 3\n", "\n\n\t\n", "\x1a", "\0", text, "\n-1\n")
        )
    elif words and how < 13:
        at = chance.randrange(len(words))
        if how == 10:
            words[at] = chance.choice(FIGURES)
        elif how == 11:
            del words[at]
        else:
            words.insert(at, chance.choice((words[at], *FIGURES)))
        lines[n] = gap.join(words)
    else:
        lines[n] = lines[n].swapcase()
    return "\n".join(lines)


def _letter(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    letter = chance.choice('0123456789.-+eE:_# \t\n,;xXaN"{}[]\u00a0\ufeff\x00é１')
    cut = chance.choice((0, 1, 1, 1))
    return text[:at] + (letter if chance.random() < 0.75 else "") + text[at + cut :]


def _spoilt_json(text: str, chance: random.Random) -> str:
    try:
        day = json.loads(text.lstrip("\ufeff"))
    except ValueError:
        return text
    found = list(spots(day))
    if not found:
        return text
    way = chance.choice(found)
    *up, last = way
    at = day
    for step in up:
        at = at[step]
    how = chance.randrange(9)
    if how == 0:
        del at[last]
    elif how == 1 and isinstance(at, list):
        at.insert(chance.randrange(len(at) + 1), at[last])
    elif how == 2 and isinstance(at, list):
        other = chance.randrange(len(at))
        at[last], at[other] = at[other], at[last]
    elif how == 3 and isinstance(at, dict):
        at[chance.choice((last.upper(), f"{last}s", last[:-1], *KEYS))] = at.pop(last)
    elif how == 4 and isinstance(at, dict):
        at[chance.choice(KEYS)] = chance.choice(ODD)
    elif how == 5 and isinstance(at[last], int | float):
        at[last] = chance.choice(
            (at[last] + 0.5, -at[last], at[last] * 10, str(at[last]), at[last] + 1e-9, at[last] / 3)
        )
    elif how == 6 and isinstance(at, dict):  # a key stands twice
        mark = "\x01twice"
        at[mark] = chance.choice((at[last], *ODD))
        return json.dumps(day, indent=1).replace(json.dumps(mark), json.dumps(last))
    elif how == 7:
        at[last] = json.loads(json.dumps(_at(day, chance.choice(found))))
    else:
        at[last] = chance.choice(ODD)
    return json.dumps(day, indent=chance.choice((None, 1)), ensure_ascii=chance.random() < 0.5)


def _at(day: Any, way: tuple[Any, ...]) -> Any:
    for step in way:
        if not isinstance(day, dict | list) or (
            isinstance(day, list) and not (isinstance(step, int) and step < len(day))
        ):
            return None
        day = day[step] if isinstance(day, list) else day.get(step)
    return day
