"""One-time codes as the second step of sign-in: enrolling, signing in, leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.accounts import links, one_time_codes, refusals, throttles, totp_secrets
from studypack.accounts.models import (
    RecoveryCode,
    TokenPurpose,
    TotpCredential,
    VerificationToken,
)
from studypack.accounts.recovery import check_current_password
from studypack.accounts.signin import (
    SignedIn,
    open_login_session,
    revoke_sessions,
    rotate_session,
)
from studypack.accounts.tokens import hash_token
from studypack.core import audit
from studypack.core.business_settings import get_business_settings
from studypack.core.config import ConfigurationError
from studypack.core.database import autocommit
from studypack.core.errors import Conflict, Unauthenticated, Unavailable, Unprocessable
from studypack.core.ids import uuid7
from studypack.core.telemetry import get_logger
from studypack.identity.models import User
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email

ISSUER = "StudyPack"


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app needs; shown this once."""

    otpauth_uri: str
    secret: str


@dataclass(frozen=True)
class Confirmed:
    """The session with its new token, and the recovery codes, both shown this once."""

    signed_in: SignedIn
    recovery_codes: list[str]


@dataclass(frozen=True)
class TotpStatus:
    """Whether one-time codes are on, since when, and how many recovery codes are left."""

    enrolled: bool
    confirmed_at: datetime | None
    recovery_codes_left: int


class ChallengeInvalid(Unauthenticated):
    """Unknown, expired or used."""

    code = "totp_challenge_invalid"


def get_status(session: Session, user_id: UUID) -> TotpStatus:
    """How a user's second step stands, in one statement."""
    left = (
        select(func.count())
        .select_from(RecoveryCode)
        .where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
        .scalar_subquery()
    )
    confirmed = (
        select(TotpCredential.confirmed_at)
        .where(TotpCredential.user_id == user_id)
        .scalar_subquery()
    )
    row = session.execute(select(confirmed.label("confirmed_at"), left.label("left"))).one()
    return TotpStatus(row.confirmed_at is not None, row.confirmed_at, row.left)


def enrol(session: Session, user_id: UUID, password: str | None, *, now: datetime) -> Enrolment:
    """Make a secret for an authenticator app; nothing changes at sign-in until `confirm`.

    Raises Unprocessable naming `password`, Conflict (`totp_enrolled`, `set_password_first`: whoever
    took the session of an account that signs in with a provider must not lock its owner out),
    TooManyRequests, Unavailable when this deployment has no key.
    """
    sealing_key = _sealing_key()
    check_current_password(session, user_id, password or "", field="password")
    email = session.execute(
        select(User.email).where(User.id == user_id).with_for_update()
    ).scalar_one()
    secret = totp_secrets.new_secret()
    sealed = totp_secrets.seal(secret, user_id, sealing_key)
    statement = insert(TotpCredential).values(id=uuid7(now), user_id=user_id, secret=sealed)
    stored = session.scalar(
        statement.on_conflict_do_update(
            index_elements=[TotpCredential.user_id],
            set_={"secret": sealed, "created_at": now},
            where=TotpCredential.confirmed_at.is_(None),
        ).returning(TotpCredential.id)
    )
    if stored is None:
        raise Conflict("One-time codes are on; turn them off first.", code="totp_enrolled")
    return Enrolment(
        one_time_codes.provisioning_uri(secret, email, ISSUER),
        one_time_codes.readable_secret(secret),
    )


def confirm(
    session: Session, user_id: UUID, session_id: UUID, code: str, *, now: datetime
) -> Confirmed:
    """Turn one-time codes on with the app's first code: closes the other sessions, which came
    without one, and gives this one a new token.

    Raises Unprocessable naming `code`, Conflict (`totp_enrolled`, `totp_not_begun`),
    TooManyRequests.
    """
    sealing_key = _sealing_key()
    limit = _count_try(session, user_id)
    credential = session.scalars(
        select(TotpCredential).where(TotpCredential.user_id == user_id).with_for_update()
    ).one_or_none()
    if credential is None:
        raise Conflict("Ask for a secret first.", code="totp_not_begun")
    if credential.confirmed_at is not None:
        raise Conflict("One-time codes are on.", code="totp_enrolled")
    secret = totp_secrets.unseal(credential.secret, user_id, sealing_key)
    step = one_time_codes.matching_step(secret, code, now=now, after=None)
    if step is None:
        raise _wrong_code()
    credential.confirmed_at, credential.last_step = now, step
    codes = _renew_recovery_codes(session, user_id)
    audit.record(session, "account.totp_enrolled", actor_id=user_id, subject_id=user_id)
    session.flush()
    enqueue_email(session, user_id, EmailTemplate.TOTP_ENABLED, occasion=str(uuid7(now)))
    revoke_sessions(session, user_id, keep=session_id)
    throttles.forgive(session, [limit])
    return Confirmed(rotate_session(session, session_id), codes)


def renew_recovery_codes(session: Session, user_id: UUID, code: str, *, now: datetime) -> list[str]:
    """Ten new recovery codes; those from before work no more.

    Raises Unprocessable naming `code`, Conflict (`totp_not_enrolled`), TooManyRequests.
    """
    sealing_key = _sealing_key()
    limit = _count_try(session, user_id)
    _accept_code(session, user_id, code, sealing_key, now=now)
    throttles.forgive(session, [limit])
    audit.record(session, "account.recovery_codes_renewed", actor_id=user_id, subject_id=user_id)
    return _renew_recovery_codes(session, user_id)


def disable(
    session: Session,
    user_id: UUID,
    session_id: UUID,
    *,
    password: str | None,
    code: str,
    now: datetime,
) -> SignedIn:
    """Turn one-time codes off with the password and a code (a recovery code will do); closes the
    other sessions and gives this one a new token.

    Raises Unprocessable naming `password` or `code`, Conflict (`totp_not_enrolled`,
    `set_password_first`), TooManyRequests.
    """
    sealing_key = _sealing_key()
    limit = _count_try(session, user_id)
    check_current_password(session, user_id, password or "", field="password")
    _accept_code(session, user_id, code, sealing_key, now=now)
    throttles.forgive(session, [limit])
    forget_codes(session, user_id)
    audit.record(session, "account.totp_disabled", actor_id=user_id, subject_id=user_id)
    session.flush()
    enqueue_email(session, user_id, EmailTemplate.TOTP_DISABLED, occasion=str(uuid7(now)))
    revoke_sessions(session, user_id, keep=session_id)
    return rotate_session(session, session_id)


def prove(
    session: Session, user_id: UUID, *, password: str | None, code: str | None, now: datetime
) -> None:
    """Make sure, by the password or instead by a code, that it is the owner who asks for something
    serious; comes before the request's first statement.

    Raises Unprocessable naming `password` or `code`, Conflict (`set_password_first`,
    `totp_not_enrolled`), TooManyRequests.
    """
    if password is not None or code is None:
        check_current_password(session, user_id, password or "", field="password")
        return
    sealing_key = _sealing_key()
    limit = _count_try(session, user_id)
    _accept_code(session, user_id, code, sealing_key, now=now)
    throttles.forgive(session, [limit])


def forget_codes(session: Session, user_id: UUID) -> None:
    """Remove the app's secret and the recovery codes."""
    session.execute(delete(TotpCredential).where(TotpCredential.user_id == user_id))
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def complete_sign_in(
    session: Session, challenge: str, code: str, *, address: str, user_agent: str | None
) -> SignedIn:
    """Open the session that a challenge stands for, with a code of the app or a recovery code.

    A wrong code leaves the challenge usable. Raises ChallengeInvalid, Unprocessable naming `code`,
    TooManyRequests (counted by account, however many challenges the password has bought, and by
    network address, where a right code is not counted). Refusals go into the audit log.
    """
    sealing_key = _sealing_key()
    hits = get_business_settings(session).codes_per_address
    by_address = throttles.Limit("totp-address", address, hits, throttles.QUARTER_HOUR)
    now = refusals.count_try(session, by_address, address=address)
    user_id = _challenged_user(challenge)
    by_account = _code_limit(session, user_id)
    refusals.count_try(session, by_account, address=address, user_id=user_id)
    try:
        links.redeem(session, challenge, TokenPurpose.LOGIN_CHALLENGE)
    except Unprocessable:
        raise _invalid_challenge() from None
    user = session.scalars(
        select(User).where(User.id == user_id, User.is_active, User.deleted_at.is_(None))
    ).one_or_none()
    if user is None:
        raise _invalid_challenge()
    try:
        _accept_code(session, user_id, code, sealing_key, now=now)
    except Unprocessable:
        refusals.record(session, refusals.CODE_REFUSED, address=address, user_id=user_id)
        raise
    throttles.forgive(session, [by_account], this_try=[by_address])
    user.last_login_at = now
    return open_login_session(session, user_id, address=address, user_agent=user_agent, now=now)


def _challenged_user(challenge: str) -> UUID:
    """Whose challenge it is, read before the request's transaction, so that tries can be counted
    by account.
    """
    with autocommit() as connection:
        user_id = connection.execute(
            select(VerificationToken.user_id).where(
                VerificationToken.token_hash == hash_token(challenge),
                VerificationToken.purpose == TokenPurpose.LOGIN_CHALLENGE,
                VerificationToken.used_at.is_(None),
                VerificationToken.expires_at > func.now(),
            )
        ).scalar_one_or_none()
    if user_id is None:
        raise _invalid_challenge()
    return user_id


def _invalid_challenge() -> ChallengeInvalid:
    return ChallengeInvalid("This sign-in has expired; begin again.")


def _accept_code(
    session: Session, user_id: UUID, code: str, sealing_key: bytes, *, now: datetime
) -> None:
    """Use a code up. The credential's row is locked, so of two requests with one code one passes.

    Raises Unprocessable naming `code`, Conflict (`totp_not_enrolled`).
    """
    credential = session.scalars(
        select(TotpCredential)
        .where(TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_not(None))
        .with_for_update()
    ).one_or_none()
    if credential is None:
        raise Conflict("One-time codes are not on.", code="totp_not_enrolled")
    if not (code.isascii() and code.isdigit()):
        _use_recovery_code(session, user_id, code)
        return
    secret = totp_secrets.unseal(credential.secret, user_id, sealing_key)
    step = one_time_codes.matching_step(secret, code, now=now, after=credential.last_step)
    if step is None:
        raise _wrong_code()
    credential.last_step = step
    session.flush()


def _use_recovery_code(session: Session, user_id: UUID, code: str) -> None:
    used = session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.code_hash == one_time_codes.recovery_hash(code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=func.now())
        .returning(RecoveryCode.id)
        .execution_options(synchronize_session=False)
    )
    if used is None:
        raise _wrong_code()
    audit.record(session, "account.recovery_code_used", actor_id=user_id, subject_id=user_id)


def _renew_recovery_codes(session: Session, user_id: UUID) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = one_time_codes.new_recovery_codes()
    rows = [
        {"id": uuid7(), "user_id": user_id, "code_hash": one_time_codes.recovery_hash(code)}
        for code in codes
    ]
    session.execute(insert(RecoveryCode).values(rows))
    return codes


def _code_limit(session: Session, user_id: UUID) -> throttles.Limit:
    hits = get_business_settings(session).login_attempts
    return throttles.Limit("totp-code", str(user_id), hits, throttles.QUARTER_HOUR)


def _count_try(session: Session, user_id: UUID) -> throttles.Limit:
    """Count a try of a code on this account; the limit returned is to be forgiven."""
    limit = _code_limit(session, user_id)
    throttles.take(session, limit)
    return limit


def _sealing_key() -> bytes:
    try:
        return totp_secrets.key()
    except ConfigurationError as error:
        get_logger().error("one-time codes cannot be used", extra={"setting": str(error)})
        raise Unavailable(
            "One-time codes are not set up here.", code="totp_not_configured"
        ) from None


def _wrong_code() -> Unprocessable:
    return Unprocessable.field("code", "The code is wrong or was used.", code="wrong_code")
