"""Who is asking: the identity every unit of work runs as.

A principal is resolved once per request or socket and handed to `unit_of_work`, which turns it into the local
settings that row-level security reads.
"""

from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class Role(StrEnum):
    """The doors of the product; one account has exactly one."""

    RESIDENT = "resident"
    FAMILY = "family"
    OPERATOR = "operator"
    PROVIDER = "provider"
    WORKER = "worker"
    SUPERVISOR = "supervisor"
    SYSTEM = "system"


class Principal(Struct, frozen=True):
    """One authenticated identity and the keys its rows are scoped by.

    `resident_ids` holds the residents whose rows a person may read: themselves, or those who gave a family member
    consent; `followed_ids` are those among them who allowed reading only. `own_id` is the resident they are themselves.
    """

    role: Role
    account_id: UUID | None = None
    session_id: UUID | None = None
    provider_id: UUID | None = None
    worker_id: UUID | None = None
    resident_ids: tuple[UUID, ...] = ()
    followed_ids: tuple[UUID, ...] = ()
    own_id: UUID | None = None

    @property
    def sees_all(self) -> bool:
        """Whether everybody's orders are this person's business: the city's own staff, and the platform."""
        return self.role in {Role.OPERATOR, Role.SUPERVISOR, Role.SYSTEM}

    def acts_for(self, resident_id: UUID) -> bool:
        """Whether this person may book and decide for the resident; operators and the system may for everyone."""
        if self.role in {Role.OPERATOR, Role.SYSTEM}:
            return True
        return resident_id in self.resident_ids and resident_id not in self.followed_ids

    def is_family_of(self, resident_id: UUID) -> bool:
        """Whether this person acts for somebody else who has let them: a husband who is a resident himself is one, too."""
        return self.role is Role.FAMILY or (self.role is Role.RESIDENT and self.own_id != resident_id)


SYSTEM = Principal(Role.SYSTEM)
