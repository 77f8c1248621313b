"""FastAPI dependencies that say who may call a route."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends

from studypack.access.authentication import Caller, authenticate
from studypack.access.paywall import paywall
from studypack.billing.features import Feature
from studypack.core.database import read_session
from studypack.core.errors import Forbidden, Unauthenticated
from studypack.core.http import SessionToken
from studypack.core.telemetry import note
from studypack.identity.models import Role


def optional_user(token: SessionToken) -> Caller | None:
    """The caller if signed in."""
    return authenticate(token) if token else None


OptionalUser = Annotated[Caller | None, Depends(optional_user)]


def current_user(caller: OptionalUser) -> Caller:
    """The signed-in caller; 401 when there is none."""
    if caller is None:
        raise Unauthenticated
    note(user_id=str(caller.id))
    return caller


CurrentUser = Annotated[Caller, Depends(current_user)]


def request_time(caller: CurrentUser) -> datetime:
    """The database's time at which the request came."""
    return caller.now


Now = Annotated[datetime, Depends(request_time)]


def require_role(*roles: Role) -> Callable[[Caller], Caller]:
    """A guard that lets only these roles pass; 403 for others, and for those who must sign in with
    one-time codes and have not enrolled.
    """

    def guard(caller: CurrentUser) -> Caller:
        if caller.role not in roles:
            raise Forbidden("Your role does not allow this.", code="role_required")
        if caller.totp_required and not caller.totp_enrolled:
            raise Forbidden(
                "Your role needs one-time codes at sign-in: enrol first.",
                code="totp_enrolment_required",
            )
        return caller

    return guard


SupportUser = Annotated[Caller, Depends(require_role(Role.SUPPORT, Role.ADMIN))]
AdminUser = Annotated[Caller, Depends(require_role(Role.ADMIN))]


def entitled(feature: Feature) -> Callable[[Caller], Caller]:
    """A guard that lets only callers pass to whom something of the feature is open; 402 naming
    what would open it for others. Whether it is open for one course, template or deck is the
    service's question (access/paywall.py).
    """

    def guard(caller: CurrentUser) -> Caller:
        if feature not in caller.features:
            with read_session() as session:
                raise paywall(session, feature)
        return caller

    return guard
