"""What becomes of a request for consent, as a pure state machine: asked, and one end that stays."""

from collections.abc import Collection, Mapping
from typing import Final

from backend.residents.model import Purpose, RequestStatus

S = RequestStatus
MOVES: Final[Mapping[RequestStatus, frozenset[RequestStatus]]] = {
    S.ASKED: frozenset({S.ASKED, S.GIVEN, S.REFUSED, S.EXPIRED, S.WITHDRAWN}),
    S.GIVEN: frozenset(),
    S.REFUSED: frozenset(),
    S.EXPIRED: frozenset(),
    S.WITHDRAWN: frozenset(),
}
"""Where a request may go; asked again and again while one thing after the other is answered."""


def after_answers(
    asked: Collection[Purpose], given: Collection[Purpose], refused: Collection[Purpose]
) -> RequestStatus:
    """Tell how a request stands once so much of it is answered: given where anything was, asked while something waits."""
    if {*asked} - {*given} - {*refused}:
        return S.ASKED
    return S.GIVEN if given else S.REFUSED
