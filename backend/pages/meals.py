"""The lunches somebody can choose from, as the windows of their pages."""

from uuid import UUID

from msgspec import structs

from backend.bookings import taking
from backend.bookings.choosing import Choice, Choices, Why
from backend.bookings.meals import meal_times
from backend.bookings.model import QuoteRequest
from backend.catalogue.model import CatalogueItem
from backend.pages.rendering import Asked


async def choices(request: Asked, resident_id: UUID, item: CatalogueItem) -> Choices:
    """Ask for each lunch that can still be ordered; one that waits for a courier is offered as well."""
    state = request.app.state
    async with state.database.unit_of_work(request.user) as connection:
        lunches = await meal_times(connection, request.user, state.planner.zone_info, resident_id)
    found: list[Choice] = []
    reasons = []
    for lunch in lunches:
        quote = await taking.quote(request, QuoteRequest(resident_id, item.code, wish=lunch.wish, pickup=lunch.pickup))
        found += [Choice(**structs.asdict(slot), why=Why.OTHER_DAY, crew=[]) for slot in quote.slots]
        reasons += quote.reasons
    return Choices(found, reasons)
