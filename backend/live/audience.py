"""Which audience keys a person hears, decided from their rights as they are now and never stored in an event."""

from collections.abc import Iterable
from uuid import UUID

from backend.accounts.model import SignedIn
from backend.core.principal import Role


def keys_of(holder: SignedIn, zone_ids: Iterable[UUID]) -> frozenset[str]:
    """The keys of a signed-in person; `zone_ids` are the city's zones, which its own staff watch."""
    keys = {f"account:{holder.account_id}"}
    match holder.role:
        case Role.RESIDENT | Role.FAMILY:
            heard = [] if holder.resident_id is None else [holder.resident_id]
            keys.update(f"resident:{resident_id}" for resident_id in (*heard, *holder.followed))
        case Role.WORKER if holder.worker_id is not None:
            keys.add(f"worker:{holder.worker_id}")
        case Role.PROVIDER if holder.provider_id is not None:
            keys.add(f"provider:{holder.provider_id}")
        case Role.OPERATOR | Role.SUPERVISOR:
            keys.add("console")
            keys.update(f"zone:{zone_id}" for zone_id in zone_ids)
        case _:
            pass
    return frozenset(keys)
