"""Who may take which stop of a day, and what each worker would cost there beside travel, as matrices for the search."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from dispatch.cost import wish_cost
from dispatch.engine.day import HEAVY, VISIT
from dispatch.problem import Seat, Visit, Weights, Worker
from dispatch.rules import refusal
from dispatch.sharing import Unit


class Node(Struct, frozen=True):
    """One open stop: which seat of which visit, and the one worker who may take it where somebody has begun already.

    With `equipment` it is no stop of anybody, but a unit of that kind being there.
    """

    visit: int
    seat: int
    kind: int
    place: int
    duration_s: int
    only: str | None = None
    equipment: str | None = None


def fits_of(
    nodes: Sequence[Node], visits: Sequence[Visit], people: Sequence[Worker], units: Sequence[Unit]
) -> np.ndarray:
    """Hard rules, asked once for every kind of seat and every kind of worker: uint8 (nodes, people and then units)."""
    fits = np.zeros((len(nodes), len(people) + len(units)), np.uint8)
    kinds: dict[tuple[object, ...], list[int]] = {}
    for w, worker in enumerate(people):
        kind = (worker.provider, worker.skills, worker.gender, worker.box_capacity, worker.max_heavy == 0)
        kinds.setdefault(kind, []).append(w)
    asked: dict[tuple[object, ...], np.ndarray] = {}
    number = {worker.id: w for w, worker in enumerate(people)}
    seen: set[int] = set()
    for i, node in enumerate(nodes):
        visit = visits[node.visit]
        if node.equipment is not None:
            for u, unit in enumerate(units):
                open_to = unit.provider is None or visit.providers is None or unit.provider in visit.providers
                fits[i, len(people) + u] = unit.kind == node.equipment and open_to
            continue
        seat: Seat = visit.seats[node.seat]
        if node.only is not None:
            if node.only in number:
                fits[i, number[node.only]] = 1
        else:
            key = (visit.providers, seat.skills, seat.gender, seat.heavy, visit.delivery.load if visit.delivery else 0)
            if key not in asked:
                row = np.zeros(fits.shape[1], np.uint8)
                for members in kinds.values():
                    anyone = people[members[0]]
                    free = Visit(visit.id, visit.place, visit.seats, 0, 0, None, visit.delivery, visit.providers)
                    row[members] = refusal(anyone, free, seat) is None
                asked[key] = row
            fits[i] = asked[key]
            for refused in visit.refused_workers:
                if refused in number:
                    fits[i, number[refused]] = 0
        # a heavy meal counts once, where it is fetched or, when that is over, where it is brought
        if seat.heavy and (node.kind == VISIT or node.visit not in seen):
            fits[i] *= HEAVY
        seen.add(node.visit)
    return fits


def wishes_of(
    weights: Weights, nodes: Sequence[Node], visits: Sequence[Visit], workers: Sequence[Worker]
) -> np.ndarray:
    """What each worker costs at each node beside travel: float32 (nodes, workers), or (0, 0) when nobody wishes anything."""
    wishing = [i for i, node in enumerate(nodes) if node.equipment is None and _wishes(visits[node.visit])]
    if not wishing:
        return np.zeros((0, 0), np.float32)
    wish = np.zeros((len(nodes), len(workers)), np.float32)
    number = {worker.id: w for w, worker in enumerate(workers)}
    asked: dict[tuple[frozenset[str], ...], np.ndarray] = {}
    seen: set[int] = set()
    for i in wishing:
        v = nodes[i].visit
        visit, first = visits[v], v not in seen
        seen.add(v)
        if not first and nodes[i].kind != VISIT:
            continue  # who fetches a meal brings it: the wish counts once
        key = (_told(visit), visit.known_workers, visit.languages)
        if key not in asked:
            asked[key] = _seat_wishes(weights, visit, workers)
        wish[i] = asked[key]
        if visit.preferred_worker is not None:
            # whoever is wished for gives back at any seat what the visit's first one costs
            wish[i] += weights.preferred if first else 0
            if visit.preferred_worker in number:
                wish[i, number[visit.preferred_worker]] -= weights.preferred
    return wish


def _told(visit: Visit) -> frozenset[str]:
    return visit.promised.workers if visit.promised else frozenset()


def _wishes(visit: Visit) -> bool:
    return bool(_told(visit) or visit.preferred_worker or visit.known_workers or visit.languages)


def _seat_wishes(weights: Weights, visit: Visit, workers: Sequence[Worker]) -> np.ndarray:
    """`wish_cost` for every worker; of those nobody named, once for all who speak the same languages."""
    named = _told(visit) | visit.known_workers
    plain = {
        spoken: wish_cost(weights, visit, replace(worker, id=""))
        for spoken, worker in {worker.languages: worker for worker in workers}.items()
    }
    costs = [wish_cost(weights, visit, w) if w.id in named else plain[w.languages] for w in workers]
    return np.asarray(costs, np.float32)
