"""What has happened of a visit, what is happening and what comes: facts with their times, for whoever follows it."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from backend.catalogue.model import MEAL
from backend.orders.progress import VisitView
from backend.pages.facts import names, state_of
from backend.pages.times import Calendar, minutes

_OVER_BADLY: Final = frozenset({"cancelled", "unserved", "missed", "aborted", "no_access"})
_CONFIRMED: Final = frozenset({"completed", "verified", "settled", "rejected", "clawed_back"})


class Step(Struct, frozen=True):
    """One line: done, now, next or bad; what, when, and a fact beside it."""

    state: str
    what: str
    at: str = ""
    beside: str = ""
    who: str = ""


def steps(visit: VisitView, when: Calendar) -> list[Step]:
    """Put the visit's story in order; nothing that has not happened is told as a fact."""
    found = list(_story(visit, when))
    if visit.order.status in _OVER_BADLY:
        done = [step for step in found if step.state == "done"]
        return [*done, Step("bad", state_of(visit, when, own=False))]
    ahead = next((n for n, step in enumerate(found) if step.state == "next"), len(found))
    if 0 < ahead < len(found):
        found[ahead - 1] = Step("now", *(getattr(found[ahead - 1], name) for name in ("what", "at", "beside", "who")))
    return found


def _story(visit: VisitView, when: Calendar) -> Iterator[Step]:
    said = {step.kind: when.moment(step.at) for step in visit.steps}
    zh = when.language == "zh"
    meal = visit.order.kind == MEAL
    placed_at = visit.order.placed_at

    def step(kind: str, what: str, ahead: str = "", beside: str = "", who: str = "") -> Step:
        if kind in said:
            return Step("done", what, said[kind], beside, who)
        return Step("next", what.rstrip("："), ahead)

    yield Step("done", "订下" if zh else "Booked", when.moment(placed_at) if placed_at else "")
    if "accepted" in said or not visit.sure:
        yield step("accepted", "接单：" if zh else "Accepted by the provider", who=visit.provider or "")
    yield step("en_route", "出发" if zh else "Left", "", names(visit, when.language))
    about = ""
    if visit.estimate is not None:
        about = f"约 {when.clock(visit.estimate.at)}" if zh else f"about {when.clock(visit.estimate.at)}"
    if meal:
        yield step("pick_up", "取餐" if zh else "Meal picked up")
        yield step("hand_over", "送到" if zh else "Handed over", about)
        return
    yield step("check_in", "到门口签到" if zh else "Checked in at the door", about)
    yield step("check_out", "做完" if zh else "Finished", minutes(visit.length_s, when.language))
    confirmed = visit.order.status in _CONFIRMED
    yield Step("done" if confirmed else "next", "老人确认" if zh else "Confirmed by the resident")
