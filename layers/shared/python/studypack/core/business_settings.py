"""Business settings: rows with typed defaults, so that an owner changes them without a
deployment.
"""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import event, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.core.database.engine import has_free_connection
from studypack.core.database.transaction import autocommit
from studypack.core.errors import Unprocessable
from studypack.core.models import Setting
from studypack.core.telemetry import get_logger

CACHE_SECONDS = 60


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
    signups_per_address: int = Field(30, ge=1)
    """Per hour."""
    mails_per_address: int = Field(5, ge=1)
    """Verification and reset mails per e-mail address and hour."""


class _Cache:
    def __init__(self) -> None:
        self.value: BusinessSettings | None = None
        self.read_at = 0.0


_cache = _Cache()


def get_business_settings() -> BusinessSettings:
    """The settings in force, at most a minute old, or older while every connection is in use: the
    caller's own transaction may hold the only one, and would wait for itself.

    A row that does not fit its type is left out and logged: one bad setting must not stop the
    product.
    """
    age = time.time() - _cache.read_at
    fresh = 0 <= age < CACHE_SECONDS
    if _cache.value is None or (not fresh and has_free_connection()):
        with autocommit() as connection:
            rows = {
                row.key: row.value for row in connection.execute(select(Setting.key, Setting.value))
            }
        _cache.value = _fitting(rows)
        _cache.read_at = time.time()
    return _cache.value


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
