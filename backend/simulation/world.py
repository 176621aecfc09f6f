"""The street and the doors: what simulated people see with their own eyes, without asking the platform."""

from uuid import UUID

from msgspec import Struct

from backend.simulation.clock import Sleeper
from backend.simulation.importer import Imported
from backend.simulation.instances import Demand


class Door(Struct):
    """One order's door: who of the crew is there, and since when they are at work."""

    demand: Demand
    here: int = 0
    gone: int = 0
    started_s: float | None = None
    waiting: list[Sleeper] = []


class World:
    """Places, ways and doors of the recorded day, shared by everybody who walks through it."""

    def __init__(self, day: Imported) -> None:
        self.day = day
        self.over = False
        self.doors: dict[str, Door] = {}
        self.order_of: dict[str, str] = {}  # the platform's order for a recorded demand
        self.unbooked: dict[str, str] = {}  # recorded demands that could not be booked, with the code
        self.trouble: list[str] = []  # refusals nobody expected
        self._started: dict[str, float] = {}
        self._listening: dict[str, list[Sleeper]] = {}
        self._places = {place_id: i for i, place_id in enumerate(day.place_ids)}

    def place(self, place_id: str) -> int:
        """Position of a place in the file."""
        return self._places[UUID(place_id)]

    def booked(self, demand: Demand, order_id: str) -> None:
        """A demand has become an order."""
        self.order_of[demand.id] = order_id
        self.doors[order_id] = Door(demand)

    def begin(self, order_id: str, at_s: float) -> None:
        """The whole crew is at the door: work begins, and whoever waited for that knows."""
        door = self.doors[order_id]
        door.started_s = at_s
        self._started[door.demand.id] = at_s
        for sleeper in [*door.waiting, *self._listening.pop(door.demand.id, [])]:
            sleeper.wake()

    def not_before(self, demand: Demand, sleeper: Sleeper) -> float | None:
        """When a visit may begin because of the one before it; None while that one has not begun (it will wake us)."""
        if demand.gap is None or demand.gap.after in self.unbooked:
            return 0.0
        started = self._started.get(demand.gap.after)
        if started is None:
            self._listening.setdefault(demand.gap.after, []).append(sleeper)
            return None
        return started + demand.gap.min_s
