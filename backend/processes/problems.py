"""Every refusal and failure as `application/problem+json` with a stable code."""

import uuid
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import asyncpg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException
from litestar.types import ExceptionHandlersMap

from backend.core.errors import CODES, DomainError
from backend.database.rows import RowMissingError, UnreadableRowError
from backend.pages.refusals import in_words
from backend.processes.logging import where
from backend.processes.reading import LeftError

log = structlog.get_logger()
Answer: TypeAlias = Callable[[Request[Any, Any, Any], Any], Response[Any]]
_MEDIA_TYPE: Final = "application/problem+json"
_BY_STATUS: Final = {
    401: "not_signed_in", 403: "not_allowed", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large",
    415: "unsupported_media_type", 429: "too_many_requests", 503: "unavailable",
}  # fmt: skip
UNAVAILABLE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has said good-bye, and the socket is not closed yet
    asyncpg.OperatorInterventionError,  # shutting down, starting up, a statement that took too long
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock: one of two gave way
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    OSError,  # no connection, or none in time
)
_RETRY_AFTER_S: Final = 1


def _problem(code: str, *, detail: str | None = None, **extra: Any) -> Response[Any]:
    status, title = CODES[code]
    body = {
        "type": f"urn:yinling:problem:{code}",
        "code": code,
        "title": title,
        "status": status,
        "detail": detail or title,
        "request_id": uuid.uuid4().hex,
        **extra,
    }
    headers: dict[str, str] = {}
    if code == "not_signed_in":
        headers["WWW-Authenticate"] = "Bearer"
    if "retry_after_s" in extra:
        headers["Retry-After"] = str(extra["retry_after_s"])
    return Response(body, status_code=status, media_type=_MEDIA_TYPE, headers=headers)


def _refused(_request: Request[Any, Any, Any], error: DomainError) -> Response[Any]:
    return _problem(error.code, detail=error.detail, **error.extra)


def _missing(_request: Request[Any, Any, Any], _error: RowMissingError) -> Response[Any]:
    return _problem("not_found")


def _unreadable(_request: Request[Any, Any, Any], error: UnreadableRowError) -> Response[Any]:
    """What stands in the database is not the sender's mistake, and sending it again does not help."""
    log.error("web.unreadable", kind=error.kind, reason=error.column, order=str(error.key))
    return _problem("unreadable")


def _taken(_request: Request[Any, Any, Any], _error: asyncpg.ExclusionViolationError) -> Response[Any]:
    """The last guard held: no worker is in two places, so the slot is gone."""
    return _problem("slot_taken")


def _unstorable(_request: Request[Any, Any, Any], _error: asyncpg.DataError) -> Response[Any]:
    """A value no column can hold, such as a NUL in a text or a year 99999."""
    return _problem("invalid_request")


def _by_the_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What Litestar itself refuses: no such address or method, a body too large, unreadable or misshapen."""
    if isinstance(error.__cause__, SerializationException):
        return _problem("invalid_json")
    if error.status_code in _BY_STATUS:
        response = _problem(_BY_STATUS[error.status_code])
        if error.status_code == 405 and error.headers:
            response.headers.update(error.headers)
        return response
    if error.status_code < 500:
        return _problem("invalid_request", errors=_misfits(error.extra))
    return _failed(request, error)


def _misfits(extra: Any) -> list[dict[str, str]]:
    """Which fields do not fit and why."""
    found = extra if isinstance(extra, list) else []
    return [{"field": str(item.get("key", "")), "message": str(item.get("message", ""))} for item in found]


def _unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.warning("web.unavailable", error=type(error).__name__, route=request.scope.get("path_template"))
    return _problem("unavailable", retry_after_s=_RETRY_AFTER_S)


def _left(request: Request[Any, Any, Any], _error: LeftError) -> Response[Any]:
    """Nobody is there any more, and nothing was done; that is no failure of ours."""
    log.info("web.left", method=request.scope["method"], route=request.scope.get("path_template"))
    return _problem("invalid_request")


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    response = _problem("internal_error")
    log.error(
        "web.failed",
        error=type(error).__name__,
        method=request.scope["method"],
        route=request.scope.get("path_template"),
        request_id=response.content["request_id"],
        trace=where(error),
    )
    return response


def _for_whom(answer: Answer) -> Answer:
    """The same answer as a page, where it is a page that somebody asked for."""

    def answered(request: Request[Any, Any, Any], error: Any) -> Response[Any]:
        problem = answer(request, error)
        words = in_words(request, problem.content["code"], problem.content["status"])
        if words is None:
            return problem
        words.headers.update({name: value for name, value in problem.headers.items() if name != "WWW-Authenticate"})
        return words

    return answered


_PROBLEMS: Final[dict[type[Exception], Answer]] = {
    DomainError: _refused,
    LeftError: _left,
    RowMissingError: _missing,
    UnreadableRowError: _unreadable,
    asyncpg.ExclusionViolationError: _taken,
    asyncpg.DataError: _unstorable,
    HTTPException: _by_the_framework,
    **dict.fromkeys(UNAVAILABLE, _unavailable),
    Exception: _failed,
}
HANDLERS: Final[ExceptionHandlersMap] = {kind: _for_whom(answer) for kind, answer in _PROBLEMS.items()}
