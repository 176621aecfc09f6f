"""A crew a person has chosen is planned with, not planned anew: each of its seats asks for what only who was chosen can.

Who cannot come any more is nobody's choice: without them the seat is anybody's again.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import structs

from backend.scheduling.model import StopRow, VisitRow
from dispatch import Visit, Worker

_MARK: Final = "chosen:"  # what a skill of one person for one seat begins with; skills of the city are words


def pinned(
    workers: Sequence[Worker],
    visits: Sequence[Visit],
    rows: Sequence[VisitRow],
    stops: Sequence[StopRow],
    gone: frozenset[UUID],
) -> tuple[tuple[Worker, ...], tuple[Visit, ...]]:
    """The workers and visits of a day with every choice that can be kept; `gone` are the stops that do not take place."""
    missed = {stop.order_id for stop in stops if stop.id in gone}
    at_work = {worker.id for worker in workers}
    wanted: dict[str, dict[int, str]] = {}
    can: dict[str, set[str]] = {}
    for row in rows:
        for seat in row.chosen:
            if row.order_id not in missed and str(seat.worker_id) in at_work:
                mark = f"{_MARK}{row.order_id}:{seat.number}"
                wanted.setdefault(str(row.order_id), {})[seat.number - 1] = mark
                can.setdefault(str(seat.worker_id), set()).add(mark)
    if not wanted:
        return tuple(workers), tuple(visits)
    return (
        tuple(structs.replace(w, skills=w.skills | can[w.id]) if w.id in can else w for w in workers),
        tuple(_asking(visit, wanted[visit.id]) if visit.id in wanted else visit for visit in visits),
    )


def _asking(visit: Visit, marks: dict[int, str]) -> Visit:
    seats = (structs.replace(s, skills=s.skills | {marks[n]}) if n in marks else s for n, s in enumerate(visit.seats))
    return structs.replace(visit, seats=tuple(seats))


def unpinned(visit: Visit) -> Visit:
    """The visit as anybody might take it who suits: what is asked is who else could."""
    plain = [frozenset(skill for skill in seat.skills if not skill.startswith(_MARK)) for seat in visit.seats]
    seats = (structs.replace(seat, skills=skills) for seat, skills in zip(visit.seats, plain, strict=True))
    return structs.replace(visit, seats=tuple(seats))
