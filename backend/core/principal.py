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

    `resident_ids` holds the residents a person acts for: themselves, or those who gave a family member consent.
    """

    role: Role
    account_id: UUID | None = None
    session_id: UUID | None = None
    provider_id: UUID | None = None
    worker_id: UUID | None = None
    resident_ids: tuple[UUID, ...] = ()

    def acts_for(self, resident_id: UUID) -> bool:
        """Whether this person may book and decide for the resident; operators and the system may for everyone."""
        return self.role in {Role.OPERATOR, Role.SYSTEM} or resident_id in self.resident_ids


SYSTEM = Principal(Role.SYSTEM)
NOBODY = Principal(Role.RESIDENT)
