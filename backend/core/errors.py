"""Every way a request can be refused: a stable code, its HTTP status and a plain sentence.

The codes are part of the public interface (RFC 9457 `type`); clients branch on them, so a code is never renamed.
"""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, tuple[int, str]]] = {
    "invalid_request": (400, "The request could not be read."),
    "invalid_json": (400, "The body is not valid JSON."),
    "invalid_phone": (400, "This is not a telephone number we can call."),
    "mistyped_code": (400, "A digit of this order code is wrong, or two have changed places; please check it."),
    "invalid_window": (400, "The window ends before it starts."),
    "idempotency_key_required": (400, "This request needs an Idempotency-Key header."),
    "not_signed_in": (401, "Please sign in."),
    "sign_in_failed": (401, "The code or password is not right, or it has expired."),
    "not_allowed": (403, "Your role may not do this."),
    "own_evidence": (403, "You entered evidence of this visit; somebody else decides about it."),
    "not_found": (404, "There is nothing here under this address."),
    "method_not_allowed": (405, "This address does not answer that method."),
    "unknown_resident": (404, "This resident is not known."),
    "unknown_zone": (404, "This zone is not known."),
    "unknown_session": (404, "You have no such session, or it has ended."),
    "unknown_consent": (404, "There is no such consent, or it has ended."),
    "unknown_request": (404, "There is nothing of this kind that you have asked for, or are asked."),
    "unknown_item": (404, "The catalogue has no such service."),
    "unknown_order": (404, "This order is not known."),
    "unknown_offer": (404, "This offer is not known."),
    "unknown_worker": (404, "This worker is not known."),
    "unknown_absence": (404, "This absence is not known."),
    "unknown_task": (404, "This task is not known."),
    "unknown_emergency": (404, "This alarm is not known."),
    "unknown_facility": (404, "This facility is not known."),
    "illegal_transition": (409, "The order cannot do that from its present state."),
    "lines_missing": (409, "Something that is done at this visit is still to be done; do it, or say why not."),
    "other_side_unheard": (409, "Both sides are heard before a dispute is decided."),
    "stale_version": (409, "Somebody else changed this meanwhile; read it again."),
    "slot_taken": (409, "The slot was taken meanwhile; ask for new ones."),
    "offer_closed": (409, "The offer is no longer open."),
    "already_taken": (409, "Somebody else has taken this already."),
    "already_absent": (409, "An absence of this worker is recorded for some of that time already; end it first."),
    "shift_holds_visits": (
        409,
        "Visits that were promised lie in the time that would be cut off; give them to others first.",
    ),
    "shifts_overlap": (409, "Two shifts of this worker would be at the same time."),
    "already_asked": (409, "You have asked them for this already; they have not answered yet."),
    "already_answered": (409, "This has been answered already."),
    "refused_lately": (409, "They have said no to this; you can ask again later."),
    "no_account": (409, "Nobody signs in under this name with a code alone, so there is no card for them either."),
    "already_open": (409, "A call about this is promised already; see to it first."),
    "already_closed": (409, "This is closed already."),
    "closes_by_itself": (409, "This task ends with what it is about, not by hand."),
    "hold_at_limit": (409, "The hold cannot be extended any further; it goes on until it runs out."),
    "already_registered": (409, "Somebody of this name and birthday is already registered under this number."),
    "request_in_progress": (409, "The same request is still being worked on."),
    "hold_expired": (410, "The hold has expired; ask for new slots."),
    "body_too_large": (413, "The body is larger than we accept."),
    "unsupported_media_type": (415, "Send the body as application/json."),
    "unreadable": (409, "This record holds something we cannot read; a person will look at it."),
    "in_the_past": (422, "This lies in the past."),
    "shift_too_long": (422, "Nobody works for so long on one day."),
    "absence_too_long": (422, "An absence is not recorded for so long at once."),
    "slot_in_past": (422, "The slot lies in the past."),
    "too_far_ahead": (422, "Bookings for that day are not taken yet."),
    "slot_invalid": (422, "The slot is not one of ours or is older than ten minutes."),
    "too_many_orders": (422, "This resident has as many open orders as one may have."),
    "unreachable_place": (422, "We know no way to this place."),
    "outside_zone": (422, "This position lies far outside the zone it is said to belong to; please check both."),
    "no_shift": (422, "Nobody is on shift for this service at that time."),
    "consent_missing": (403, "The resident has not agreed to this."),
    "not_entitled": (422, "The resident may not book this service."),
    "idempotency_key_reused": (422, "This Idempotency-Key was used for another request."),
    "too_many_requests": (429, "Too many attempts; please wait."),
    "internal_error": (500, "Something failed on our side; nothing was changed."),
    "not_ready": (503, "The planner of this process is still starting; please try again in a few seconds."),
    "busy": (503, "Too many people are asking at once; please try again in a moment."),
    "unavailable": (503, "The service is restarting; please try again."),
}


class DomainError(Exception):
    """A refusal with one of the stable codes; `detail` says what, in a sentence without personal data."""

    def __init__(self, code: str, detail: str | None = None, **extra: str | int | None) -> None:
        super().__init__(code)
        self.code = code
        self.status, self.title = CODES[code]
        self.detail = detail or self.title
        self.extra = extra
