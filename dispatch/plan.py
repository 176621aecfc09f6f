"""An answer: each worker's stops in order, with times; and the visits nobody serves."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Kind = Literal["visit", "pickup", "drop", "break"]


class Stop(Struct, frozen=True):
    """Handling time at one place, seconds; travel lies between stops. `seat` is a position in the visit's crew."""

    worker: str
    kind: Kind
    visit: str
    seat: int
    place: int
    start_s: int
    end_s: int
    locked: bool = False

    def at(self, start_s: int) -> "Stop":
        """The same stop, begun at another time."""
        return replace(self, start_s=start_s, end_s=start_s + self.end_s - self.start_s)


class Plan(Struct, frozen=True):
    """All routes of a day by worker, each in order of time."""

    routes: dict[str, tuple[Stop, ...]]
    unserved: tuple[str, ...] = ()

    def stops_of(self, visit: str) -> list[Stop]:
        """Every stop of one visit, over all routes."""
        return [stop for route in self.routes.values() for stop in route if stop.visit == visit]


def remove(plan: Plan, visit: str) -> Plan:
    """The plan without one visit, which becomes unserved; other times stay."""
    routes = {
        worker: tuple(s for s in route if s.visit != visit) if any(s.visit == visit for s in route) else route
        for worker, route in plan.routes.items()
    }
    return Plan(routes, (*(u for u in plan.unserved if u != visit), visit))
