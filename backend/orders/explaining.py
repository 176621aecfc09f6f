"""Why these workers, who else could come and who could not: put together for the desk, and for a provider of its own people.

What is thought about is the order's day as it is planned when it is asked. A provider is told neither of others' workers
nor that a resident has refused one of its own: that stays with the desk, and is told as a rule of this order.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import crew_queries, queries
from backend.orders.actions import order_to_crew
from backend.orders.model import Order, OrderStatus
from backend.orders.views import rule_told
from backend.scheduling.explaining import Cannot, Explained, Kind, Moved, Seated, Way, explain_order, is_planned
from backend.scheduling.snapshots import Day, Planner, Reading, seat_gender
from backend.workers import queries as workers
from backend.workers.queries import WorkerName


class Person(Struct, frozen=True, kw_only=True):
    """Somebody at a seat, and what speaks for them.

    The way to the door and how much longer their day's ways become by it, how often they have been at this resident's,
    and whether they are of the gender that was asked for. Nobody yet where `worker_id` and `name` are None. `as_wished` is None where any gender is as good.
    """

    seat: int
    worker_id: UUID | None
    name: str | None
    gender: str | None
    travel_s: int
    detour_s: int
    visits_before: int
    as_wished: bool | None
    skills: list[str]


class OtherWay(Struct, frozen=True, kw_only=True):
    """Another way to serve the order; `cost` is what the plan would cost more, in seconds of travel and their like.

    `moved` are the stops of other orders that would begin at another time then.
    """

    crew: list[Person]
    start_at: datetime
    late_s: int
    cost: int
    moved: list[Moved]


class Unable(Struct, frozen=True, kw_only=True):
    """A worker who cannot, and the first rule that says so; with `missing_s` more a rule about time would not."""

    worker_id: UUID
    name: str
    rule: str
    missing_s: int
    lacks: list[str]


class Remedy(Struct, frozen=True, kw_only=True):
    """Something that would have to give where nobody can, and what would be possible then."""

    kind: Kind
    by_s: int
    worker_id: UUID | None
    name: str | None
    provider_id: UUID | None
    count: int
    skills: list[str]
    then: OtherWay


class Explanation(Struct, frozen=True, kw_only=True):
    """Why an order is planned as it is, as of `now`: cheapest first who else could, who could not, what would help.

    `begun`: somebody of the crew has set out, and nobody else is looked for. Where the time for looking was up before
    everything had been tried it is not `complete`: of whoever is not named nothing is known.
    """

    order_id: UUID
    status: OrderStatus
    version: int
    now: datetime
    begun: bool
    start_at: datetime | None
    crew: list[Person]
    others: list[OtherWay]
    unable: list[Unable]
    summary: str
    remedies: list[Remedy]
    complete: bool


class Considered(Struct, frozen=True):
    """An order, its day, and the names of everybody who may be spoken of, read at one moment."""

    order: Order
    read: Reading
    reader: Principal
    names: dict[UUID, WorkerName]
    been: dict[UUID, int]


async def consider(connection: Connection, principal: Principal, planner: Planner, order_id: UUID) -> Considered:
    """Read an order somebody asks about. Raises not_allowed, unknown_order."""
    order = await order_to_crew(connection, principal, order_id)
    async with as_the_platform(connection):
        read = await planner.read(connection, order.zone_id, order.plan_on, await queries.care_now(connection))
        own = principal.provider_id
        ids = [shift.worker_id for shift in read.rows.roster.shifts if own in {None, shift.provider_id}]
        names = {one.id: one for one in await workers.names(connection, dict.fromkeys(ids))}
        return Considered(order, read, principal, names, await crew_queries.been_here(connection, order, list(names)))


def explained(considered: Considered, day: Day, go_on: Callable[[], bool]) -> Explanation:
    """Explain it; `go_on` says how long. Raises unreadable (409), and illegal_transition (409) for an order that is over."""
    order = considered.order
    if not is_planned(day, order.id):
        if any(aside.order_id == order.id for aside in day.rows.aside):
            raise DomainError("unreadable")
        detail = "Nothing is planned for this order any more."
        raise DomainError("illegal_transition", detail, current=order.status.value)
    found = explain_order(day, order.id, go_on, considered.reader.provider_id)
    told = _Told(considered, day, found)
    return Explanation(
        order_id=order.id, status=order.status, version=order.version, now=considered.read.now, begun=found.begun,
        start_at=found.start_at, crew=told.people(found.crew), others=[told.way(way) for way in found.others],
        unable=[told.unable(one) for one in found.cannot if one.worker_id in considered.names],
        summary=told.rule(found.summary), remedies=told.remedies(), complete=found.complete,
    )  # fmt: skip


class _Told:
    """What was found, with names and what speaks for each."""

    def __init__(self, considered: Considered, day: Day, found: Explained) -> None:
        self._names, self._been, self._found = considered.names, considered.been, found
        self._reader = considered.reader
        row = next(row for row in day.rows.visits if row.order_id == considered.order.id)
        self._seats = {seat.number: seat for seat in row.seats}
        self._wish = {
            n: seat_gender(s.gender_rule, row.gender_wish, row.resident_gender) for n, s in self._seats.items()
        }

    def rule(self, rule: str) -> str:
        return rule_told(rule, self._reader)

    def people(self, crew: list[Seated]) -> list[Person]:
        return [self._person(one) for one in crew]

    def _person(self, one: Seated) -> Person:
        known = self._names.get(one.worker_id) if one.worker_id else None
        wish = self._wish[one.seat]
        return Person(
            seat=one.seat, worker_id=one.worker_id, name=known and known.name, gender=known and known.gender,
            travel_s=one.travel_s, detour_s=one.detour_s,
            visits_before=self._been.get(one.worker_id, 0) if one.worker_id else 0,
            as_wished=None if wish is None or known is None else known.gender == wish,
            skills=list(self._seats[one.seat].skills),
        )  # fmt: skip

    def way(self, way: Way) -> OtherWay:
        return OtherWay(
            crew=self.people(way.crew), start_at=way.start_at, late_s=way.late_s, cost=way.cost, moved=way.moved
        )

    def _name(self, worker_id: UUID | None) -> str | None:
        known = self._names.get(worker_id) if worker_id else None
        return known and known.name

    def unable(self, one: Cannot) -> Unable:
        return Unable(
            worker_id=one.worker_id, name=self._names[one.worker_id].name, rule=self.rule(one.rule),
            missing_s=one.missing_s, lacks=one.lacks,
        )  # fmt: skip

    def remedies(self) -> list[Remedy]:
        return [
            Remedy(
                **{name: getattr(one, name) for name in ("kind", "by_s", "worker_id", "provider_id", "count", "skills")},
                name=self._name(one.worker_id), then=self.way(one.then),
            )
            for one in self._found.helps
        ]  # fmt: skip
