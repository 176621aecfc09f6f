"""What a process without visitors shows to whoever watches over it: that it lives, whether it does its work, its numbers."""

from collections.abc import Callable
from typing import Any, Final

from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from msgspec import Struct

from backend.processes.metrics import MEDIA_TYPE, Metrics
from backend.processes.problems import HANDLERS

OK: Final = "ok"


class Readiness(Struct, frozen=True, omit_defaults=True):
    """Whether the process does its work; what else there is to say of it belongs to the process."""

    status: str
    details: Any = None


@get("/health/live", include_in_schema=False)
async def alive() -> Readiness:
    """The process runs."""
    return Readiness(OK)


@get("/health/ready", include_in_schema=False)
async def ready(request: Request[Any, Any, State]) -> Response[Readiness]:
    """It does its work; else 503 and why not."""
    found: Readiness = request.app.state.ready()
    return Response(found, status_code=200 if found.status == OK else 503)


@get("/metrics", include_in_schema=False, media_type=MEDIA_TYPE)
async def metrics(request: Request[Any, Any, State]) -> str:
    """Its numbers."""
    return request.app.state.metrics.text()


def create_watched(metrics_of: Metrics, is_ready: Callable[[], Readiness]) -> Litestar:
    """The application; it looks at what the process has noted and asks nobody."""
    return Litestar(
        route_handlers=[alive, ready, metrics],
        exception_handlers=HANDLERS,
        openapi_config=None,
        logging_config=None,
        state=State({"metrics": metrics_of, "ready": is_ready}),
    )


__all__ = ["OK", "Readiness", "create_watched"]
