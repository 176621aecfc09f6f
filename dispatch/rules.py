"""Hard rules: may this worker take this seat at all? Each rule has the name a person is told."""

from dispatch.problem import Seat, Visit, Worker


def refusal(worker: Worker, visit: Visit, seat: Seat) -> str | None:
    """The first rule that forbids it, or None."""
    if visit.providers is not None and worker.provider not in visit.providers:
        return "provider_excluded"
    if worker.id in visit.refused_workers:
        return "refused"
    if not seat.skills <= worker.skills:
        return "no_skill"
    if seat.gender is not None and worker.gender != seat.gender:
        return "gender"
    if (worker.capacity is not None and visit.load > worker.capacity) or (
        visit.delivery is not None and visit.delivery.load > worker.box_capacity
    ):
        return "capacity"
    return "heavy" if seat.heavy and worker.max_heavy == 0 else None
