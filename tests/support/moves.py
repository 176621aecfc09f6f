"""Every move of an order as a table: whose command leads where from each state, and which events tell whom of it.

Written by hand from what the platform promises, and on purpose without `orders/lifecycle.py`: a walk over HTTP and real
sockets holds the two against each other in every state, see tests/hostile/test_every_state.py.
"""

from typing import Final

from msgspec import Struct

CLIENTS: Final = ("resident", "daughter", "operator")
CREW: Final = ("worker", "mate")
WHO: Final = {
    "clients": CLIENTS, "desk": ("operator",), "provider": ("own provider",), "crew": CREW,
    "worker": ("worker",), "mate": ("mate",), "daughter": ("daughter",), "-": ("",),
}  # fmt: skip
LISTENERS: Final = (
    "resident", "daughter", "son", "former family", "neighbour", "operator", "supervisor", "own provider",
    "other provider", "worker", "mate", "former worker", "other worker",
)  # fmt: skip
"""Son: may only look. Other provider: was asked before and declined. Former worker: had a seat until it was taken over."""

HIDDEN_FROM: Final = frozenset({"son", "former family", "neighbour", "other provider", "other worker"})
"""For whom an order is not there when they command it; only the son may read it."""

_HOUSEHOLD, _CITY = ("resident", "daughter", "son"), ("operator", "supervisor")
HEARS: Final = {
    "order": (*_HOUSEHOLD, *_CITY),  # and the provider (+p) and crew (+c) where the table says so
    "assignment": (*_HOUSEHOLD, *_CITY),  # and the worker it is about
    "offer": (*_CITY, "own provider"),
    "route": _CITY,  # and the worker it is about
    "consent_request": (),  # who asks, and whom they ask, each by themselves
    "consent": (),  # the household, or the account concerned
    "task": _CITY,
    "emergency": (*_HOUSEHOLD, *_CITY),  # whoever raised it; of a worker's nothing in that household
}
"""Who hears an event, by the first word of its type; an event of the catalogue without a row fails."""

_WITHDRAWN = "assignment.withdrawn"
_DECLINED = "offer.declined assignment.declined order.placed+c"
_OFF = f"offer.withdrawn {_WITHDRAWN}"
_DONE = "order.completed+pc"
_SAME = ""  # who is asked to come comes already: what a real exchange tells stands in tests/integration/test_swap.py
_SHUT = "order.no_access+pc task.opened"
_STOPPED = "assignment.checked_out@worker assignment.withdrawn@mate order.aborted+pc"
_VISIT = f"""
held | confirm | clients | placed | order.placed
held | extend | clients | held | order.held
held | release | clients | lapsed | order.lapsed
held | @hold_expiry | - | lapsed | order.lapsed
placed | cancel | clients | cancelled | order.cancelled
placed | reschedule | clients | placed | order.placed
placed | unserved | desk | unserved | order.unserved
placed | @dispatch | - | offered | offer.open order.offered+pc assignment.proposed
placed | @manual_due | - | manual | order.manual
placed | @unserved_due | - | unserved | order.manual order.unserved
manual | cancel | clients | cancelled | order.cancelled
manual | reschedule | clients | placed | order.placed
manual | unserved | desk | unserved | order.unserved
manual | assign | desk | offered | offer.open order.offered+pc assignment.proposed
manual | @unserved_due | - | unserved | order.unserved
offered | accept | provider | accepted | offer.accepted assignment.accepted order.accepted+pc
offered | decline | provider | placed | {_DECLINED}
offered | swap | provider | offered | {_SAME}
offered | swap | desk | offered | {_SAME}
offered | cancel | provider | placed | {_DECLINED}
offered | cancel | clients | cancelled | {_OFF} order.cancelled+pc
offered | reschedule | clients | placed | {_OFF} order.placed+c
offered | unserved | desk | unserved | {_OFF} order.unserved+c
offered | @offer_expiry | - | placed | offer.expired {_WITHDRAWN} order.placed+c
accepted | swap | provider | accepted | {_SAME}
accepted | swap | desk | accepted | {_SAME}
accepted | cancel | clients | cancelled | {_WITHDRAWN} order.cancelled+pc
accepted | cancel | provider | placed | {_WITHDRAWN} order.placed+c
accepted | reschedule | clients | placed | {_OFF} order.placed+c
accepted | en-route | worker | en_route | assignment.en_route@worker order.en_route+pc
accepted | en-route | mate | en_route | assignment.en_route@mate order.en_route+pc
accepted | check-in | worker | arrived | assignment.checked_in@worker order.arrived+pc
accepted | check-in | mate | arrived | assignment.checked_in@mate order.arrived+pc
accepted | sheet | desk | awaiting_acceptance | assignment.checked_in assignment.checked_out order.awaiting_acceptance+pc
accepted | @missed_due | - | missed | assignment.no_show order.missed+pc
en_route | cancel | clients | cancelled | {_WITHDRAWN} order.cancelled+pc
en_route | cancel | provider | cancelled | {_WITHDRAWN} order.cancelled+pc
en_route | en-route | mate | en_route | assignment.en_route@mate
en_route | check-in | worker | arrived | assignment.checked_in@worker order.arrived+pc
en_route | check-in | mate | arrived | assignment.checked_in@mate order.arrived+pc
en_route | sheet | desk | awaiting_acceptance | assignment.checked_in assignment.checked_out order.awaiting_acceptance+pc
en_route | @missed_due | - | missed | assignment.no_show order.missed+pc
arrived | en-route | mate | arrived | assignment.en_route@mate
arrived | check-in | mate | in_service | assignment.checked_in@mate order.in_service+pc
arrived | @missed_due | - | manual | assignment.no_show@mate assignment.withdrawn@worker order.manual+worker
accepted | no-access | worker | no_access | assignment.checked_in@worker order.arrived+pc {_SHUT}
accepted | no-access | mate | no_access | assignment.checked_in@mate order.arrived+pc {_SHUT}
en_route | no-access | worker | no_access | assignment.checked_in@worker order.arrived+pc {_SHUT}
en_route | no-access | mate | no_access | assignment.checked_in@mate order.arrived+pc {_SHUT}
arrived | no-access | worker | no_access | {_SHUT}
arrived | no-access | mate | no_access | assignment.checked_in@mate {_SHUT}
in_service | no-access | crew | no_access | {_SHUT}
no_access | en-route | mate | no_access | assignment.en_route@mate
no_access | no-access | mate | no_access | assignment.checked_in@mate
no_access | check-in | mate | no_access | assignment.checked_in@mate
no_access | check-in | worker | arrived | order.arrived+pc task.closed
no_access | door-opened | desk | arrived | order.arrived+pc task.closed
no_access | another-time | desk | manual | {_WITHDRAWN} order.manual+c task.closed
no_access | abort | desk | aborted | {_STOPPED} task.closed
no_access | @no_access_due | - | no_access | task.raised
arrived | abort | worker | aborted | {_STOPPED}
arrived | abort | desk | aborted | {_STOPPED}
in_service | abort | crew | aborted | assignment.checked_out order.aborted+pc
in_service | abort | desk | aborted | assignment.checked_out order.aborted+pc
in_service* | abort | mate | aborted | assignment.checked_out@mate order.aborted+pc
in_service* | abort | desk | aborted | assignment.checked_out@mate order.aborted+pc
in_service | check-out | worker | in_service* | assignment.checked_out@worker
in_service | check-out | mate | in_service* | assignment.checked_out@mate
in_service* | check-out | mate | awaiting_acceptance | assignment.checked_out@mate order.awaiting_acceptance+pc
in_service* | @missing_out | - | awaiting_acceptance | order.awaiting_acceptance+pc
in_service | @missing_out | - | awaiting_acceptance | order.awaiting_acceptance+pc
awaiting_acceptance | accept-service | clients | completed | {_DONE}
awaiting_acceptance | dispute | clients | disputed | order.disputed+pc
awaiting_acceptance | @acceptance_due | - | completed | {_DONE}
disputed | resolve | desk | completed | {_DONE}
exception | resolve | desk | completed | order.completed+p+worker
missed | cancel | desk | cancelled | order.cancelled+p
missed | sheet | desk | exception | order.exception+pc
missed | no-access | crew | missed | task.opened
missed | check-in | worker | exception | order.exception+p+worker
missed | check-in | mate | exception | order.exception+p+mate
missed | check-out | worker | exception | order.exception+p+worker
missed | check-out | mate | exception | order.exception+p+mate
"""
_MEAL = f"""
held | confirm | daughter | placed | order.placed
placed | @dispatch | - | offered | offer.open order.offered+pc assignment.proposed
offered | accept | provider | accepted | offer.accepted assignment.accepted order.accepted+pc
accepted | swap | provider | accepted | {_SAME}
accepted | swap | desk | accepted | {_SAME}
accepted | cancel | clients | cancelled | {_WITHDRAWN} order.cancelled+pc
accepted | cancel | provider | placed | {_WITHDRAWN} order.placed+c
accepted | reschedule | clients | placed | {_OFF} order.placed+c
accepted | en-route | worker | en_route | assignment.en_route@worker order.en_route+pc
accepted | @missed_due | - | aborted | assignment.no_show order.aborted+pc
en_route | cancel | clients | cancelled | {_WITHDRAWN} order.cancelled+pc
en_route | cancel | provider | cancelled | {_WITHDRAWN} order.cancelled+pc
en_route | hand-over | worker | completed | assignment.checked_in assignment.checked_out {_DONE}
en_route | @missed_due | - | aborted | assignment.no_show order.aborted+pc
accepted | no-access | worker | no_access | assignment.checked_in order.arrived+pc {_SHUT}
en_route | no-access | worker | no_access | assignment.checked_in order.arrived+pc {_SHUT}
no_access | hand-over | worker | completed | assignment.checked_out order.arrived+pc {_DONE} task.closed
no_access | door-opened | desk | arrived | order.arrived+pc task.closed
no_access | abort | desk | aborted | assignment.checked_out order.aborted+pc task.closed
no_access | @no_access_due | - | no_access | task.raised
arrived | hand-over | worker | completed | assignment.checked_out {_DONE}
arrived | no-access | worker | no_access | {_SHUT}
arrived | abort | worker | aborted | assignment.checked_out order.aborted+pc
arrived | abort | desk | aborted | assignment.checked_out order.aborted+pc
arrived | @missed_due | - | no_access | {_SHUT}
aborted | no-access | worker | aborted | task.opened
aborted | hand-over | worker | exception | order.exception+pc
"""


class Move(Struct, frozen=True):
    """Where a command leaves the order, and how often each listener hears each type of event by it."""

    after: str
    heard: dict[str, dict[str, int]]


def _heard(told: str, crew: tuple[str, ...]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for word in told.split():
        kind, *more = word.replace("@", "+").split("+")
        about = [who for who in more if who in CREW]
        to = {"p": ("own provider",), "c": crew, "pc": ("own provider", *crew)}
        if kind.startswith("assignment"):
            for worker in about or crew:
                for who in (*HEARS["assignment"], worker):
                    found.setdefault(who, {}).setdefault(kind, 0)
                    found[who][kind] += 1
            continue
        added = [who for mark in more for who in to.get(mark, (mark,))]
        for who in (*HEARS[kind.split(".")[0]], *added):
            found.setdefault(who, {}).setdefault(kind, 0)
            found[who][kind] += 1
    return found


def _table(rows: str, crew: tuple[str, ...]) -> dict[tuple[str, str, str], Move]:
    table: dict[tuple[str, str, str], Move] = {}
    for row in rows.strip().splitlines():
        state, command, whose, after, told = row.split(" | ")
        for who in WHO[whose]:
            table[state, command, who] = Move(after, _heard(told, crew))
    return table


VISIT: Final = _table(_VISIT, CREW)
MEAL: Final = _table(_MEAL, ("worker",))
"""By state, command and who gives it; a command that begins with @ nobody gives. What is not here changes nothing."""
