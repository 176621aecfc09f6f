"""Which door a route belongs to. Routes are closed to everybody who is not named."""

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role

_GUARDED = "yinling_roles"


def requires(*roles: Role) -> Guard:
    """A guard that lets these roles in and answers everybody else not_allowed."""
    allowed = frozenset(roles)

    def guard(connection: ASGIConnection, _handler: BaseRouteHandler) -> None:
        user = connection.scope.get("user")
        if not isinstance(user, Principal):
            raise DomainError("not_signed_in")
        if user.role not in allowed:
            raise DomainError("not_allowed")

    setattr(guard, _GUARDED, allowed)
    return guard


def declares_its_roles(handler: BaseRouteHandler) -> bool:
    """Whether a route says who may call it: public, or a guard made by `requires`."""
    public = bool(handler.opt.get("public"))
    return public or any(hasattr(guard, _GUARDED) for guard in handler.guards or ())


anybody_signed_in = requires(*(role for role in Role if role is not Role.SYSTEM))
