"""What was understood of a wish that was typed, as it stands below the line: a few signs for each thing."""

from backend.pages.wishes import END, NOON, Understood
from backend.pages.words import WEEKDAYS
from backend.residents.names import latin


def tags(found: Understood) -> list[tuple[str, str]]:
    """What was understood, in a few signs each: 上午 · 王海燕 · 11-27起."""
    said: list[tuple[str, str]] = []
    if (found.from_minute, found.to_minute) != (0, END):
        said.append(_said_hours(found.from_minute, found.to_minute))
    if found.weekdays:
        said.append(
            (
                "、".join(WEEKDAYS["zh"][day] for day in found.weekdays),
                ", ".join(WEEKDAYS["en"][day] for day in found.weekdays),
            )
        )
    first, last = found.from_on, found.to_on
    if first is not None and first == last:
        said.append((f"{first:%m-%d}", f"{first:%m-%d}"))
    else:
        said += [(f"{first:%m-%d}起", f"from {first:%m-%d}")] if first else []
        said += [(f"到{last:%m-%d}", f"until {last:%m-%d}")] if last else []
    if found.gender:
        said.append(("女的", "a woman") if found.gender == "female" else ("男的", "a man"))
    if found.people:
        names = found.people[:3]
        more = ("等", " and others") if len(found.people) > len(names) else ("", "")
        said.append(("、".join(names) + more[0], ", ".join(map(latin, names)) + more[1]))
    return said


def _said_hours(from_minute: int, to_minute: int) -> tuple[str, str]:
    named = {(0, NOON): ("上午", "morning"), (NOON, 1080): ("下午", "afternoon"), (1080, END): ("晚上", "evening")}
    if (from_minute, to_minute) in named:
        return named[from_minute, to_minute]
    start, end = f"{from_minute // 60}:{from_minute % 60:02}", f"{to_minute // 60}:{to_minute % 60:02}"
    if to_minute == END:
        return f"{start}以后", f"from {start}"
    return (f"{end}以前", f"before {end}") if from_minute == 0 else (f"{start}–{end}", f"{start}–{end}")
