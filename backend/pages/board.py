"""The live board at `/board`: zones, orders by state, every worker's day. Codes and states only, nobody's name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from litestar import HttpMethod, MediaType, Request, Response, get, route
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery
from msgspec import Struct

from backend.core.clock import city_date
from backend.core.codes import grouped
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM, Role
from backend.database import pool
from backend.database.clock import care_now
from backend.pages import queries
from backend.pages.fixed import answer, files_below
from backend.pages.lanes import Axis, Bar, Lane
from backend.pages.rendering import TEMPLATES
from backend.pages.words import FLAGS, KINDS, REASONS, STATES, WEEKDAYS, WORDS
from backend.pages.words import State as Shown

_FOLDER: Final = Path(__file__).parent
_STATIC: Final = files_below(_FOLDER / "static")
_SUMMARY: Final = ("waiting", "accepted", "under_way", "done", "trouble")
_TICKER = 10
_NARROWEST: Final = 0.35  # per cent: a board shows many meals beside each other


class ZoneCard(Struct, frozen=True):
    """One zone with its orders by group of states, and its lanes."""

    code: str
    name: str
    groups: list[tuple[str, int]]
    total: int
    lanes: list[Lane]


class Hours(Struct, frozen=True):
    """The hours shown, and where now is in per cent."""

    hours: list[tuple[str, float]]
    now: float | None


class Board(Struct, frozen=True):
    """Everything the page shows."""

    clock: str
    day: str
    zones: list[ZoneCard]
    states: list[tuple[Shown, int]]
    axis: Hours
    events: list[tuple[str, Shown, str]]
    figures: queries.Figures
    manual: list[tuple[str, str, str, str]]
    late: list[tuple[str, str, str, int]]
    care_clock: queries.CareClock | None


async def _gather(request: Request[Any, Any, State], lang: str) -> Board:
    state = request.app.state
    zone_info = state.planner.zone_info
    async with state.database.unit_of_work(SYSTEM, pool.Lane.PLANNING, "board") as connection:
        now = (await care_now(connection)).astimezone(zone_info)
        on = city_date(now, zone_info)
        counts = await queries.zone_counts(connection, on)
        shifts = await queries.shifts(connection, on)
        stops = await queries.stops(connection, on)
        events = await queries.latest(connection, _TICKER)
        figures = await queries.figures(connection, on)
        manual = await queries.desk_orders(connection)
        late = await queries.late_orders(connection, on)
        care_clock = await queries.care_clock(connection)
    ends = [shift.to_at for shift in shifts] + [stop.to_at for stop in stops]
    axis = Axis.of((shift.from_at for shift in shifts), ends, zone_info, now)
    states: dict[str, int] = {}
    for row in counts:
        if row.status:
            states[row.status] = states.get(row.status, 0) + row.count
    return Board(
        clock=now.strftime("%H:%M"),
        day=f"{now:%Y-%m-%d} {WEEKDAYS[lang][now.weekday()]}",
        zones=_zones(counts, shifts, stops, axis, lang),
        states=[(STATES[name], states[name]) for name in STATES if states.get(name)],
        axis=Hours([(hour.strftime("%H:%M"), left) for hour, left in axis.hours(zone_info)], axis.at(now)),
        events=[
            (event.at.astimezone(zone_info).strftime("%H:%M"), STATES[event.type.removeprefix("order.")], grouped(event.code))
            for event in events
        ],
        figures=figures,
        manual=[
            (grouped(m.code), KINDS[m.kind][lang], _why(m, lang), m.window_to.astimezone(zone_info).strftime("%H:%M"))
            for m in manual
        ],
        late=[
            (grouped(o.code), KINDS[o.kind][lang], o.window_to.astimezone(zone_info).strftime("%H:%M"), o.late_min) for o in late
        ],
        care_clock=care_clock,
    )  # fmt: skip


def _why(order: queries.DeskOrder, lang: str) -> str:
    """What brings an order to the desk: why nobody was found, or what is odd about the visit."""
    if order.status == "manual":
        return REASONS[order.reason][lang] if order.reason in REASONS else order.reason or ""
    odd = [FLAGS[flag][lang] for flag in order.flags if flag in FLAGS]
    return " · ".join([STATES[order.status].label(lang), *odd])


def _zones(
    counts: Sequence[queries.ZoneCount],
    shifts: Sequence[queries.BoardShift],
    stops: Sequence[queries.BoardStop],
    axis: Axis,
    lang: str,
) -> list[ZoneCard]:
    blocks: dict[UUID, list[Bar]] = {}
    for stop in stops:
        blocks.setdefault(stop.worker_id, []).append(_block(stop, axis, lang))
    cards: dict[UUID, ZoneCard] = {}
    groups: dict[UUID, dict[str, int]] = {}
    for row in counts:
        cards.setdefault(row.zone_id, ZoneCard(row.code, row.name, [], 0, []))
        if row.status:
            mine = groups.setdefault(row.zone_id, {})
            group = STATES[row.status].group
            mine[group] = mine.get(group, 0) + row.count
    for shift in shifts:
        lane = Lane(shift.code, [axis.bar(shift.from_at, shift.to_at)], blocks.get(shift.worker_id, []))
        cards[shift.zone_id].lanes.append(lane)
    return [
        ZoneCard(
            card.code, card.name, [(name, groups.get(zone_id, {}).get(name, 0)) for name in _SUMMARY],
            sum(groups.get(zone_id, {}).values()), card.lanes,
        )
        for zone_id, card in cards.items()
    ]  # fmt: skip


def _block(stop: queries.BoardStop, axis: Axis, lang: str) -> Bar:
    shown = STATES.get(stop.status or "")
    done = shown is not None and shown.group == "done"
    under_way = shown is not None and shown.group == "under_way"
    css = f"{stop.kind} {stop.order_kind or ''} {'past' if done else 'live' if under_way else ''}{' crew' if stop.crew > 1 else ''}"
    kind = KINDS[stop.order_kind][lang] if stop.order_kind else WORDS["break"][lang]
    title = f"{kind} {grouped(stop.order_code or '')} · {shown.label(lang) if shown else ''}"
    return axis.bar(stop.from_at, stop.to_at, css, title, least=_NARROWEST)


async def _page(request: Request[Any, Any, State], template: str, lang: str) -> Response[str]:
    user = request.user
    if not request.app.state.settings.board_public and (
        user is None or user.role not in {Role.OPERATOR, Role.SUPERVISOR}
    ):
        raise DomainError("not_signed_in")
    lang = "en" if lang == "en" else "zh"
    board = await _gather(request, lang)
    words = {name: texts[lang] for name, texts in WORDS.items()}
    html = TEMPLATES.get_template(template).render(b=board, t=words, lang=lang, city=request.app.state.settings.city)
    return Response(html, media_type=MediaType.HTML, headers={"Cache-Control": "no-store"})


@get("/board", opt={"public": True}, include_in_schema=False)
async def page(request: Request[Any, Any, State], lang: FromQuery[str] = "zh") -> Response[str]:
    """The whole board."""
    return await _page(request, "board/page.html", lang)


@get("/board/live", opt={"public": True}, include_in_schema=False)
async def live(request: Request[Any, Any, State], lang: FromQuery[str] = "zh") -> Response[str]:
    """The part that changes, fetched again when something did."""
    return await _page(request, "board/live.html", lang)


@route(
    "/static/{name:path}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    opt={"public": True},
    include_in_schema=False,
)
async def static(request: Request[Any, Any, State], name: FromPath[str]) -> Response[bytes]:
    """A style sheet, a script or a picture of the pages."""
    found = _STATIC.get(name.removeprefix("/"))
    if found is None:
        raise DomainError("not_found")
    return answer(request, found)


route_handlers = [page, live, static]
