"""Every event the platform tells, as a closed type that knows its audience.

Events hold ids and states only: who may read one is decided when it is delivered, never stored in it.
"""

from collections.abc import Iterable
from datetime import date
from typing import ClassVar, TypeAlias
from uuid import UUID

from msgspec import Struct


class OrderChanged(Struct, frozen=True, kw_only=True):
    """An order entered a state; the wire type is `order.<status>`."""

    PREFIX: ClassVar[str] = "order"
    order_id: UUID
    code: str
    kind: str
    status: str
    before: str | None
    version: int
    resident_id: UUID
    zone_id: UUID
    provider_id: UUID | None
    worker_ids: tuple[UUID, ...]
    reason: str | None = None

    @property
    def type(self) -> str:
        """The wire type."""
        return f"{self.PREFIX}.{self.status}"

    def audience(self) -> Iterable[str]:
        """The resident with family, the provider, the crew, the zone's board and the console."""
        yield f"order:{self.order_id}"
        yield f"resident:{self.resident_id}"
        yield f"zone:{self.zone_id}"
        yield "console"
        if self.provider_id:
            yield f"provider:{self.provider_id}"
        for worker_id in self.worker_ids:
            yield f"worker:{worker_id}"


class OfferChanged(Struct, frozen=True, kw_only=True):
    """An offer was made to a provider or closed; the wire type is `offer.<status>`."""

    PREFIX: ClassVar[str] = "offer"
    offer_id: UUID
    order_id: UUID
    provider_id: UUID
    status: str

    @property
    def type(self) -> str:
        """The wire type."""
        return f"{self.PREFIX}.{self.status}"

    def audience(self) -> Iterable[str]:
        """The provider asked, and the console."""
        yield f"provider:{self.provider_id}"
        yield "console"


class AssignmentChanged(Struct, frozen=True, kw_only=True):
    """One worker's part in an order changed; the wire type is `assignment.<status>`."""

    PREFIX: ClassVar[str] = "assignment"
    order_id: UUID
    seat: int
    worker_id: UUID
    resident_id: UUID
    zone_id: UUID
    status: str

    @property
    def type(self) -> str:
        """The wire type."""
        return f"{self.PREFIX}.{self.status}"

    def audience(self) -> Iterable[str]:
        """The worker, the resident with family, and the zone's board."""
        yield f"worker:{self.worker_id}"
        yield f"resident:{self.resident_id}"
        yield f"zone:{self.zone_id}"
        yield "console"


class RouteChanged(Struct, frozen=True, kw_only=True):
    """A worker's day was planned anew; the phone fetches the route again."""

    worker_id: UUID
    zone_id: UUID
    plan_on: date
    plan_version: int

    @property
    def type(self) -> str:
        """The wire type."""
        return "route.changed"

    def audience(self) -> Iterable[str]:
        """The worker and the zone's board."""
        yield f"worker:{self.worker_id}"
        yield f"zone:{self.zone_id}"


class ConsentChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A resident gave or withdrew consent. With an account it tells that one, whose sockets look up their audience again.

    Without one it tells the resident, who knows the number only and not whose it is.
    """

    resident_id: UUID
    account_id: UUID | None = None
    purpose: str
    given: bool

    @property
    def type(self) -> str:
        """The wire type."""
        return "consent.changed"

    def audience(self) -> Iterable[str]:
        """The resident, or the account concerned."""
        yield f"resident:{self.resident_id}" if self.account_id is None else f"account:{self.account_id}"


class ConsentRequestChanged(Struct, frozen=True, kw_only=True):
    """Family asked for a consent, or what they asked came nearer its end; the wire type is `consent_request.<status>`.

    It tells one account: the asker's, or that of whom they ask. Nobody is told here who the other one is.
    """

    PREFIX: ClassVar[str] = "consent_request"
    request_id: UUID
    status: str
    account_id: UUID

    @property
    def type(self) -> str:
        """The wire type."""
        return f"{self.PREFIX}.{self.status}"

    def audience(self) -> Iterable[str]:
        """The account concerned."""
        yield f"account:{self.account_id}"


class DeskTaskChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task of the desk was opened, has become more urgent, was taken or is over; the wire type is `task.<status>`.

    What it is about is read with the task: nothing of a person is told here.
    """

    PREFIX: ClassVar[str] = "task"
    kind: str
    status: str
    task_id: UUID | None = None
    level: int | None = None

    @property
    def type(self) -> str:
        """The wire type."""
        return f"{self.PREFIX}.{self.status}"

    def audience(self) -> Iterable[str]:
        """The console."""
        yield "console"


class EmergencyChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alarm was raised, called off, taken by an operator or closed; the wire type is `emergency.<status>`.

    What it was in the end is a fact of somebody's health, and is not told here.
    """

    PREFIX: ClassVar[str] = "emergency"
    emergency_id: UUID
    status: str
    raised_by: UUID
    role: str
    resident_id: UUID | None = None
    order_id: UUID | None = None

    @property
    def type(self) -> str:
        """The wire type."""
        return f"{self.PREFIX}.{self.status}"

    def audience(self) -> Iterable[str]:
        """The console, whoever raised it, and the resident with family unless a worker did.

        What a worker is afraid of may be in that home: whom to tell there the desk decides.
        """
        yield "console"
        yield f"account:{self.raised_by}"
        if self.resident_id and self.role != "worker":
            yield f"resident:{self.resident_id}"


Event: TypeAlias = (
    OrderChanged
    | OfferChanged
    | AssignmentChanged
    | RouteChanged
    | ConsentChanged
    | ConsentRequestChanged
    | DeskTaskChanged
    | EmergencyChanged
)
