"""What becomes of a request for consent once so much of it is answered."""

from itertools import product

from backend.residents.lifecycle import MOVES, after_answers
from backend.residents.model import Purpose, RequestStatus

S = RequestStatus


def test_a_request_is_over_when_everything_is_answered_and_given_where_anything_was():
    """Every way to answer four things, one after the other or not at all."""
    for said in product(("yes", "no", "nothing"), repeat=len(Purpose)):
        given = [purpose for purpose, one in zip(Purpose, said, strict=True) if one == "yes"]
        refused = [purpose for purpose, one in zip(Purpose, said, strict=True) if one == "no"]
        wanted = S.ASKED if "nothing" in said else S.GIVEN if given else S.REFUSED
        assert after_answers([*Purpose], given, refused) is wanted, said
        assert wanted in MOVES[S.ASKED]


def test_an_end_stays():
    assert {status for status, after in MOVES.items() if after} == {S.ASKED}
    assert set(MOVES) == set(RequestStatus)
