"""What a page says for a code of the platform: in both languages, and for every code there is."""

from backend.orders.model import OrderStatus
from backend.pages.words import FLAGS, STATES
from backend.visits.model import DOUBTS, NOTES, WEAK, Flag


def test_every_flag_and_every_state_has_words_in_both_languages() -> None:
    """A code on a screen tells an operator nothing."""
    assert set(FLAGS) == set(Flag)
    assert all(words["zh"] and words["en"] for words in FLAGS.values())
    assert set(STATES) == set(OrderStatus)


def test_a_flag_is_a_doubt_or_a_note_and_only_missing_evidence_is_weak() -> None:
    """A new flag that nobody has put anywhere casts doubt: silence must not be what decides about it."""
    assert {*DOUBTS, *NOTES} == set(Flag)
    assert {"NO_POSITION", "OFFLINE", "DEVICE_CLOCK", "PAPER"} == WEAK
    assert WEAK < DOUBTS
