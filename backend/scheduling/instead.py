"""A day without one of its orders: what can be found for an order in place of what it has."""

from uuid import UUID

import msgspec

from backend.scheduling.model import VisitRow
from backend.scheduling.snapshots import Reading


def without(read: Reading, order_id: UUID) -> Reading:
    """The day as if an order were not in it: its crew is free at its time, and nothing keeps a gap to it."""
    rows = read.rows
    gone = {stop.id for stop in rows.stops if stop.order_id == order_id}
    if not gone and all(visit.order_id != order_id for visit in rows.visits):
        return read
    left = msgspec.structs.replace(
        rows,
        stops=[stop for stop in rows.stops if stop.id not in gone],
        visits=[_untied(visit, order_id) for visit in rows.visits if visit.order_id != order_id],
        busy=[stop for stop in rows.busy if stop.order_id != order_id],
        missed=rows.missed - gone,
    )
    return msgspec.structs.replace(read, rows=left)


def _untied(visit: VisitRow, order_id: UUID) -> VisitRow:
    links = [link for link in visit.links if link.before_id != order_id]
    return visit if len(links) == len(visit.links) else msgspec.structs.replace(visit, links=links)
