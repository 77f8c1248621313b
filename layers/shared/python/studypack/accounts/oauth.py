"""Signing in with Google or GitHub: the trip there and back (what it links: provider_accounts.py).

A trip has two requests. `begin` notes the attempt and gives the browser a secret in a cookie, from
which state, nonce and PKCE verifier are derived: the provider's answer is worth something in that
browser only, and a look into the database helps nobody. `finish` uses the attempt up and commits,
asks the provider (no transaction is open meanwhile), then records in a second transaction.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from studypack.accounts import throttles, totp
from studypack.accounts.models import OAuthAttempt
from studypack.accounts.provider_accounts import (
    SignInRefused,
    forget_accounts,
    insert_link,
    link_to,
    linked_accounts,
    linked_user,
    unlink,
    user_to_link,
)
from studypack.accounts.signin import SignedIn, TotpChallenge, admit, totp_enrolled
from studypack.accounts.tokens import hash_token, new_token
from studypack.core.business_settings import get_business_settings
from studypack.core.config import get_settings
from studypack.core.database import transaction
from studypack.core.errors import AppError, BadRequest, Forbidden, Unprocessable
from studypack.core.ids import uuid7
from studypack.core.telemetry import get_logger
from studypack.identity.models import User
from studypack.integrations.oauth.errors import ProviderError
from studypack.integrations.oauth.exchange import ProviderIdentity, exchange
from studypack.integrations.oauth.providers import Client, OAuthProvider, client_of

__all__ = [
    "ATTEMPT_LIFETIME",
    "MAX_CODE",
    "Answer",
    "Arrival",
    "AttemptInvalid",
    "Departure",
    "SignInRefused",
    "begin",
    "begin_link",
    "checked_return_to",
    "derived",
    "finish",
    "forget_accounts",
    "linked_accounts",
    "unlink",
]

ATTEMPT_LIFETIME = timedelta(minutes=10)
MAX_CODE = 2000


@dataclass(frozen=True)
class Departure:
    """Where to send the browser, and the secret for its cookie."""

    url: str
    cookie: str


@dataclass(frozen=True)
class Arrival:
    """Where the browser goes on, and what it has got; None when an account was linked."""

    return_to: str
    outcome: SignedIn | TotpChallenge | None


@dataclass(frozen=True)
class Answer:
    """What the provider sent the browser back with, and what that browser holds."""

    cookie: str | None
    state: str | None
    code: str | None
    error: str | None


@dataclass(frozen=True)
class _Attempt:
    user_id: UUID | None
    return_to: str
    now: datetime


class AttemptInvalid(BadRequest):
    """Unknown, expired, used, of another browser or provider: it does not tell which."""

    code = "oauth_attempt_invalid"


def derived(cookie: str, purpose: str) -> str:
    """What stands for this browser as `purpose` (`state`, `nonce`, `verifier`); 43 characters."""
    made = hmac.digest(cookie.encode(), f"studypack oauth {purpose}".encode(), "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def checked_return_to(value: str) -> str:
    """Where to go on after the trip: a path of the web client, or an address on one of our origins.

    Raises Unprocessable naming `return_to`.
    """
    settings = get_settings()
    allowed = value.isascii() and value.isprintable() and "\\" not in value
    if allowed and value.startswith("/") and not value.startswith("//"):
        return settings.web_base_url.rstrip("/") + value
    try:
        parts = urlsplit(value)
    except ValueError:
        allowed = False
    else:
        allowed = allowed and f"{parts.scheme}://{parts.netloc}" in settings.origins
    if not allowed:
        raise Unprocessable.field(
            "return_to", "This address is not one of ours.", code="foreign_address"
        )
    return value


def begin(
    session: Session,
    provider: OAuthProvider,
    *,
    return_to: str,
    address: str,
) -> Departure:
    """Begin a trip to a provider to sign in or up.

    Raises NotFound (`oauth_provider_unavailable`), Unprocessable naming `return_to`,
    TooManyRequests.
    """
    client = client_of(provider)
    target = checked_return_to(return_to)
    now = _count_start(session, address)
    return _depart(session, client, user_id=None, return_to=target, now=now)


def begin_link(
    session: Session,
    provider: OAuthProvider,
    *,
    user_id: UUID,
    password: str | None,
    code: str | None,
    return_to: str,
    address: str,
) -> Departure:
    """Begin a trip to link a provider's account to a user who proves to be the owner: it will sign
    in for as long as it is linked, so that a borrowed session must not suffice.

    Raises what `begin` and `totp.prove` do.
    """
    client = client_of(provider)
    target = checked_return_to(return_to)
    now = _count_start(session, address)
    totp.prove(session, user_id, password=password, code=code, now=now)
    return _depart(session, client, user_id=user_id, return_to=target, now=now)


def _count_start(session: Session, address: str) -> datetime:
    hits = get_business_settings(session).provider_trips_per_address
    return throttles.take(session, throttles.Limit("oauth-start", address, hits, throttles.HOUR))


def _depart(
    session: Session, client: Client, *, user_id: UUID | None, return_to: str, now: datetime
) -> Departure:
    cookie = new_token()
    session.add(
        OAuthAttempt(
            id=uuid7(now),
            provider=client.provider,
            state_hash=hash_token(derived(cookie, "state")),
            user_id=user_id,
            return_to=return_to,
            expires_at=now + ATTEMPT_LIFETIME,
        )
    )
    session.flush()
    return Departure(_authorize_url(client, cookie), cookie)


def _authorize_url(client: Client, cookie: str) -> str:
    challenge = hashlib.sha256(derived(cookie, "verifier").encode()).digest()
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": client.endpoints.scope,
        "state": derived(cookie, "state"),
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if client.endpoints.keys_url:
        query["nonce"] = derived(cookie, "nonce")
    return f"{client.endpoints.authorize_url}?{urlencode(query)}"


def finish(
    provider: OAuthProvider,
    answer: Answer,
    *,
    caller_id: UUID | None,
    address: str,
    user_agent: str | None,
) -> Arrival:
    """End a trip: sign in, sign up or link, as the provider vouches for.

    Raises AttemptInvalid, ProviderError and its kinds, Forbidden (`oauth_denied`,
    `oauth_email_unverified`), Conflict (`oauth_verify_email_first`, `oauth_account_in_use`,
    `oauth_provider_in_use`), InvalidCredentials for an account that may not sign in.
    """
    try:
        client = client_of(provider)
        attempt = _claim(provider, answer, caller_id=caller_id, address=address)
        if answer.error is not None or not answer.code:
            raise _provider_said(answer.error)
        if len(answer.code) > MAX_CODE:
            raise AttemptInvalid("This sign-in cannot go on; begin again.")
        identity = exchange(
            client,
            answer.code,
            verifier=derived(answer.cookie or "", "verifier"),
            nonce=derived(answer.cookie or "", "nonce"),
            now=attempt.now,
        )
        with transaction() as session:
            if attempt.user_id is not None:
                link_to(session, attempt.user_id, identity)
                return Arrival(attempt.return_to, None)
            outcome = _sign_in(
                session, identity, address=address, user_agent=user_agent, now=attempt.now
            )
            return Arrival(attempt.return_to, outcome)
    except AppError as error:
        get_logger().warning(
            "oauth refused",
            extra={
                "provider": provider.value,
                "code": error.code,
                "reason": getattr(error, "reason", None),
            },
        )
        raise


def _claim(
    provider: OAuthProvider, answer: Answer, *, caller_id: UUID | None, address: str
) -> _Attempt:
    """Use the attempt up, in a transaction of its own: two answers at once, and one goes on."""
    invalid = AttemptInvalid("This sign-in has expired or was used; begin again.")
    with transaction() as session:
        hits = get_business_settings(session).provider_trips_per_address
        now = throttles.take(session, throttles.Limit("oauth-end", address, hits, throttles.HOUR))
        if not answer.cookie or not answer.state:
            raise invalid
        state = derived(answer.cookie, "state")
        if not hmac.compare_digest(state.encode(), answer.state.encode()):
            raise invalid
        row = session.execute(
            delete(OAuthAttempt)
            .where(
                OAuthAttempt.state_hash == hash_token(state),
                OAuthAttempt.provider == provider,
            )
            .returning(OAuthAttempt.user_id, OAuthAttempt.return_to, OAuthAttempt.expires_at)
        ).one_or_none()
    # Whoever signed out or changed accounts on the way does not mean to link the one from before.
    if (
        row is None
        or row.expires_at <= now
        or (row.user_id is not None and row.user_id != caller_id)
    ):
        raise invalid
    return _Attempt(row.user_id, row.return_to, now)


def _provider_said(error: str | None) -> AppError:
    if error == "access_denied":
        return Forbidden("You did not let the provider tell us who you are.", code="oauth_denied")
    return ProviderError("error at the authorize page" if error else "neither code nor error")


def _sign_in(
    session: Session,
    identity: ProviderIdentity,
    *,
    address: str,
    user_agent: str | None,
    now: datetime,
) -> SignedIn | TotpChallenge:
    user_id = linked_user(session, identity)
    if user_id is None:
        user_id, is_new = user_to_link(session, identity, now=now)
        insert_link(session, user_id, identity, tell=not is_new)
    row = session.execute(
        select(User, totp_enrolled()).where(
            User.id == user_id, User.is_active, User.deleted_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        raise SignInRefused("The e-mail address or the password is wrong.")
    return admit(session, row[0], enrolled=row[1], address=address, user_agent=user_agent, now=now)
