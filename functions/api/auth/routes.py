"""Sign-up, sign-in, e-mail verification, passwords, sessions."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from api.auth.schemas import (
    ChangePasswordIn,
    EmailIn,
    LoginIn,
    LoginSessionOut,
    PublicConfigOut,
    ResetPasswordIn,
    SignedInOut,
    SignupIn,
    TokenIn,
    VerifiedOut,
)
from studypack.access.features import Feature
from studypack.access.guards import CurrentUser
from studypack.accounts import recovery, registration, signin
from studypack.accounts.passwords import MINIMUM_LENGTH
from studypack.accounts.registration import NewAccount
from studypack.core.business_settings import get_business_settings
from studypack.core.config import get_settings
from studypack.core.errors import NotFound
from studypack.core.http import AcceptedOut, ClientAddress, DbSession
from studypack.core.http.cookies import clear_session_cookie, set_session_cookie

router = APIRouter(tags=["auth"])

UserAgent = Annotated[str | None, Header(alias="User-Agent", include_in_schema=False)]


@router.post("/api/auth/signup", status_code=201)
def sign_up(
    account: SignupIn,
    response: Response,
    session: DbSession,
    address: ClientAddress,
    user_agent: UserAgent = None,
) -> SignedInOut:
    """Create an account and sign it in; a mail asks to verify the address."""
    signed_in = registration.sign_up(
        session, NewAccount(**account.model_dump()), address=address, user_agent=user_agent
    )
    set_session_cookie(response, signed_in.token, signed_in.expires_at)
    return SignedInOut.model_validate(signed_in)


@router.post("/api/auth/login")
def log_in(
    credentials: LoginIn,
    response: Response,
    session: DbSession,
    address: ClientAddress,
    user_agent: UserAgent = None,
) -> SignedInOut:
    """Open a session with e-mail address and password."""
    signed_in = signin.sign_in(
        session, credentials.email, credentials.password, address=address, user_agent=user_agent
    )
    set_session_cookie(response, signed_in.token, signed_in.expires_at)
    return SignedInOut.model_validate(signed_in)


@router.post("/api/auth/logout", status_code=204)
def log_out(caller: CurrentUser, response: Response, session: DbSession) -> None:
    """Close this session."""
    signin.sign_out(session, caller.session_id)
    clear_session_cookie(response)


@router.post("/api/auth/verify-email")
def verify_email(body: TokenIn, session: DbSession, address: ClientAddress) -> VerifiedOut:
    """Confirm an address with the token of a mailed link (sign-up, or one side of an e-mail
    change).
    """
    user = registration.verify_email(session, body.token, address=address)
    return VerifiedOut(email=user.email, email_verified=user.email_verified_at is not None)


@router.post("/api/auth/verify-email/resend", status_code=202)
def resend_verification(body: EmailIn, session: DbSession, address: ClientAddress) -> AcceptedOut:
    """Mail another verification link, if this address waits for one; the answer is the same if
    not.
    """
    registration.resend_verification(session, body.email, address=address)
    return AcceptedOut(status="accepted")


@router.post("/api/auth/password/forgot", status_code=202)
def forgot_password(body: EmailIn, session: DbSession, address: ClientAddress) -> AcceptedOut:
    """Mail a link to set a new password, if there is such an account; the answer is the same if
    not.
    """
    recovery.forgot_password(session, body.email, address=address)
    return AcceptedOut(status="accepted")


@router.post("/api/auth/password/reset", status_code=204)
def reset_password(body: ResetPasswordIn, session: DbSession, address: ClientAddress) -> None:
    """Set a new password with a mailed token; closes every session."""
    recovery.reset_password(session, body.token, body.password, address=address)


@router.post("/api/auth/password/change", status_code=204)
def change_password(body: ChangePasswordIn, caller: CurrentUser, session: DbSession) -> None:
    """Set a new password knowing the current one; closes the other sessions."""
    recovery.change_password(
        session,
        caller.id,
        caller.session_id,
        current=body.current_password,
        new=body.new_password,
    )


@router.get("/api/auth/sessions")
def list_sessions(caller: CurrentUser, session: DbSession) -> list[LoginSessionOut]:
    """Where one is signed in, the latest used first."""
    return [
        LoginSessionOut.model_validate({**vars(row), "current": row.id == caller.session_id})
        for row in signin.list_sessions(session, caller.id, now=caller.now)
    ]


@router.delete("/api/auth/sessions/{session_id}", status_code=204)
def revoke_session(session_id: UUID, caller: CurrentUser, session: DbSession) -> None:
    """Sign one browser or device out."""
    if not signin.revoke_session(session, caller.id, session_id):
        raise NotFound("There is no such session.", code="session_not_found")


@router.get("/api/config", tags=["config"])
def public_config() -> PublicConfigOut:
    """Public settings for browser clients."""
    settings = get_settings()
    return PublicConfigOut(
        build=settings.build,
        stage=settings.stage,
        password_minimum_length=MINIMUM_LENGTH,
        media_base_url=settings.media_base_url,
        features=[feature.value for feature in Feature],
        free_plan_features=sorted(get_business_settings().free_plan_features),
    )
