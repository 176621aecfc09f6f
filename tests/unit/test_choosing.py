"""Which three of a week's windows are offered, and why."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from backend.bookings.choosing import Why, best
from backend.bookings.queries import Earlier
from backend.scheduling.slots import Slot

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2030, 3, 11, tzinfo=ZONE)
ANNE, BEN, CAI = (UUID(int=n) for n in (1, 2, 3))


def _slot(days: int, hour: float, *crew: UUID) -> Slot:
    starts = (MONDAY + timedelta(days=days, hours=hour)).astimezone(UTC)
    ends = starts + timedelta(minutes=30)
    return Slot(
        resident_id=uuid4(), item_code="rehab-home", catalogue_version_id=uuid4(), pickup=None, links=[], beside=[],
        plan_on=date(2030, 3, 11) + timedelta(days=days), starts_from=starts, starts_to=ends, wish_from=starts, wish_to=ends,
        latest_at=ends, soft=False, expected_at=starts, late_s=0, price_fen=1, price_lines=[], quoted_at=starts, crew=list(crew),
    )  # fmt: skip


def _was(days: int, hour: float, *crew: UUID) -> Earlier:
    return Earlier(MONDAY + timedelta(days=days, hours=hour), list(crew))


def _told(slots: list[Slot], earlier: list[Earlier]) -> list[tuple[int, Why]]:
    return [(slots.index(slot), why) for slot, why in best(slots, earlier, ZONE)]


def test_the_earliest_the_same_people_and_the_usual_time_are_offered_in_order_of_time():
    slots = [_slot(0, 9, ANNE), _slot(1, 8, BEN), _slot(1, 14, CAI, BEN), _slot(3, 9, ANNE), _slot(3, 16, ANNE)]
    earlier = [_was(-4, 15.5, BEN, CAI), _was(-11, 15.5, ANNE), _was(-12, 9, ANNE)]
    assert _told(slots, earlier) == [(0, Why.EARLIEST), (2, Why.SAME_PEOPLE), (4, Why.AS_USUAL)]


def test_what_would_stand_twice_makes_room_for_another_day():
    """The earliest is with the same people and at the usual hour: nobody is shown it three times."""
    slots = [_slot(0, 9, ANNE), _slot(0, 9.25, ANNE), _slot(2, 9, BEN), _slot(4, 9, BEN)]
    assert _told(slots, [_was(-7, 9, ANNE)]) == [(0, Why.EARLIEST), (2, Why.OTHER_DAY), (3, Why.OTHER_DAY)]


def test_one_day_alone_offers_windows_that_are_hours_apart():
    slots = [_slot(0, 9 + n / 4) for n in range(20)]
    assert _told(slots, []) == [(0, Why.EARLIEST), (8, Why.OTHER_DAY), (16, Why.OTHER_DAY)]


def test_a_crew_nobody_knows_is_not_called_the_same():
    slots = [_slot(0, 9, ANNE), _slot(1, 9, BEN)]
    assert _told(slots, [_was(-5, 9, CAI)]) == [(0, Why.EARLIEST), (1, Why.OTHER_DAY)]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 47), st.sampled_from([ANNE, BEN])), max_size=25, unique=True),
    st.lists(st.tuples(st.integers(-30, -1), st.integers(0, 47), st.sampled_from([ANNE, CAI])), max_size=8),
)
def test_at_most_three_windows_the_earliest_first_and_none_twice(offered, visits):
    """As many as there is any choice, and fewer only where fewer are two hours or a day apart."""
    slots = sorted((_slot(day, half / 2, who) for day, half, who in offered), key=lambda slot: slot.starts_from)
    chosen = best(slots, [_was(day, half / 2, who) for day, half, who in visits], ZONE)
    starts = [slot.starts_from for slot, _ in chosen]
    assert starts == sorted(set(starts))
    assert len(chosen) <= 3
    assert starts[:1] == [slot.starts_from for slot in slots[:1]]
    assert len(chosen) >= min(3, len({slot.plan_on for slot in slots}))
