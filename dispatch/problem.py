"""One day's planning problem: who must be visited, who can go, and how long the ways are.

Times are integer seconds from an origin the caller chooses; places are positions in the travel matrices.
"""

from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import force_setattr
from numpy import ndarray


class Shift(Struct, frozen=True, forbid_unknown_fields=True):
    """When a worker works, seconds."""

    start_s: int
    end_s: int


class Break(Struct, frozen=True, forbid_unknown_fields=True):
    """A rest that must begin inside its window, seconds. Time off before, between and after shifts is time for it too."""

    earliest_s: int
    latest_s: int
    duration_s: int


class Worker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One care worker on this day. `end_place` None: the day ends at the last stop.

    Shifts and breaks may be given in any order. Shifts that touch or overlap are one; each begins at the start place.
    Breaks are taken in the order of their windows: which may begin first is first, and of those which must begin first.
    `capacity` is what the bag or vehicle can hold over the whole route, in the unit of `Visit.load`. `max_span_s` is the
    longest day, from setting out to being back; who sets out later may be back later. `max_work_s` is the most to be
    done in a day: handling and all ways, without waiting and breaks. `max_heavy` is how many heavy seats at most.
    `languages` are those spoken.
    """

    id: str
    provider: str
    skills: frozenset[str]
    gender: str | None = None
    mode: str = "car"
    start_place: int
    end_place: int | None = None
    shifts: tuple[Shift, ...]
    breaks: tuple[Break, ...] = ()
    box_capacity: int = 8
    capacity: int | None = None
    max_span_s: int | None = None
    max_work_s: int | None = None
    max_heavy: int | None = None
    languages: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Bring shifts and breaks into their order, whoever made this."""
        if len(self.shifts) > 1:
            force_setattr(self, "shifts", _joined(self.shifts))
        if len(self.breaks) > 1:
            ordered = sorted(self.breaks, key=lambda rest: (rest.earliest_s, rest.latest_s, rest.duration_s))
            force_setattr(self, "breaks", tuple(ordered))


def _joined(shifts: Sequence[Shift]) -> tuple[Shift, ...]:
    """The shifts in order, those that touch or overlap as one. One that ends before it begins is left for others to refuse."""
    found: list[Shift] = []
    for shift in sorted(shifts, key=lambda shift: (shift.start_s, shift.end_s)):
        last = found[-1] if found else None
        if last is not None and shift.start_s <= min(last.end_s, shift.end_s):
            found[-1] = Shift(last.start_s, max(last.end_s, shift.end_s))
        else:
            found.append(shift)
    return tuple(found)


class Seat(Struct, frozen=True, forbid_unknown_fields=True):
    """One place in a crew: the skills it needs, how long it is busy, the gender wished, and whether it is heavy work."""

    skills: frozenset[str]
    duration_s: int
    gender: str | None = None
    heavy: bool = False


class Equipment(Struct, frozen=True, forbid_unknown_fields=True):
    """What visits share: so many units of a kind, of one provider, or of everybody when `provider` is None.

    A visit has its unit from its start until the last of its crew has finished, and `turnaround_s` longer for taking it
    down, away and up again; one time for all units of a kind. Of one kind either all units are everybody's, or each is a
    provider's own.
    """

    kind: str
    count: int
    turnaround_s: int = 0
    provider: str | None = None


class Delivery(Struct, frozen=True, forbid_unknown_fields=True):
    """A hot meal: fetched at `pickup_place` when ready, carried no longer than `max_ride_s`."""

    pickup_place: int
    ready_s: int
    pickup_duration_s: int
    max_ride_s: int | None = None
    load: int = 1


class Promise(Struct, frozen=True, forbid_unknown_fields=True):
    """What was told about a visit: when it starts and who comes. Nobody was told a start when `start_s` is None.

    A start farther than `free_s` from the one told costs `Weights.moved_s` a second, and everybody of the crew who is not
    among `workers` costs `Weights.changed`; with no workers anybody may come. What has begun is locked and moves never.
    """

    start_s: int | None = None
    workers: frozenset[str] = frozenset()
    free_s: int = 600


class Visit(Struct, frozen=True, forbid_unknown_fields=True):
    """Something to be done at a place. `latest_s` is the last possible start; a start after `due_s` is late and costs.

    Of a delivery the window means the hand-over. `providers` None allows every provider. `load` is the room the visit
    takes, over the whole route, in the bag or vehicle of each of its crew. `equipment` names kinds it needs a unit of;
    a delivery needs none. Wishes that may be broken at a cost: one `preferred_worker`, the `known_workers` the resident
    has had before, and the `languages` the resident speaks. Leaving the visit out costs `drop_penalty`, and as much
    again for every step of `priority`.
    """

    id: str
    place: int
    seats: tuple[Seat, ...]
    earliest_s: int
    latest_s: int
    due_s: int | None = None
    delivery: Delivery | None = None
    providers: frozenset[str] | None = None
    refused_workers: frozenset[str] = frozenset()
    preferred_worker: str | None = None
    drop_penalty: int = 1_000_000
    priority: int = 0
    load: int = 0
    equipment: frozenset[str] = frozenset()
    promised: Promise | None = None
    known_workers: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()

    @property
    def start_told(self) -> bool:
        """Whether somebody was told when it starts, not only who comes."""
        return self.promised is not None and self.promised.start_s is not None


class Link(Struct, frozen=True, forbid_unknown_fields=True):
    """`after` starts at least `min_gap_s` and at most `max_gap_s` after `before` starts (or ends).

    With `apart` nobody serves both.
    """

    before: str
    after: str
    min_gap_s: int
    max_gap_s: int | None = None
    from_end: bool = False
    apart: bool = False

    def other(self, visit: str) -> str:
        """The visit that one of the two is tied to."""
        return self.before if self.after == visit else self.after


class Weights(Struct, frozen=True, forbid_unknown_fields=True):
    """What a plan costs, in travelled seconds. Judgement, not measurement: lateness must outweigh any detour."""

    travel_s: int = 1
    late_s: int = 4  # each second a visit starts after it is due
    late_flat: int = 1200  # once for every late visit
    meal_late_s: int = (
        1  # the same of a meal: in ten recorded days more came in time when being late at all weighs most
    )
    meal_late_flat: int = 2500
    wait_s: float = 0.2  # each second a meal waits between being ready and being handed over
    late_max_s: float = 0  # each second of the greatest lateness in the whole plan
    late_each_seat: bool = False  # lateness counts once for every seat of a crew, not once for the visit
    moved_s: float = (
        0.1  # each second a start lies outside what was told; this and the next as measured by re-plans at noon
    )
    changed: int = 200  # each of a crew who is not among those told
    preferred: int = 600  # a visit without the preferred worker
    known: int = 300  # each of a crew the resident does not know, where the resident knows somebody
    language: int = 300  # each of a crew who speaks none of the resident's languages, where these are given
    uneven: float = 0  # the square of a worker's handling beyond an even share, divided by that share


class Problem(Struct, frozen=True, kw_only=True):
    """The whole question. `travel` maps a mode to an int32 matrix of seconds, from row to column, maybe asymmetric."""

    workers: tuple[Worker, ...]
    visits: tuple[Visit, ...]
    links: tuple[Link, ...] = ()
    equipment: tuple[Equipment, ...] = ()
    travel: dict[str, ndarray]
    now_s: int = 0
    weights: Weights = field(default_factory=Weights)
