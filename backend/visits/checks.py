"""What is measured before a service, as data, and holding what was measured against its limits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from backend.core.bounds import Asked, Instant, Word


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """One answer of a check that is chosen, and whether the visit may go on with it."""

    code: str
    name: str
    name_en: str
    fits: bool


class ItemCheck(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing to measure or look at before a service; `verified` is false while nobody has confirmed its limits."""

    code: str
    name: str
    name_en: str
    kind: str
    unit: str
    least: float | None
    most: float | None
    choices: list[Choice]
    source: str
    verified: bool

    def fits(self, answer: float | str) -> bool:
        """Tell whether the visit may go on with this; what is no answer to the question stops it."""
        if self.kind == "choice":
            return any(choice.fits and choice.code == answer for choice in self.choices)
        if self.least is None or self.most is None or isinstance(answer, str):
            return False
        return self.least <= answer <= self.most


class Answer(Asked, frozen=True):
    """What was measured of one check: a number in its unit, or the code of a choice."""

    check: Word
    number: Annotated[float, Meta(ge=0, le=1000)] | None = None
    choice: Word | None = None


class Measured(Asked, frozen=True):
    """Everything measured before a service, at one moment; `offline` as with any report of a phone."""

    answers: Annotated[list[Answer], Meta(max_length=40)]
    device_at: Instant | None = None
    offline: bool = False

    def by_check(self) -> dict[str, float | str]:
        """The answers by check; one that says nothing is none, of two to one check the last one stands."""
        told = {one.check: one.choice if one.number is None else one.number for one in self.answers}
        return {check: answer for check, answer in told.items() if answer is not None}


class Judged(Struct, frozen=True):
    """Which checks are outside their limits, and which were not measured."""

    outside: list[str]
    missing: list[str]

    @property
    def passed(self) -> bool:
        """Tell whether the service may begin."""
        return not self.outside and not self.missing


class PreCheck(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was measured once before a service, and what came of it."""

    id: UUID
    received_at: datetime
    device_at: datetime | None
    offline: bool
    answers: dict[str, float | str]
    outside: list[str]
    missing: list[str]
    passed: bool


def judge(checks: Sequence[ItemCheck], answers: Mapping[str, float | str]) -> Judged:
    """Hold what was measured against the limits, each check by itself, in the order they are asked."""
    return Judged(
        [check.code for check in checks if check.code in answers and not check.fits(answers[check.code])],
        [check.code for check in checks if check.code not in answers],
    )
