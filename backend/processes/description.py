"""The interface in OpenAPI 3.1: what Litestar derives from the code, with our one shape for refusals put in."""

from typing import Any, Final

from litestar import Litestar, Request, Response, Router, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.serialization import encode_json

from backend.core.errors import CODES, DomainError
from backend.pages.fixed import answer, fixed

_ABOUT: Final = (
    "Sign in, then send the token as `Authorization: Bearer`. A POST that changes care data takes an `Idempotency-Key` "
    "header of 8 to 255 characters: the same key and request get the same answer. Instants are RFC 3339, money is in fen."
)
_REF: Final = {"$ref": "#/components/schemas/Problem"}
_REFUSAL: Final = {
    "description": "Refused; `code` says why.",
    "content": {"application/problem+json": {"schema": _REF}},
}
_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. Branch on `code`; read `detail` to people.",
    "required": ["type", "code", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "code": {"type": "string", "enum": sorted(CODES)},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
    },
}


def config() -> OpenAPIConfig:
    """What Litestar should derive; its own pages are kept out of the way of ours."""
    aside = Router("/v1/openapi", route_handlers=[], opt={"public": True}, guards=[_nobody], include_in_schema=False)
    return OpenAPIConfig(
        title="Yinling 银龄",
        version="1",
        description=_ABOUT,
        openapi_router=aside,
        render_plugins=[JsonRenderPlugin(path="/raw.json")],
        use_handler_docstrings=True,
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
        security=[{"token": []}],
    )


def described(app: Litestar) -> dict[str, Any]:
    """The whole description."""
    schema: dict[str, Any] = app.openapi_schema.to_schema()
    schema["components"]["schemas"]["Problem"] = _PROBLEM
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("400", None)
            operation["responses"]["default"] = _REFUSAL
    return schema


@get("/v1/openapi.json", opt={"public": True}, include_in_schema=False)
async def description(request: Request[Any, Any, State]) -> Response[bytes]:
    """The description, for everybody; written out once, when somebody first asks for it."""
    state = request.app.state
    if "description" not in state:
        state["description"] = fixed(encode_json(described(request.app)), "application/json")
    return answer(request, state["description"])


def _nobody(_connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar's own pages write the description out anew for each caller. Raises DomainError not_found."""
    raise DomainError("not_found")
