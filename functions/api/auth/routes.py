"""Sign-up, sign-in (with a password, a provider, a one-time code), e-mail verification, passwords,
sessions.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth.schemas import (
    ChangePasswordIn,
    DepartureOut,
    EmailIn,
    LinkIn,
    LoginIn,
    LoginSessionOut,
    PublicConfigOut,
    ResetPasswordIn,
    SignedInOut,
    SignupIn,
    TokenIn,
    TotpLoginIn,
    VerifiedOut,
)
from studypack.access.guards import CurrentUser, OptionalUser
from studypack.accounts import oauth, recovery, registration, signin, totp
from studypack.accounts.passwords import MINIMUM_LENGTH
from studypack.accounts.registration import NewAccount
from studypack.accounts.signin import TotpChallenge
from studypack.billing.features import Feature
from studypack.core.business_settings import get_business_settings
from studypack.core.config import get_settings
from studypack.core.errors import AppError, NotFound
from studypack.core.http import AcceptedOut, ClientAddress, DbSession, Page
from studypack.core.http.cookies import (
    OAUTH_COOKIE,
    clear_oauth_cookie,
    clear_session_cookie,
    set_oauth_cookie,
    set_session_cookie,
)
from studypack.core.http.problems import problem
from studypack.integrations.oauth.providers import ProviderName, offered_providers

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


@router.post("/api/auth/login", response_model=SignedInOut)
def log_in(
    credentials: LoginIn,
    request: Request,
    response: Response,
    session: DbSession,
    address: ClientAddress,
    user_agent: UserAgent = None,
) -> Any:
    """Open a session with e-mail address and password. Who has enrolled for one-time codes is
    answered 401 `totp_required` with a `challenge` for POST /api/auth/login/totp.
    """
    outcome = signin.sign_in(
        session, credentials.email, credentials.password, address=address, user_agent=user_agent
    )
    if isinstance(outcome, TotpChallenge):
        # Not raised: the challenge's row must be committed.
        return problem(
            request,
            401,
            "totp_required",
            "Enter the code of your authenticator app.",
            headers={"WWW-Authenticate": "Bearer"},
            extra={"challenge": outcome.token, "expires_at": outcome.expires_at},
        )
    set_session_cookie(response, outcome.token, outcome.expires_at)
    return SignedInOut.model_validate(outcome)


@router.post("/api/auth/login/totp")
def complete_log_in(
    body: TotpLoginIn,
    response: Response,
    session: DbSession,
    address: ClientAddress,
    user_agent: UserAgent = None,
) -> SignedInOut:
    """Second step of signing in: the challenge of the first one, and a code of the authenticator
    app or a recovery code.
    """
    signed_in = totp.complete_sign_in(
        session, body.challenge, body.code, address=address, user_agent=user_agent
    )
    set_session_cookie(response, signed_in.token, signed_in.expires_at)
    return SignedInOut.model_validate(signed_in)


@router.get(
    "/api/auth/oauth/{provider}/start",
    status_code=303,
    response_class=RedirectResponse,
    response_model=None,
)
def start_oauth(
    provider: ProviderName,
    session: DbSession,
    address: ClientAddress,
    return_to: Annotated[
        str, Query(max_length=500, description="A path of the web client, or one of our origins")
    ] = "/",
) -> Response:
    """Send the browser to a provider to sign in or up."""
    departure = oauth.begin(session, provider.provider, return_to=return_to, address=address)
    response = RedirectResponse(departure.url, 303)
    set_oauth_cookie(response, departure.cookie, max_age=oauth.ATTEMPT_LIFETIME)
    return response


@router.post("/api/auth/oauth/{provider}/link")
def link_oauth(
    provider: ProviderName,
    body: LinkIn,
    caller: CurrentUser,
    response: Response,
    session: DbSession,
    address: ClientAddress,
) -> DepartureOut:
    """Begin to link a provider's account to mine: the browser goes to `url` and comes back as after
    signing in. 409 `set_password_first` for an account without a password (or give a code).
    """
    departure = oauth.begin_link(
        session,
        provider.provider,
        user_id=caller.id,
        password=body.password,
        code=body.code,
        return_to=body.return_to,
        address=address,
    )
    set_oauth_cookie(response, departure.cookie, max_age=oauth.ATTEMPT_LIFETIME)
    return DepartureOut(url=departure.url)


@router.get(
    "/api/auth/oauth/{provider}/callback",
    status_code=303,
    response_class=RedirectResponse,
    response_model=None,
)
def finish_oauth(
    provider: ProviderName,
    request: Request,
    caller: OptionalUser,
    address: ClientAddress,
    user_agent: UserAgent = None,
    state: Annotated[str | None, Query(max_length=200)] = None,
    code: Annotated[str | None, Query(max_length=oauth.MAX_CODE)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Where the provider sends the browser back: signs it in and sends it on. A browser is told of
    a refusal by `/sign-in?error=<code>`, a client that takes no HTML by a problem document.
    """
    answer = oauth.Answer(request.cookies.get(OAUTH_COOKIE), state, code, error)
    try:
        arrival = oauth.finish(
            provider.provider,
            answer,
            caller_id=caller.id if caller else None,
            address=address,
            user_agent=user_agent,
        )
    except AppError as refusal:
        response: Response = _refused(request, provider, refusal)
    else:
        response = _arrived(arrival)
    clear_oauth_cookie(response)
    return response


def _arrived(arrival: oauth.Arrival) -> Response:
    outcome = arrival.outcome
    if isinstance(outcome, TotpChallenge):
        # In the fragment, which no server and no log sees.
        query = urlencode({"totp_challenge": outcome.token, "return_to": arrival.return_to})
        return RedirectResponse(f"{_sign_in_page()}#{query}", 303)
    response = RedirectResponse(arrival.return_to, 303)
    if outcome is not None:
        set_session_cookie(response, outcome.token, outcome.expires_at)
    return response


def _refused(request: Request, provider: ProviderName, refusal: AppError) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        query = urlencode({"error": refusal.code, "provider": provider.value})
        return RedirectResponse(f"{_sign_in_page()}?{query}", 303)
    return problem(request, refusal.status, refusal.code, refusal.message, headers=refusal.headers)


def _sign_in_page() -> str:
    return f"{get_settings().web_base_url.rstrip('/')}/sign-in"


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


@router.post("/api/auth/password/change")
def change_password(
    body: ChangePasswordIn, caller: CurrentUser, response: Response, session: DbSession
) -> SignedInOut:
    """Set a new password knowing the current one; closes the other sessions, and this one goes on
    with a new token.
    """
    renewed = recovery.change_password(
        session,
        caller.id,
        caller.session_id,
        current=body.current_password,
        new=body.new_password,
    )
    set_session_cookie(response, renewed.token, renewed.expires_at)
    return SignedInOut.model_validate(renewed)


@router.get("/api/auth/sessions")
def list_sessions(caller: CurrentUser, session: DbSession) -> Page[LoginSessionOut]:
    """Where one is signed in, the latest used first, all on one page."""
    rows = signin.list_sessions(session, caller.id, now=caller.now)
    items = [
        LoginSessionOut.model_validate({**vars(row), "current": row.id == caller.session_id})
        for row in rows
    ]
    return Page(items=items, next_cursor=None)


@router.delete("/api/auth/sessions", status_code=204)
def sign_out_everywhere(
    caller: CurrentUser,
    response: Response,
    session: DbSession,
    keep_current: Annotated[bool, Query(description="Stay signed in here")] = False,
) -> None:
    """Close every session of mine, this one too unless it is to be kept."""
    keep = caller.session_id if keep_current else None
    signin.sign_out_everywhere(session, caller.id, keep=keep)
    if not keep_current:
        clear_session_cookie(response)


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
        oauth_providers=[provider.value.lower() for provider in offered_providers()],
        features=[feature.value for feature in Feature],
        free_plan_features=sorted(get_business_settings(None).free_plan_features),
    )
