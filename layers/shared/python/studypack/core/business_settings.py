"""Business settings: rows with typed defaults, so that an owner changes them without a
deployment.
"""

from __future__ import annotations

import time
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, event, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.core.database.transaction import autocommit
from studypack.core.errors import Unprocessable
from studypack.core.models import Setting
from studypack.core.telemetry import get_logger

CACHE_SECONDS = 60


class JourneyLesson(BaseModel):
    """The lesson that a newcomer is invited to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    course_title: str = Field(min_length=1, max_length=200)
    lesson_title: str = Field(min_length=1, max_length=200)
    lesson_id: UUID
    lesson_minutes: int | None = Field(None, ge=1, le=600)


class BusinessSettings(BaseModel):
    """Every setting with its default; a row in `auth.settings` overrides one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    free_plan_features: frozenset[str] = frozenset()
    """Features everyone has without paying. The preset `phase-1` (seed 001) grants all."""
    session_days: int = Field(30, ge=1, le=365)
    session_idle_days: int = Field(14, ge=1, le=365)
    """A session that nobody used for so long has ended, whatever it had left."""
    totp_required_roles: frozenset[Literal["USER", "SUPPORT", "ADMIN"]] = frozenset({"ADMIN"})
    """Roles that may do nothing of their role without a one-time code at sign-in."""
    verification_hours: int = Field(48, ge=1)
    password_reset_minutes: int = Field(60, ge=5)
    login_attempts: int = Field(10, ge=1)
    """Failed sign-ins per account and quarter of an hour."""
    login_attempts_per_address: int = Field(100, ge=1)
    """Failed sign-ins per network address and quarter of an hour. A school has one address for
    everybody: a right password does not count here either.
    """
    signups_per_address: int = Field(200, ge=1)
    """Per network address and hour: a year's pupils sign up in one lesson, from one address."""
    mails_per_address: int = Field(5, ge=1)
    """Verification, reset and address-change mails per e-mail address and hour; ten times as many
    per network address (per account for a change of address).
    """
    links_per_address: int = Field(300, ge=1)
    """Mailed links followed, of each kind, per network address and hour."""
    provider_trips_per_address: int = Field(300, ge=1)
    """Sign-ins with a provider begun, and as many ended, per network address and hour."""
    codes_per_address: int = Field(100, ge=1)
    """One-time codes tried per network address and quarter of an hour."""
    grace_days: int = Field(14, ge=0, le=90)
    """How long a subscription whose payment failed still opens what it opened."""
    refund_days: int = Field(90, ge=0, le=180)
    """How long a buyer may take a purchase or a subscription back. Stripe refunds for 180 days."""
    payment_failed_final_days: int = Field(3, ge=1, le=30)
    """After the first failure, when the last mail about it goes out."""
    checkout_minutes: int = Field(1440, ge=30, le=1440)
    """How long Stripe's payment page stays open (Stripe takes 30 minutes to 24 hours)."""
    checkouts_per_hour: int = Field(30, ge=1)
    """Payment pages opened per account."""
    seat_invitation_days: int = Field(14, ge=1, le=90)
    stripe_event_days: int = Field(90, ge=35, le=3650)
    """How long the content of an event is kept after it took effect; Stripe lists 30 days."""
    lesson_file_megabytes: int = Field(100, ge=1, le=2_000)
    """The largest file that a lesson may have."""
    mail_quiet_from: int = Field(21, ge=0, le=23)
    """Hour of the recipient's day from which no marketing goes out; equal to the next: any time."""
    mail_quiet_until: int = Field(8, ge=0, le=23)
    marketing_mails_per_week: int = Field(3, ge=0, le=50)
    lifecycle_lookback_days: int = Field(14, ge=1, le=60)
    """How long after it came up an occasion for a mail is still decided on: the first run on old
    accounts, or one after a stop, does not flood them.
    """
    journey_lesson: JourneyLesson | None = None
    """The lesson that START_JOURNEY leads to; without one that mail is withheld."""
    mail_attempts: int = Field(6, ge=1, le=20)
    """Tries to hand a mail to the provider before it is given up."""
    video_complete_percent: int = Field(90, ge=1, le=100)
    """How much of a video must have been played for its lesson to be completed."""
    notification_days: int = Field(180, ge=7, le=3650)
    """How long what was told in the product is kept."""
    email_log_days: int = Field(400, ge=30, le=3650)
    email_decision_days: int = Field(400, ge=30, le=3650)
    audit_log_days: int = Field(400, ge=90, le=3650)
    """How long it is kept who did what to whom."""
    seller_name: str = Field("StudyPack", min_length=1, max_length=200)
    """Who sells, as invoices say it; likewise the next three."""
    seller_address: tuple[str, ...] = ()
    seller_vat_id: str | None = None
    seller_email: str | None = None


class _Cache:
    def __init__(self) -> None:
        self.value: BusinessSettings | None = None
        self.read_at = 0.0


_cache = _Cache()


def get_business_settings(session: Session | None) -> BusinessSettings:
    """The settings in force, at most a minute old.

    `session`: the caller's; None if it has none. Within an open transaction they are read by its
    own connection: it may be the only one, and a caller who asked for another would wait for
    itself. A row that does not fit its type is left out and logged: one bad setting must not stop
    the product.
    """
    age = time.time() - _cache.read_at
    value = _cache.value
    if value is None or not 0 <= age < CACHE_SECONDS:
        if session is not None and session.in_transaction():
            rows = _read(session.connection())
        else:
            with autocommit() as connection:
                rows = _read(connection)
        value = _cache.value = _fitting(rows)
        _cache.read_at = time.time()
    return value


def _read(connection: Connection) -> dict[str, Any]:
    return {row.key: row.value for row in connection.execute(select(Setting.key, Setting.value))}


def forget_business_settings() -> None:
    """Read them anew at the next use."""
    _cache.value = None


def set_business_setting(session: Session, key: str, value: Any) -> None:
    """Override one setting.

    Raises Unprocessable naming the key when there is no such setting or the value does not fit.
    """
    if key not in BusinessSettings.model_fields:
        raise Unprocessable.field(key, f"There is no setting {key}.", code="unknown_setting")
    try:
        BusinessSettings.model_validate({key: value})
    except ValidationError as error:
        raise Unprocessable.field(key, error.errors()[0]["msg"]) from None
    statement = insert(Setting).values(key=key, value=value)
    session.execute(
        statement.on_conflict_do_update(index_elements=[Setting.key], set_={"value": value})
    )
    event.listen(session, "after_commit", lambda _session: forget_business_settings(), once=True)


def _fitting(rows: dict[str, Any]) -> BusinessSettings:
    try:
        return BusinessSettings.model_validate(rows)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]) for problem in error.errors()}
        get_logger().error(
            "settings that do not fit are ignored", extra={"settings": sorted(wrong)}
        )
        return BusinessSettings.model_validate({k: v for k, v in rows.items() if k not in wrong})
